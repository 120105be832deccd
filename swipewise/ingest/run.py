"""The run that takes files into the catalogue.

Every file is first hashed, then, if it is new, decoded and encoded, both by an executor. Decisions are made in the
order of the sources, so that the same sources give the same catalogue whoever the executor is and however long each
file takes. At its end, near-duplicates are linked in the same order; in a live run, which files join while it goes on,
whenever files are settled.
"""

from __future__ import annotations

import base64
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from swipewise.catalog import Catalog, Rejection
from swipewise.config import EncodersConfig
from swipewise.errors import ConfigError, DataError
from swipewise.ingest.allocator import return_freed_memory
from swipewise.ingest.batch import Batch
from swipewise.ingest.captions import Captions
from swipewise.ingest.copies import Copies
from swipewise.ingest.duplicates import link_duplicates
from swipewise.ingest.executor import Answer, Executor, worker_pool
from swipewise.ingest.follow import Follower, Outcome
from swipewise.ingest.ledger import Ledger, Plan, Refusal
from swipewise.ingest.locations import Roots
from swipewise.ingest.progress import IngestSummary, Meter, Progress
from swipewise.ingest.remote import Limits
from swipewise.ingest.remove import purge
from swipewise.ingest.sources import Entry, judged_entry, read_sources
from swipewise.schema import CONTENT_MODALITIES, GIVEN_ENCODER, Col, Fingerprint, Modality, Words
from swipewise.workspace import Workspace

