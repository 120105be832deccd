"""The engine over real stores: levels, live state, fallbacks."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from swipewise.catalog import Catalog
from swipewise.catalog.links import Link
from swipewise.errors import ConfigError, DataError, UnknownIdError
from swipewise.events import Appended, Controls, EventLog, LiveRow, read_events
from swipewise.events.database import Database
from swipewise.events.live import row_of
from swipewise.feed.engine import FeedEngine
from swipewise.feed.stages import Feed, Level
from swipewise.feed.stock import load_stock
from swipewise.ingest.remove import remove_videos
from swipewise.schema import Action, Event, Fingerprint, Modality, Profile
from swipewise.workspace import Workspace
from tests.feed.conftest import video
from tests.feed.fakes import FakeScorer

PutRun = Callable[[str, str], None]


def event(viewer: str, video_id: str, action: str = "like", *, event_id: str | None = None) -> Event:
    return Event(
        event_id=event_id or f"{viewer}-{video_id}-{action}",
        viewer_id=viewer,
        video_id=video_id,
        action=Action(action),
        at=datetime.now(UTC) - timedelta(minutes=1),
    )


def shown(feed: Feed) -> list[str]:
    return [each.video_id for each in feed.recommendations]


def test_without_a_run_the_feed_is_popular_and_says_why(workspace: Workspace) -> None:
    with FeedEngine.open(workspace) as engine:
        feed = engine.feed("ann")
    assert feed.level is Level.POPULAR
    assert feed.note == "no model yet: fit one with 'swipewise train'"
    assert shown(feed) == ["d", "c", "b", "a"], "nobody liked anything: the newest first"
    assert {each.source for each in feed.recommendations} == {"fresh"}
    assert [each.modality_weights for each in feed.recommendations] == [{}] * 4


def test_what_viewers_like_leads_the_popular_feed(workspace: Workspace) -> None:
    with FeedEngine.open(workspace) as engine:
        engine.observe([event("bob", "a"), event("cid", "a"), event("dan", "a"), event("bob", "gone")])
        engine.refresh()
        feed = engine.feed("ann")
    assert shown(feed)[0] == "a"
    assert feed.recommendations[0].source == "popular"
    assert [(d.video_id, d.reason) for d in feed.dropped] == [("gone", "not in the catalogue")]


def test_an_observed_event_changes_the_next_feed(workspace: Workspace, runs: PutRun) -> None:
    runs("r1", "sound")
    with FeedEngine.open(workspace) as engine:
        engine.observe([event("ann", "a")])
        first = engine.feed("ann")
        engine.observe([event("ann", "d"), event("ann", "d", "share"), event("ann", "c", "skip")])
        second = engine.feed("ann")
    assert first.level is Level.MODEL
    assert first.note is None
    assert shown(first) == ["b", "c", "d"], "by likeness to a"
    assert shown(second) == ["b"], "a, c and d were seen"
    assert {d.video_id for d in second.dropped if d.reason == "seen"} == {"a", "c", "d"}


def test_reasons_of_a_model_feed(workspace: Workspace, runs: PutRun) -> None:
    runs("r1", "sound")
    with FeedEngine.open(workspace) as engine:
        engine.observe([event("ann", "a")])
        best = engine.feed("ann", size=1).recommendations[0]
    assert (best.video_id, best.position, best.source) == ("b", 0, "interest")
    assert best.modality_weights == {"visual": 0.75, "text": 0.25}
    assert [(e.video_id, e.similarity) for e in best.evidence] == [("a", pytest.approx(0.8))]


def test_a_video_is_judged_for_those_the_model_ranks_for(workspace: Workspace, runs: PutRun) -> None:
    with FeedEngine.open(workspace) as engine:
        engine.observe([event("ann", "a"), event("bob", "gone")])
        assert engine.weights("b", ["ann"]) == {}, "there is no model"
    runs("r1", "sound")
    with FeedEngine.open(workspace) as engine:
        assert engine.weights("b", ["nobody", "ann", "bob"]) == {"ann": {"visual": 0.75, "text": 0.25}}
        assert engine.weights("gone", ["ann"]) == {}
        assert engine.weights("b", ["bob"]) == {}


def test_a_profile_without_history(workspace: Workspace, runs: PutRun) -> None:
    runs("r1", "sound")
    with FeedEngine.open(workspace) as engine:
        with EventLog.open(workspace.events_dir) as log:
            log.put_profiles([Profile(viewer_id="ann", features={"favourite": 3})])
        feed = engine.feed("ann")
    assert feed.level is Level.PROFILE
    assert feed.note == "viewer 'ann' has no history yet: the profile speaks alone"
    assert shown(feed) == ["d", "c", "b", "a"], "by likeness to the favourite, d"


def test_nothing_is_known_of_a_viewer(workspace: Workspace, runs: PutRun) -> None:
    runs("r1", "sound")
    with FeedEngine.open(workspace) as engine:
        engine.observe([event("ann", "gone")])
        strangers = [engine.feed("nobody"), engine.feed("ann")]
    for feed, viewer in zip(strangers, ("nobody", "ann"), strict=True):
        assert feed.level is Level.POPULAR
        assert feed.note == f"nothing is known of viewer {viewer!r} yet"
        assert len(feed.recommendations) == 4


@pytest.mark.parametrize(
    ("kind", "note"),
    [
        ("broken", r"the model of run r1 cannot be used: .*model\.safetensors is damaged"),
        ("nan", "the model of run r1 cannot be used: its video vectors are not finite"),
        ("nan scores", "the model's scores are not finite"),
    ],
)
def test_a_broken_model_falls_back(workspace: Workspace, runs: PutRun, kind: str, note: str) -> None:
    runs("r1", kind)
    with FeedEngine.open(workspace) as engine:
        engine.observe([event("ann", "a")])
        feed = engine.feed("ann")
    assert feed.level is Level.POPULAR
    assert re.match(note, feed.note or "")
    assert sorted(shown(feed)) == ["b", "c", "d"]


def test_refresh_finds_new_videos_and_runs(workspace: Workspace, runs: PutRun) -> None:
    with FeedEngine.open(workspace) as engine:
        assert not engine.refresh()
        Catalog(workspace.catalog_dir).upsert([video("e", days_old=0)], {})
        assert engine.refresh()
        assert shown(engine.feed("ann"))[0] == "e"
        runs("r1", "sound")
        assert engine.refresh()
        assert (engine.run, engine.note) == ("r1", None)


def test_added_videos_alone_are_read(workspace: Workspace, runs: PutRun, monkeypatch: pytest.MonkeyPatch) -> None:
    runs("r1", "sound")
    loads: list[int] = []
    load = load_stock
    monkeypatch.setattr("swipewise.feed.stock.load_stock", lambda ws, **_: (loads.append(1), load(ws))[1])
    catalog = Catalog(workspace.catalog_dir)
    with FeedEngine.open(workspace) as engine:
        engine.observe([event("ann", "a")])
        catalog.upsert([video("e", days_old=0), video("f", days_old=9)], {})
        assert engine.look_for_videos()
        assert not engine.look_for_videos(), "there is nothing new"
        assert sorted(shown(engine.feed("ann"))) == ["b", "c", "d", "e", "f"]
        assert loads == []
        assert engine.videos == 6
        catalog.links.write([Link(video_id="f", link_order=1, duplicate_of="e")])
        assert engine.look_for_videos()
        assert loads == [1], "a video has changed"


def test_an_added_near_duplicate_joins_its_group(workspace: Workspace) -> None:
    catalog = Catalog(workspace.catalog_dir)
    catalog.links.write([Link(video_id="b", link_order=1, duplicate_of="a")])
    with FeedEngine.open(workspace) as engine:
        catalog.upsert([video("e", days_old=0)], {})
        catalog.links.write([Link(video_id="e", link_order=2, duplicate_of="b")])
        engine.look_for_videos()
        feed = engine.feed("ann")
    assert sorted(shown(feed)) == ["c", "d", "e"]
    assert {(d.video_id, d.reason) for d in feed.dropped} == {(v, "duplicate of a better one") for v in "ab"}


def test_removed_videos_are_left_out_without_a_load(
    workspace: Workspace, runs: PutRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs("r1", "sound")
    monkeypatch.setattr("swipewise.feed.stock.REMOVED_SHARE", 0.4)
    loads: list[int] = []
    load = load_stock
    monkeypatch.setattr("swipewise.feed.stock.load_stock", lambda ws, **_: (loads.append(1), load(ws))[1])
    catalog = Catalog(workspace.catalog_dir)
    with FeedEngine.open(workspace) as engine:
        engine.observe([event("ann", "a"), event("bob", "b"), event("cid", "b")])
        engine.refresh()
        remove_videos(workspace, ["b"])
        assert engine.look_for_videos()
        assert loads == []
        assert sorted(shown(engine.feed("ann"))) == ["c", "d"]
        assert engine.videos == 3
        engine.observe([event("dan", "b")])
        engine.refresh()
        feed = engine.feed("ann")
        assert sorted(shown(feed)) == ["c", "d"], "however popular it becomes"
        assert ("b", "not in the catalogue") in [(d.video_id, d.reason) for d in feed.dropped]
        assert engine.unknown_videos(["b"]) == ["b"]
        assert all(e.video_id != "b" for r in engine.feed("bob").recommendations for e in r.evidence)
        catalog.removals.lift(["b"])
        catalog.upsert([video("b", days_old=0)], {})
        assert engine.look_for_videos()
        assert loads == []
        assert sorted(shown(engine.feed("ann"))) == ["b", "c", "d"], "it has come back"
        remove_videos(workspace, ["c", "d"])
        assert engine.look_for_videos()
        assert loads == [1], "the shelf was half empty"


def test_similar_videos(workspace: Workspace, runs: PutRun) -> None:
    catalog = Catalog(workspace.catalog_dir)
    with (
        FeedEngine.open(workspace) as engine,
        pytest.raises(DataError, match=r"no model yet: .*; until then ask with modality=visual"),
    ):
        engine.similar("a", limit=3)
    runs("r1", "sound")
    catalog.links.write([Link(video_id="c", link_order=1, duplicate_of="d")])
    with FeedEngine.open(workspace) as engine:
        assert [(s.video_id, round(s.similarity, 6)) for s in engine.similar("a", limit=3)] == [("b", 0.8)]
        assert [s.video_id for s in engine.similar("c", limit=3)] == [], "d is the same, a and b are unlike"
        with pytest.raises(UnknownIdError, match="no video 'x'"):
            engine.similar("x", limit=3)
        catalog.upsert([video("e", days_old=0)], {})
        with pytest.raises(DataError, match="'e' has only just been added: ask again in a moment"):
            engine.similar("e", limit=3)
        engine.look_for_videos()
        assert [s.video_id for s in engine.similar("e", limit=1)] == ["b"]
        remove_videos(workspace, ["b"])
        engine.look_for_videos()
        assert [s.video_id for s in engine.similar("e", limit=2)] == ["a"]


def test_similar_by_one_modality(workspace: Workspace) -> None:
    catalog = Catalog(workspace.catalog_dir)
    rows = [np.array(vector, np.float32) for vector in ([1, 0], [2, 0.1], [0, 1])]
    videos = [catalog.get(video_id) for video_id in "abcd"]
    catalog.upsert(videos, {(Modality.VISUAL, "fake@1"): [*rows, None]})
    with FeedEngine.open(workspace) as engine:
        found = engine.similar("a", limit=5, modality="visual")
        assert [(s.video_id, round(s.similarity, 3)) for s in found] == [("b", 0.999)], "c is at a right angle"
        with pytest.raises(UnknownIdError, match="'d' has no visual vector"):
            engine.similar("d", limit=5, modality="visual")
        with pytest.raises(UnknownIdError, match="'a' has no audio vector"):
            engine.similar("a", limit=5, modality="audio")


def test_what_was_only_added_to_is_read_anew_in_time(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[int] = []
    load = load_stock
    monkeypatch.setattr("swipewise.feed.stock.load_stock", lambda ws, **_: (loads.append(1), load(ws))[1])
    with FeedEngine.open(workspace) as engine:
        monkeypatch.setattr("swipewise.feed.stock.RELOAD_SECONDS", -1.0)
        assert not engine.refresh()
        monkeypatch.setattr("swipewise.feed.stock.RELOAD_SECONDS", 600.0)
        Catalog(workspace.catalog_dir).upsert([video("e", days_old=0)], {})
        assert engine.refresh()
        assert loads == []
        monkeypatch.setattr("swipewise.feed.stock.RELOAD_SECONDS", -1.0)
        assert engine.refresh()
        assert not engine.refresh()
        assert loads == [1]


def test_a_broken_new_run_leaves_the_old_one_in_place(
    workspace: Workspace, runs: PutRun, caplog: pytest.LogCaptureFixture
) -> None:
    runs("r1", "sound")
    with FeedEngine.open(workspace) as engine:
        runs("r2", "broken")
        engine.refresh()
        assert engine.run == "r1"
        assert "keeping the model of run r1: the model of run r2 cannot be used" in caplog.text
        assert not engine.refresh(), "the broken run is not tried again"
        runs("r3", "sound")
        assert engine.refresh()
        assert engine.run == "r3"


def test_events_of_other_processes_count_at_once(workspace: Workspace) -> None:
    with FeedEngine.open(workspace) as engine, EventLog.open(workspace.events_dir) as other:
        other.append([event("ann", "d", "exposure")])
        assert shown(engine.feed("ann")) == ["c", "b", "a"]


def test_an_event_counts_once(workspace: Workspace) -> None:
    with FeedEngine.open(workspace) as engine:
        first = engine.observe([event("ann", "a", event_id="e1")])
        again = engine.observe([event("ann", "a", event_id="e1"), event("ann", "b", event_id="e2")])
    assert (first.added, first.duplicates) == (1, 0)
    assert (again.added, again.duplicates) == (1, 1)
    assert read_events(workspace.events_dir).collect().height == 2


def test_a_restarted_engine_knows_what_was_observed(workspace: Workspace, runs: PutRun) -> None:
    runs("r1", "sound")
    with FeedEngine.open(workspace) as engine:
        engine.observe([event("ann", "a"), event("bob", "d")])
        before = engine.feed("ann")
    with FeedEngine.open(workspace) as engine:
        after = engine.feed("ann")
    assert shown(after) == shown(before)


def test_an_event_of_a_clock_that_is_ahead_counts_at_once(workspace: Workspace, runs: PutRun) -> None:
    runs("r1", "sound")
    with FeedEngine.open(workspace) as engine:
        engine.observe([replace(event("ann", "a"), at=datetime.now(UTC) + timedelta(hours=1))])
        assert shown(engine.feed("ann")) == ["b", "c", "d"], "by likeness to a"


def test_a_near_duplicate_of_what_was_watched_counts_as_seen(workspace: Workspace) -> None:
    # b is like a, d is like b and through it of a's group; c stands alone
    seen = Fingerprint(visual=b"\x01" * 8)
    catalog = Catalog(workspace.catalog_dir)
    catalog.upsert([catalog.get(video_id) for video_id in "abcd"], {}, dict.fromkeys("abcd", seen))
    firsts = {"a": None, "b": "a", "c": None, "d": "b"}
    catalog.links.write(
        [
            Link(video_id=video_id, link_order=order, duplicate_of=first)
            for order, (video_id, first) in enumerate(firsts.items())
        ]
    )
    with FeedEngine.open(workspace) as engine:
        fresh = engine.feed("bob")
        engine.observe([event("ann", "b")])
        after = engine.feed("ann")
    assert shown(fresh) == ["d", "c"], "the newest of the group, which scores best"
    assert {d.video_id: d.reason for d in fresh.dropped} == dict.fromkeys("ab", "duplicate of a better one")
    assert shown(after) == ["c"]
    assert {d.video_id: d.reason for d in after.dropped} == {
        "b": "seen",
        "a": "duplicate of a seen one",
        "d": "duplicate of a seen one",
    }
    narrow = replace(workspace.config, feed=replace(workspace.config.feed, popular=0, fresh=1))
    with FeedEngine.open(replace(workspace, config=narrow)) as engine:
        assert shown(engine.feed("ann", size=1)) == ["c"], "the source looks past d, which counts as seen"
    off = replace(workspace.config, ingest=replace(workspace.config.ingest, duplicates=False))
    with FeedEngine.open(replace(workspace, config=off)) as engine:
        assert sorted(shown(engine.feed("bob"))) == ["a", "b", "c", "d"]


def test_threads_observe_and_read_together(workspace: Workspace, runs: PutRun) -> None:
    runs("r1", "sound")

    def visit(engine: FeedEngine, viewer: str) -> list[list[str]]:
        feeds = []
        for video_id in "abcd":
            engine.observe([event(viewer, video_id)])
            feeds.append(shown(engine.feed(viewer)))
        return feeds

    with FeedEngine.open(workspace) as engine, ThreadPoolExecutor(4) as pool:
        refreshed = [pool.submit(engine.refresh) for _ in range(3)]
        visits = list(pool.map(lambda n: visit(engine, f"v{n}"), range(8)))
        assert all(task.result() is False for task in refreshed)
    assert [[sorted(feed) for feed in feeds] for feeds in visits] == [[["b", "c", "d"], ["c", "d"], ["d"], []]] * 8


def test_what_threads_post_at_once_goes_to_the_disk_together(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [[row_of(event("ann", video_id, event_id=video_id))] for video_id in ("a", "b", "c", "a")]
    first_writes, others_wait = threading.Event(), threading.Event()
    transactions: list[int] = []
    with FeedEngine.open(workspace) as engine, ThreadPoolExecutor(4) as pool:
        append = engine._log.append_batches

        def slowly(batches: Sequence[Sequence[LiveRow]]) -> list[Appended]:
            transactions.append(len(batches))
            first_writes.set()
            assert others_wait.wait(30)
            return append(batches)

        monkeypatch.setattr(engine._log, "append_batches", slowly)
        posts = [pool.submit(engine.observe_rows, rows[0])]
        assert first_writes.wait(30)
        posts += [pool.submit(engine.observe_rows, batch) for batch in rows[1:]]
        while len(engine._append_together._queue) < 3:
            time.sleep(0.001)
        others_wait.set()
        assert [post.result(30).added for post in posts] == [1, 1, 1, 0]
        assert transactions == [1, 3]
        assert len(engine._histories.known("ann").events) == 3


def test_unknown_videos_are_named_once(workspace: Workspace) -> None:
    with FeedEngine.open(workspace) as engine:
        assert engine.unknown_videos(["gone", "a", "gone", "x"]) == ["gone", "x"]


def test_size(workspace: Workspace) -> None:
    with FeedEngine.open(workspace) as engine:
        assert len(engine.feed("ann", size=3).recommendations) == 3
        assert len(engine.feed("ann", size=100).recommendations) == 4
        with pytest.raises(ConfigError, match="a feed holds at least 1 video, not 0"):
            engine.feed("ann", size=0)


def test_the_shelf_tells_directions_and_the_index_heeds_lengths(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors_VD = np.array([[3, 4], [0, 0.5], [0, 0], [1, 0]], np.float32)
    monkeypatch.setattr("swipewise.feed.chosen.latest_run", lambda _: workspace.root)
    monkeypatch.setattr("swipewise.feed.stock.load_scorer", lambda *_: FakeScorer("abcd", vectors_VD))
    stock = load_stock(workspace)
    directions_ND, cosines_V = stock.shelf.directions(np.arange(4)), stock.shelf.cosines(3)
    assert directions_ND is not None
    assert cosines_V is not None
    np.testing.assert_allclose(directions_ND, [[0.6, 0.8], [0, 1], [0, 0], [1, 0]], rtol=1e-6)
    np.testing.assert_allclose(cosines_V, [0.6, 0, 0, 1], rtol=1e-6)
    assert stock.index is not None
    scores_BK, _ = stock.index.search(np.array([[1, 0]], np.float32), k=1)
    assert scores_BK.tolist() == [[3.0]]


def test_the_trace_covers_the_request(workspace: Workspace, runs: PutRun) -> None:
    runs("r1", "sound")
    with FeedEngine.open(workspace) as engine:
        engine.observe([event("ann", "a")])
        stages = [step.stage for step in engine.feed("ann").trace]
    assert stages[:3] == ["read the history", "encode the viewer", "source: interest"]
    assert stages[-1] == "explain"


def test_an_empty_workspace(tmp_path: Path) -> None:
    with FeedEngine.open(Workspace.create(tmp_path / "new")) as engine:
        feed = engine.feed("ann")
    assert feed.recommendations == ()
    assert feed.level is Level.POPULAR


def test_a_feed_reads_the_live_store_once(
    workspace: Workspace, runs: PutRun, monkeypatch: pytest.MonkeyPatch, live_store: str
) -> None:
    """Events, profile and controls are those of one moment."""
    runs("r1", "sound")
    reads: list[str] = []
    read = Database.read
    with FeedEngine.open(workspace) as engine:
        engine.observe([event("ann", "a")])
        engine.put_profile(Profile(viewer_id="ann", features={"favourite": 3}))
        engine.controls.put("ann", Controls(hidden=("c",)), paused=False, reset=False)
        monkeypatch.setattr(Database, "read", lambda self: (reads.append(self.name), read(self))[1])
        feed = engine.feed("ann")
    assert shown(feed) == ["b", "d"]
    assert len(reads) == 1
