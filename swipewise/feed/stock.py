"""What a feed is made from: the catalogue and the model as they are now.

Legend of shape suffixes: V = videos on the shelf, D = width of a vector.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from swipewise.catalog import Catalog
from swipewise.errors import ArtifactError, UnknownIdError
from swipewise.feed.bundles import Bundle, check_files, check_model, pointer, read_published
from swipewise.feed.shelf import Shelf
from swipewise.feed.shelving import groups_of, shelf_of
from swipewise.retrieval import EXACT_ROWS, Index, build_index, load_index, put
from swipewise.schema import Col
from swipewise.training.runs import latest_run
from swipewise.workspace import Workspace

if TYPE_CHECKING:
    from swipewise.training.scorer import Scorer


RELOAD_SECONDS = 600.0
"""For how long videos are only added and removed before everything is read anew."""
REMOVED_SHARE = 0.2
"""Share of the shelf that may be removed before everything is read anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What changes when the catalogue does, and what when there is a new run."""

    catalogue: str
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """The catalogue, and the newest run's model where there is a sound one.

    ``version`` changes when either does. ``note`` says why there is no model, ``broken`` whether it is because
    the newest run cannot be used. ``durations`` holds video_id and duration_seconds, ``stamps`` video_id and updated_at
    of what was read. ``loaded_at`` is when all of it was read last, on the monotonic clock; ``extended`` whether videos
    were added or removed since.
    """

    version: Version
    shelf: Shelf
    durations: pl.DataFrame
    stamps: pl.DataFrame
    loaded_at: float = field(default_factory=time.monotonic)
    extended: bool = False
    run: str | None = None
    scorer: Scorer | None = None
    index: Index | None = None
    note: str | None = None
    broken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """The run to serve, and what was published of it; ``note`` says why there is none, ``broken`` if it is damage."""

    version: str = "none"
    run: Path | None = None
    bundle: Bundle | None = None
    note: str | None = None
    broken: bool = False


def current_version(workspace: Workspace) -> Version:
    """What identifies the catalogue and the run to serve; cheap to ask for."""
    return Version(catalogue=Catalog(workspace.catalog_dir).version(), run=_chosen(workspace).version)


def restocked(stock: Stock, workspace: Workspace) -> Stock:
    """The stock as it is now: itself where nothing has changed.

    Where videos were only added and removed, just the added ones are read, and the removed ones are left out. Such a
    stock is read anew from time to time, as what depends on all videos together, such as trends, stays as it was when
    it was read.

    Raises:
        StoreError: The catalogue cannot be read.
    """
    known_as = current_version(workspace)
    outdated = stock.extended and time.monotonic() - stock.loaded_at > RELOAD_SECONDS
    if known_as == stock.version and not outdated:
        return stock
    if known_as.run == stock.version.run and not outdated:
        catalog = Catalog(workspace.catalog_dir)
        stamps = catalog.stamps()
        changes = _changes(stock, stamps)
        if changes is not None:
            added, removed = changes
            rest = _reduced(stock, removed)
            extended = _extended(rest, catalog, added, groups=workspace.config.ingest.duplicates)
            if extended is not None:
                return replace(extended, version=known_as, stamps=stamps)
    return load_stock(workspace, like=stock.index if known_as.run == stock.version.run else None)


def load_stock(workspace: Workspace, *, like: Index | None = None) -> Stock:
    """Read the catalogue and the newest run; a run that cannot be used is noted, not raised.

    Args:
        workspace: Whose.
        like: The index of before, whose lists are taken over where they still fit.

    Raises:
        StoreError: The catalogue cannot be read.
    """
    # Taken first: what changes while it is being read is then read again by the next look.
    known_as = current_version(workspace)
    stamps = Catalog(workspace.catalog_dir).stamps()
    videos = Catalog(workspace.catalog_dir).videos()
    groups = groups_of(videos) if workspace.config.ingest.duplicates else {}
    plain = Stock(
        version=known_as,
        shelf=shelf_of(videos, groups),
        durations=videos.select(Col.VIDEO_ID, Col.DURATION),
        stamps=stamps,
    )
    chosen = _chosen(workspace)
    run = chosen.run
    if run is None:
        return replace(plain, note=chosen.note, broken=chosen.broken)
    try:
        if chosen.bundle:
            check_files(chosen.bundle, workspace)
        scorer = load_scorer(run, workspace)
        if chosen.bundle:
            check_model(chosen.bundle, scorer)
        if not np.isfinite(scorer.index_vectors_VD).all():
            raise ArtifactError("its video vectors are not finite: train again with 'swipewise train'")
        index = _index(scorer.index_vectors_VD, chosen, like)
    except ArtifactError as error:
        note = f"the model of run {run.name} cannot be used: {error}"
        return replace(plain, note=note, broken=True)
    return replace(
        plain,
        shelf=shelf_of(videos, groups, scorer),
        run=run.name,
        scorer=scorer,
        index=index,
    )


def _changes(stock: Stock, stamps: pl.DataFrame) -> tuple[list[str], list[str]] | None:
    """The videos that are new since the stock was read, and those gone; None where others or too many were changed."""
    unchanged = stock.stamps.join(stamps, on=[Col.VIDEO_ID, Col.UPDATED_AT], how="semi")
    added = stamps.join(stock.stamps, on=Col.VIDEO_ID, how="anti")[Col.VIDEO_ID].to_list()
    removed = stock.stamps.join(stamps, on=Col.VIDEO_ID, how="anti")[Col.VIDEO_ID].to_list()
    # What was written while the stock was being read may be on the shelf without having been seen.
    seen_already = any(video_id in stock.shelf.row_of for video_id in added)
    changed = len(unchanged) + len(removed) < len(stock.stamps)
    empty = len(stock.shelf.removed) + len(removed)
    if changed or seen_already or empty > REMOVED_SHARE * len(stock.shelf.video_ids):
        return None
    return sorted(added), removed


def _reduced(stock: Stock, removed: list[str]) -> Stock:
    """The stock without some videos: their rows stay, empty, as the model's own rows do."""
    rows_N = stock.shelf.rows_of(removed)
    if not len(rows_N):
        return stock
    shelf = replace(stock.shelf, removed=stock.shelf.removed | frozenset(rows_N.tolist()))
    return replace(stock, shelf=shelf, index=stock.index.remove(rows_N) if stock.index else None, extended=True)


