"""What no log can say: viewers that are videos, and clips that were watched for a hundred times their length."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Final

import polars as pl

from swipewise.errors import InputFileError
from swipewise.schema import Col

_ROWS: Final = 20
"""Views that are looked at at least: of fewer nothing is concluded."""
_LENGTHS: Final = 100.0
"""More times than that nobody plays a clip; a thousand times is what milliseconds look like."""
_SECONDS: Final = 120.0
"""For less than that somebody may well look at a still, whose length is that of a frame."""


def check_not_swapped(
    path: Path,
    rows: pl.DataFrame,
    sources: Mapping[str, str],
    known_videos: Container[str],
    files: Callable[[], Container[str]],
) -> None:
    """See that viewers and videos do not stand in each other's column.

    Args:
        path: Of the file.
        rows: Checked rows: viewer_id, video_id.
        sources: For our column names those of the file.
        known_videos: The catalogue's videos.
        files: Their files' names, by which a log may call them too.

    Raises:
        InputFileError: Most of the viewers are videos of the catalogue, and none of the videos is.
    """
    viewers = rows[Col.VIEWER_ID].unique().sort().to_list()
    if any(video in known_videos for video in rows[Col.VIDEO_ID].unique()):
        return
    named = files()
    # Where both are counted from 1, viewers have the numbers of videos by chance.
    taken = [each for each in viewers if (each in known_videos or each in named) and not each.isdigit()]
    if 2 * len(taken) <= len(viewers):
        return
    viewer, video = sources[Col.VIEWER_ID], sources[Col.VIDEO_ID]
    raise InputFileError(
        f"{path}: column {viewer!r} holds videos of the catalogue, such as {taken[0]!r}, and column {video!r} none: "
        f"they are swapped, add --map {Col.VIEWER_ID}={video} --map {Col.VIDEO_ID}={viewer}"
    )


def check_seconds(path: Path, rows: pl.DataFrame, source: str | None, lengths: pl.DataFrame) -> None:
    """See that seconds watched are seconds.

    Args:
        path: Of the file.
        rows: Checked rows: video_id, watch_seconds.
        source: The file's column of watch_seconds, if it has one.
        lengths: video_id, duration_seconds.

    Raises:
        InputFileError: In most rows a clip was watched for minutes, and for more than a hundred times its length.
    """
    if source is None:
        return
    watched = (
        rows.select(Col.VIDEO_ID, Col.WATCH_SECONDS)
        .join(lengths.select(Col.VIDEO_ID, Col.DURATION), on=Col.VIDEO_ID)
        .filter(pl.col(Col.WATCH_SECONDS) > 0, pl.col(Col.DURATION) > 0)
    )
    seconds, length = pl.col(Col.WATCH_SECONDS), pl.col(Col.DURATION)
    absurd = watched.filter(seconds > _SECONDS, seconds > _LENGTHS * length)
    if len(watched) < _ROWS or 2 * len(absurd) <= len(watched):
        return
    video, given, lasts = absurd.row(0)
    raise InputFileError(
        f"{path}: column {source!r} says that {video!r}, a clip of {lasts:g} s, was watched for {given:g} s, and "
        f"the like in most rows: if it holds milliseconds, name it {source}_ms in the file and add "
        f"--map {Col.WATCH_SECONDS}={source}_ms"
    )
