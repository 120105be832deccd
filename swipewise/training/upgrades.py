"""What models of older formats are to this version: a step a format, which fills in what was not there yet.

A step gives what is new the value under which the model does what it did. What no value can stand for, such as a part
of the network that was never trained, cannot be upgraded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from torch import Tensor

FORMAT_VERSION: Final = 3
OLDEST_FORMAT: Final = 2
"""Format 1 cannot be upgraded: its network has no heads that foretell actions."""

Parts = tuple[dict[str, Tensor], dict[str, Any]]


def upgraded(tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Parts | None:
    """Tensors and facts of a model as this version writes them, None where its format is not one it can be made of.

    Args:
        tensors: By their names in the file.
        facts: Among them ``version``, the file's format.

    Raises:
        KeyError: Something of that format is missing.
    """
    version = facts.get("version")
    if not isinstance(version, int) or not OLDEST_FORMAT <= version <= FORMAT_VERSION:
        return None
    parts = dict(tensors), dict(facts)
    for number in range(version, FORMAT_VERSION):
        parts = _STEPS[number](*parts)
    return _without_counts(*_themes_by_vectors(*_weights_together(*parts)))


def _with_tastes(tensors: dict[str, Tensor], facts: dict[str, Any]) -> Parts:
    """Format 2 knew no tastes, so that the network had nothing to heed them by."""
    settings = dict(facts["config"])
    # Training hid a share of the events; it counts no more.
    settings.pop("event_dropout", None)
    # What stood in the configuration is what was added; later it was what was found best.
    weight = facts.get("neighbour_weight", settings.get("neighbour_weight", 0.0))
    unknown = {"themes": 0, "taste_weight": 0.0, "group_weight": 0.0}
    facts |= {"config": unknown | settings, "neighbour_weight": weight, "taste_weight": 0.0}
    return tensors | {"network/heed": torch.ones(())}, facts


def _weights_together(tensors: dict[str, Tensor], facts: dict[str, Any]) -> Parts:
    """Format 3 named each weight by itself until there was a third."""
    if "weights" not in facts:
        weights = {"neighbour": facts["neighbour_weight"], "group": 0.0, "taste": facts["taste_weight"]}
        facts = facts | {"config": {"group_weight": 0.0} | facts["config"], "weights": weights}
    return tensors, facts


def _themes_by_vectors(tensors: dict[str, Tensor], facts: dict[str, Any]) -> Parts:
    """Format 3 told themes by vectors alone until it told them by viewers too."""
    if "tastes" in facts and "tastes/theme" not in tensors:
        videos, modalities = len(tensors["tastes/appeal"]), len(facts["tastes"]["modalities"])
        tensors = tensors | {"tastes/theme": torch.full((videos, modalities), -1, dtype=torch.int16)}
    return tensors, facts


def _without_counts(tensors: dict[str, Tensor], facts: dict[str, Any]) -> Parts:
    """Format 3 counted what each group watches by itself, until groups were regressed on together."""
    if "groups/starts" not in tensors:
        return tensors, facts
    tensors = {name: value for name, value in tensors.items() if not name.startswith("groups/")}
    return tensors, facts | {"weights": {**facts["weights"], "group": 0.0}}


_STEPS: Final[Mapping[int, Callable[[dict[str, Tensor], dict[str, Any]], Parts]]] = {2: _with_tastes}
"""By the format that they start from."""
