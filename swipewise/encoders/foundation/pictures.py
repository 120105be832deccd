"""Families of models that look at frames.

Image models see every frame by itself, and a clip is the mean of its frames; video models see all of them at once.

Legend of shape suffixes: B = clips, F = frames, H, W = rows and columns, C = 3 (RGB), N = tokens, D = width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from swipewise.encoders.foundation.gemma import GemmaFrames
from swipewise.encoders.foundation.source import Source
from swipewise.encoders.foundation.tensors import image_processor_of, placed, pooled
from swipewise.errors import ConfigError
from swipewise.schema import Clip

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_BILINEAR, _BICUBIC = 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """What a model's preprocessor does with a picture: scale, cut out the centre, standardise.

    size and crop: (height, width), or the shorter side of a size that keeps the picture's shape.
    """

    size: tuple[int, int] | int | None
    crop: tuple[int, int] | None
    resample: int
    factor: float
    mean_C: NDArray[np.float32]
    spread_C: NDArray[np.float32]

    @classmethod
    def of(cls, source: Source, *, side: int = 224, resample: int = _BICUBIC) -> Pixels:
        """As the model's own configuration says; ``side`` and ``resample`` where it says nothing."""
        said = source.prepares("video_processor", "image_processor")
        size, crop = said.get("size") or {"height": side, "width": side}, said.get("crop_size")
        mean, spread = said.get("image_mean") or _IMAGENET[0], said.get("image_std") or _IMAGENET[1]
        standardised = said.get("do_normalize", True)
        return cls(
            size=_size(size) if said.get("do_resize", True) else None,
            crop=_rectangle(crop) if crop and said.get("do_center_crop", True) else None,
            resample=int(said.get("resample", resample)),
            factor=float(said.get("rescale_factor", 1 / 255)) if said.get("do_rescale", True) else 1.0,
            mean_C=np.array(mean if standardised else (0, 0, 0), np.float32),
            spread_C=np.array(spread if standardised else (1, 1, 1), np.float32),
        )

    def tensor(self, frames_FHWC: NDArray[np.uint8]) -> Tensor:
        """Frames as the model wants them: (F, C, H, W)."""
        from PIL import Image
        from PIL.Image import Resampling

        prepared = []
        for frame_HWC in frames_FHWC:
            height, width = _target(self.size, *frame_HWC.shape[:2])
            picture = Image.fromarray(frame_HWC)
            if (width, height) != picture.size:
                picture = picture.resize((width, height), Resampling(self.resample))
            prepared.append(_cut(np.asarray(picture), self.crop))
        values_FHWC = (np.stack(prepared).astype(np.float32) * self.factor - self.mean_C) / self.spread_C
        return torch.from_numpy(values_FHWC.transpose(0, 3, 1, 2).astype(np.float32))


class ImageEmbedder:
    """The mean over a clip's frames of what an image model makes of each.

    Args:
        model: Of transformers.
        prepare: Frames (F, H, W, C) to the model's inputs, frames first.
        look: The model's vectors (F, D) for such inputs.
        unit: Whether vectors are compared by cosine; then frames and clips are L2-normalised.
    """

    def __init__(
        self,
        model: Any,
        prepare: Callable[[NDArray[np.uint8]], Mapping[str, Tensor]],
        look: Callable[[Mapping[str, Tensor]], Tensor],
        *,
        unit: bool,
    ) -> None:
        self._model, self._prepare, self._look, self._unit = model, prepare, look, unit

    def content(self, clip: Clip) -> NDArray[np.uint8] | None:
        """The frames."""
        return clip.frames_FHWC

    def embed(self, contents: Sequence[NDArray[np.uint8]]) -> Tensor:
        """(B, D); the frames of all clips go through the model together."""
        parts = [self._prepare(frames_FHWC) for frames_FHWC in contents]
        inputs = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        found_FD = self._look(placed(inputs, self._model)).float()
        if self._unit:
            found_FD = normalize(found_FD, dim=1)
        mean_BD = torch.stack([part.mean(dim=0) for part in torch.split(found_FD, [len(one) for one in contents])])
        return normalize(mean_BD, dim=1) if self._unit else mean_BD