def _extended(stock: Stock, catalog: Catalog, added: list[str], *, groups: bool) -> Stock | None:
    """The stock with further videos; None where the model cannot take them."""
    if not added:
        return stock
    videos = catalog.videos(added)
    if len(videos) != len(added):
        return None  # changed again meanwhile
    scorer = stock.scorer.extended(catalog, added) if stock.scorer else None
    old, first = stock.shelf, len(stock.shelf.video_ids)
    new = shelf_of(videos, {}, scorer, first=first if scorer else 0)
    if scorer and not np.isfinite(scorer.index_vectors_VD[first:]).all():
        return None
    vectors = [part for part in (old.vectors_VD, new.vectors_VD) if part is not None]
    shelf = Shelf(
        video_ids=old.video_ids + new.video_ids,
        uploaded_at_V=np.concatenate([old.uploaded_at_V, new.uploaded_at_V]),
        vectors_VD=np.concatenate(vectors) if vectors else None,
        group_of=groups_of(videos, old.group_of) if groups else {},
        removed=old.removed,
        creator_of={**old.creator_of, **new.creator_of},
        tags_of={**old.tags_of, **new.tags_of},
        language_of={**old.language_of, **new.language_of},
        regions_of={**old.regions_of, **new.regions_of},
        window_of={**old.window_of, **new.window_of},
        seconds_V=np.concatenate([old.seconds_V, new.seconds_V]),
        marks_V=np.concatenate([old.marks_V, new.marks_V]),
    )
    index = stock.index
    if scorer and index:
        index = put(index, np.arange(first, len(shelf.video_ids)), scorer.index_vectors_VD[first:])
    return replace(
        stock,
        shelf=shelf,
        durations=pl.concat([stock.durations, videos.select(Col.VIDEO_ID, Col.DURATION)]),
        scorer=scorer,
        index=index,
        extended=True,
    )


def _chosen(workspace: Workspace) -> _Chosen:
    if workspace.config.server.publish == "manual":
        return _published(workspace)
    try:
        run = latest_run(workspace.runs_dir)
    except UnknownIdError:
        return _Chosen(note="no model yet: fit one with 'swipewise train'")
    return _Chosen(version=f"{run.name}@{run.stat().st_mtime_ns}", run=run)


def _published(workspace: Workspace) -> _Chosen:
    try:
        changed = pointer(workspace).stat()
        published = read_published(workspace)
    except FileNotFoundError:
        published = None
    except ArtifactError as error:
        return _Chosen(version=f"damaged@{changed.st_mtime_ns}", note=str(error), broken=True)
    if published is None:
        return _Chosen(note="no model is published: choose one with 'swipewise models publish RUN'")
    bundle = published.current
    # Another file each time, so the number tells apart what the clock does not.
    version = f"{bundle.run}@{bundle.published_at}@{changed.st_mtime_ns}.{changed.st_ino}"
    return _Chosen(version=version, run=workspace.runs_dir / bundle.run, bundle=bundle)


def _index(vectors_VD: NDArray[np.float32], chosen: _Chosen, like: Index | None) -> Index:
    """The index that was published where it holds these very vectors, else one that takes over its lists."""
    if chosen.run is None or chosen.bundle is None or len(vectors_VD) <= EXACT_ROWS:
        return build_index(vectors_VD, like=like)
    saved = load_index(chosen.run / chosen.bundle.index)
    if not len(saved.removed_N) and np.array_equal(saved.vectors_VD, vectors_VD):
        return saved
    return build_index(vectors_VD, like=saved)


def load_scorer(run: Path, workspace: Workspace) -> Scorer:
    """Load a run's model; a workspace without a run never pays for importing torch.

    Raises:
        ArtifactError: The model is damaged or does not fit.
    """
    from swipewise.training.scorer import Scorer

    return Scorer.load(run, workspace)
