"""What a list of recommendations is like beside being liked: how much of the catalogue, how new, varied and popular.

Legend of shape suffixes: B = viewers, V = all videos, K = places of the list, P = pairs of videos, D = width of a
vector, A = attribute values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from swipewise.evaluation.intervals import Estimate, bootstrap_means, estimate
from swipewise.evaluation.protocol import Measured, Protocol
from swipewise.training.dataset import ContentFeature, Dataset
from swipewise.training.ranking import NO_VIDEO

LIST: Final = 10
"""Places of a ranking that are looked at here."""

DistanceFn = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]
"""Two videos of each pair, (P,) and (P,), to their distance (P,); NaN where it is unknown."""

_BLOCK_PAIRS = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Beyond:
    """One recommender's lists of ten; means over viewers where there is an interval, None where nobody has one.

    coverage: share of the candidates that are in at least one list.
    gini: how unevenly the candidates share the places of all lists, see :func:`gini`.
    novelty: mean over the list of :func:`self_information`, in bits.
    popularity: mean over the list of :func:`popularity_percentile`.
    content_diversity, attribute_diversity: mean distance of two videos of a list, see :func:`content_distance` and
        :func:`attribute_distance`; None where videos have no vectors, or no attributes.
    """

    name: str
    coverage: float
    gini: float
    novelty: Estimate | None
    popularity: Estimate | None
    content_diversity: Estimate | None
    attribute_diversity: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BeyondAccuracy:
    """Every recommender's lists.

    candidates: how many videos could be recommended to somebody.
    liked_popularity: mean popularity percentile of what viewers went on to like, the mark for ``popularity``: a
        recommender above it leans on popular videos more than viewers do.
    """

    candidates: int
    liked_popularity: Estimate | None
    recommenders: tuple[Beyond, ...]


def beyond_accuracy(measured: Sequence[Measured], protocol: Protocol, *, seed: int = 0) -> BeyondAccuracy:
    """Look at the first ten places of every ranking of an exam; what is popular is told by the exam's history."""
    history, task = protocol.history, protocol.task
    row_R, video_R = np.divmod(task.relevant_R, len(history.video_ids))
    candidate_V = np.ones(len(history.video_ids), bool)
    if task.uploaded_by_B is not None:
        candidate_V = history.uploaded_at_V <= task.uploaded_by_B.max()
    percentile_V = popularity_percentile(history)
    information_V = self_information(history)
    content, attributes = content_distance(history), attribute_distance(history)

    def describe(name: str, best_BK: NDArray[np.int64]) -> Beyond:
        places_V = np.bincount(best_BK[best_BK != NO_VIDEO], minlength=len(candidate_V))[candidate_V]
        return Beyond(
            name=name,
            coverage=float((places_V > 0).mean()),
            gini=gini(places_V),
            novelty=_over_viewers(list_means(best_BK, information_V), seed),
            popularity=_over_viewers(list_means(best_BK, percentile_V), seed),
            content_diversity=_over_viewers(diversity(best_BK, content), seed) if content else None,
            attribute_diversity=_over_viewers(diversity(best_BK, attributes), seed) if attributes else None,
        )

    return BeyondAccuracy(
        candidates=int(candidate_V.sum()),
        liked_popularity=_over_viewers(np.bincount(row_R, percentile_V[video_R]) / task.relevant_B, seed),
        recommenders=tuple(describe(one.name, one.best_BK[:, :LIST]) for one in measured),
    )


def popularity_percentile(history: Dataset) -> NDArray[np.float64]:
    """Share of the catalogue with fewer positive interactions, ties counting half: (V,) in (0, 1), mean 1/2."""
    from scipy.stats import rankdata  # slow to import

    rows = history.interactions
    liked_V = np.bincount(rows.video_I[rows.positive_I], minlength=len(history.video_ids))
    percentile_V: NDArray[np.float64] = (rankdata(liked_V) - 0.5) / len(liked_V)
    return percentile_V


def self_information(history: Dataset) -> NDArray[np.float64]:
    """How surprising it is that a viewer meets a video, -log2 of the share of viewers who had: (V,) bits.

    One viewer is added who met everything, so that a video nobody had met has a finite value, the largest.
    """
    rows = history.interactions
    videos = len(history.video_ids)
    met_V = np.bincount(np.unique(rows.viewer_I * videos + rows.video_I) % videos, minlength=videos)
    viewers = len(np.unique(rows.viewer_I))
    information_V: NDArray[np.float64] = -np.log2((met_V + 1) / (viewers + 1))
    return information_V


