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

from swipewise.catalog import Catalog
from swipewise.errors import ArtifactError
from swipewise.feed.bundles import check_files, check_model
from swipewise.feed.chosen import Chosen, chosen_run
from swipewise.feed.indexes import index_of, keep_index
from swipewise.feed.shelf import Shelf
from swipewise.feed.shelving import groups_of, shelf_of
from swipewise.retrieval import Index, put
from swipewise.schema import Col
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
class Shown:
    """The catalogue as it was read. ``version`` is of before, so that what changed meanwhile is read by the next look.

    stamps: video_id and updated_at of each video.
    """

    version: str
    stamps: pl.DataFrame
    videos: pl.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A run's model on the catalogue, and its index. ``version`` tells it apart from what is served otherwise."""

    run: str
    version: str
    scorer: Scorer
    index: Index


def current_version(workspace: Workspace) -> Version:
    """What identifies the catalogue and the run to serve; cheap to ask for."""
    return Version(catalogue=Catalog(workspace.catalog_dir).version(), run=chosen_run(workspace).version)


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
    chosen = chosen_run(workspace)
    shown = read_catalogue(workspace)
    if chosen.run is None:
        return replace(plain_stock(shown, workspace, chosen.version), note=chosen.note, broken=chosen.broken)
    try:
        model = _load(chosen.run, chosen, shown, workspace, like)
    except ArtifactError as error:
        note = f"the model of run {chosen.run.name} cannot be used: {error}"
        return replace(plain_stock(shown, workspace, chosen.version), note=note, broken=True)
    return stock_of(shown, workspace, model)


def read_catalogue(workspace: Workspace) -> Shown:
    """The catalogue as it is now.

    Raises:
        StoreError: It cannot be read.
    """
    catalog = Catalog(workspace.catalog_dir)
    version = catalog.version()
    return Shown(version=version, stamps=catalog.stamps(), videos=catalog.videos())


def stock_of(shown: Shown, workspace: Workspace, model: Model) -> Stock:
    """The stock of a catalogue and a model that was loaded on it."""
    return replace(
        plain_stock(shown, workspace, model.version, model.scorer),
        run=model.run,
        scorer=model.scorer,
        index=model.index,
    )


def plain_stock(shown: Shown, workspace: Workspace, version: str, scorer: Scorer | None = None) -> Stock:
    """The videos of a catalogue, in the scorer's order where there is one, without its model."""
    groups = groups_of(shown.videos) if workspace.config.ingest.duplicates else {}
    return Stock(
        version=Version(catalogue=shown.version, run=version),
        shelf=shelf_of(shown.videos, groups, scorer),
        durations=shown.videos.select(Col.VIDEO_ID, Col.DURATION),
        stamps=shown.stamps,
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
    shelf = Shelf(
        video_ids=old.video_ids + new.video_ids,
        uploaded_at_V=np.concatenate([old.uploaded_at_V, new.uploaded_at_V]),
        vectors_VD=scorer.index_vectors_VD if scorer else None,
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


def sound(scorer: Scorer) -> Scorer:
    """The scorer, whose vectors can be searched.

    Raises:
        ArtifactError: They are not finite.
    """
    if not np.isfinite(scorer.index_vectors_VD).all():
        raise ArtifactError("its video vectors are not finite: train again with 'swipewise train'")
    return scorer


def _load(run: Path, chosen: Chosen, shown: Shown, workspace: Workspace, like: Index | None) -> Model:
    """The model of the run to serve.

    Raises:
        ArtifactError: It cannot be used.
    """
    if chosen.bundle:
        check_files(chosen.bundle, workspace)
    scorer = load_scorer(run, workspace)
    if chosen.bundle:
        check_model(chosen.bundle, scorer)
    durations = shown.videos.select(Col.VIDEO_ID, Col.DURATION)
    saved = run / chosen.bundle.index if chosen.bundle else workspace.index_dir
    index = index_of(sound(scorer), workspace, durations, saved=saved, like=like)
    if like is None and chosen.bundle is None:
        keep_index(index, workspace)
    return Model(run=run.name, version=chosen.version, scorer=scorer, index=index)


def load_scorer(run: Path, workspace: Workspace) -> Scorer:
    """Load a run's model; a workspace without a run never pays for importing torch.

    Raises:
        ArtifactError: The model is damaged or does not fit.
    """
    from swipewise.training.scorer import Scorer

    return Scorer.load(run, workspace)
