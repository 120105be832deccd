"""Every family on a tiny checkpoint: the vectors are those of the library's own documented way to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from swipewise.config import EncodersConfig
from swipewise.schema import Clip, Modality, Needs

pytest.importorskip("transformers", reason="the [foundation] extra is not installed")

import torch
import transformers as hf
from torch.nn.functional import normalize

from swipewise.encoders.foundation import FoundationEncoder
from swipewise.encoders.foundation.pictures import Pixels
from swipewise.encoders.foundation.source import Source
from tests.encoders.foundation.checkpoints import FAMILIES, make

# The library's own settings for spectrogram transformers leave a filter empty, and it says so.
pytestmark = pytest.mark.filterwarnings("ignore:At least one mel filter has all zero values:UserWarning")

SEEN, HEARD, READ = Modality.VISUAL, Modality.AUDIO, Modality.TEXT
ENCODES = {
    "clip": (SEEN, READ),
    "metaclip2": (SEEN, READ),
    "siglip": (SEEN, READ),
    "siglip2": (SEEN, READ),
    "dinov2": (SEEN,),
    "dinov2_registers": (SEEN,),
    "dinov3": (SEEN,),
    "dinov3_convnext": (SEEN,),
    "videomae": (SEEN,),
    "vjepa2": (SEEN,),
    "clap": (HEARD, READ),
    "whisper": (HEARD,),
    "wav2vec2": (HEARD,),
    "hubert": (HEARD,),
    "ast": (HEARD,),
    "pe_audio": (HEARD,),
    "pe_video": (SEEN,),
    "pe_audio_video": (SEEN, HEARD),
    "gemma": (SEEN, HEARD, READ),
    "sentences": (READ,),
}
PAIRS = [(family, modality) for family, modalities in ENCODES.items() for modality in modalities]
RATE = 16_000


def clips() -> list[Clip]:
    rng = np.random.default_rng(0)

    def clip(frames: int, seconds: float, caption: str) -> Clip:
        return Clip(
            frames_FHWC=rng.integers(0, 256, (frames, 48, 72, 3), dtype=np.uint8),
            waveform_S=(0.1 * rng.standard_normal(int(seconds * RATE))).astype(np.float32),
            caption=caption,
        )

    return [clip(4, 1.0, "a dog runs"), clip(3, 2.5, "the cat sleeps on the sofa"), clip(4, 0.7, "loud music")]


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    root = tmp_path_factory.mktemp("checkpoints")

    def folder(name: str) -> Path:
        return root / name if (root / name).exists() else make(name, root / name)

    return folder


def encoder(folder: Path, modality: Modality, **settings: Any) -> FoundationEncoder:
    return FoundationEncoder(modality, str(folder), EncodersConfig(**settings))


def unit(vector: torch.Tensor) -> torch.Tensor:
    return normalize(vector, dim=-1)


def test_every_family_is_tried_here() -> None:
    assert set(ENCODES) == set(FAMILIES)


@pytest.mark.parametrize(("family", "modality"), PAIRS)
def test_vectors_are_finite_tell_clips_apart_and_do_not_depend_on_what_shares_their_batch(
    folders: Callable[[str], Path], family: str, modality: Modality
) -> None:
    together = encoder(folders(family), modality).encode([clips()[0], Clip(), *clips()[1:]])
    assert together[1] is None
    alone = [encoder(folders(family), modality, batch=1).encode([clip])[0] for clip in clips()]
    for one, other in zip([together[0], *together[2:]], alone, strict=True):
        assert one is not None
        assert other is not None
        assert one.dtype == np.float32
        assert np.isfinite(one).all()
        np.testing.assert_allclose(one, other, atol=2e-5)
    assert len(np.unique(np.round(np.stack([vector for vector in alone if vector is not None]), 5), axis=0)) == 3
    assert encoder(folders(family), modality).dim == len(alone[0])  # type: ignore[arg-type]


@pytest.mark.parametrize(("family", "modality"), PAIRS)
def test_half_precision_gives_nearly_the_same_under_another_name(
    folders: Callable[[str], Path], family: str, modality: Modality
) -> None:
    exact, rough = encoder(folders(family), modality), encoder(folders(family), modality, precision="bfloat16")
    assert exact.version != rough.version
    for one, other in zip(exact.encode(clips()), rough.encode(clips()), strict=True):
        assert one is not None
        assert other is not None
        assert one @ other / np.linalg.norm(one) / np.linalg.norm(other) > 0.97


def frames_of(clip: Clip) -> list[NDArray[np.uint8]]:
    assert clip.frames_FHWC is not None
    return list(clip.frames_FHWC)


@pytest.mark.parametrize("family", ["clip", "siglip", "siglip2"])
def test_pictures_of_contrastive_models(folders: Callable[[str], Path], family: str) -> None:
    folder, clip = str(folders(family)), clips()[0]
    processor, model = (
        hf.AutoImageProcessor.from_pretrained(folder, backend="pil"),
        hf.AutoModel.from_pretrained(folder),
    )
    with torch.inference_mode():
        output = model.get_image_features(**processor(images=frames_of(clip), return_tensors="pt"))
    expected_D = unit(unit(output.pooler_output).mean(dim=0))
    [found_D] = encoder(folders(family), SEEN).encode([clip])
    np.testing.assert_allclose(found_D, expected_D, atol=1e-5)


def test_pictures_of_self_supervised_models(folders: Callable[[str], Path]) -> None:
    folder, clip = str(folders("dinov2")), clips()[0]
    processor, model = (
        hf.AutoImageProcessor.from_pretrained(folder, backend="pil"),
        hf.AutoModel.from_pretrained(folder),
    )
    with torch.inference_mode():
        states_FND = model(**processor(images=frames_of(clip), return_tensors="pt")).last_hidden_state
    [found_D] = encoder(folders("dinov2"), SEEN).encode([clip])
    np.testing.assert_allclose(found_D, states_FND[:, 0].mean(dim=0), atol=1e-5)


def test_dinov3_takes_its_class_token(folders: Callable[[str], Path]) -> None:
    clip, model = clips()[0], hf.AutoModel.from_pretrained(str(folders("dinov3")))
    assert clip.frames_FHWC is not None
    values = Pixels.of(Source.find(str(folders("dinov3")), EncodersConfig())).tensor(clip.frames_FHWC)
    with torch.inference_mode():
        expected_D = model(values).last_hidden_state[:, 0].mean(dim=0)
    [found_D] = encoder(folders("dinov3"), SEEN).encode([clip])
    np.testing.assert_allclose(found_D, expected_D, atol=1e-5)


def test_videomae_sees_all_frames_at_once(folders: Callable[[str], Path]) -> None:
    folder, clip = str(folders("videomae")), clips()[0]
    processor, model = hf.VideoMAEImageProcessorPil.from_pretrained(folder), hf.AutoModel.from_pretrained(folder)
    with torch.inference_mode():
        states_BND = model(**processor(frames_of(clip), return_tensors="pt")).last_hidden_state
    [found_D] = encoder(folders("videomae"), SEEN).encode([clip])
    np.testing.assert_allclose(found_D, states_BND[0].mean(dim=0), atol=1e-5)


def test_vjepa2_takes_the_mean_of_its_encoder_and_any_even_number_of_frames(
    folders: Callable[[str], Path],
) -> None:
    model = hf.AutoModel.from_pretrained(str(folders("vjepa2")))
    pixels = Pixels.of(Source.find(str(folders("vjepa2")), EncodersConfig()))
    found = encoder(folders("vjepa2"), SEEN).encode(clips()[:2])
    for clip, frames, vector in zip(clips()[:2], ([0, 1, 2, 3], [0, 1, 1, 2]), found, strict=True):
        assert clip.frames_FHWC is not None
        with torch.inference_mode():
            expected_ND = model.get_vision_features(pixels.tensor(clip.frames_FHWC[frames])[None])
        np.testing.assert_allclose(vector, expected_ND[0].mean(dim=0), atol=1e-5)


@pytest.mark.parametrize("family", ["clip", "siglip", "clap"])
def test_captions_of_contrastive_models(folders: Callable[[str], Path], family: str) -> None:
    folder, caption = str(folders(family)), "the cat sleeps on the sofa"
    tokenizer, model = hf.AutoTokenizer.from_pretrained(folder), hf.AutoModel.from_pretrained(folder)
    padding: dict[str, Any] = {"padding": "max_length", "max_length": 24} if family == "siglip" else {}
    words = tokenizer([caption], return_tensors="pt", **padding)
    words = {
        name: words[name] for name in (("input_ids",) if family == "siglip" else ("input_ids", "attention_mask"))
    }
    with torch.inference_mode():
        expected = model.get_text_features(**words).pooler_output
    found = encoder(folders(family), READ).encode([Clip(caption=caption), Clip(caption="a dog runs a dog runs")])
    np.testing.assert_allclose(found[0], unit(expected)[0], atol=1e-5)


def at_rate(clip: Clip, rate: int) -> NDArray[np.float32]:
    from scipy.signal import resample_poly

    return np.asarray(resample_poly(clip.waveform_S, rate // RATE, 1), np.float32)


def test_sounds_of_clap(folders: Callable[[str], Path]) -> None:
    folder, clip = str(folders("clap")), clips()[1]
    extractor, model = hf.AutoFeatureExtractor.from_pretrained(folder), hf.AutoModel.from_pretrained(folder)
    inputs = extractor(at_rate(clip, 48_000), sampling_rate=48_000, return_tensors="pt")
    with torch.inference_mode():
        expected = model.get_audio_features(input_features=inputs["input_features"]).pooler_output
    [found_D] = encoder(folders("clap"), HEARD).encode([clip])
    np.testing.assert_allclose(found_D, unit(expected)[0], atol=1e-5)


@pytest.mark.parametrize(
    ("family", "rate"),
    [("clap", 48_000), ("pe_audio", 48_000), ("pe_audio_video", 48_000), ("whisper", 0), ("wav2vec2", 0)],
)
def test_models_that_heard_more_in_training_need_it_and_say_so(
    folders: Callable[[str], Path], family: str, rate: int
) -> None:
    made = encoder(folders(family), HEARD)
    assert made.needs.sample_rate == rate
    assert made.version.endswith("-float32-1-48000" if rate else "-float32-1")
    assert encoder(folders("clap"), READ).needs == Needs()
    plain = clips()[1]
    hiss_S = (0.1 * np.random.default_rng(3).standard_normal(len(at_rate(plain, 48_000)))).astype(np.float32)
    both = replace(plain, fine_waveform_S=hiss_S, fine_rate=48_000)
    alone = Clip(waveform_S=hiss_S, sample_rate=48_000)
    found = made.encode([plain, both, alone])
    heard = found[2] if rate else found[0]
    np.testing.assert_allclose(found[1], heard, atol=1e-5)  # type: ignore[arg-type]


def test_sounds_of_whisper_are_the_mean_over_what_is_heard(folders: Callable[[str], Path]) -> None:
    folder, clip = str(folders("whisper")), clips()[1]
    extractor, model = hf.AutoFeatureExtractor.from_pretrained(folder), hf.AutoModel.from_pretrained(folder)
    inputs = extractor(clip.waveform_S, sampling_rate=RATE, return_tensors="pt")
    with torch.inference_mode():
        states_ND = model.encoder(inputs["input_features"]).last_hidden_state[0]
    [found_D] = encoder(folders("whisper"), HEARD).encode([clip])
    # A state stands for 20 ms, so that 2.5 s are 125 of them.
    np.testing.assert_allclose(found_D, states_ND[:125].mean(dim=0), atol=1e-5)


def test_sounds_of_perception_encoders(folders: Callable[[str], Path]) -> None:
    folder, clip = str(folders("pe_audio")), clips()[1]
    extractor, model = hf.AutoFeatureExtractor.from_pretrained(folder), hf.AutoModel.from_pretrained(folder)
    inputs = extractor(at_rate(clip, 48_000), sampling_rate=48_000, return_tensors="pt")
    with torch.inference_mode():
        expected = model.get_audio_embeds(inputs["input_values"], inputs["padding_mask"])
    [found_D] = encoder(folders("pe_audio"), HEARD).encode([clip])
    np.testing.assert_allclose(found_D, unit(expected)[0], atol=1e-5)


@pytest.mark.parametrize("family", ["clap", "whisper", "wav2vec2", "ast", "gemma"])
def test_a_long_sound_is_the_mean_of_its_pieces(folders: Callable[[str], Path], family: str) -> None:
    seconds = {"clap": 10.0, "ast": 10.24}.get(family, 30.0)
    sound_S = (0.1 * np.random.default_rng(1).standard_normal(int(2 * seconds * RATE))).astype(np.float32)
    half = len(sound_S) // 2
    made = encoder(folders(family), HEARD)
    whole, *parts = made.encode([Clip(waveform_S=one) for one in (sound_S, sound_S[:half], sound_S[half:])])
    mean_D = np.mean([part for part in parts if part is not None], axis=0)
    if family in ("clap", "gemma"):
        mean_D /= np.linalg.norm(mean_D)
    assert whole is not None
    # Resampling at the seam sees the other piece.
    np.testing.assert_allclose(whole, mean_D, atol=5e-3)


def test_gemma_reads_frames_sounds_and_words_in_one_space(folders: Callable[[str], Path]) -> None:
    folder, clip = folders("gemma"), clips()[0]
    model, tokenizer = hf.AutoModel.from_pretrained(str(folder)), hf.AutoTokenizer.from_pretrained(str(folder))
    processor = hf.AutoImageProcessor.from_pretrained(str(folder), backend="pil")
    images = processor(images=frames_of(clip), return_tensors="pt")
    shown = " ".join(f"<boi>{'<image>' * count}<eoi>" for count in images.pop("num_soft_tokens_per_image"))
    words = tokenizer([shown], return_tensors="pt")
    with torch.inference_mode():
        states_ND = model(input_ids=words["input_ids"], **images).last_hidden_state[0]
    [found_D] = encoder(folder, SEEN).encode([clip])
    np.testing.assert_allclose(found_D, unit(states_ND.mean(dim=0)), atol=1e-5)
    dims = {encoder(folder, modality).dim for modality in (SEEN, HEARD, READ)}
    assert dims == {12}


@pytest.mark.parametrize("family", ["clip", "siglip", "dinov2", "videomae"])
def test_pixels_are_those_of_the_library(folders: Callable[[str], Path], family: str) -> None:
    folder = folders(family)
    kind = hf.VideoMAEImageProcessorPil if family == "videomae" else hf.AutoImageProcessor
    processor = kind.from_pretrained(str(folder), **({} if family == "videomae" else {"backend": "pil"}))
    pixels = Pixels.of(Source.find(str(folder), EncodersConfig()))
    rng = np.random.default_rng(2)
    for height, width in ((48, 72), (72, 48), (20, 90), (32, 32), (33, 47)):
        frames_FHWC = rng.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
        theirs = processor(list(frames_FHWC), return_tensors="pt")["pixel_values"].reshape(2, 3, 32, 32)
        torch.testing.assert_close(pixels.tensor(frames_FHWC), theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("pooling", ["mean_tokens", "cls_token", "lasttoken", None])
@pytest.mark.parametrize("normalised", [True, False])
def test_sentence_encoders_pool_as_their_files_say(tmp_path: Path, pooling: str | None, normalised: bool) -> None:
    from tests.encoders.foundation.checkpoints import sentences

    folder = sentences(tmp_path / "sentences", pooling, normalised=normalised)
    tokenizer, model = hf.AutoTokenizer.from_pretrained(str(folder)), hf.AutoModel.from_pretrained(str(folder))
    short, long = "a dog", "the cat sleeps on the sofa on the sofa"
    with torch.inference_mode():
        states_ND = model(**tokenizer([short], return_tensors="pt")).last_hidden_state[0]
    vector = {"cls_token": states_ND[0], "lasttoken": states_ND[-1]}.get(pooling or "", states_ND.mean(dim=0))
    expected_D = unit(vector) if normalised or pooling is None else vector
    found = encoder(folder, READ).encode([Clip(caption=f"  {short} "), Clip(caption=long), Clip(caption=" \n")])
    np.testing.assert_allclose(found[0], expected_D, atol=1e-5)
    assert found[2] is None


def test_very_long_captions_are_cut_to_what_the_model_reads(folders: Callable[[str], Path]) -> None:
    made = encoder(folders("sentences"), READ)
    one, other = made.encode([Clip(caption="a dog runs " * 50), Clip(caption="a dog runs " * 5_000)])
    np.testing.assert_allclose(one, other, atol=1e-6)  # type: ignore[arg-type]