def gini(places_V: NDArray[np.integer]) -> float:
    """How unequal counts are: 0 where all are alike, 1 - 1/V where one has them all; 0 where there are none.

    >>> gini(np.array([1, 1, 1, 1])), gini(np.array([0, 0, 0, 8]))
    (0.0, 0.75)
    """
    total, count = int(places_V.sum()), len(places_V)
    if not total:
        return 0.0
    rank_V = np.arange(1, count + 1)
    return float(((2 * rank_V - count - 1) * np.sort(places_V)).sum() / (count * total))


def list_means(best_BK: NDArray[np.int64], value_V: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean value of the videos of each list, empty places left out: (B,), NaN for an empty list."""
    filled_BK = best_BK != NO_VIDEO
    return _ratio(np.where(filled_BK, value_V[best_BK], 0.0).sum(axis=1), filled_BK.sum(axis=1))


def diversity(best_BK: NDArray[np.int64], distance: DistanceFn) -> NDArray[np.float64]:
    """Mean distance over the pairs of videos of each list: (B,), NaN where no distance is known."""
    first, second = np.triu_indices(best_BK.shape[1], k=1)
    diversity_B = np.full(len(best_BK), np.nan)
    block = max(1, _BLOCK_PAIRS // max(len(first), 1))
    for start in range(0, len(best_BK), block):
        lists = best_BK[start : start + block]
        a_BP, b_BP = lists[:, first], lists[:, second]
        distance_BP = distance(a_BP.ravel(), b_BP.ravel()).reshape(a_BP.shape)
        known_BP = np.isfinite(distance_BP) & (a_BP != NO_VIDEO) & (b_BP != NO_VIDEO)
        diversity_B[start : start + block] = _ratio(
            np.where(known_BP, distance_BP, 0.0).sum(axis=1), known_BP.sum(axis=1)
        )
    return diversity_B


def content_distance(dataset: Dataset) -> DistanceFn | None:
    """1 - cosine of what two videos look, sound and read like, mean over the modalities that both have.

    Vectors are taken from the catalogue's mean: two videos without anything in common are at about 1, two of the
    same at 0, opposites at 2. None where no video has a vector.
    """
    spaces = [_directions(feature) for feature in dataset.content.values() if feature.present_V.any()]
    if not spaces:
        return None

    def distance(a_P: NDArray[np.int64], b_P: NDArray[np.int64]) -> NDArray[np.float64]:
        summed_P, known_P = np.zeros(len(a_P)), np.zeros(len(a_P))
        for unit_VD, present_V in spaces:
            both_P = present_V[a_P] & present_V[b_P]
            summed_P += both_P * (1 - np.einsum("pd,pd->p", unit_VD[a_P], unit_VD[b_P]))
            known_P += both_P
        return _ratio(summed_P, known_P)

    return distance


def _directions(feature: ContentFeature) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Unit vectors from the mean of the videos that have one, and which have."""
    centred_VD = feature.values_VD - feature.values_VD[feature.present_V].mean(axis=0)
    length_V1 = np.linalg.norm(centred_VD, axis=1, keepdims=True)
    unit_VD = np.divide(centred_VD, length_V1, out=np.zeros_like(centred_VD), where=length_V1 > 0)
    return unit_VD, feature.present_V


def attribute_distance(dataset: Dataset) -> DistanceFn | None:
    """1 - Jaccard: the share of two videos' attribute values, such as tags, that only one of them has.

    Unknown where neither has any; None where no video has one.
    """
    codes_VA = dataset.attributes_VA
    if not codes_VA.any():
        return None
    video, place = np.nonzero(codes_VA)
    shape = (len(codes_VA), len(dataset.attribute_values) + 1)
    has_VA = sp.csr_array((np.ones(len(video)), (video, codes_VA[video, place])), shape=shape)
    has_VA.data.fill(1.0)  # a value that a video lists twice was summed
    count_V: NDArray[np.float64] = np.asarray(has_VA.sum(axis=1))

    def distance(a_P: NDArray[np.int64], b_P: NDArray[np.int64]) -> NDArray[np.float64]:
        shared_P: NDArray[np.float64] = np.asarray(has_VA[a_P].multiply(has_VA[b_P]).sum(axis=1))
        together_P = count_V[a_P] + count_V[b_P] - shared_P
        return 1 - _ratio(shared_P, together_P)

    return distance


def _over_viewers(value_B: NDArray[np.float64], seed: int) -> Estimate | None:
    known = value_B[np.isfinite(value_B)]
    if not len(known):
        return None
    return estimate(float(known.mean()), bootstrap_means(known[:, None], seed=seed)[:, 0])


def _ratio(part: NDArray[np.number], whole: NDArray[np.number]) -> NDArray[np.float64]:
    quotient: NDArray[np.float64] = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
    return quotient
