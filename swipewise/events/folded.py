"""The history kept as interactions, viewer by viewer, so that nobody has to fold all of it again or hold it at once.

::

    folded/parts.json     which files of the history were folded, and the parts in the order of their viewers
           1f0c….parquet  the interactions of some viewers, sorted by viewer, time and video

Each part holds whole viewers and is small enough to be folded in memory, so memory does not follow the length of the
log. Files of the history never change: where there are new ones, only pairs of viewer and video that they speak of are
folded again, and only the parts that hold these are written anew. The live log is never kept here.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

import polars as pl

from swipewise.errors import StoreError
from swipewise.events.folding import fold_events, with_ratio
from swipewise.events.frames import EVENT_SCHEMA, FOLDED_SCHEMA
from swipewise.events.history import History
from swipewise.events.id_hashes import IdHashes
from swipewise.events.reading import live_events
from swipewise.events.syncing import sync_files
from swipewise.schema import Col
from swipewise.workspace import Workspace

FOLDED_NAME: Final = "folded"

EVENTS_A_PART: Final = 2_000_000
"""Folding takes about 400 bytes of memory an event."""

FORMAT: Final = 1  # another one folds everything again
_MANIFEST: Final = "parts.json"
_WAIT_SECONDS: Final = 3600.0
_PAIR: Final = [Col.VIEWER_ID, Col.VIDEO_ID]
_ORDER: Final = [Col.VIEWER_ID, Col.AT, Col.VIDEO_ID]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """The interactions of the viewers from ``first`` on, up to the next part's; ``first`` of the first part is ""."""

    file: str
    first: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What there is: ``files`` of the history, relative to its folder, and what they were folded to."""

    files: tuple[str, ...] = ()
    parts: tuple[_Part, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Nothing where nothing is kept, or in another format."""
        try:
            told = json.loads((folder / _MANIFEST).read_text())
            if told["format"] == FORMAT:
                return cls(files=tuple(told["files"]), parts=tuple(_Part(**part) for part in told["parts"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            pass
        return cls()

    def write(self, folder: Path) -> None:
        """Put this in place of what was there, on disk when it returns, and remove parts that are in it no more."""
        draft = folder / f".{_MANIFEST}"
        draft.write_text(json.dumps({"format": FORMAT, **asdict(self)}))
        sync_files([*(folder / part.file for part in self.parts), draft])
        draft.replace(folder / _MANIFEST)
        sync_files([folder, folder.parent])
        named = {part.file for part in self.parts}
        for path in folder.glob("*.parquet"):
            if path.name not in named:
                path.unlink()

    def bounds(self) -> list[tuple[str, str | None]]:
        """The first viewer of each part, and that of the next."""
        return _bounds([part.first for part in self.parts])


def interaction_parts(
    workspace: Workspace, durations: pl.LazyFrame, *, on_part: Callable[[int, int], None] = lambda _done, _of: None
) -> Iterator[pl.DataFrame]:
    """All interactions, of history and live log, as ``read_interactions`` gives them, some viewers at a time.

    What is new in the history is folded first, and kept. Files may be taken away meanwhile, by an erasure:
    ``History.collected`` meets that.

    Args:
        workspace: Whose log.
        durations: video_id and duration_seconds, as for ``fold``.
        on_part: Told how many parts are folded, and of how many, while that goes on.

    Raises:
        StoreError: A store cannot be read or written.
        WorkspaceError: Another process folds, and does not end within the hour.
    """
    # The live log first: an event that is compacted meanwhile is then in both, and dropped, rather than in neither.
    live = live_events(workspace.events_dir)
    kept = _up_to_date(workspace, on_part)
    history, known = _scan(workspace, kept.files), durations.collect().lazy()
    newest = _folded_again(history, _not_in(workspace, kept.files, live))
    for part, bounds in zip(kept.parts, kept.bounds(), strict=True):
        rows = pl.read_parquet(_folder(workspace) / part.file)
        yield with_ratio(_merged(rows, newest.filter(_within(bounds))).lazy(), known).collect()
    if not kept.parts and not newest.is_empty():
        yield with_ratio(newest.sort(_ORDER, maintain_order=True).lazy(), known).collect()


def forget_folded(workspace: Workspace) -> None:
    """Remove all that is kept; the caller has changed the history and holds its lock.

    Raises:
        StoreError: A file cannot be removed.
    """
    folder = _folder(workspace)
    try:
        # The list first: a reader then meets missing files, and starts again.
        for path in [folder / _MANIFEST, folder / f".{_MANIFEST}", *folder.glob("*.parquet")]:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"cannot remove {path}: {error.strerror}") from error


def _folder(workspace: Workspace) -> Path:
    return workspace.events_dir / FOLDED_NAME


def _up_to_date(workspace: Workspace, on_part: Callable[[int, int], None]) -> _Kept:
    """What is kept, after folding what is new."""
    history = History(workspace.events_dir)
    files = _files(history)
    kept = _Kept.read(_folder(workspace))
    if set(files) == set(kept.files):
        return kept
    with workspace.lock(FOLDED_NAME, wait=_WAIT_SECONDS):
        try:
            kept, files = _Kept.read(_folder(workspace)), _files(history)
            if set(files) != set(kept.files):
                _folder(workspace).mkdir(exist_ok=True)
                kept = _Writer(workspace, on_part).bring_up(kept, files)
        except (OSError, pl.exceptions.ComputeError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise StoreError(
                f"cannot keep the folded history in {_folder(workspace)}: {error} (check the disk's free space and "
                "the folder's permissions)"
            ) from error
        if not set(kept.files) <= set(_files(history)):
            # Somebody was erased meanwhile, who may be in what was just written.
            forget_folded(workspace)
            raise FileNotFoundError(_folder(workspace))
    return kept


def _files(history: History) -> tuple[str, ...]:
    return tuple(sorted(path for paths in history.files_by_day().values() for path in paths))


def _scan(workspace: Workspace, files: Sequence[str]) -> pl.LazyFrame:
    """The events of some files of the history."""
    if not files:
        return pl.LazyFrame(schema=EVENT_SCHEMA)
    folder = History(workspace.events_dir).directory
    return pl.scan_parquet([folder / file for file in files], hive_partitioning=False).select(*EVENT_SCHEMA)


def _bounds(firsts: Sequence[str]) -> list[tuple[str, str | None]]:
    return list(zip(firsts, [*firsts[1:], None][: len(firsts)], strict=True))


def _within(bounds: tuple[str, str | None]) -> pl.Expr:
    first, end = bounds
    viewer = pl.col(Col.VIEWER_ID)
    return viewer >= pl.lit(first) if end is None else (viewer >= pl.lit(first)) & (viewer < pl.lit(end))


def _folded_again(before: pl.LazyFrame, events: pl.DataFrame) -> pl.DataFrame:
    """The interactions of all pairs of viewer and video that some events speak of, with what came before."""
    if events.is_empty():
        return pl.DataFrame(schema=FOLDED_SCHEMA)
    pairs = events.lazy().select(_PAIR).unique()
    # By viewer first, which the statistics of files can tell: the join then reads little.
    viewers = pairs.select(
        pl.col(Col.VIEWER_ID).min().alias("least"), pl.col(Col.VIEWER_ID).max().alias("greatest")
    )
    least, greatest = viewers.collect().row(0)
    near = before.filter(pl.col(Col.VIEWER_ID).is_between(pl.lit(least), pl.lit(greatest)))
    theirs = near.join(pairs, on=_PAIR, how="semi").collect(engine="streaming")
    return fold_events(pl.concat([theirs.lazy(), events.lazy()])).collect()


def _not_in(workspace: Workspace, files: Sequence[str], live: pl.DataFrame) -> pl.DataFrame:
    held = IdHashes(History(workspace.events_dir).directory).among(live[Col.EVENT_ID], files)
    return live.join(held.to_frame(), on=Col.EVENT_ID, how="anti")


def _merged(rows: pl.DataFrame, newest: pl.DataFrame) -> pl.DataFrame:
    """Interactions with those of some pairs of viewer and video put in place of what they were."""
    if newest.is_empty():
        return rows
    others = rows.join(newest.select(_PAIR).unique(), on=_PAIR, how="anti", maintain_order="left")
    return pl.concat([others, newest]).sort(_ORDER, maintain_order=True)


class _Writer:
    """Writes parts; the caller holds the lock."""

    def __init__(self, workspace: Workspace, on_part: Callable[[int, int], None]) -> None:
        self._workspace = workspace
        self._folder = _folder(workspace)
        self._on_part = on_part

    def bring_up(self, kept: _Kept, files: Sequence[str]) -> _Kept:
        """Fold what the history's files hold and the kept parts do not."""
        added = sorted(set(files) - set(kept.files))
        grown = set(kept.files) <= set(files) and kept.parts
        if grown and self._count(added) <= sum(part.rows for part in kept.parts):
            parts = self._extended(kept, added)
        else:
            parts = self._built(files)
        found = _Kept(files=tuple(files), parts=tuple(parts))
        found.write(self._folder)
        return found

    def _count(self, files: Sequence[str]) -> int:
        return int(_scan(self._workspace, files).select(pl.len()).collect().item())

    def _built(self, files: Sequence[str]) -> Iterator[_Part]:
        events = _scan(self._workspace, files)
        counts = events.group_by(Col.VIEWER_ID).len().collect(engine="streaming").sort(Col.VIEWER_ID)
        place = (counts["len"].cum_sum() - 1) // EVENTS_A_PART
        firsts = ["", *counts.filter(place != place.shift(fill_value=0))[Col.VIEWER_ID]]
        for number, bounds in enumerate(_bounds(firsts)):
            self._on_part(number, len(firsts))
            yield from self._write(bounds[0], fold_events(events.filter(_within(bounds))).collect())
        self._on_part(len(firsts), len(firsts))

    def _extended(self, kept: _Kept, added: Sequence[str]) -> Iterator[_Part]:
        before, fresh = _scan(self._workspace, kept.files), _scan(self._workspace, added)
        for number, (part, bounds) in enumerate(zip(kept.parts, kept.bounds(), strict=True)):
            self._on_part(number, len(kept.parts))
            newest = _folded_again(before, fresh.filter(_within(bounds)).collect())
            if newest.is_empty():
                yield part
            else:
                yield from self._write(part.first, _merged(pl.read_parquet(self._folder / part.file), newest))
        self._on_part(len(kept.parts), len(kept.parts))

    def _write(self, first: str, rows: pl.DataFrame) -> Iterator[_Part]:
        """One part, or several where viewers have come to do more than one may hold."""
        counts = rows.group_by(Col.VIEWER_ID, maintain_order=True).len()
        place = (counts["len"].cum_sum() - 1) // EVENTS_A_PART
        sizes = counts.group_by(place.alias("place"), maintain_order=True).agg(
            pl.col(Col.VIEWER_ID).first(), pl.col("len").sum()
        )
        start = 0
        for _, viewer, size in sizes.iter_rows():
            file = f"{uuid.uuid4().hex}.parquet"
            rows.slice(start, size).write_parquet(self._folder / file)
            yield _Part(file=file, first=viewer if start else first, rows=size)
            start += size
