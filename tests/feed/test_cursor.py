"""A session never meets a video twice, whatever happens between its pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swipewise.catalog import Catalog
from swipewise.errors import DataError
from swipewise.feed.cursor import LONGEST, MOST_SHOWN, Cursor
from swipewise.feed.engine import FeedEngine
from swipewise.feed.requests import Request
from swipewise.schema import Action, Event
from swipewise.workspace import Workspace
from tests.feed.conftest import video
from tests.feed.fakes import FakeScorer, shelf

PutRun = Callable[[str, str], None]


@given(st.text(max_size=20), st.lists(st.text(min_size=1, max_size=20), max_size=50))
def test_what_was_shown_travels_with_it(viewer_id: str, video_ids: list[str]) -> None:
    cursor = Cursor(viewer_id=viewer_id).after(video_ids[:3]).after(video_ids[3:])
    assert cursor.text is not None
    assert Cursor.parse(cursor.text, viewer_id) == cursor
    stock = shelf(dict.fromkeys(["other", *video_ids], 1.0))
    assert stock.marked(cursor.shown) == set(video_ids)


def test_a_session_ends_where_a_cursor_would_grow_too_long() -> None:
    full = Cursor(viewer_id="ann").after([str(number) for number in range(MOST_SHOWN)])
    assert full.text is not None
    assert len(full.text) <= LONGEST < 6000
    assert full.after(["one more"]).text is None


@pytest.mark.parametrize("text", ["", "x", "{}", "a b", "AAAA" * 9, "ä", "A" * 13])
def test_what_is_no_cursor_is_named(text: str) -> None:
    with pytest.raises(DataError, match=r"^cursor .* is damaged"):
        Cursor.parse(text, "ann")


def test_a_damaged_one_and_one_of_somebody_else() -> None:
    text = Cursor(viewer_id="ann").after(["a", "b"]).text or ""
    for place in range(len(text)):
        other = "A" if text[place] != "A" else "Q"
        with pytest.raises(DataError, match=r"is damaged|another viewer"):
            Cursor.parse(text[:place] + other + text[place + 1 :], "ann")
    with pytest.raises(DataError, match="is damaged"):
        Cursor.parse(text[:-6], "ann")
    with pytest.raises(DataError, match="that of another viewer, not of 'bob'"):
        Cursor.parse(text, "bob")


STEPS = st.lists(st.sampled_from(["page", "page", "like", "add", "model", "remove", "count"]), max_size=12)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, limit=st.integers(1, 4), share=st.sampled_from([0.0, 0.5]))
def test_no_video_comes_twice_in_a_session(
    tmp_path_factory: pytest.TempPathFactory,
    runs: PutRun,
    monkeypatch: pytest.MonkeyPatch,
    steps: list[str],
    limit: int,
    share: float,
) -> None:
    """Also where videos join and leave, the model changes, and what was shown is liked or not."""
    made = Workspace.create(tmp_path_factory.mktemp("shop") / "shop")
    workspace = replace(made, config=replace(made.config, feed=replace(made.config.feed, explore=share)))
    catalog = Catalog(workspace.catalog_dir)
    catalog.upsert([video(f"v{number}", days_old=number) for number in range(6)], {})
    models = iter(range(100))
    monkeypatch.setattr("swipewise.feed.stock.load_scorer", lambda *_: _scorer(catalog, next(models)))
    shown: list[str] = []
    cursor, added = None, 6
    with FeedEngine.open(workspace) as engine:
        for number, step in enumerate([*steps, "page", "page"]):
            if step == "page":
                feed = engine.feed("ann", size=limit, request=Request(cursor=cursor))
                assert [each.position for each in feed.recommendations] == list(
                    range(len(shown), len(shown) + len(feed.recommendations))
                )
                shown += [each.video_id for each in feed.recommendations]
                cursor = feed.cursor
            elif step == "like":
                liked = shown[-1] if shown else "v0"
                at = datetime.now(UTC)
                event_id = f"e{number}"
                engine.observe(
                    [Event(event_id=event_id, viewer_id="ann", video_id=liked, action=Action.LIKE, at=at)]
                )
            elif step == "add":
                catalog.upsert([video(f"v{added}", days_old=0)], {})
                added += 1
                engine.look_for_videos()
            elif step == "model":
                folder = workspace.runs_dir / f"r{number}"
                folder.mkdir(parents=True)
                monkeypatch.setattr("swipewise.feed.chosen.latest_run", lambda _, folder=folder: folder)
                engine.look_for_videos()
            elif step == "remove":
                catalog.delete([f"v{number % added}"])
                engine.look_for_videos()
            else:
                engine.refresh()
    monkeypatch.undo()
    assert len(shown) == len(set(shown))


def _scorer(catalog: Catalog, seed: int) -> FakeScorer:
    video_ids = catalog.videos()["video_id"].to_list()
    vectors_VD = np.random.default_rng(seed).normal(size=(len(video_ids), 2)).astype(np.float32)
    return FakeScorer(video_ids, vectors_VD)


def test_pages_go_on_until_everything_was_shown(workspace: Workspace, runs: PutRun) -> None:
    runs("r1", "sound")
    with FeedEngine.open(workspace) as engine:
        engine.observe(
            [Event(event_id="1", viewer_id="ann", video_id="a", action=Action.LIKE, at=datetime.now(UTC))]
        )
        first = engine.feed("ann", size=2)
        second = engine.feed("ann", size=2, request=Request(cursor=first.cursor))
        third = engine.feed("ann", size=2, request=Request(cursor=second.cursor))
        again = engine.feed("ann", size=2)
    pages = [[each.video_id for each in feed.recommendations] for feed in (first, second, third, again)]
    assert pages == [["b", "c"], ["d"], [], ["b", "c"]], "without a cursor a session begins anew"
    assert {each.reason for each in second.dropped} == {"seen", "shown in this session"}
