"""The parts of an exam: of which viewers, and of which relevant videos, a figure speaks.

A segment is known by its name. Those that every data set can have are in :class:`Segment`; a category is named by
the attribute its videos share ("tags=cooking"), videos that lack a modality by what they lack ("without audio").

Legend of shape suffixes: B = viewers, R = pairs of a viewer and a relevant video (see RankingTask), U = all viewers,
V = all videos, A = attribute values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swipewise.schema import Col
from swipewise.training.dataset import Dataset
from swipewise.training.ranking import RankingTask

COLD_VIEWER_BELOW: Final = 5
"""A viewer with fewer interactions than this before the cut is cold."""

MEDIUM_VIEWER_FROM: Final = 20
"""With fewer interactions, but not cold, a viewer is light."""

HEAVY_VIEWER_FROM: Final = 100
"""With at least so many interactions before the cut a viewer is heavy."""

CATEGORIES: Final = 5
"""So many categories are looked at, those with the most videos."""

_WITHOUT: Final = "without "


class Segment(StrEnum):
    """The segments that do not depend on what videos are about."""

    ALL = "all"
    WARM_VIEWERS = "warm viewers"
    COLD_VIEWERS = "cold viewers"
    COLD_VIDEOS = "cold videos"
    LIGHT_VIEWERS = "light viewers"
    MEDIUM_VIEWERS = "medium viewers"
    HEAVY_VIEWERS = "heavy viewers"


ACTIVITY: Final = (
    Segment.COLD_VIEWERS,
    Segment.LIGHT_VIEWERS,
    Segment.MEDIUM_VIEWERS,
    Segment.HEAVY_VIEWERS,
)
"""The segments that divide viewers by their interactions before the cut, fewest first."""


class Group(StrEnum):
    """What the segments of a family differ in."""

    ALL = "all"
    COLDNESS = "coldness"
    ACTIVITY = "activity"
    CATEGORY = "category"
    MODALITY = "modality"


def group_of(segment: str) -> Group:
    """The family of a segment; cold viewers, who are also the least active, are with the other cold ones.

    >>> group_of("light viewers").value, group_of("tags=cooking").value, group_of("without audio").value
    ('activity', 'category', 'modality')
    """
    if segment == Segment.ALL:
        return Group.ALL
    if segment in (Segment.WARM_VIEWERS, Segment.COLD_VIEWERS, Segment.COLD_VIDEOS):
        return Group.COLDNESS
    if segment in ACTIVITY:
        return Group.ACTIVITY
    return Group.MODALITY if segment.startswith(_WITHOUT) else Group.CATEGORY


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """The part of a task that one segment looks at.

    rows_B: (B,) int64, the viewers, as places in the task's ``viewers_B``.
    relevant_R: (R,) int64, the relevant pairs, ``row * V + video`` with those same places.
    """

    rows_B: NDArray[np.int64]
    relevant_R: NDArray[np.int64]


def segments_of(task: RankingTask) -> Mapping[str, Targets]:
    """Every segment that has viewers: all first, then by coldness, activity, category and missing modality."""
    videos = len(task.history.video_ids)
    row_R, video_R = np.divmod(task.relevant_R, videos)
    kept = _by_viewer(task, row_R) | {name: has_V[video_R] for name, has_V in _by_video(task.history).items()}
    return {
        segment: Targets(rows_B=np.unique(row_R[keep_R]), relevant_R=task.relevant_R[keep_R])
        for segment, keep_R in kept.items()
        if keep_R.any()
    }


def _by_viewer(task: RankingTask, row_R: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
    """Segments whose viewers are told by how much they had done before: name to (R,)."""
    interactions_U = np.diff(task.history.viewer_offsets())
    count_R = interactions_U[task.viewers_B][row_R]
    video_R = task.relevant_R % len(task.history.video_ids)
    seen_V = np.bincount(task.history.interactions.video_I, minlength=len(task.history.video_ids))
    return {
        Segment.ALL: np.ones(len(row_R), bool),
        Segment.WARM_VIEWERS: count_R >= COLD_VIEWER_BELOW,
        Segment.COLD_VIEWERS: count_R < COLD_VIEWER_BELOW,
        Segment.COLD_VIDEOS: seen_V[video_R] == 0,
        Segment.LIGHT_VIEWERS: (count_R >= COLD_VIEWER_BELOW) & (count_R < MEDIUM_VIEWER_FROM),
        Segment.MEDIUM_VIEWERS: (count_R >= MEDIUM_VIEWER_FROM) & (count_R < HEAVY_VIEWER_FROM),
        Segment.HEAVY_VIEWERS: count_R >= HEAVY_VIEWER_FROM,
    }


def _by_video(dataset: Dataset) -> dict[str, NDArray[np.bool_]]:
    """Segments whose relevant videos are told by what they are: name to (V,)."""
    lacking = {f"{_WITHOUT}{modality}": ~feature.present_V for modality, feature in dataset.content.items()}
    return categories_of(dataset) | lacking


def categories_of(dataset: Dataset, at_most: int = CATEGORIES) -> dict[str, NDArray[np.bool_]]:
    """The categories with the most videos, by tag, or by creator where videos have no tags: name to (V,) bool.

    Of categories of one size the one that the catalogue names first comes first. A category that holds every video
    tells nothing apart and is left out.
    """
    for column in (Col.TAGS, Col.CREATOR):
        codes = [code for code, value in enumerate(dataset.attribute_values, 1) if value.startswith(f"{column}=")]
        if codes:
            break
    else:
        return {}
    # A video that lists a tag twice still counts once.
    video, place = np.nonzero(np.isin(dataset.attributes_VA, codes))
    pairs = np.unique(video * (len(dataset.attribute_values) + 1) + dataset.attributes_VA[video, place])
    videos_A = np.bincount(
        pairs % (len(dataset.attribute_values) + 1), minlength=len(dataset.attribute_values) + 1
    )
    telling = [code for code in codes if 0 < videos_A[code] < len(dataset.video_ids)]
    largest = sorted(telling, key=lambda code: -int(videos_A[code]))[:at_most]
    return {dataset.attribute_values[code - 1]: (dataset.attributes_VA == code).any(axis=1) for code in largest}
