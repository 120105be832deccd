"""Imports behaviour from files into the history: one atomic commit a file, each event once."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import polars as pl
import sqlalchemy as sa

from swipewise.errors import InputFileError
from swipewise.events.checking import as_events, check_rows
from swipewise.events.database import EVENTS, existing_database
from swipewise.events.files import check_readable, read_table
from swipewise.events.history import History
from swipewise.events.layout import EVENT_COLUMNS, Layout, check_mapping, find_layout
from swipewise.events.plausible import check_not_swapped, check_seconds
from swipewise.events.rejects import Rejects
from swipewise.events.scrubbing import among_erased
from swipewise.events.tables import ROW
from swipewise.events.tombstones import Tombstones
from swipewise.schema import Action, Col
from swipewise.workspace import Workspace

_EXAMPLES: Final = 5
_SAMPLE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSummary:
    """What became of the rows.

    added, duplicates: events (or profiles) that were new, and that were known already. rejected: rows left out;
    ``rejects_file`` tells which and why, None where there are none. unknown_videos: distinct videos of the events
    that are not in the catalogue; the events are kept, ``unknown_examples`` names a few. by_file: distinct videos that
    the events name by their files. unused_columns: of the files, those of whose contents nothing was taken. erased:
    events (or profiles) of viewers who were erased, dated before that; they are not taken.
    """

    added: int
    duplicates: int
    rejected: int
    unknown_videos: int = 0
    unknown_examples: tuple[str, ...] = ()
    rejects_file: Path | None = None
    unused_columns: tuple[str, ...] = ()
    erased: int = 0
    by_file: int = 0


def import_events(
    workspace: Workspace,
    paths: Sequence[Path],
    *,
    mapping: Mapping[str, str],
    known_videos: Container[str],
    lengths: pl.DataFrame | None = None,
    file_names: Callable[[], pl.DataFrame] | None = None,
    on_progress: Callable[[Path, int], None] | None = None,
) -> ImportSummary:
    """Import CSV, JSON Lines and Parquet files, in long form (an ``action`` column) or wide.

    Each file is one commit: killed at any moment, a file is in the history whole or not at all, and importing it
    again adds only what is missing. Rows that break a rule are left out and reported, all of them.

    Args:
        workspace: Where to.
        paths: The files.
        mapping: For our column names those of the files, where they differ.
        known_videos: The catalogue's videos, to report those it lacks.
        lengths: video_id, duration_seconds, by which milliseconds are told from seconds.
        file_names: Gives, where some are lacking, other names of the catalogue's videos: name, video_id. An event that
            has such a name for its video is one of that video.
        on_progress: Called after each file with its path and number of rows.

    Returns:
        What became of the rows.

    Raises:
        InputFileError: A file cannot be read as what its ending claims, lacks a column, or says what cannot be; the
            files before it are imported.
        WorkspaceError: Another import or compaction is running.
        StoreError: A store cannot be read or written.
    """
    check_mapping(mapping, EVENT_COLUMNS)
    for path in paths:
        check_readable(path)
    added = duplicates = erased = 0
    unknown: set[str] = set()
    meant: set[str] = set()
    names = cache(file_names) if file_names else None
    unused: dict[str, None] = {}
    with workspace.lock("history"):
        rejects = Rejects(workspace.events_dir, "events")
        try:
            for path in paths:
                events, rows, idle, renamed = _read(path, mapping, rejects, known_videos, lengths, names)
                meant |= renamed
                unused |= dict.fromkeys(idle)
                allowed = _without_erased(workspace.events_dir, events)
                fresh = _store(workspace.events_dir, allowed)
                added += fresh
                duplicates += len(allowed) - fresh
                erased += len(events) - len(allowed)
                unknown |= {video for video in events[Col.VIDEO_ID].unique() if video not in known_videos}
                if on_progress:
                    on_progress(path, rows)
        finally:
            rejects_file = rejects.finish()
    return ImportSummary(
        added=added,
        duplicates=duplicates,
        rejected=rejects.count,
        unknown_videos=len(unknown),
        unknown_examples=tuple(sorted(unknown)[:_EXAMPLES]),
        rejects_file=rejects_file,
        unused_columns=tuple(unused),
        erased=erased,
        by_file=len(meant),
    )


def _read(
    path: Path,
    mapping: Mapping[str, str],
    rejects: Rejects,
    known_videos: Container[str],
    lengths: pl.DataFrame | None,
    names: Callable[[], pl.DataFrame] | None,
) -> tuple[pl.DataFrame, int, list[str], set[str]]:
    """The events of a file, how many rows it has, the columns of which nothing is taken, the videos told by files."""
    table = read_table(path, {mapping.get(name, name) for name in EVENT_COLUMNS})
    layout = find_layout(path, table.columns, mapping)
    if not layout.is_long:
        _check_no_actions(path, table.columns, layout)
    checked = check_rows(path, table.rows, layout)
    rejects.add_broken(path, table.broken)
    rejects.add_rows(path, checked.bad)
    unused = [name for name in table.columns if name not in layout.sources.values()]
    good, meant = _by_file(checked.good, known_videos, names)
    check_not_swapped(
        path, good, layout.sources, known_videos, lambda: frozenset(names()["name"]) if names else frozenset()
    )
    if lengths is not None:
        check_seconds(path, good, layout.sources.get(Col.WATCH_SECONDS), lengths)
    return as_events(good, is_long=layout.is_long), len(table.rows) + len(table.broken), unused, meant


def _by_file(
    rows: pl.DataFrame, known_videos: Container[str], names: Callable[[], pl.DataFrame] | None
) -> tuple[pl.DataFrame, set[str]]:
    """The rows with the ids of videos that they name by their files, and these ids."""
    told = rows[Col.VIDEO_ID].unique()
    if names is None or all(video in known_videos for video in told):
        return rows, set()
    other = names()
    found = dict(other.filter(pl.col("name").is_in(told.implode())).iter_rows())
    return rows.with_columns(pl.col(Col.VIDEO_ID).replace(found)), set(found.values())


def _check_no_actions(path: Path, columns: Sequence[str], layout: Layout) -> None:
    """A file in long form whose action column has another name would pass for a wide one: look at its values."""
    others = [name for name in columns if name not in layout.sources.values()]
    sample = read_table(path, others).rows.head(_SAMPLE).drop(ROW)
    for column in sample.select(pl.col(pl.String, pl.Categorical, pl.Enum).cast(pl.String)).iter_columns():
        values = column.drop_nulls().str.to_lowercase()
        if len(values) and values.is_in(list(Action)).all():
            raise InputFileError(
                f"{path}: no column 'action', but {column.name!r} holds actions such as {values[0]!r}: "
                f"add --map action={column.name}"
            )


def _without_erased(events_dir: Path, events: pl.DataFrame) -> pl.DataFrame:
    """The events without those of erased viewers that are not later than the erasure."""
    with existing_database(events_dir) as database:
        if database is None or events.is_empty():
            return events
        with database.read() as connection:
            until = Tombstones().until(connection, events[Col.VIEWER_ID].unique().to_list())
    return events.filter(~among_erased(until)) if until else events


def _store(events_dir: Path, events: pl.DataFrame) -> int:
    """Commit the events that neither the history nor the live log holds; returns how many those are."""
    history = History(events_dir)
    once = events.unique(Col.EVENT_ID, keep="first", maintain_order=True)
    fresh = history.unheld(once).join(_live_ids(events_dir), on=Col.EVENT_ID, how="anti")
    if not fresh.is_empty():
        history.append(fresh)
    return len(fresh)


def _live_ids(events_dir: Path) -> pl.DataFrame:
    with existing_database(events_dir) as database:
        if database is None:
            return pl.DataFrame(schema={Col.EVENT_ID: pl.String})
        with database.read() as connection:
            ids = connection.scalars(sa.select(EVENTS.c[Col.EVENT_ID])).all()
    return pl.DataFrame({Col.EVENT_ID: ids}, schema={Col.EVENT_ID: pl.String})
