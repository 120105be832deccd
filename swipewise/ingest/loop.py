"""The loop of a run: tasks go to an executor, what comes back is decided on in order and committed in batches."""

from __future__ import annotations

import base64
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from swipewise.catalog import Rejection
from swipewise.ingest.batch import Batch
from swipewise.ingest.copies import Copies
from swipewise.ingest.executor import Answer, Executor
from swipewise.ingest.follow import Follower, Outcome
from swipewise.ingest.ledger import Ledger, Plan, Refusal
from swipewise.ingest.progress import Meter
from swipewise.ingest.sources import Entry
from swipewise.schema import Col, Fingerprint, Modality

# A run that is killed repeats at most what this time and one batch hold.
_COMMIT_SECONDS = 5.0
_LOOK_SECONDS = 0.05
# While one file takes long to read, so many after it may be read ahead.
_READ_AHEAD = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class _ToHash:
    place: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _ToEncode:
    entry: Entry
    plan: Plan
    stamp: list[int]


class Run:
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
