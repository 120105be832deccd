"""What the families share: inputs on the model's device, means, and the parts that prepare inputs.

Legend of shape suffixes: B = rows, L = places, D = width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from swipewise.encoders.foundation.source import Source


def placed(inputs: Mapping[str, Tensor], model: Any) -> dict[str, Tensor]:
    """Inputs on the model's device, floating ones in its precision."""
    return {
        name: value.to(model.device, model.dtype if value.is_floating_point() else None)
        for name, value in inputs.items()
    }


def pooled(output: Any) -> Tensor:
    """The vectors of ``get_*_features``, which are the output itself or its ``pooler_output``."""
    found: Tensor = output if isinstance(output, Tensor) else output.pooler_output
    return found


def masked_mean(states_BLD: Tensor, kept_BL: Tensor) -> Tensor:
    """The mean over the places that are kept: (B, D)."""
    mask_BL1 = kept_BL[:, :, None].to(states_BLD.dtype)
    return (states_BLD * mask_BL1).sum(dim=1) / mask_BL1.sum(dim=1)


def image_processor_of(source: Source) -> Any:
    """What prepares a model's pictures, without torchvision."""
    from transformers import AutoImageProcessor

    return AutoImageProcessor.from_pretrained(str(source.folder), local_files_only=True, backend="pil")


def extractor_of(source: Source) -> Any:
    """What prepares a model's sounds."""
    from transformers import AutoFeatureExtractor

    return AutoFeatureExtractor.from_pretrained(str(source.folder), local_files_only=True)


def tokenizer_of(source: Source) -> Any:
    """What prepares a model's words."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(source.folder), local_files_only=True)
