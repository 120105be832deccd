"""Everything that is kept about one viewer, as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from swipewise.events.answers import read_answers
from swipewise.events.controls import as_json
from swipewise.events.history import History
from swipewise.events.live import EventLog
from swipewise.events.reading import read_events
from swipewise.events.scrubbing import rejected_rows
from swipewise.schema import Col
from swipewise.workspace import Workspace

KIND = "kind"


def export_viewer(workspace: Workspace, viewer_id: str) -> Iterator[dict[str, Any]]:
    """The viewer's profile, controls, events and answered feeds in order of time, and the rows that imports left out.

    Each says in ``kind`` what it is: "profile", "controls", "event", "feed" or "rejected row". Nothing for a viewer of
    whom nothing is kept.

    Args:
        workspace: Where.
        viewer_id: Whose.

    Raises:
        StoreError: A store cannot be read.
    """
    with EventLog.open(workspace.events_dir) as log:
        profile, controls = log.profile(viewer_id), log.controls.get(viewer_id)
    if profile is not None:
        yield {KIND: "profile", Col.VIEWER_ID: viewer_id, "features": profile.features}
    if controls is not None:
        yield {KIND: "controls", Col.VIEWER_ID: viewer_id, **as_json(controls)}
    events = History(workspace.events_dir).collected(
        lambda: read_events(workspace.events_dir, viewer_id).sort(Col.AT, Col.EVENT_ID).collect()
    )
    for row in events.iter_rows(named=True):
        yield {KIND: "event", **row, Col.AT: row[Col.AT].isoformat()}
    for row in read_answers(workspace.events_dir, viewer_id).iter_rows(named=True):
        yield {KIND: "feed", **row, Col.AT: row[Col.AT].isoformat()}
    for rejected in rejected_rows(workspace.events_dir, viewer_id):
        yield {KIND: "rejected row", **rejected}
