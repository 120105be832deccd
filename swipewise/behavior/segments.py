"""Segments: viewers who like the same, found from what is known of their tastes.

A mixture of Gaussians of one common shape is fitted to the tastes of viewers of whom enough is known, after directions
that hardly differ are dropped. How many there are is told by the Bayesian information criterion with twice its penalty:
groups of people are not quite Gaussian, and the plain one splits each in two to describe its tails.

Legend of shape suffixes: U = viewers, T = topics, K = segments, R = directions kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from swipewise.behavior.activity import EVERY
from swipewise.errors import DataError
from swipewise.schema import Col

LEAST_INTERACTIONS: Final = 10
"""Of viewers who did less too little is known to count them with others."""

MOST_SEGMENTS: Final = 16

_LEAST_VIEWERS = 20
_MOST_VIEWERS = 10_000  # that segments are learned from; the others join the nearest
_VARIANCE_KEPT = 0.9
_RESTARTS = 10
_PENALTY = 2.0  # log(viewers) a parameter; 1 is the plain criterion
_REGULARISED = 1e-4  # of the mean variance


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmentation:
    """segment_U: int64, 1 for the largest segment, 2 for the next; 0 where too little is known of a viewer.

    criterion: by number of segments, minus twice the log-likelihood plus 2 log(viewers) a parameter; the lowest was
    taken.
    """

    segment_U: NDArray[np.int64]
    criterion: dict[int, float]

    @property
    def count(self) -> int:
        """How many segments there are."""
        return int(self.segment_U.max(initial=0))


def segment_viewers(
    taste_UT: NDArray[np.floating],
    interactions_U: NDArray[np.int64],
    *,
    least: int = LEAST_INTERACTIONS,
    most: int = MOST_SEGMENTS,
    count: int | None = None,
    seed: int = 0,
) -> Segmentation:
    """Find segments; the same input and seed give the same ones.

    Args:
        taste_UT: What each viewer makes of each topic, all on one scale.
        interactions_U: How many interactions that was learned from.
        least: Interactions without which a viewer is left out.
        most: Segments at most.
        count: Segments, fewer only where fewer viewers differ; None: as many as the criterion says.
        seed: Of the starting points, and of the viewers that are looked at where there are very many.

    Returns:
        The segments, and who is in which.

    Raises:
        DataError: Too few viewers did enough.
    """
    known_U = interactions_U >= least
    if known_U.sum() < _LEAST_VIEWERS:
        raise DataError(
            f"{known_U.sum()} viewers with {least} interactions or more are too few to tell segments, "
            f"{_LEAST_VIEWERS} are needed: wait for more behaviour, or ask for fewer interactions with --least"
        )
    known = np.flatnonzero(known_U)
    rng = np.random.default_rng(seed)
    learned = rng.choice(known, _MOST_VIEWERS, replace=False) if len(known) > _MOST_VIEWERS else known
    place_UR = _Directions(taste_UT[learned].astype(np.float64)).place(taste_UT.astype(np.float64))
    tried = range(1, most + 1) if count is None else range(count, count + 1)
    label_U, criterion = _clusters(place_UR[learned], place_UR[known], tried, seed)
    # The largest comes first; of two alike the one whose viewers come first.
    _, first_K, size_K = np.unique(label_U, return_index=True, return_counts=True)
    order_K = np.lexsort((first_K, -size_K))
    rank_K = np.empty_like(order_K)
    rank_K[order_K] = np.arange(len(order_K))
    segment_U = np.zeros(len(taste_UT), np.int64)
    segment_U[known] = rank_K[np.unique(label_U, return_inverse=True)[1]] + 1
    return Segmentation(segment_U=segment_U, criterion=criterion)


class _Directions:
    """The principal directions of tastes that hold most of their variance."""

    def __init__(self, taste_UT: NDArray[np.float64]) -> None:
        self._centre_T = taste_UT.mean(axis=0)
        _, length_R, direction_RT = np.linalg.svd(taste_UT - self._centre_T, full_matrices=False)
        held_R = np.cumsum(length_R**2) / max(float((length_R**2).sum()), 1e-12)
        self._direction_RT = direction_RT[: int(np.searchsorted(held_R, _VARIANCE_KEPT)) + 1]

    def place(self, taste_UT: NDArray[np.float64]) -> NDArray[np.float64]:
        place_UR: NDArray[np.float64] = (taste_UT - self._centre_T) @ self._direction_RT.T
        return place_UR


def _clusters(
    learned_UR: NDArray[np.float64], known_UR: NDArray[np.float64], tried: range, seed: int
) -> tuple[NDArray[np.int64], dict[int, float]]:
    """The likeliest mixture's component of each viewer, and the criterion of each number of components."""
    from sklearn.cluster import KMeans
    from sklearn.mixture import GaussianMixture

    criterion: dict[int, float] = {}
    distinct = len(np.unique(learned_UR, axis=0))
    most = min(distinct, len(learned_UR) // 2)
    for count in sorted({min(count, most) for count in tried}):
        start = KMeans(count, n_init=_RESTARTS, random_state=seed).fit(learned_UR)
        mixture = GaussianMixture(
            count,
            covariance_type="tied",
            means_init=start.cluster_centers_,
            reg_covar=_REGULARISED * max(float(learned_UR.var(axis=0).mean()), 1e-9),
            max_iter=500,
            random_state=seed,
        ).fit(learned_UR)
        # Parameters that do not depend on the number of components change nothing.
        parameters = count * learned_UR.shape[1] + count - 1
        likelihood = len(learned_UR) * float(mixture.score(learned_UR))
        criterion[count] = -2 * likelihood + _PENALTY * np.log(len(learned_UR)) * parameters
        if min(criterion, key=criterion.__getitem__) == count:
            best = mixture
    # One alone can always be fitted.
    return np.asarray(best.predict(known_UR), np.int64), criterion


def describe_segments(
    segment_U: NDArray[np.int64], taste_UT: NDArray[np.floating], topics_T: Sequence[str], *, top: int = 3
) -> pl.DataFrame:
    """What sets each segment apart.

    Args:
        segment_U: As in ``Segmentation``.
        taste_UT: Tastes in log-odds of watching.
        topics_T: A name for each topic.
        top: Topics named a segment.

    Returns:
        A row a segment: segment, viewers, share (of all who are in one), topics (those liked most beyond what is usual,
        the best first) and lifts (how many times the usual odds of watching they have, in the same order).
    """
    in_one_U = segment_U > 0
    usual_T = taste_UT[in_one_U].mean(axis=0) if in_one_U.any() else np.zeros(taste_UT.shape[1])
    rows = []
    for segment in range(1, int(segment_U.max(initial=0)) + 1):
        mine_U = segment_U == segment
        beyond_T = taste_UT[mine_U].mean(axis=0) - usual_T
        best = [int(topic) for topic in np.argsort(-beyond_T, kind="stable")[:top] if beyond_T[topic] > 0]
        rows.append(
            {
                Col.SEGMENT: segment,
                Col.VIEWERS: int(mine_U.sum()),
                Col.SHARE: float(mine_U.sum() / in_one_U.sum()),
                Col.TOPICS: [topics_T[topic] for topic in best],
                Col.LIFTS: [float(np.exp(beyond_T[topic])) for topic in best],
            }
        )
    schema: dict[str, type[pl.DataType] | pl.DataType] = {
        Col.SEGMENT: pl.Int64,
        Col.VIEWERS: pl.Int64,
        Col.SHARE: pl.Float64,
        Col.TOPICS: pl.List(pl.String),
        Col.LIFTS: pl.List(pl.Float64),
    }
    return pl.DataFrame(rows, schema=schema)


def segment_trend(segments: pl.DataFrame, days: pl.LazyFrame, *, every: str = "week") -> pl.DataFrame:
    """How many viewers of each segment were active, day by day or week by week.

    Args:
        segments: viewer_id and segment; who is in none, 0, is left out.
        days: viewer_id and day, each pair once, as ``read_active_days`` gives them.
        every: "day" or "week".

    Returns:
        day (the first of the period), segment, active and share, of the active viewers of all segments.
    """
    members = segments.lazy().filter(pl.col(Col.SEGMENT) > 0).select(Col.VIEWER_ID, Col.SEGMENT)
    return (
        days.with_columns(pl.col(Col.DAY).dt.truncate(EVERY[every]))
        .join(members, on=Col.VIEWER_ID)
        .group_by(Col.DAY, Col.SEGMENT)
        .agg(pl.col(Col.VIEWER_ID).n_unique().cast(pl.Int64).alias(Col.ACTIVE))
        .with_columns((pl.col(Col.ACTIVE) / pl.col(Col.ACTIVE).sum().over(Col.DAY)).alias(Col.SHARE))
        .sort(Col.DAY, Col.SEGMENT)
        .collect(engine="streaming")
    )
