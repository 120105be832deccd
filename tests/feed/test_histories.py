"""The fast reader of one viewer's history agrees with the plain one, whatever happens around it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from swipewise.events import EventLog, compact, viewer_interactions
from swipewise.feed.histories import ViewerHistories, _live_events
from swipewise.schema import Action, Col, Event, Interaction
from swipewise.workspace import Workspace

DURATIONS = pl.DataFrame({Col.VIDEO_ID: ["a", "b"], Col.DURATION: [10.0, 20.0]})

pytestmark = pytest.mark.usefixtures("live_store")


def watched(viewer: str, video: str, *, days_ago: float) -> Event:
    """Five seconds of a video."""
    at = datetime.now(UTC) - timedelta(days=days_ago)
    name = f"{viewer}-{video}-{days_ago}"
    return Event(event_id=name, viewer_id=viewer, video_id=video, action=Action.VIEW, at=at, watch_seconds=5.0)


def read(histories: ViewerHistories, viewer: str) -> list[Interaction]:
    return histories.known(viewer).history(dict(DURATIONS.iter_rows()).get)


class Stage:
    """A log, a reader that stays open, and the plain reader beside it."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.log = EventLog.open(workspace.events_dir)
        self.histories = ViewerHistories(workspace.events_dir, viewers=2)

    def read(self, viewer: str) -> list[Interaction]:
        fast = read(self.histories, viewer)
        assert fast == viewer_interactions(self.workspace.events_dir, viewer, DURATIONS.lazy(), 1000)
        return fast


@pytest.fixture
def stage(workspace: Workspace) -> Iterator[Stage]:
    made = Stage(workspace)
    yield made
    made.histories.close()
    made.log.close()


def videos(history: list[Interaction]) -> list[str]:
    return [interaction.video_id for interaction in history]


def test_a_viewer_never_seen(stage: Stage) -> None:
    assert stage.read("nobody") == []


def test_live_events_count_at_once(stage: Stage) -> None:
    stage.log.append([watched("ann", "a", days_ago=0), watched("bob", "b", days_ago=0)])
    (interaction,) = stage.read("ann")
    assert (interaction.video_id, interaction.watch_ratio) == ("a", 0.5)
    stage.log.append([watched("ann", "b", days_ago=1)])
    assert videos(stage.read("ann")) == ["b", "a"], "in order of time, not of arrival"


def test_compaction_changes_nothing(stage: Stage) -> None:
    stage.log.append([watched("ann", "a", days_ago=3), watched("ann", "b", days_ago=0)])
    before = stage.read("ann")
    assert compact(stage.workspace).moved == 1
    assert stage.read("ann") == before
    stage.log.append([watched("ann", "a", days_ago=2.5)])
    assert compact(stage.workspace).moved == 1
    first, second = stage.read("ann")
    assert (first.video_id, first.watch_seconds) == ("a", 10.0), "of two compactions"
    assert second.video_id == "b"


def test_an_event_in_both_stores_counts_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.log.append([watched("ann", "a", days_ago=3)])
    with stage.histories._database.read() as connection:
        both = _live_events(connection, "ann")
    compact(stage.workspace)
    monkeypatch.setattr("swipewise.feed.histories._live_events", lambda *_: both)
    (interaction,) = read(stage.histories, "ann")
    assert interaction.watch_seconds == 5.0


def test_closed_days_are_read_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.log.append([watched(viewer, "a", days_ago=3) for viewer in ("ann", "bob", "cid")])
    compact(stage.workspace)
    scans: list[int] = []
    scanned = stage.histories._scanned

    def counted(viewer_id: str) -> pl.DataFrame:
        scans.append(1)
        return scanned(viewer_id)

    monkeypatch.setattr(stage.histories, "_scanned", counted)
    for viewer in ("ann", "ann", "bob", "ann"):
        assert videos(read(stage.histories, viewer)) == ["a"]
    assert len(scans) == 2
    for viewer in ("cid", "ann", "bob"):
        read(stage.histories, viewer)
    assert len(scans) == 4, "two viewers are kept: cid and then bob had to be read"
