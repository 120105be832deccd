"""A fair chance for every baseline: its settings are chosen on the validation period before it is compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import Any, Final

from swipewise.training.dataset import Dataset, Recommender
from swipewise.training.ranking import mean_ndcg, ranking_task

POPULARITY_GRID: Final[Mapping[str, Sequence[Any]]] = MappingProxyType({"days": (None, 1, 2, 4, 7, 14, 28)})
"""Windows that ``PopularityRecommender`` is tried with."""

ITEMCF_GRID: Final[Mapping[str, Sequence[Any]]] = MappingProxyType(
    {
        "neighbours": (30, 100, 300),
        "shrinkage": (5.0, 30.0),
        "exposure_weight": (0.0, 0.3),
        "half_life_days": (None, 7.0),
    }
)
"""Settings that ``ItemCFRecommender`` is tried with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """The best settings of a grid.

    ``figure`` is their NDCG@10 on the validation period; ``tried`` counts the settings of the grid.
    """

    settings: Mapping[str, Any]
    figure: float
    tried: int


def tune(
    build: Callable[..., Recommender],
    grid: Mapping[str, Sequence[Any]],
    train: Dataset,
    validation: Dataset,
) -> Tuned:
    """Fit ``build(**settings)`` on ``train`` for all settings of the grid and compare them on ``validation``.

    Of equal settings the first of the grid wins.

    Raises:
        DataError: Nobody likes anything new in the validation period.
    """
    task = ranking_task(train, validation)
    best: dict[str, Any] = {}
    figure, tried = -1.0, 0
    for values in product(*grid.values()):
        settings = dict(zip(grid, values, strict=True))
        found = mean_ndcg(build(**settings).fit(train).score, task)
        tried += 1
        if found > figure:
            best, figure = settings, found
    return Tuned(settings=MappingProxyType(best), figure=figure, tried=tried)
