"""Perception Encoder Audio-Visual (arXiv:2512.19687) with a picture tower from here.

transformers takes the tower from timm, and timm needs torchvision.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from torch import Tensor
from transformers import AutoConfig, AutoModelForImageClassification, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import ImageClassifierOutput

from swipewise.encoders.foundation.source import Source
from swipewise.encoders.foundation.tower import Architecture, VisionTransformer
from swipewise.errors import ConfigError

_HEAD = ".vision_model.timm_model.head.bias"
_NEEDED = re.compile(r"(^|\.)(audio|video)_(encoder|head)\.")


class TowerConfig(PreTrainedConfig):  # type: ignore[misc]
    """What a tower is built from, in the place of timm's configuration in that of a whole model."""

    model_type = "perception_tower"
    architecture: str = ""
    model_args: dict[str, Any] | None = None


class Tower(PreTrainedModel):  # type: ignore[misc]
    """The tower as transformers wants an image classifier: the head's outputs are the ``logits``."""

    config_class = TowerConfig
    base_model_prefix = "timm_model"
    main_input_name = "pixel_values"

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.architecture = Architecture.of(config.architecture, config.model_args or {})
        self.timm_model = VisionTransformer(self.architecture, config.num_labels)
        self.post_init()

    def forward(self, pixel_values: Tensor) -> ImageClassifierOutput:
        """Pictures (F, C, H, W)."""
        return ImageClassifierOutput(logits=self.timm_model(pixel_values.to(self.dtype)))


AutoModelForImageClassification.register(TowerConfig, Tower)


def own_tower(source: Source) -> dict[str, Any]:
    """What ``from_pretrained`` has to be told so that a model's picture tower comes from here.

    Args:
        source: A model; nothing has to be told of one that has no such tower.

    Raises:
        ConfigError: It lacks the tower's head.
    """
    if source.kind not in ("pe_video", "pe_audio_video"):
        return {}
    config = AutoConfig.from_pretrained(str(source.folder), local_files_only=True, trust_remote_code=False)
    return {"config": with_tower(config, outputs=_outputs(source))}


def with_tower(config: Any, *, outputs: int) -> Any:
    """The same configuration of a whole model, changed in place so that its picture tower comes from here.

    Args:
        config: Of ``pe_video`` or ``pe_audio_video``.
        outputs: The width of the tower's features, of which configurations of different versions say different things.
    """
    encoder = getattr(config, "audio_video_config", config).video_config
    said = encoder.vision_config
    encoder.vision_config = TowerConfig(
        architecture=said.architecture, model_args=said.model_args, num_labels=outputs
    )
    return config


def lacking(source: Source, missing: Iterable[str]) -> list[str]:
    """Those of the weights that a checkpoint lacks without which a Perception Encoder cannot encode."""
    return sorted(filter(_NEEDED.search, missing)) if source.kind.startswith("pe_") else []


def _outputs(source: Source) -> int:
    from safetensors import safe_open

    for path in sorted(source.folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as weights:
            names = [name for name in weights.keys() if name.endswith(_HEAD)]  # noqa: SIM118 - not to be iterated over
            if names:
                return int(weights.get_slice(names[0]).get_shape()[0])
    raise ConfigError(f"the model in {source.folder} lacks {_HEAD[1:]}: take all files of it")
