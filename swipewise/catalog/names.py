"""By what other names than its id a video can be told: those of its file."""

from __future__ import annotations

import polars as pl

from swipewise.schema import Col

NAME = "name"


def file_names(videos: pl.DataFrame) -> pl.DataFrame:
    """The names of files that one video alone has: where it lies, the last part of that, and this without its ending.

    Args:
        videos: video_id and uri.

    Returns:
        name and video_id, no name twice. A name that is the id of a video is not among them.
    """
    last = pl.col(Col.URI).str.extract(r"([^/\\]+)[/\\]*$")
    names = [pl.col(Col.URI), last, last.str.replace(r"\.[^.]*$", "")]
    each = pl.concat(videos.select(Col.VIDEO_ID, name.alias(NAME)) for name in names).unique()
    told = each.filter(pl.col(NAME).is_not_null() & pl.len().over(NAME).eq(1))
    return told.join(videos, left_on=NAME, right_on=Col.VIDEO_ID, how="anti").select(NAME, Col.VIDEO_ID)
