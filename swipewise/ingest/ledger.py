"""What is to be done with a file, from its content hash and what is known already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from swipewise.catalog import Catalog
from swipewise.catalog.records import is_given, to_video, vector_column
from swipewise.catalog.removal import Tombstone
from swipewise.ingest.captions import Captions
from swipewise.ingest.locations import scheme_of
from swipewise.ingest.sources import Entry
from swipewise.schema import WORD_COLUMNS, Col, Modality, Video, Words

_ID_LENGTH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The file is not taken."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What storing the file takes.

    Attributes:
        video: What the catalogue is to hold; of a new file size and duration are not known yet.
        encode: The modalities whose vectors are missing or outdated.
        recognize: The kinds of words that were not looked for, or by another recogniser.
        fingerprint: Whether the fingerprint is missing.
        new_file: The file itself has to be decoded, as it was never seen or replaces another.
        outcome: "added", "updated" or "unchanged"; the last has nothing to store.
        lift: Removed videos that may come back, as this file was asked for again.
    """

    video: Video
    encode: frozenset[Modality]
    recognize: frozenset[Words]
    fingerprint: bool
    new_file: bool
    outcome: str
    lift: tuple[str, ...] = ()


class Ledger:
    """What is known of the videos: those of the catalogue, and what this run has done so far.

    Args:
        catalog: The catalogue.
        encoders: The encoder identity wanted for each modality.
        recognizers: The identity of what is to look for each kind of words.
        captions: Captions that go before those of a manifest.
        fingerprints: Whether fingerprints are wanted.
    """

    def __init__(
        self,
        catalog: Catalog,
        encoders: Mapping[Modality, str],
        recognizers: Mapping[Words, str],
        captions: Captions | None,
        *,
        fingerprints: bool,
    ) -> None:
        self._captions = captions
        self._recognizers = recognizers
        self._columns = {m: vector_column(m, identity) for m, identity in encoders.items()}
        text = self._columns.get(Modality.TEXT)
        self._made_of_words = {Modality.TEXT} if text and not is_given(text) else set()
        self._catalog = catalog
        self._table = catalog.videos()  # its words are read where they are needed
        self._row_of = {content: row for row, content in enumerate(self._table[Col.CONTENT_HASH])}
        self._hash_of = dict(self._table.select(Col.VIDEO_ID, Col.CONTENT_HASH).iter_rows())
        self._encoded = catalog.encoded()
        self._shared: dict[frozenset[str], frozenset[str]] = {}
        self._fingerprints = fingerprints
        self._fingerprinted = set(catalog.links.fingerprinted()) if fingerprints else set()
        self._removals = catalog.removals
        self._removed: set[Tombstone] = set()  # all that were ever seen
        self._removed_ids: dict[str, Tombstone] = {}
        self._removed_content: dict[str, Tombstone] = {}
        self._written: dict[str, Video] = {}
        # The file that first went by an id in this run: its uri and content hash.
        self._named: dict[str, tuple[str, str]] = {}
        self.see_removals()

    def see_removals(self) -> None:
        """Forget what was removed since: files that are asked for from now on bring it back as new."""
        for each in set(self._removals.all()) - self._removed:
            self._removed.add(each)
            self._removed_ids[each.video_id] = self._removed_content[each.content_hash] = each
            self._hash_of.pop(each.video_id, None)
            self._encoded.pop(each.video_id, None)
            self._fingerprinted.discard(each.video_id)
            if self._named.get(each.video_id, ("", ""))[1] == each.content_hash:
                del self._named[each.video_id]

    def decide(self, entry: Entry, content_hash: str) -> Plan | Refusal:
        """What to do with a file of this content. The content alone says which video it is."""
        known = self._find(content_hash)
        if known is None:
            lift = self._tombstones(entry, content_hash, entry.video_id)
            if isinstance(lift, Refusal):
                return lift
            plan = self._new(entry, content_hash)
            return replace(plan, lift=lift) if isinstance(plan, Plan) else plan
        if entry.video_id is not None and entry.video_id != known.video_id:
            return Refusal(
                reason=f"{entry.uri} is to be video {entry.video_id!r} and has the same content as video "
                f"{known.video_id!r} ({known.uri}): one content is one video, use the id it has"
            )
        first, _ = self._named.setdefault(known.video_id, (entry.uri, content_hash))
        video = self._described(known, entry)
        if entry.uri != known.uri and self._has_moved(known, entry.uri == first):
            video = replace(video, uri=entry.uri)
        stated = video != known
        encoded = self._encoded.get(known.video_id, frozenset())
        encode = {modality for modality, column in self._columns.items() if column not in encoded}
        recognize = {
            kind for kind, name in self._recognizers.items() if getattr(known, WORD_COLUMNS[kind][1]) != name
        }
        if video.caption != known.caption or recognize:
            encode |= self._made_of_words
        if Modality.TEXT in encode:
            video = self._with_words(video)
        fingerprint = self._fingerprints and known.video_id not in self._fingerprinted
        outcome = "updated" if encode or recognize or fingerprint or stated else "unchanged"
        return Plan(
            video=video,
            encode=frozenset(encode),
            recognize=frozenset(recognize),
            fingerprint=fingerprint,
            new_file=False,
            outcome=outcome,
        )

    def is_complete(self, entry: Entry) -> bool:
        """Whether nothing is missing of the known video that an entry names, if its file is as it was."""
        content_hash = self._hash_of.get(entry.video_id or "")
        plan = self.decide(entry, content_hash) if content_hash else None
        return isinstance(plan, Plan) and plan.outcome == "unchanged"

    def still_wanted(self, entry: Entry, plan: Plan) -> Plan | Refusal:
        """A plan that was made for a file, or the refusal to where its video was removed since."""
        if not self._removals.is_removed(plan.video.video_id):
            return plan
        self.see_removals()
        lift = self._tombstones(entry, plan.video.content_hash, plan.video.video_id)
        return lift if isinstance(lift, Refusal) else plan

    def note(self, plan: Plan) -> None:
        """Remember that a plan was carried out."""
        video = plan.video
        for video_id in plan.lift:
            tombstone = self._removed_ids.pop(video_id, None)
            if tombstone is not None:
                self._removed_content.pop(tombstone.content_hash, None)
        columns = frozenset(self._columns[modality] for modality in plan.encode)
        if plan.fingerprint:
            self._fingerprinted.add(video.video_id)
        if self._hash_of.get(video.video_id) == video.content_hash:
            columns |= self._encoded.get(video.video_id, frozenset())
        # A million videos share a handful of sets.
        self._encoded[video.video_id] = self._shared.setdefault(columns, columns)
        self._hash_of[video.video_id] = video.content_hash
        self._written[video.content_hash] = video

    def _tombstones(self, entry: Entry, content_hash: str, video_id: str | None) -> tuple[str, ...] | Refusal:
        """The removed videos that this file would bring back, or the refusal to where nobody asked for it since."""
        found = [self._removed_content.get(content_hash)]
        if video_id is not None:
            found.append(self._removed_ids.get(video_id))
        removed = {each.video_id: each for each in found if each is not None}
        for each in removed.values():
            if entry.asked_at is None or entry.asked_at <= each.at:
                return Refusal(
                    reason=f"{entry.uri} is video {each.video_id!r}, which was removed on {each.at:%Y-%m-%d}: "
                    "'swipewise videos add --again' takes it back"
                )
        return tuple(removed)

    def settle(self) -> None:
        """What was noted is stored: a later file may replace a video that an earlier one has become."""
        self._named = {
            video_id: (uri, content)
            for video_id, (uri, content) in self._named.items()
            if self._hash_of.get(video_id) != content
        }

    def _new(self, entry: Entry, content_hash: str) -> Plan | Refusal:
        video_id = entry.video_id or content_hash[:_ID_LENGTH]
        first, first_hash = self._named.setdefault(video_id, (entry.uri, content_hash))
        before = self._find(self._hash_of[video_id]) if video_id in self._hash_of else None
        if first_hash != content_hash or (before is not None and entry.video_id is None):
            owner = first if before is None else before.uri
            return Refusal(
                reason=f"video_id {video_id!r} is given to two files of different content, {owner} and "
                f"{entry.uri}: give each its own"
            )
        # A known id with new content is the same video in a new cut: what is said about it stays.
        blank = Video(video_id=video_id, uri=entry.uri, content_hash=content_hash, **entry.assumed)
        if before is not None:
            unread: dict[str, Any] = dict.fromkeys(name for columns in WORD_COLUMNS.values() for name in columns)
            blank = replace(before, uri=entry.uri, content_hash=content_hash, **unread)
        video = self._described(blank, entry)
        outcome = "added" if before is None else "updated"
        return Plan(
            video=video,
            encode=frozenset(self._columns),
            recognize=frozenset(self._recognizers),
            fingerprint=self._fingerprints,
            new_file=True,
            outcome=outcome,
        )

    def _with_words(self, video: Video) -> Video:
        """The video with the words that the catalogue has of it."""
        if not video.speech_by and not video.screen_by:
            return video
        found: dict[str, Any] = {}
        for row in self._catalog.videos([video.video_id], words=True).iter_rows(named=True):
            for column, found_by in WORD_COLUMNS.values():
                # A new cut of this run, or what was found in this run, may not be stored yet.
                same = row[Col.CONTENT_HASH] == video.content_hash and row[found_by] == getattr(video, found_by)
                if same and getattr(video, column) is None:
                    found[column] = row[column]
        return replace(video, **found)

    def _has_moved(self, known: Video, named_first: bool) -> bool:
        """Whether a video goes by another place from now on, which is the first that this run names for it or not."""
        # Nobody asks whether a remote file is still there.
        return named_first if scheme_of(known.uri) else not Path(known.uri).exists()

    def _described(self, video: Video, entry: Entry) -> Video:
        """The video with what the manifest and the file of captions say about it."""
        described = replace(video, **entry.stated)
        caption = self._captions.find(entry, video.video_id) if self._captions else None
        return described if caption is None else replace(described, caption=caption)

    def _find(self, content_hash: str) -> Video | None:
        video = self._written.get(content_hash)
        if video is None and content_hash in self._row_of:
            video = to_video(self._table.row(self._row_of[content_hash], named=True))
        # A hash that its video no longer has was replaced in this run.
        if video is None or self._hash_of.get(video.video_id) != content_hash:
            return None
        return video
