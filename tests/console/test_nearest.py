"""Who liked the same, against counting it by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from math import sqrt
from pathlib import Path

from swipewise.console.data.nearest import Likes
from swipewise.events import EventLog
from swipewise.schema import Action, Event
from swipewise.workspace import Workspace


def likes(tmp_path: Path, *pairs: str) -> Likes:
    """Of ``"ann a"``, a viewer and a video; ``"ann a skip"`` is another action."""
    workspace = Workspace.create(tmp_path / "shop")
    events = []
    for number, pair in enumerate(pairs):
        viewer, video, *action = pair.split()
        done = Action(action[0]) if action else Action.LIKE
        at = datetime(2025, 1, 1, tzinfo=UTC)
        events.append(Event(event_id=str(number), viewer_id=viewer, video_id=video, action=done, at=at))
    with EventLog.open(workspace.events_dir) as log:
        log.append(events)
    return Likes.read(workspace.events_dir, ("like", "share"))


def test_likeness_is_the_cosine_of_what_both_liked(tmp_path: Path) -> None:
    found = likes(
        tmp_path, "ann a", "ann b", "bob a", "bob b", "bob c", "cid a share", "cid a", "dan c", "eve a skip"
    )
    assert found.nearest("ann", ["a", "b"]).rows() == [
        ("bob", 2, 2 / sqrt(3 * 2)),
        ("cid", 1, 1 / sqrt(1 * 2)),
    ]


def test_what_nobody_else_liked_makes_nobody_near(tmp_path: Path) -> None:
    found = likes(tmp_path, "ann a", "bob b")
    assert found.nearest("ann", ["a", "new"]).is_empty()
    assert found.nearest("cid", ["b", "new"]).rows() == [("bob", 1, 1 / sqrt(2))]
    assert found.nearest("nobody", []).is_empty()


def test_without_a_log_there_is_nobody(tmp_path: Path) -> None:
    assert likes(tmp_path).nearest("ann", ["a"]).is_empty()
