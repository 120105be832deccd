"""The run that takes files into the catalogue.

Every file is first hashed, then, if it is new, decoded and encoded, both by an executor. Decisions are made in the
order of the sources, so that the same sources give the same catalogue whoever the executor is and however long each
file takes. At its end, near-duplicates are linked in the same order; in a live run, which files join while it goes on,
whenever files are settled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from swipewise.catalog import Catalog, Rejection
from swipewise.config import EncodersConfig
from swipewise.errors import ConfigError, DataError
from swipewise.ingest.allocator import return_freed_memory
from swipewise.ingest.batch import Batch
from swipewise.ingest.captions import Captions
from swipewise.ingest.copies import Copies
from swipewise.ingest.duplicates import link_duplicates
from swipewise.ingest.executor import Executor, worker_pool
from swipewise.ingest.follow import Follower
from swipewise.ingest.ledger import Ledger
from swipewise.ingest.locations import Roots
from swipewise.ingest.loop import Run
from swipewise.ingest.progress import IngestSummary, Meter, Progress
from swipewise.ingest.remote import Limits
from swipewise.ingest.remove import purge
from swipewise.ingest.sources import Entry, judged_entry, read_sources
from swipewise.schema import CONTENT_MODALITIES, GIVEN_ENCODER, Col, Words
from swipewise.workspace import Workspace

_MAKES_NONE = ("none", GIVEN_ENCODER)


def ingest_videos(
    workspace: Workspace,
    sources: Sequence[str | Path],
    *,
    captions: Path | None = None,
    again: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
    pool: Executor | None = None,
) -> IngestSummary:
    """Take video files into the catalogue of a workspace.

    A file whose content is known is not encoded again; what a manifest newly says about it is stored. A file that
    cannot be taken is put on the rejected list with its reason. A run that was killed is resumed by the same call.

    Args:
        workspace: Where the catalogue lies and how it is configured.
        sources: Video files, folders of them, both also as remote uris, and manifests (CSV, JSONL or Parquet with at
            least ``uri``).
        captions: A table of captions, which go before those of a manifest.
        again: Whether videos that were removed come back.
        on_progress: Called after each file.
        pool: Workers that are there already, and stay; None starts some for this call.

    Returns:
        What became of the files.

    Raises:
        InputFileError: A source does not exist, holds no videos, or is a table that cannot be read.
        ConfigError: The configured encoders cannot be had.
        WorkspaceError: Another ingestion is running in the workspace.
        StoreError: The catalogue cannot be read or written; what was committed before stays.
    """
    return_freed_memory()
    found = read_sources(sources, Roots.of(workspace))
    if again:
        now = datetime.now(UTC)
        found = replace(found, entries=[replace(entry, asked_at=now) for entry in found.entries])
    texts = Captions(captions, found.entries) if captions else None
    with workspace.lock("catalog"):
        catalog = Catalog(workspace.catalog_dir)
        catalog.unreject(found.outdated(catalog.rejected()[Col.URI].to_list()))
        rejections = [*found.rejections, *(texts.rejections if texts else [])]
        summary = _take(workspace, catalog, found.entries, rejections, texts, on_progress, pool)
    return replace(summary, unused_columns=tuple(found.unused))


def ingest_entries(
    workspace: Workspace, entries: Sequence[Entry], *, pool: Executor, follower: Follower
) -> IngestSummary:
    """Take single files into the catalogue, as :func:`ingest_videos` does, and tell what becomes of each.

    Args:
        workspace: Where the catalogue lies.
        entries: The files, already judged by the workspace's roots; more may join a live follower's run.
        pool: Workers that are there already.
        follower: Told of each entry; what it is told of is on disk when this returns.

    Raises:
        WorkspaceError: Another ingestion is running in the workspace.
        StoreError: The catalogue cannot be read or written; what was committed before stays.
    """
    with workspace.lock("catalog"):
        catalog = Catalog(workspace.catalog_dir)
        return _take(workspace, catalog, list(entries), [], None, None, pool, follower)


def encode_videos(
    workspace: Workspace,
    encoders: EncodersConfig,
    *,
    on_progress: Callable[[Progress], None] | None = None,
) -> IngestSummary:
    """Let encoders look at all videos of a catalogue that they have not looked at; other vectors stay as they are.

    Files of which nothing is missing are not read. One that cannot be read is not put on the rejected list, as its
    video stays in the catalogue: the summary has the reasons of all of them. A run that was killed is resumed by the
    same call.

    Args:
        workspace: Where the catalogue lies.
        encoders: In the place of those that the workspace is configured with.
        on_progress: Called after each file.

    Returns:
        What became of the videos.

    Raises:
        ConfigError: There are none, or they cannot be had.
        DataError: The catalogue is empty.
        WorkspaceError: Another ingestion is running in the workspace.
        StoreError: The catalogue cannot be read or written; what was committed before stays.
    """
    if all(getattr(encoders, kind) in _MAKES_NONE for kind in (*CONTENT_MODALITIES, *Words)):
        raise ConfigError(
            "[encoders] names none that reads clips: name one with --encoder MODALITY=NAME, or in swipewise.toml"
        )
    return_freed_memory()
    workspace = replace(workspace, config=replace(workspace.config, encoders=encoders))
    with workspace.lock("catalog"):
        catalog = Catalog(workspace.catalog_dir)
        # In the order in which they came, by which near-duplicates are linked.
        known = catalog.videos().sort(Col.INGESTED_AT, Col.VIDEO_ID).select(Col.VIDEO_ID, Col.URI)
        if known.is_empty():
            raise DataError("there are no videos to encode: 'swipewise videos add PATH' first")
        roots = Roots.of(workspace)
        judged = [judged_entry(Entry(uri=uri, video_id=video_id), roots) for video_id, uri in known.iter_rows()]
        entries = [each for each in judged if isinstance(each, Entry)]
        rejections = [each for each in judged if isinstance(each, Rejection)]
        return _take(workspace, catalog, entries, rejections, None, on_progress, known=True)


def _take(
    workspace: Workspace,
    catalog: Catalog,
    entries: list[Entry],
    rejections: list[Rejection],
    captions: Captions | None,
    on_progress: Callable[[Progress], None] | None,
    pool: Executor | None = None,
    follower: Follower | None = None,
    *,
    known: bool = False,
) -> IngestSummary:
    """Take files; ``known`` ones are those by which the catalogue has its videos."""
    meter = Meter(len(entries) + len(rejections), on_progress, all_reasons=known)
    config = workspace.config
    purged = purge(workspace, catalog)

    def link(places: Mapping[str, int]) -> bool:
        return config.ingest.duplicates and link_duplicates(catalog, places)

    limits = Limits(max_bytes=config.ingest.max_bytes, seconds=config.ingest.fetch_seconds)
    with ExitStack() as stack:
        workers = pool or stack.enter_context(worker_pool(config, len(entries)))
        ledger = Ledger(
            catalog, workers.encoders, workers.recognizers, captions, fingerprints=config.ingest.duplicates
        )
        if known:
            entries = _incomplete(entries, ledger, meter)
        copies = stack.enter_context(Copies(entries, workspace.fetched_dir, limits, Roots.of(workspace)))
        run = Run(
            entries=entries,
            rejections=rejections,
            pool=workers,
            ledger=ledger,
            batch=Batch(catalog, lists=not known),
            batch_size=config.ingest.batch,
            meter=meter,
            copies=copies,
            follower=follower or Follower(),
            link=link,
        )
        run.work()
    purged |= purge(workspace, catalog)
    linked = link(run.places)
    if run.batch.written or linked or purged:
        catalog.compact()
    return meter.summary(unused_captions=captions.unused if captions else 0)


def _incomplete(entries: Sequence[Entry], ledger: Ledger, meter: Meter) -> list[Entry]:
    """The files of which something is missing; the others are counted."""
    left = []
    for entry in entries:
        if ledger.is_complete(entry):
            meter.count("unchanged")
        else:
            left.append(entry)
    return left