class VideoEmbedder:
    """What a video model makes of all frames of a clip at once.

    Args:
        model: Of transformers.
        pixels: How frames are prepared.
        frames: How many the model takes; None: any multiple of ``tubelet``.
        tubelet: Frames that it takes as one.
        look: The model's vectors (B, D) for frames (B, F, C, H, W).
        unit: Whether vectors are compared by cosine, and so L2-normalised.
    """

    def __init__(
        self,
        model: Any,
        pixels: Pixels,
        look: Callable[[Tensor], Tensor],
        *,
        frames: int | None = None,
        tubelet: int = 1,
        unit: bool = False,
    ) -> None:
        self._model, self._pixels, self._look = model, pixels, look
        self._frames, self._tubelet, self._unit = frames, tubelet, unit

    def content(self, clip: Clip) -> NDArray[np.uint8] | None:
        """As many frames as the model takes; the clip's are repeated or left out evenly."""
        if clip.frames_FHWC is None:
            return None
        have = len(clip.frames_FHWC)
        wanted = self._frames or -(-have // self._tubelet) * self._tubelet
        return clip.frames_FHWC[np.linspace(0, have - 1, wanted).round().astype(np.int64)]

    def embed(self, contents: Sequence[NDArray[np.uint8]]) -> Tensor:
        """(B, D); clips of like many frames share a pass."""
        values = [self._pixels.tensor(frames_FHWC) for frames_FHWC in contents]
        found: dict[int, Tensor] = {}
        for length in sorted(set(map(len, values))):
            rows = [row for row, one in enumerate(values) if len(one) == length]
            video_BFCHW = torch.stack([values[row] for row in rows])
            found |= zip(
                rows, self._look(placed({"video": video_BFCHW}, self._model)["video"]).float(), strict=True
            )
        found_BD = torch.stack([found[row] for row in range(len(values))])
        return normalize(found_BD, dim=1) if self._unit else found_BD


def _contrastive(model: Any, source: Source) -> ImageEmbedder:
    """CLIP (arXiv:2103.00020), MetaCLIP 2, SigLIP (arXiv:2303.15343): the projected image features."""
    pixels = Pixels.of(source)

    def look(inputs: Mapping[str, Tensor]) -> Tensor:
        return pooled(model.get_image_features(**inputs))

    return ImageEmbedder(model, lambda frames: {"pixel_values": pixels.tensor(frames)}, look, unit=True)


def _siglip2(model: Any, source: Source) -> ImageEmbedder:
    """SigLIP 2 with pictures of any shape (arXiv:2502.14786): patches, their mask and the shape of their grid."""
    processor = image_processor_of(source)

    def prepare(frames_FHWC: NDArray[np.uint8]) -> Mapping[str, Tensor]:
        return dict(processor(images=list(frames_FHWC), return_tensors="pt"))

    return ImageEmbedder(model, prepare, lambda inputs: pooled(model.get_image_features(**inputs)), unit=True)


def _dino(model: Any, source: Source) -> ImageEmbedder:
    """DINOv2 (arXiv:2304.07193), DINOv3 (arXiv:2508.10104): the class token after the last norm."""
    pixels = Pixels.of(source)

    def look(inputs: Mapping[str, Tensor]) -> Tensor:
        found: Tensor = model(**inputs).pooler_output
        return found

    return ImageEmbedder(model, lambda frames: {"pixel_values": pixels.tensor(frames)}, look, unit=False)


def _videomae(model: Any, source: Source) -> VideoEmbedder:
    """VideoMAE (arXiv:2203.12602): the mean over the tokens of all frames, as its classifier takes it."""

    def look(video_BFCHW: Tensor) -> Tensor:
        found_BND: Tensor = model(pixel_values=video_BFCHW).last_hidden_state
        return found_BND.mean(dim=1)

    return VideoEmbedder(
        model, Pixels.of(source), look, frames=model.config.num_frames, tubelet=model.config.tubelet_size
    )


def _vjepa2(model: Any, source: Source) -> VideoEmbedder:
    """V-JEPA 2 (arXiv:2506.09985): the mean over the encoder's tokens."""

    def look(video_BFCHW: Tensor) -> Tensor:
        found_BND: Tensor = model.get_vision_features(pixel_values_videos=video_BFCHW)
        return found_BND.mean(dim=1)

    return VideoEmbedder(
        model, Pixels.of(source, side=model.config.crop_size), look, tubelet=model.config.tubelet_size
    )


def _pe_video(model: Any, source: Source) -> VideoEmbedder:
    """The picture part of Perception Encoder Audio-Visual (arXiv:2512.19687): the head on its class token.

    Raises:
        ConfigError: Its files do not say how frames are prepared, or not as its tower wants them.
    """
    part = getattr(model, "video_model", model)
    side = part.video_encoder.embedder.vision_model.architecture.img_size
    pixels = Pixels.of(source, side=side, resample=_BILINEAR)
    said = source.prepares("video_processor", "image_processor")
    if (shape := pixels.crop or pixels.size) != (side, side) or "size" not in said:
        raise ConfigError(
            f"{source.name} looks at frames of {side} x {side} pixels, and its video_preprocessor_config.json says "
            f"{shape if 'size' in said else 'nothing of them'}: take all files of one model"
        )

    def look(video_BFCHW: Tensor) -> Tensor:
        found_BD: Tensor = part.video_head(part.video_encoder(video_BFCHW).pooler_output)
        return found_BD

    frames = said.get("num_frames") if said.get("do_sample_frames") else None
    return VideoEmbedder(model, pixels, look, frames=frames, unit=True)


PICTURES: Final[Mapping[str, Callable[[Any, Source], ImageEmbedder | VideoEmbedder | GemmaFrames]]] = {
    "clip": _contrastive,
    "metaclip_2": _contrastive,
    "siglip": _contrastive,
    "siglip2": _siglip2,
    "dinov2": _dino,
    "dinov2_with_registers": _dino,
    "dinov3_vit": _dino,
    "dinov3_convnext": _dino,
    "embedding_gemma2": GemmaFrames,
    "pe_audio_video": _pe_video,
    "pe_video": _pe_video,
    "videomae": _videomae,
    "vjepa2": _vjepa2,
}
"""By the family's name in transformers."""


def _size(said: Any) -> tuple[int, int] | int:
    if isinstance(said, int):
        return said
    return int(said["shortest_edge"]) if "shortest_edge" in said else (int(said["height"]), int(said["width"]))


def _rectangle(said: Any) -> tuple[int, int]:
    return (said, said) if isinstance(said, int) else (int(said["height"]), int(said["width"]))


def _target(size: tuple[int, int] | int | None, height: int, width: int) -> tuple[int, int]:
    if size is None:
        return height, width
    if isinstance(size, tuple):
        return size
    # The longer side is cut off to a whole number, as the library does it.
    if height <= width:
        return size, int(size * width / height)
    return int(size * height / width), size


def _cut(picture_HWC: NDArray[np.uint8], crop: tuple[int, int] | None) -> NDArray[np.uint8]:
    """The centre of a picture; what lies beyond its edges is black."""
    if crop is None:
        return picture_HWC
    lack = [max(0, wanted - have) for wanted, have in zip(crop, picture_HWC.shape[:2], strict=True)]
    if any(lack):
        sides = [(-(-one // 2), one // 2) for one in lack]
        picture_HWC = np.pad(picture_HWC, (*sides, (0, 0)))
    top, left = ((have - wanted) // 2 for wanted, have in zip(crop, picture_HWC.shape[:2], strict=True))
    return picture_HWC[top : top + crop[0], left : left + crop[1]]
