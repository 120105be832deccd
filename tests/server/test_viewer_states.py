"""Events, profiles, controls and erasures in any order, over HTTP, against a model that fits on a page."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

from fastapi.testclient import TestClient
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from swipewise.catalog import Catalog
from swipewise.events import compact, finish_erasures
from swipewise.events.address import DATABASE_VARIABLE
from swipewise.schema import Video
from swipewise.server import create_app
from swipewise.workspace import CONFIG_NAME, Workspace
from tests.events.traces import holders, tables_of
from tests.postgres import shared_postgres

VIDEOS = "abcdef"
CREATOR_OF = dict(zip(VIDEOS, ["bea", "cid"] * 3, strict=True))
VIEWERS = ('zoë-"7f3a91" 1%', "kai-55c0de")
# Long ago, so that compaction moves the events; the order of times is the order of the steps.
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
CLOCKS = {"late": timedelta(days=-40), "now": timedelta(0), "ahead": timedelta(hours=6)}


@dataclass
class Known:
    """What is to be known of a viewer: events with video and time, profile, what was asked, until when all is gone."""

    events: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    profile: dict[str, Any] | None = None
    hidden: set[str] = field(default_factory=set)
    creator: str | None = None
    asked: bool = False
    paused_at: datetime | None = None
    pauses: list[tuple[datetime, datetime]] = field(default_factory=list)
    reset_at: datetime | None = None
    gone_until: datetime | None = None

    def shown(self) -> set[str]:
        met = {video for video, _ in self.events.values()}
        return {v for v in VIDEOS if v not in met | self.hidden and CREATOR_OF[v] != self.creator}

    def counted(self) -> set[str]:
        """The videos that count: those met outside pauses and not before a reset."""
        return {video for video, at in self.events.values() if self._counts(at)}

    def _counts(self, at: datetime) -> bool:
        paused = self.paused_at is not None and at >= self.paused_at
        paused |= any(since <= at < until for since, until in self.pauses)
        return not paused and (self.reset_at is None or at >= self.reset_at)

    def kept(self) -> list[str]:
        return [
            *["profile"] * (self.profile is not None),
            *["controls"] * self.asked,
            *["event"] * len(self.events),
        ]


class Viewers(RuleBasedStateMachine):
    """Two viewers of one small platform."""

    viewers = st.sampled_from(VIEWERS)
    videos = st.sampled_from(VIDEOS)
    clocks = st.sampled_from(sorted(CLOCKS))

    def __init__(self) -> None:
        super().__init__()
        self.cleanup = ExitStack()
        self.known = {viewer: Known() for viewer in VIEWERS}
        self.sent: list[dict[str, Any]] = []
        self.count = 0

    def live_store(self) -> None:
        """Say where the live store is: here in the workspace."""

    @initialize()
    def open(self) -> None:
        folder = self.cleanup.enter_context(tempfile.TemporaryDirectory())
        self.live_store()
        root = Workspace.create(Path(folder) / "shop").root
        # Answers are logged in the background: when, no model can tell. Their erasure has tests of its own.
        (root / CONFIG_NAME).write_text("[feed]\nlog_days = 0\n")
        self.workspace = Workspace.open(root)
        videos = [
            Video(video_id=v, uri=f"{v}.mp4", content_hash=v, creator=CREATOR_OF[v], uploaded_at=FIRST)
            for v in VIDEOS
        ]
        Catalog(self.workspace.catalog_dir).upsert(videos, {})
        self.client = self.cleanup.enter_context(TestClient(create_app(self.workspace)))
        self.act([(viewer, "a", "late") for viewer in VIEWERS], as_list=True)
        compact(self.workspace)
        self.act([(viewer, "b", "late") for viewer in VIEWERS], as_list=True)

    def teardown(self) -> None:
        self.cleanup.close()

    def address(self, viewer: str, rest: str) -> str:
        return f"/v1/viewers/{quote(viewer, safe='')}{rest}"

    @rule(
        acts=st.lists(st.tuples(viewers, videos, clocks), min_size=1, max_size=4),
        again=st.sets(st.integers(0, 30), max_size=2),
        as_list=st.booleans(),
    )
    def act(self, acts: list[tuple[str, str, str]], as_list: bool, again: Collection[int] = ()) -> None:
        batch = [self.new_event(*each) for each in acts[: None if as_list else 1]]
        if as_list:
            # A client that got no answer sends what it had, also twice in one list.
            batch += [self.sent[place] for place in again if place < len(self.sent)] + batch[:1]
        self.post(batch if as_list else batch[0])
        self.sent += batch

    def post(self, body: dict[str, Any] | list[dict[str, Any]]) -> None:
        expected = [self.take(each) for each in (body if isinstance(body, list) else [body])]
        answer = self.client.post("/v1/events", json=body).json()
        for outcome in ("added", "duplicates", "erased"):
            assert answer[outcome] == expected.count(outcome), outcome

    def new_event(self, viewer: str, video: str, clock: str) -> dict[str, Any]:
        self.count += 1
        late = FIRST + timedelta(minutes=self.count)
        at = late if clock == "late" else datetime.now(UTC) + CLOCKS[clock]
        return {
            "event_id": f"e{self.count}",
            "viewer_id": viewer,
            "video_id": video,
            "action": "like",
            "at": at.isoformat(),
        }

    def take(self, event: dict[str, Any]) -> str:
        """What becomes of an event by the model."""
        known, at = self.known[event["viewer_id"]], datetime.fromisoformat(event["at"])
        if event["event_id"] in known.events:
            return "duplicates"
        if known.gone_until is not None and at <= known.gone_until:
            return "erased"
        known.events[event["event_id"]] = (event["video_id"], at)
        return "added"

    @rule(viewer=viewers, hours=st.integers(25, 10_000))
    def act_too_far_ahead(self, viewer: str, hours: int) -> None:
        sound = self.new_event(viewer, "c", "now")
        wrong = sound | {"event_id": "wrong", "at": (datetime.now(UTC) + timedelta(hours=hours)).isoformat()}
        answer = self.client.post("/v1/events", json=[sound, wrong])
        assert answer.status_code == 422, "all or none"

    @rule(viewer=viewers, age=st.none() | st.integers(1, 99))
    def tell(self, viewer: str, age: int | None) -> None:
        features = {} if age is None else {"age": age}
        assert self.client.put(self.address(viewer, "/profile"), json=features).status_code == 200
        self.known[viewer].profile = features

    @rule(
        viewer=viewers,
        hidden=st.sets(videos, max_size=2),
        creator=st.sampled_from([None, "bea", "cid"]),
        paused=st.booleans(),
        reset=st.booleans(),
    )
    def ask(self, viewer: str, hidden: set[str], creator: str | None, paused: bool, reset: bool) -> None:
        known = self.known[viewer]
        body = {"hidden_videos": sorted(hidden), "creators": {creator: 0} if creator else {}}
        body |= {"learning": "paused" if paused else "on", "reset_learning": reset}
        answer = self.client.put(self.address(viewer, "/controls"), json=body).json()
        known.hidden, known.creator, known.asked = hidden, creator, True
        if known.paused_at is not None and not paused:
            known.pauses.append((known.paused_at, datetime.now(UTC)))
        known.paused_at = datetime.fromisoformat(answer["paused_at"]) if paused else None
        if reset:
            known.reset_at = datetime.fromisoformat(answer["reset_at"])

    @rule(viewer=viewers)
    def take_back(self, viewer: str) -> None:
        assert self.client.delete(self.address(viewer, "/controls")).status_code == 204
        known = self.known[viewer]
        self.known[viewer] = Known(events=known.events, profile=known.profile, gone_until=known.gone_until)

    @rule(viewer=viewers, busy=st.booleans())
    def erase(self, viewer: str, busy: bool) -> None:
        known = self.known[viewer]
        if busy:
            with self.workspace.lock("history"), patch("swipewise.server.viewers.WAIT_SECONDS", 0.0):
                answer = self.client.delete(self.address(viewer, ""))
            assert answer.status_code == 202
            assert finish_erasures(self.workspace) is None
        else:
            answer = self.client.delete(self.address(viewer, ""))
            assert answer.status_code == 200
        assert answer.json()["events"] == len(known.events)
        times = [at for _, at in known.events.values()]
        earlier = [known.gone_until] if known.gone_until else []
        self.known[viewer] = Known(gone_until=max([datetime.now(UTC), *times, *earlier]))
        self.is_gone(viewer)

    def is_gone(self, viewer: str) -> None:
        assert holders(self.workspace.root, viewer) == []

    @precondition(lambda self: any(known.gone_until for known in self.known.values()))
    @rule()
    def send_what_was_erased(self) -> None:
        for viewer, known in self.known.items():
            old = [event for event in self.sent if event["viewer_id"] == viewer]
            if known.gone_until is not None and old:
                self.post(old)
                if not known.kept():
                    self.is_gone(viewer)

    @rule()
    def compact(self) -> None:
        compact(self.workspace)

    @invariant()
    def every_viewer_is_known_as_they_should_be(self) -> None:
        for viewer, known in self.known.items():
            answer = self.client.get("/v1/feed", params={"viewer_id": viewer}).json()
            assert {each["video_id"] for each in answer["recommendations"]} == known.shown()
            interests = self.client.get(self.address(viewer, "/interests")).json()
            assert interests["interactions"] == len(known.counted())
            profile = self.client.get(self.address(viewer, "/profile"))
            assert profile.json().get("features") == known.profile
            exported = self.client.get(self.address(viewer, "/export"))
            rows = [json.loads(line) for line in exported.text.splitlines()] if known.kept() else []
            assert exported.status_code == (200 if known.kept() else 404)
            assert [row["kind"] for row in rows] == known.kept()
            assert {row["event_id"] for row in rows if row["kind"] == "event"} == set(known.events)


class ViewersOnPostgres(Viewers):
    """The same with the live store on a server."""

    def live_store(self) -> None:
        self.store = self.cleanup.enter_context(shared_postgres().schema())
        self.cleanup.enter_context(patch.dict(os.environ, {DATABASE_VARIABLE: self.store}))

    def is_gone(self, viewer: str) -> None:
        super().is_gone(viewer)
        assert tables_of(self.store, viewer) == []


def _settings(examples: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=14,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


TestViewers = Viewers.TestCase
TestViewers.settings = _settings(int(os.environ.get("SWIPEWISE_STATES", "5")))
TestViewersOnPostgres = ViewersOnPostgres.TestCase
TestViewersOnPostgres.settings = _settings(int(os.environ.get("SWIPEWISE_STATES", "2")))
