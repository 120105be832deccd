"""Readers of the history whose files an erasure takes away before they are read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from swipewise.errors import StoreError
from swipewise.events import EventLog, compact, erase_viewer, export_viewer, viewer_interactions
from swipewise.events.frames import EVENT_SCHEMA
from swipewise.events.history import History, HistoryIds
from swipewise.feed.histories import ViewerHistories
from swipewise.schema import Col
from swipewise.workspace import Workspace
from tests.events.examples import TEN, event


class Rewritten:
    """A history that is written anew, as an erasure does it, after each of the next scans."""

    def __init__(self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times = 0
        self._scan = History.scan
        self._workspace = workspace
        monkeypatch.setattr(History, "scan", lambda history, _table=None: self.scan(history))

    def scan(self, history: History) -> pl.LazyFrame:
        scanned = self._scan(history)
        if self.times:
            self.times -= 1
            current = self._scan(history).select(*EVENT_SCHEMA).collect()
            history.replace_day(TEN.date(), current)
            history.forget_versions()
        return scanned


@pytest.fixture
def rewritten(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Rewritten:
    with EventLog.open(workspace.events_dir) as log:
        log.append([event("a"), event("b", video="v2")])
    compact(workspace, now=TEN + timedelta(days=1))
    return Rewritten(workspace, monkeypatch)


DURATIONS = pl.LazyFrame({Col.VIDEO_ID: ["v1"], Col.DURATION: [9.0]})
READERS: dict[str, Callable[[Workspace], int]] = {
    "viewer_interactions": lambda shop: len(viewer_interactions(shop.events_dir, "ann", DURATIONS, 9)),
    "export_viewer": lambda shop: len(list(export_viewer(shop, "ann"))),
    "erase_viewer": lambda shop: erase_viewer(shop, "ann").events,
}


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_beside_an_erasure_begins_again(workspace: Workspace, rewritten: Rewritten, reader: str) -> None:
    rewritten.times = 1
    assert READERS[reader](workspace) == 2
    assert rewritten.times == 0


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_beside_one_erasure_after_the_other_says_so(
    workspace: Workspace, rewritten: Rewritten, reader: str
) -> None:
    rewritten.times = 2
    with pytest.raises(StoreError, match="history was rewritten meanwhile: try again"):
        READERS[reader](workspace)


def test_ids_are_known_beside_an_erasure(
    workspace: Workspace, rewritten: Rewritten, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(workspace.events_dir)
    refresh = HistoryIds._refresh

    def then_written_anew(ids: HistoryIds) -> None:
        refresh(ids)
        rewritten.scan(history)

    monkeypatch.setattr(HistoryIds, "_refresh", then_written_anew)
    rewritten.times = 1
    assert HistoryIds(history).known({"a", "x"}, {TEN.date()}) == {"a"}
    rewritten.times = 2
    with pytest.raises(StoreError, match="history was rewritten meanwhile: try again"):
        HistoryIds(history).known({"a"}, {TEN.date()})


def test_a_feed_beside_an_erasure(
    workspace: Workspace, rewritten: Rewritten, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads the files by themselves."""
    scan_parquet = pl.scan_parquet

    def then_written_anew(*arguments: Any, **options: Any) -> pl.LazyFrame:
        rewritten.scan(History(workspace.events_dir))
        return scan_parquet(*arguments, **options)

    monkeypatch.setattr(pl, "scan_parquet", then_written_anew)
    rewritten.times = 1
    with ViewerHistories(workspace.events_dir) as histories:
        assert len(histories.known("ann").events) == 2
    assert rewritten.times == 0
    rewritten.times = 2
    with ViewerHistories(workspace.events_dir) as histories, pytest.raises(StoreError, match="try again"):
        histories.known("ann")
