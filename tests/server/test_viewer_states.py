"""Events, controls and erasures in any order, over HTTP, against a model that fits on a page."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from fastapi.testclient import TestClient
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from swipewise.catalog import Catalog
from swipewise.events import compact, finish_erasures
from swipewise.schema import Video
from swipewise.server import create_app
from swipewise.workspace import Workspace
from tests.events.test_erasure import holders

VIDEOS = "abcdef"
CREATOR_OF = dict(zip(VIDEOS, ["bea", "cid"] * 3, strict=True))
VIEWERS = ("zoe-7f3a91", "kai-55c0de")
# Long ago, so that compaction moves the events; the order of times is the order of the steps.
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Known:
    """What is to be known of a viewer: met videos, those that count, what was asked."""

    events: dict[str, str] = field(default_factory=dict)
    counted: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    creator: str | None = None
    paused: bool = False
    asked: bool = False
    ever: bool = False

    def shown(self) -> set[str]:
        met = set(self.events.values())
        return {v for v in VIDEOS if v not in met | self.hidden and CREATOR_OF[v] != self.creator}


class Viewers(RuleBasedStateMachine):
    """Two viewers of one small platform."""

    viewers = st.sampled_from(VIEWERS)
    videos = st.sampled_from(VIDEOS)

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.known = {viewer: Known() for viewer in VIEWERS}
        self.old: list[dict[str, Any]] = []
        self.count = 0

    @initialize()
    def open(self) -> None:
        self.workspace = Workspace.create(Path(self.folder.name) / "shop")
        videos = [
            Video(video_id=v, uri=f"{v}.mp4", content_hash=v, creator=CREATOR_OF[v], uploaded_at=FIRST)
            for v in VIDEOS
        ]
        Catalog(self.workspace.catalog_dir).upsert(videos, {})
        self.client = TestClient(create_app(self.workspace))
        self.client.__enter__()
        for viewer in VIEWERS:
            self.act(viewer, "a")
        compact(self.workspace)
        for viewer in VIEWERS:
            self.act(viewer, "b")

    def teardown(self) -> None:
        if hasattr(self, "client"):
            self.client.__exit__(None, None, None)
        self.folder.cleanup()

    @rule(viewer=viewers, video=videos)
    def act(self, viewer: str, video: str) -> None:
        self.count += 1
        known = self.known[viewer]
        # A viewer who was erased, or who asked to pause or begin anew, acts after that moment: now.
        at = datetime.now(UTC) if known.ever or known.asked else FIRST + timedelta(minutes=self.count)
        posted = {"event_id": f"e{self.count}", "viewer_id": viewer, "video_id": video, "action": "like"}
        posted["at"] = at.isoformat()
        assert self.client.post("/v1/events", json=posted).json()["added"] == 1
        self.old.append(posted)
        known.events[posted["event_id"]] = video
        if not known.paused:
            known.counted.add(posted["event_id"])

    @precondition(lambda self: self.old)
    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        posted = data.draw(st.sampled_from(self.old))
        answer = self.client.post("/v1/events", json=posted).json()
        there = posted["event_id"] in self.known[posted["viewer_id"]].events
        assert (answer["added"], answer["duplicates"], answer["erased"]) == (0, int(there), int(not there))

    @rule(viewer=viewers, hidden=st.sets(videos, max_size=2), creator=st.sampled_from([None, "bea", "cid"]))
    def ask(self, viewer: str, hidden: set[str], creator: str | None) -> None:
        known = self.known[viewer]
        body = {"hidden_videos": sorted(hidden), "creators": {creator: 0} if creator else {}}
        body |= {"learning": "paused" if known.paused else "on"}
        assert self.client.put(f"/v1/viewers/{viewer}/controls", json=body).status_code == 200
        known.hidden, known.creator, known.asked = hidden, creator, True

    @rule(viewer=viewers, paused=st.booleans(), reset=st.booleans())
    def learn(self, viewer: str, paused: bool, reset: bool) -> None:
        known = self.known[viewer]
        body = {"hidden_videos": sorted(known.hidden), "creators": {known.creator: 0} if known.creator else {}}
        body |= {"learning": "paused" if paused else "on", "reset_learning": reset}
        self.client.put(f"/v1/viewers/{viewer}/controls", json=body)
        known.paused, known.asked = paused, True
        if reset:
            known.counted.clear()

    @rule(viewer=viewers)
    def take_back(self, viewer: str) -> None:
        self.client.delete(f"/v1/viewers/{viewer}/controls")
        known = self.known[viewer]
        self.known[viewer] = Known(
            events=known.events, counted=set(known.events), asked=known.asked, ever=known.ever
        )

    @rule(viewer=viewers, busy=st.booleans())
    def erase(self, viewer: str, busy: bool) -> None:
        if busy:
            with self.workspace.lock("history"), patch("swipewise.server.viewers.WAIT_SECONDS", 0.0):
                answer = self.client.delete(f"/v1/viewers/{viewer}")
            assert answer.status_code == 202
            assert finish_erasures(self.workspace) is None
        else:
            answer = self.client.delete(f"/v1/viewers/{viewer}")
            assert answer.status_code == 200
        assert answer.json()["events"] == len(self.known[viewer].events)
        self.known[viewer] = Known(ever=True)
        theirs = [posted for posted in self.old if posted["viewer_id"] == viewer]
        if theirs:
            again = self.client.post("/v1/events", json=theirs).json()
            assert (again["added"], again["erased"]) == (0, len(theirs))
        assert holders(self.workspace.root, viewer) == []

    @rule()
    def compact(self) -> None:
        compact(self.workspace)

    @invariant()
    def every_viewer_is_known_as_they_should_be(self) -> None:
        for viewer, known in self.known.items():
            answer = self.client.get("/v1/feed", params={"viewer_id": viewer}).json()
            assert {each["video_id"] for each in answer["recommendations"]} == known.shown()
            interests = self.client.get(f"/v1/viewers/{viewer}/interests").json()
            assert interests["interactions"] == len({known.events[event_id] for event_id in known.counted})
            exported = self.client.get(f"/v1/viewers/{viewer}/export")
            events = [line for line in exported.text.splitlines() if '"kind": "event"' in line]
            assert len(events) == len(known.events)


TestViewers = Viewers.TestCase
TestViewers.settings = settings(
    max_examples=4,
    stateful_step_count=14,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