# A run that is killed repeats at most what this time and one batch hold.
_COMMIT_SECONDS = 5.0
_LOOK_SECONDS = 0.05
_MAKES_NONE = ("none", GIVEN_ENCODER)
# While one file takes long to read, so many after it may be read ahead.
_READ_AHEAD = 1024


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
        run = _Run(
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _ToHash:
    place: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _ToEncode:
    entry: Entry
    plan: Plan
    stamp: list[int]


class _Run:
    """Hands tasks to an executor, decides on what comes back, and commits in batches."""

    def __init__(
        self,
        *,
        entries: list[Entry],
        rejections: list[Rejection],
        pool: Executor,
        ledger: Ledger,
        batch: Batch,
        batch_size: int,
        meter: Meter,
        copies: Copies,
        follower: Follower,
        link: Callable[[Mapping[str, int]], object],
    ) -> None:
        self.batch = batch
        self.places: dict[str, int] = {}
        """By id of each video that was taken: the place of its first file among the sources."""
        self._entries = entries
        self._rejections = rejections
        self._pool = pool
        self._ledger = ledger
        self._batch_size = batch_size
        self._meter = meter
        self._copies = copies
        self._follower = follower
        self._link = link
        self._committed_at = time.monotonic()
        self._storing_took = 0.0
        self._settled = 0  # since all was stored
        self._hashed = 0  # entries given to a worker for hashing
        self._decided = 0  # entries, in order, for which it is settled what to do
        self._hashes: dict[int, Answer] = {}  # hashed and waiting for their turn
        self._to_encode: deque[_ToEncode] = deque()
        # By content that is being encoded: other files of the same content that wait for the outcome, and their stamps.
        self._twins: dict[str, list[tuple[Entry, list[int]]]] = {}
        self._place_of = {entry.uri: place for place, entry in reversed(list(enumerate(entries)))}

    def work(self) -> None:
        """Take every entry."""
        for rejection in self._rejections:
            self._reject(rejection)
        try:
            while self._join() or self._hashed < len(self._entries) or self._to_encode or self._pool.busy:
                while self._room and self._submit_next():
                    pass
                waiting = len(self._to_encode) + len(self._hashes)
                self._meter.load(in_flight=self._pool.busy, waiting=waiting)
                for job, answer in self._answers():
                    self._meter.took(answer)
                    if isinstance(job, _ToHash):
                        self._hashes[job.place] = answer
                        self._decide_in_order()
                    else:
                        self._encoded(job, answer)
                    self._commit_when_due()
                self._store_when_due()
        except KeyboardInterrupt:
            self.batch.commit()
            raise
        self.batch.commit()
        if self._follower.live and self._settled:
            self._store()

    def _join(self) -> bool:
        """Line up the files that join a live run; whether there were any."""
        entries = self._follower.more() if self._follower.live else ()
        if entries:
            self._ledger.see_removals()
        for entry in entries:
            self._place_of.setdefault(entry.uri, len(self._entries))
            self._entries.append(entry)
        self._copies.add(entries)
        self._meter.expect(len(entries))
        return bool(entries)

    @property
    def _room(self) -> int:
        """How many tasks may be handed out: none of a live run waits behind one that may hang."""
        return self._pool.idle if self._follower.live else self._pool.free

    def _answers(self) -> list[tuple[Any, Answer]]:
        """What the workers have done; soon over where one of them is free and only waits for a file to be fetched."""
        fetching = self._room and self._hashed < len(self._entries)
        if self._room and not self._pool.busy:
            if fetching:
                self._copies.wait(_LOOK_SECONDS)
            return []
        return self._pool.wait(_LOOK_SECONDS if fetching or self._follower.live else None)

    def _submit_next(self) -> bool:
        """Hand out what is ready to be encoded, else the next file to hash; False when there is neither."""
        if self._to_encode:
            job = self._to_encode.popleft()
            pictures_or_sound = job.plan.recognize or job.plan.encode & {Modality.VISUAL, Modality.AUDIO}
            task = {
                "do": "encode",
                "path": self._path(job.entry),
                "said": {
                    name: getattr(job.plan.video, name) for name in (Col.CAPTION, Col.SPEECH, Col.SCREEN_TEXT)
                },
                "modalities": sorted(job.plan.encode),
                "recognize": sorted(job.plan.recognize),
                "fingerprint": job.plan.fingerprint,
                "decode": bool(job.plan.new_file or job.plan.fingerprint or pictures_or_sound),
                "stamp": job.stamp,
            }
            self._follower.started(job.entry, "encoding")
            self._pool.submit(job, task)
            return True
        if self._hashed < min(len(self._entries), self._decided + _READ_AHEAD):
            entry, place = self._entries[self._hashed], self._hashed
            copy = self._copies.get(entry)
            if copy is None:
                return False
            self._hashed += 1
            self._follower.started(entry, "reading")
            if copy.reason:
                self._hashes[place] = {"reason": copy.reason}
                self._decide_in_order()
            else:
                self._pool.submit(_ToHash(place=place), {"do": "hash", "path": copy.path})
            return True
        return False

    def _path(self, entry: Entry) -> str:
        copy = self._copies.get(entry)
        assert copy is not None, "what is encoded was fetched"
        return copy.path

    def _decide_in_order(self) -> None:
        while (answer := self._hashes.pop(self._decided, None)) is not None:
            entry = self._entries[self._decided]
            self._decided += 1
            if "reason" in answer:
                self._refuse(entry, answer["reason"])
            elif answer["content_hash"] in self._twins:
                self._twins[answer["content_hash"]].append((entry, answer["stamp"]))
            else:
                self._decide(entry, answer["content_hash"], answer["stamp"])

    def _decide(self, entry: Entry, content_hash: str, stamp: list[int]) -> None:
        plan = self._ledger.decide(entry, content_hash)
        if isinstance(plan, Refusal):
            self._refuse_row(entry, plan, content_hash)
        elif plan.new_file or plan.encode or plan.recognize or plan.fingerprint:
            self._twins[content_hash] = []
            self._to_encode.append(_ToEncode(entry=entry, plan=plan, stamp=stamp))
        else:
            self._settle(entry, plan, {})

    def _encoded(self, job: _ToEncode, answer: Answer) -> None:
        content_hash = job.plan.video.content_hash
        twins = self._twins.pop(content_hash)
        if "reason" in answer:
            # Of this file alone: it may have vanished since, or been too slow to read.
            self._refuse(job.entry, answer["reason"], content_hash)
        else:
            self._keep(job, answer)
        for entry, stamp in twins:
            # The first twin that needs encoding, such as for another caption, makes the rest wait again.
            if content_hash in self._twins:
                self._twins[content_hash].append((entry, stamp))
            else:
                self._decide(entry, content_hash, stamp)

    def _keep(self, job: _ToEncode, answer: Answer) -> None:
        plan = self._ledger.still_wanted(job.entry, job.plan)
        if isinstance(plan, Refusal):
            self._refuse_row(job.entry, plan, job.plan.video.content_hash)
            return
        if plan.new_file:
            facts = {name: answer[name] for name in (Col.DURATION, Col.WIDTH, Col.HEIGHT)}
            plan = replace(plan, video=replace(plan.video, **facts))
        plan = replace(plan, video=replace(plan.video, **answer["words"]))
        if "thumbnail" in answer or plan.new_file:
            jpeg = answer.get("thumbnail")  # none is made of a new cut: that of the old one goes
            self.batch.keep_thumbnail(plan.video.video_id, None if jpeg is None else base64.b64decode(jpeg))
        keys = {stage: f"{stage}_seconds" for stage in ("decode", "encode")}
        seconds = {stage: answer[key] for stage, key in keys.items() if key in answer}
        self._settle(job.entry, plan, answer["vectors"], _fingerprint(answer["fingerprint"]), seconds)

    def _settle(
        self,
        entry: Entry,
        plan: Plan,
        vectors: Mapping[str, str | None],
        fingerprint: Fingerprint | None = None,
        seconds: Mapping[str, float] | None = None,
    ) -> None:
        if plan.outcome != "unchanged":
            named = {(Modality(name), self._pool.encoders[Modality(name)]): vectors[name] for name in vectors}
            given = {encoder: _vector(text) for encoder, text in named.items()}
            self.batch.lift(plan.lift)
            self.batch.store(plan.video, given, fingerprint)
            self._ledger.note(plan)
        place = self._place_of[entry.uri]
        self.places[plan.video.video_id] = min(place, self.places.get(plan.video.video_id, place))
        self.batch.accept(entry.uri)
        self._copies.release(entry)
        self._follower.settled(
            Outcome(entry=entry, outcome=plan.outcome, video_id=plan.video.video_id, seconds=seconds or {})
        )
        self._settled += 1
        self._meter.count(plan.outcome)

    def _refuse(self, entry: Entry, reason: str, content_hash: str | None = None) -> None:
        where = f" ({entry.origin})" if entry.origin else ""
        self._reject(Rejection(uri=entry.uri, reason=reason + where, content_hash=content_hash), entry)

    def _refuse_row(self, entry: Entry, refusal: Refusal, content_hash: str) -> None:
        """Such a file is fine by itself: what is wrong is the row that names it, if there is one."""
        self._reject(
            Rejection(uri=entry.origin or entry.uri, reason=refusal.reason, content_hash=content_hash), entry
        )

    def _reject(self, rejection: Rejection, entry: Entry | None = None) -> None:
        self.batch.reject(rejection)
        if entry is not None:
            self._copies.release(entry)
            self._follower.settled(Outcome(entry=entry, outcome="rejected", reason=rejection.reason))
            self._settled += 1
        self._meter.count("rejected", f"{rejection.uri}: {rejection.reason}")

    def _commit_when_due(self) -> None:
        waited = time.monotonic() - self._committed_at
        if len(self.batch) >= self._batch_size or (self.batch and waited > _COMMIT_SECONDS):
            self.batch.commit()
            self._committed_at = time.monotonic()

    def _store_when_due(self) -> None:
        # Storing takes by the size of the catalogue: at most half of the time, however fast files come.
        waited = time.monotonic() - self._committed_at
        if self._follower.live and self._settled and waited >= self._storing_took:
            self._store()

    def _store(self) -> None:
        """Commit and link all that is settled, and say so."""
        started = time.monotonic()
        self.batch.commit()
        self._link(self.places)
        self._ledger.settle()
        self._settled = 0
        self._follower.stored()
        self._committed_at = time.monotonic()
        self._storing_took = self._committed_at - started


def _vector(text: str | None) -> Any:
    """A vector (D,) float32 from a worker's answer."""
    return None if text is None else np.frombuffer(base64.b64decode(text), "<f4")


def _fingerprint(texts: Mapping[str, str | None] | None) -> Fingerprint | None:
    """A fingerprint from a worker's answer, None where none was asked for."""
    if texts is None:
        return None
    parts = {name: None if text is None else base64.b64decode(text) for name, text in texts.items()}
    return Fingerprint(**parts)
