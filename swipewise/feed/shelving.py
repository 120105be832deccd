"""Makes a shelf of the catalogue.

Legend of shape suffixes: V = videos on the shelf, D = width of a vector.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from swipewise.feed.shelf import Shelf
from swipewise.schema import Col

if TYPE_CHECKING:
    from swipewise.training.scorer import Scorer


def groups_of(videos: pl.DataFrame, known: Mapping[str, str] | None = None) -> dict[str, str]:
    """Of each video that has near-duplicates the first of its group; those of earlier videos are ``known``."""
    linked = videos.filter(pl.col(Col.DUPLICATE_OF).is_not_null())
    earlier: dict[str, str] = dict(linked.select(Col.VIDEO_ID, Col.DUPLICATE_OF).iter_rows())
    groups: dict[str, str] = dict(known or {})
    for video_id in earlier:
        # Each names the first that it is like itself, which may be like one before it.
        first: str = earlier[video_id]
        while first in earlier:
            first = earlier[first]
        first = groups.get(first, first)
        groups |= {video_id: first, first: first}
    return groups


def shelf_of(
    videos: pl.DataFrame, groups: Mapping[str, str], scorer: Scorer | None = None, *, first: int = 0
) -> Shelf:
    """The shelf in the scorer's order from its row ``first`` on, or in the catalogue's without one."""
    video_ids = scorer.video_ids[first:] if scorer else tuple(videos[Col.VIDEO_ID])
    ordered = pl.DataFrame({Col.VIDEO_ID: video_ids}, schema={Col.VIDEO_ID: pl.String}).join(
        videos, on=Col.VIDEO_ID, how="left", maintain_order="left"
    )
    return Shelf(
        video_ids=video_ids,
        uploaded_at_V=_numbers(ordered[Col.UPLOADED_AT].dt.epoch("us")) / 1e6,
        vectors_VD=scorer.index_vectors_VD[first:] if scorer else None,
        group_of=groups,
        creator_of=_texts(video_ids, ordered[Col.CREATOR]),
        tags_of=_lists(video_ids, ordered[Col.TAGS]),
        language_of=_texts(video_ids, ordered[Col.LANGUAGE]),
        regions_of=_lists(video_ids, ordered[Col.REGIONS]),
        window_of=_windows(videos),
        seconds_V=_numbers(ordered[Col.DURATION]),
    )


def _texts(video_ids: Sequence[str], column: pl.Series) -> dict[str, str]:
    """A column by video, without the empty ones; equal texts, and the ids, are in memory once."""
    kept: dict[str, str] = {}
    return {
        video_id: kept.setdefault(text, text)
        for video_id, text in zip(video_ids, column.to_list(), strict=True)
        if text is not None
    }


def _lists(video_ids: Sequence[str], column: pl.Series) -> dict[str, tuple[str, ...]]:
    """A column of lists by video, without the empty ones; equal lists, and the ids, are in memory once."""
    kept: dict[tuple[str, ...], tuple[str, ...]] = {}
    given = (
        (video_id, tuple(names)) for video_id, names in zip(video_ids, column.to_list(), strict=True) if names
    )
    return {video_id: kept.setdefault(names, names) for video_id, names in given}


def _numbers(column: pl.Series) -> NDArray[np.float64]:
    """A column as float64, NaN where it has nothing."""
    return np.array(column.cast(pl.Float64).fill_null(math.nan).to_numpy(), np.float64)


def _windows(videos: pl.DataFrame) -> dict[str, tuple[float, float]]:
    """From when until before when videos may be shown, of those for which it is said."""
    limited = videos.select(Col.VIDEO_ID, Col.AVAILABLE_FROM, Col.AVAILABLE_UNTIL).filter(
        pl.any_horizontal(pl.col(Col.AVAILABLE_FROM, Col.AVAILABLE_UNTIL).is_not_null())
    )
    return {
        video_id: (since.timestamp() if since else -math.inf, until.timestamp() if until else math.inf)
        for video_id, since, until in limited.iter_rows()
    }
