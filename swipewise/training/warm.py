"""A network that goes on from what an earlier run has learned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from swipewise.errors import ArtifactError
from swipewise.training.fitted import FittedModel
from swipewise.training.vocabulary import Vocabulary

_SHAPE: Final = ("width", "layers", "heads", "history", "norm", "adapter")
"""Keys of the model's configuration that say what its weights look like."""


def started_from(earlier: FittedModel, fitted: FittedModel) -> FittedModel:
    """A network with the weights of an earlier run, where both know what they stand for.

    Videos, attributes and profile values that the earlier run knew keep their rows, others have fresh ones. Vectors of
    the same encoder are standardised as they were; where a modality has another encoder, its adapter is fresh.

    Args:
        earlier: The model of that run.
        fitted: An untrained one, whose network is changed in place.

    Raises:
        ArtifactError: They are built differently.
    """
    _check(earlier, fitted)
    kept = [name for name in fitted.standards if _same_encoder(earlier, fitted, name)]
    old, new = earlier.network.state_dict(), fitted.network.state_dict()
    fresh = tuple(f"project.adapters.{name}." for name in fitted.standards if name not in kept)
    tables = dict(_tables(earlier.vocabulary, fitted.vocabulary))
    for name, value in new.items():
        if name in tables:
            _take_rows(value, old[name], tables[name])
        elif not name.startswith(fresh):
            value.copy_(old[name])
    standards = {**fitted.standards, **{name: earlier.standards[name] for name in kept}}
    return replace(fitted, standards=standards)


def _check(earlier: FittedModel, fitted: FittedModel) -> None:
    for key in _SHAPE:
        was, now = getattr(earlier.config, key), getattr(fitted.config, key)
        if was != now:
            raise ArtifactError(
                f"model.{key} is {now!r}, and the run to start from has {was!r}: set it back, or train from scratch"
            )
    if earlier.modalities != fitted.modalities:
        raise ArtifactError(
            f"this training reads {', '.join(fitted.modalities)}, and the run to start from "
            f"{', '.join(earlier.modalities)}: set model.modalities back, or train from scratch"
        )


def _same_encoder(earlier: FittedModel, fitted: FittedModel, name: str) -> bool:
    same = earlier.encoders.get(name) == fitted.encoders.get(name)
    return same and len(earlier.standards[name].mean_E) == len(fitted.standards[name].mean_E)


def _tables(old: Vocabulary, new: Vocabulary) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Of each table of embeddings the earlier row of every row, -1 where it is new; row 0 of codes stays row 0."""
    yield "project.id_embedding.weight", old.video_rows(new.video_ids)
    for name, codes in (
        ("project.attribute_embedding.weight", old.attribute_codes(new.attribute_values)),
        ("profile.embedding.weight", old.profile_codes(new.profile_values)),
    ):
        yield name, np.where((codes > 0) | (np.arange(len(codes)) == 0), codes, -1)


def _take_rows(weight: Tensor, earlier: Tensor, row_N: NDArray[np.int64]) -> None:
    known_K = np.flatnonzero(row_N >= 0)
    weight.index_copy_(0, torch.from_numpy(known_K), earlier[torch.from_numpy(row_N[known_K])])
