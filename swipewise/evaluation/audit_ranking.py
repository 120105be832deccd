"""How much worse a fitted model ranks when something that it should use is taken away from what it reads.

Legend of shape suffixes: V = videos, B = viewers, K = places.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swipewise.evaluation.beyond import LIST
from swipewise.evaluation.comparison import Against, Comparison, compare
from swipewise.evaluation.protocol import Measured, Metric, Protocol, evaluate
from swipewise.evaluation.segments import Segment
from swipewise.evaluation.shuffle import (
    Alter,
    AlteredRecommender,
    averaged,
    permuted_profiles,
    shuffled,
    some_videos,
    without_modality,
    without_profiles,
)
from swipewise.schema import CONTENT_MODALITIES
from swipewise.training.dataset import Dataset
from swipewise.training.fitted import FittedModel
from swipewise.training.ranking import NO_VIDEO

AS_IT_IS: Final = "as it is"
SHUFFLED: Final = "histories shuffled"
PERMUTED: Final = "profiles permuted"
REMOVED: Final = "profiles removed"

LOST_SHARE: Final = 0.5
"""The share of the videos from which a modality is taken."""

REPEATS: Final = 3
"""Random orders and permutations that are tried; figures are means over them, viewer by viewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """One modality taken from half of the videos.

    share: of all videos, those that had it and lost it. listed_before, listed_after: their share of the first ten
    places of all rankings.
    """

    modality: str
    share: float
    listed_before: float
    listed_after: float

    @property
    def name(self) -> str:
        """Of the measurement."""
        return _without(self.modality)


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingEffects:
    """The model as it is against itself with something altered; differences are what it loses.

    comparison: of ``AS_IT_IS`` with SHUFFLED and, where anybody has a profile, PERMUTED and REMOVED, and with each of
    ``lost``.
    """

    plain: Measured
    comparison: Comparison
    lost: tuple[Lost, ...]

    def loss(self, name: str, segment: str = Segment.ALL) -> Against | None:
        """What NDCG@10 loses, None where it was not measured."""
        return self.comparison.find(name, Metric.NDCG_10, segment)

    def relative_loss(self, name: str) -> float:
        """The loss as a share of the NDCG@10 as it is; 0 where that is 0."""
        whole = self.plain.mean(Metric.NDCG_10)
        against = self.loss(name)
        return against.difference.value / whole if against and whole > 0 else 0.0


def ranking_effects(
    fitted: FittedModel,
    protocol: Protocol,
    *,
    repeats: int = REPEATS,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
) -> RankingEffects:
    """Put the model through the exam as it is and with everything altered, one thing at a time."""

    def measure(name: str, *alters: Alter) -> Measured:
        on_step(f"ranking, {name}")
        each = [evaluate(AlteredRecommender(fitted, alter, name=name), protocol) for alter in alters]
        return averaged(each, name=name)

    seeds = range(seed, seed + repeats)
    plain = measure(AS_IT_IS, lambda dataset: dataset)
    altered = [measure(SHUFFLED, *(partial(shuffled, seed=one) for one in seeds))]
    if protocol.history.profile_UP.any():
        altered.append(measure(PERMUTED, *(partial(permuted_profiles, seed=one) for one in seeds)))
        altered.append(measure(REMOVED, without_profiles))
    lost = []
    for modality, lost_V in _losses(fitted, protocol.history, seed).items():
        after = measure(_without(modality), partial(without_modality, modality=modality, lost_V=lost_V))
        altered.append(after)
        gone_V = lost_V & protocol.history.content[modality].present_V
        lost.append(
            Lost(
                modality=modality,
                share=float(gone_V.mean()),
                listed_before=_listed(plain, gone_V),
                listed_after=_listed(after, gone_V),
            )
        )
    return RankingEffects(
        plain=plain, comparison=compare([plain, *altered], model=AS_IT_IS, seed=seed), lost=tuple(lost)
    )


def _losses(fitted: FittedModel, history: Dataset, seed: int) -> Mapping[str, NDArray[np.bool_]]:
    """The content modalities that can be missed, and the videos that lose each."""
    lost_V = some_videos(history, LOST_SHARE, seed)
    used = [name for name in CONTENT_MODALITIES if name in fitted.modalities and name in history.content]
    if len(fitted.modalities) < 2:  # a video that loses its only modality has nothing to be ranked by
        return {}
    return {str(name): lost_V for name in used if (lost_V & history.content[name].present_V).any()}


def _without(modality: str) -> str:
    return f"half without {modality}"


def _listed(measured: Measured, videos_V: NDArray[np.bool_]) -> float:
    """The share of the first places that some videos have."""
    best_BK = measured.best_BK[:, :LIST]
    filled_BK = best_BK != NO_VIDEO
    return float(videos_V[best_BK[filled_BK]].mean()) if filled_BK.any() else 0.0
