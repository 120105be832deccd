"""Counts of closed days, kept beside the history so that nobody has to fold all of it again; no viewer is in them.

::

    rollups/2026-03-02-5f0c…/days.parquet     one row: interactions, viewers, and how many had each action
                             videos.parquet   the same a video, and when it was first shown
                             watch.parquet    how many watched how far

The name of a folder is made of the files that its day was counted from. Files of the history never change, so a name
that is no longer asked for is out of date, and is counted again: after an import, a compaction or an erasure.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final, Self

import polars as pl

from swipewise.errors import StoreError
from swipewise.events.folding import fold
from swipewise.events.frames import EVENT_SCHEMA
from swipewise.events.history import History
from swipewise.events.reading import live_events
from swipewise.schema import Action, Col
from swipewise.staging import put_in_place, staging
from swipewise.workspace import Workspace

ROLLUPS_NAME: Final = "rollups"

WATCH_STEPS: Final = 20
"""Into how many equal parts a video is cut where it is counted how far it was watched."""

FORMAT: Final = "1"  # another one counts every day again
_WAIT_SECONDS: Final = 120.0
_PAIR: Final = [Col.VIEWER_ID, Col.VIDEO_ID]
_NEIGHBOURS: Final = (timedelta(days=-1), timedelta(days=0), timedelta(days=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollups:
    """Counts of interactions, a row a day (UTC) of their first event, and a column named after each of ``Action``.

    days: day, interactions, viewers, watch_seconds, unmeasured (watched, but the video's length is not known), and
        interactions with each action.
    videos: the same a day and video, without viewers, and first_exposure_at.
    watch: day, step and watchers: 20 steps stand for the whole video.
    """

    days: pl.LazyFrame
    videos: pl.LazyFrame
    watch: pl.LazyFrame

    @classmethod
    def of(cls, interactions: pl.DataFrame) -> Self:
        """Count interactions, as ``fold`` gives them with all actions.

        Args:
            interactions: A row each.

        Returns:
            Their counts, which nothing has read from disk.
        """
        rows = interactions.lazy().with_columns(pl.col(Col.AT).dt.date().alias(Col.DAY))
        counts = [
            pl.len().cast(pl.UInt32).alias(Col.INTERACTIONS),
            pl.col(Col.WATCH_SECONDS).sum(),
            (pl.col(Col.WATCH_SECONDS).is_not_null() & pl.col(Col.WATCH_RATIO).is_null())
            .sum()
            .cast(pl.UInt32)
            .alias(Col.UNMEASURED),
            *(pl.col(action).sum().cast(pl.UInt32) for action in Action),
        ]
        viewers = pl.col(Col.VIEWER_ID).n_unique().cast(pl.UInt32).alias(Col.VIEWERS)
        shown_at = pl.col(Col.AT).filter(pl.col(Action.EXPOSURE)).min().alias(Col.FIRST_EXPOSURE_AT)
        step = (pl.col(Col.WATCH_RATIO).clip(0.0, 1.0) * WATCH_STEPS + 1e-9).floor().cast(pl.UInt8)
        watched = rows.filter(pl.col(Col.WATCH_RATIO).is_not_null())
        return cls(
            days=rows.group_by(Col.DAY).agg(viewers, *counts).sort(Col.DAY),
            videos=rows.group_by(Col.DAY, Col.VIDEO_ID).agg(*counts, shown_at).sort(Col.DAY, Col.VIDEO_ID),
            watch=watched.group_by(Col.DAY, step.alias(Col.STEP))
            .agg(pl.len().cast(pl.UInt32).alias(Col.WATCHERS))
            .sort(Col.DAY, Col.STEP),
        )

    @classmethod
    def scan(cls, folders: Iterable[Path]) -> Self:
        """Those in some folders, one at least.

        Args:
            folders: As :meth:`write` fills them.
        """
        places = list(folders)
        return cls(
            **{name: pl.scan_parquet([place / f"{name}.parquet" for place in places]) for name in cls.__slots__}
        )

    def followed_by(self, others: Rollups) -> Rollups:
        """These and others of other interactions; a day that is in both has two rows.

        Args:
            others: Of later interactions.
        """
        return Rollups(
            **{name: pl.concat([getattr(self, name), getattr(others, name)]) for name in self.__slots__}
        )

    def write(self, folder: Path) -> None:
        """Into a folder that exists.

        Args:
            folder: Where to.
        """
        for name in self.__slots__:
            getattr(self, name).collect().write_parquet(folder / f"{name}.parquet")


def read_rollups(workspace: Workspace, durations: pl.LazyFrame) -> Rollups:
    """Counts of all that happened: kept ones of closed days, and those of the live log, which is folded each time.

    Days that are new or have changed are counted first, and kept. An action that comes later than the day after the
    exposure counts as an interaction of its own; one in the live log counts for an exposure in the history once its
    day is closed. What is read lazily may be taken away meanwhile: ``History.collected`` meets that.

    Args:
        workspace: Whose log.
        durations: video_id and duration_seconds, as for ``fold``.

    Raises:
        StoreError: A store cannot be read or written.
        WorkspaceError: Another process counts, and does not end.
    """
    live = live_events(workspace.events_dir)
    history = History(workspace.events_dir)
    table = history.table()
    if table is None:
        return Rollups.of(fold(live.lazy(), durations, flags=tuple(Action)).collect())
    wanted = _wanted(workspace, history.files_by_day(table))
    if stale := _stale(wanted, durations):
        with workspace.lock(ROLLUPS_NAME, wait=_WAIT_SECONDS):
            for day in stale:
                # Another process may have counted it meanwhile.
                if not wanted[day].is_dir() or _measurable(wanted[day], durations):
                    _replace(day, wanted[day], _of_day(history, day, durations))
            _forget(workspace, wanted)
    open_part = Rollups.of(_open(history, history.unheld(live, table), durations))
    return Rollups.scan(wanted.values()).followed_by(open_part) if wanted else open_part


def _wanted(workspace: Workspace, files: Mapping[date, Sequence[str]]) -> dict[date, Path]:
    """Where the counts of each day of the history are, or will be."""
    base = workspace.events_dir / ROLLUPS_NAME
    return {day: base / f"{day.isoformat()}-{_digest(files, day)}" for day in sorted(files)}


def _digest(files: Mapping[date, Sequence[str]], day: date) -> str:
    near = [sorted(files.get(day + apart, ())) for apart in _NEIGHBOURS]
    return hashlib.blake2b(repr([FORMAT, near]).encode(), digest_size=8).hexdigest()


def _stale(wanted: Mapping[date, Path], durations: pl.LazyFrame) -> list[date]:
    return [day for day, place in wanted.items() if not place.is_dir() or _measurable(place, durations)]


def _measurable(place: Path, durations: pl.LazyFrame) -> bool:
    """Whether videos whose length was not known when their watching was counted have one now."""
    if not pl.read_parquet(place / "days.parquet")[Col.UNMEASURED].sum():
        return False
    unknown = pl.scan_parquet(place / "videos.parquet").filter(pl.col(Col.UNMEASURED) > 0)
    known = durations.filter(pl.col(Col.DURATION) > 0)
    return not unknown.join(known, on=Col.VIDEO_ID, how="semi").head(1).collect().is_empty()


def _of_day(history: History, day: date, durations: pl.LazyFrame) -> Rollups:
    """Counts of the interactions that began on a day of the history."""
    of_day = pl.col(Col.DAY) == day
    pairs = history.scan().filter(of_day).select(_PAIR).unique()
    near = history.scan().filter(pl.col(Col.DAY).is_in([day + apart for apart in _NEIGHBOURS]))
    # What opened the day before, or goes on the day after.
    met = near.join(pairs, on=_PAIR, how="semi").select(*EVENT_SCHEMA)
    began = fold(met, durations, flags=tuple(Action)).filter(pl.col(Col.AT).dt.date() == day)
    return Rollups.of(began.collect())


def _open(history: History, live: pl.DataFrame, durations: pl.LazyFrame) -> pl.DataFrame:
    """Interactions of the live log, without actions on what the history says was shown a little before."""
    rows = fold(live.lazy(), durations, flags=tuple(Action)).collect()
    loose = rows.filter(~pl.col(Action.EXPOSURE))
    if loose.is_empty():
        return rows
    since = loose[Col.AT].dt.date().min()
    assert isinstance(since, date)
    before = history.scan().filter(pl.col(Col.DAY) >= since - timedelta(days=1)).select(_PAIR)
    theirs = loose.lazy().join(before, on=_PAIR, how="semi").select(*_PAIR, Col.AT).collect()
    return rows.join(theirs, on=[*_PAIR, Col.AT], how="anti")


def _replace(day: date, place: Path, counted: Rollups) -> None:
    try:
        with staging(place, "counting") as folder:
            counted.write(folder)
            shutil.rmtree(place, ignore_errors=True)
            put_in_place(folder, place)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StoreError(f"cannot keep the counts of {day} at {place}: {error}") from error


def _forget(workspace: Workspace, wanted: Mapping[date, Path]) -> None:
    """Remove what is out of date; the caller holds the lock."""
    kept = set(wanted.values())
    for path in (workspace.events_dir / ROLLUPS_NAME).iterdir():
        if path not in kept:
            shutil.rmtree(path, ignore_errors=True)
