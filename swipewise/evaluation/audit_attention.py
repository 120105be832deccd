"""What the model's attention does: how far α is from uniform, for whom it differs, and what it heeds where.

Legend of shape suffixes: B = viewers of a block, U = viewers looked at, V = videos, M = modalities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swipewise.evaluation.segments import (
    ACTIVITY,
    COLD_VIEWER_BELOW,
    HEAVY_VIEWER_FROM,
    MEDIUM_VIEWER_FROM,
    categories_of,
)
from swipewise.training.dataset import Dataset
from swipewise.training.fitted import FittedModel
from swipewise.training.inference import Projected

MOST_VIEWERS: Final = 1000
"""So many viewers are looked at, drawn at random where there are more."""

FEWEST: Final = 10
"""A segment with fewer viewers, or a category with fewer videos, is not listed."""

MOST_PROFILE_VALUES: Final = 12
"""So many profile values are listed, those that most viewers have."""

_BLOCK_WEIGHTS = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionSpread:
    """α of many viewers for all videos.

    viewers_U: (U,) int64, who was looked at. weights_UM: (U, M) the mean over videos; weights_VM: (V, M) the mean over
    viewers; both float64. A modality that a video lacks has weight 0.
    entropy: of α, as a share of the highest that the video's modalities allow, mean over viewers and videos with at
    least two; 1 is uniform.
    deviation: |α · n - 1| for a video with n modalities, mean over the same and over these modalities; 0 is uniform.
    variation: standard deviation over viewers of their mean weight, mean over modalities; 0: all viewers are alike.
    """

    modalities: tuple[str, ...]
    viewers_U: NDArray[np.int64]
    weights_UM: NDArray[np.float64]
    weights_VM: NDArray[np.float64]
    entropy: float
    deviation: float
    variation: float

    @property
    def favourite(self) -> tuple[str, float, float]:
        """The modality that is the largest for most viewers, for which share of them, and its mean weight."""
        largest_M = np.bincount(self.weights_UM.argmax(axis=1), minlength=len(self.modalities))
        column = int(largest_M.argmax())
        return (
            self.modalities[column],
            float(largest_M[column] / largest_M.sum()),
            float(self.weights_UM[:, column].mean()),
        )


def attention_spread(
    fitted: FittedModel, history: Dataset, *, most_viewers: int = MOST_VIEWERS, seed: int = 0
) -> AttentionSpread | None:
    """Look at the weights that viewers with a history give to the modalities of every video.

    None where fewer than two modalities are fused, or nobody has a history.
    """
    viewers_U = np.flatnonzero(np.diff(history.viewer_offsets()) > 0)
    if len(viewers_U) > most_viewers:
        viewers_U = np.sort(np.random.default_rng(seed).choice(viewers_U, most_viewers, replace=False))
    modalities = fitted.modalities
    if len(modalities) < 2 or not len(viewers_U):
        return None
    projected = Projected(fitted, history)
    present_VM = projected.present_VM.cpu().numpy()
    count_V = present_VM.sum(axis=1)
    several_V = count_V >= 2
    everything_V = np.arange(len(present_VM))
    by_viewer, by_video_VM = [], np.zeros(present_VM.shape)
    entropy = deviation = 0.0
    block = max(1, _BLOCK_WEIGHTS // present_VM.size)
    for start in range(0, len(viewers_U), block):
        interests = projected.interest(history, viewers_U[start : start + block])
        alpha_BVM = projected.weights(interests, everything_V).cpu().numpy().astype(np.float64)
        by_viewer.append(alpha_BVM.mean(axis=1))
        by_video_VM += alpha_BVM.sum(axis=0)
        alpha_BVM, count, there = alpha_BVM[:, several_V], count_V[several_V], present_VM[several_V]
        entropy += float((_entropy(alpha_BVM) / np.log(count)).sum())
        off_BVM = np.abs(alpha_BVM * count[:, None] - 1) * there
        deviation += float((off_BVM.sum(axis=2) / count).sum())
    weights_UM = np.concatenate(by_viewer)
    pairs = max(1, int(several_V.sum()) * len(viewers_U))
    return AttentionSpread(
        modalities=modalities,
        viewers_U=viewers_U,
        weights_UM=weights_UM,
        weights_VM=by_video_VM / len(viewers_U),
        entropy=entropy / pairs,
        deviation=deviation / pairs,
        variation=float(weights_UM.std(axis=0).mean()),
    )


def _entropy(alpha_BVM: NDArray[np.float64]) -> NDArray[np.float64]:
    """In nats, over the last dimension."""
    logs_BVM = np.log(alpha_BVM, out=np.zeros_like(alpha_BVM), where=alpha_BVM > 0)
    entropy_BV: NDArray[np.float64] = -(alpha_BVM * logs_BVM).sum(axis=-1)
    return entropy_BV


class Family(StrEnum):
    """What the lines of :func:`attention_by_segment` are about."""

    ACTIVITY = "activity"
    PROFILE = "profile"
    CATEGORY = "category"


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentWeights:
    """Mean α of a group of viewers over all videos, or of all viewers over the videos of a category.

    members: how many viewers, or videos. distance: half the sum of the absolute differences to the mean over
    everybody and everything, in [0, 1].
    """

    family: Family
    name: str
    members: int
    weights: Mapping[str, float]
    distance: float


def attention_by_segment(spread: AttentionSpread, history: Dataset) -> tuple[SegmentWeights, ...]:
    """Weights by how much viewers did, by what their profiles say, and by category of the video."""
    by_viewer = {**_by_activity(spread, history), **_by_profile(spread, history)}
    lines = [
        _line(family, name, spread.weights_UM[rows_U], spread)
        for (family, name), rows_U in by_viewer.items()
        if rows_U.sum() >= FEWEST
    ]
    lines += [
        _line(Family.CATEGORY, name, spread.weights_VM[has_V], spread)
        for name, has_V in categories_of(history).items()
        if has_V.sum() >= FEWEST
    ]
    return tuple(lines)


def _by_activity(spread: AttentionSpread, history: Dataset) -> dict[tuple[Family, str], NDArray[np.bool_]]:
    count_U = np.diff(history.viewer_offsets())[spread.viewers_U]
    edges = [1, COLD_VIEWER_BELOW, MEDIUM_VIEWER_FROM, HEAVY_VIEWER_FROM, np.inf]
    return {
        (Family.ACTIVITY, str(name)): (count_U >= low) & (count_U < high)
        for name, low, high in zip(ACTIVITY, edges, edges[1:], strict=False)
    }


def _by_profile(spread: AttentionSpread, history: Dataset) -> dict[tuple[Family, str], NDArray[np.bool_]]:
    profile_UP = history.profile_UP[spread.viewers_U]
    found = {
        (Family.PROFILE, value): (profile_UP == code).any(axis=1)
        for code, value in enumerate(history.profile_values, 1)
    }
    largest = sorted(found, key=lambda key: -int(found[key].sum()))[:MOST_PROFILE_VALUES]
    return {key: found[key] for key in found if key in largest}


def _line(family: Family, name: str, weights_KM: NDArray[np.float64], spread: AttentionSpread) -> SegmentWeights:
    """One line of K viewers or K videos."""
    mean_M = weights_KM.mean(axis=0)
    return SegmentWeights(
        family=family,
        name=name,
        members=len(weights_KM),
        weights=dict(zip(spread.modalities, mean_M.tolist(), strict=True)),
        distance=float(np.abs(mean_M - spread.weights_UM.mean(axis=0)).sum() / 2),
    )
