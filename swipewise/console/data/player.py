"""A viewer's feed that is played: what is on, what comes next, and what each action changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from swipewise.catalog import Catalog
from swipewise.events import Controls
from swipewise.feed.engine import FeedEngine
from swipewise.feed.stages import Feed
from swipewise.schema import Action, Col, Event, Recommendation

AHEAD: Final = 20
"""Videos of the feed that are shown as coming."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is told of a video in a feed."""

    video_id: str
    caption: str = ""
    creator: str | None = None
    duration_seconds: float | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """A place of the queue; ``moved`` says by how many places it rose, None: it has only just come in."""

    entry: Recommendation
    facts: Facts
    moved: int | None = 0


@dataclass(slots=True, kw_only=True)
class Player:
    """Plays one viewer's feed.

    Args:
        engine: Makes the feed and takes the events.
        catalog: Knows the videos.
        viewer_id: Whose feed.
        writes: Whether events are posted; else the feed is played as it is and nothing changes.
    """

    engine: FeedEngine
    catalog: Catalog
    viewer_id: str
    writes: bool
    feed: Feed | None = None
    on: Recommendation | None = None
    facts: Facts | None = None
    predicted: Mapping[str, float] = field(default_factory=dict)
    queue: list[Coming] = field(default_factory=list)
    done: set[Action] = field(default_factory=set)
    _place: int = 0
    _shown: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """Make the feed and put its first video on.

        Raises:
            StoreError: A store cannot be read or written.
        """
        self._make()
        self._put_on()

    def act(self, action: Action, watched: float | None = None) -> None:
        """Post what the viewer did with the video that is on; the queue is ranked anew.

        A skip, a hide and a finish put the next video on.

        Args:
            action: What was done.
            watched: Seconds seen of it so far.
        """
        if self.on is None:
            return
        leaves = action in (Action.SKIP, Action.HIDE, Action.FINISH)
        actions = [Action.VIEW, action] if leaves and action is not Action.HIDE else [action]
        self._post(list(dict.fromkeys(actions)), watched)
        self.done.add(action)
        self._make()
        if leaves:
            self._put_on()

    def next(self, watched: float | None = None) -> None:
        """Go on to the next video; how much of this one was watched is posted."""
        if self.on is not None:
            self._post([Action.VIEW], watched)
        self._make()
        self._put_on()

    def hide_creator(self, watched: float | None = None) -> None:
        """Ask for nothing more of the creator of the video that is on, and go on."""
        creator = self.facts.creator if self.facts else None
        if creator is None:
            return
        controls = self.controls
        self._ask(replace(controls, creators={**controls.creators, creator: 0.0}))
        self.next(watched)

    def show_creator(self, creator: str) -> None:
        """Take back what was asked about a creator."""
        controls = self.controls
        self._ask(replace(controls, creators={k: v for k, v in controls.creators.items() if k != creator}))
        self._make()

    def weigh(self, modality: str, factor: float) -> None:
        """Ask that a modality counts by a factor.

        Raises:
            DataError: The factor is out of range.
        """
        controls = self.controls
        weights = {name: value for name, value in controls.modalities.items() if name != modality}
        self._ask(replace(controls, modalities=weights if factor == 1 else {**weights, modality: factor}))
        self._make()

    def learn(self, *, paused: bool, reset: bool = False) -> None:
        """Pause learning or go on with it, or let nothing count that happened before now."""
        if self.writes:
            self.engine.controls.put(self.viewer_id, self.controls, paused=paused, reset=reset)
        self._make()

    @property
    def controls(self) -> Controls:
        """What the viewer asks of the feed."""
        return self.engine.controls.get(self.viewer_id) or Controls()

    def _ask(self, wanted: Controls) -> None:
        if self.writes:
            paused = wanted.paused_at is not None
            self.engine.controls.put(self.viewer_id, wanted, paused=paused, reset=False)

    def _put_on(self) -> None:
        """The first of the queue goes on, and is noted as shown."""
        self.done = set()
        first = self.queue[0] if self.queue else None
        self.on, self.facts = (first.entry, first.facts) if first else (None, None)
        self.queue = self.queue[1:]
        self.predicted = {}
        if self.on is not None:
            found = self.engine.outlook(self.viewer_id, [self.on.video_id]).get(self.on.video_id)
            self.predicted = found.expected if found else {}
            self._shown.append(self.on.video_id)
            self._post([Action.EXPOSURE], None)
            self._place += 1

    def _post(self, actions: Sequence[Action], watched: float | None) -> None:
        if not self.writes or self.on is None:
            return
        now = datetime.now(UTC)
        self.engine.observe(
            [
                Event(
                    event_id=f"console-{uuid4().hex}",
                    viewer_id=self.viewer_id,
                    video_id=self.on.video_id,
                    action=action,
                    at=now,
                    watch_seconds=watched if action is Action.VIEW else None,
                    position=self._place if action is Action.EXPOSURE else None,
                )
                for action in actions
            ]
        )

    def _make(self) -> None:
        """The feed as it is now, and how the queue changed by it."""
        before = {each.entry.video_id: place for place, each in enumerate(self.queue)}
        first = self.feed is None
        self.feed = self.engine.feed(self.viewer_id, size=AHEAD + (0 if self.writes else len(self._shown)))
        # What was played without being noted comes up again and again.
        entries = [each for each in self.feed.recommendations if each.video_id not in self._shown][:AHEAD]
        facts = facts_of(self.catalog, [each.video_id for each in entries])
        self.queue = [
            Coming(
                entry=entry,
                facts=facts.get(entry.video_id, Facts(video_id=entry.video_id)),
                moved=0 if first else _rise(before, entry.video_id, place),
            )
            for place, entry in enumerate(entries)
        ]


def _rise(before: Mapping[str, int], video_id: str, place: int) -> int | None:
    return before[video_id] - place if video_id in before else None


def facts_of(catalog: Catalog, video_ids: Sequence[str]) -> dict[str, Facts]:
    """What is told of videos, of those that are in the catalogue."""
    if not video_ids:
        return {}
    rows: list[dict[str, Any]] = catalog.videos(video_ids).to_dicts()
    return {
        row[Col.VIDEO_ID]: Facts(
            video_id=row[Col.VIDEO_ID],
            caption=row[Col.CAPTION] or "",
            creator=row[Col.CREATOR],
            duration_seconds=row[Col.DURATION],
            tags=tuple(row[Col.TAGS] or ()),
        )
        for row in rows
    }
