"""What pages show, held against what is known of the demo's world."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import Result

from swipewise.catalog import Catalog
from swipewise.console.context import Console, Kept
from swipewise.console.data import viewers
from swipewise.console.data.behavior import platform_behavior
from swipewise.console.data.changes import TOP, TRIED, what_would_change
from swipewise.console.data.health import COUNT, activity, catalogue_health
from swipewise.console.data.interests import read_interests
from swipewise.console.data.models import findings
from swipewise.console.data.serving import FeedService, fallbacks, feed_service
from swipewise.console.data.tables import TABLES, table_named
from swipewise.console.data.videos import FUSED, find_videos, video_file
from swipewise.console.data.viewers import SHIFTS, history_of, viewer_file, viewers_seen
from swipewise.console.data.writing import kinds_of, written
from swipewise.errors import DataError, UnknownIdError
from swipewise.evaluation.transfer_report import write_transfer
from swipewise.events.answers import Answer, Answers, Place
from swipewise.events.database import Database
from swipewise.feed.engine import FeedEngine
from swipewise.feed.supposing import Supposition
from swipewise.schema import Action, Col
from swipewise.simulate.truth import Truth
from swipewise.training.beliefs import InterestShift, Theme
from swipewise.workspace import Workspace

SCRAPED = """# TYPE swipewise_requests counter
swipewise_requests_total{method="GET",route="/v1/feed",status="200"} 3.0
swipewise_requests_total{method="GET",route="/v1/feed",status="503"} 1.0
swipewise_requests_total{method="GET",route="/healthz",status="200"} 9.0
# TYPE swipewise_request_seconds histogram
swipewise_request_seconds_bucket{le="0.01",method="GET",route="/v1/feed"} 2.0
swipewise_request_seconds_bucket{le="0.02",method="GET",route="/v1/feed"} 4.0
swipewise_request_seconds_bucket{le="+Inf",method="GET",route="/v1/feed"} 4.0
"""


@pytest.fixture(scope="module")
def console(quick_demo: tuple[Path, Result]) -> Iterator[Console]:
    workspace = Workspace.open(quick_demo[0])
    records = Database(workspace.events_dir)
    with FeedEngine.open(workspace) as engine:
        yield Console.over(engine, records, root="/console", kept=Kept(600.0))
    records.close()


@pytest.fixture(scope="module")
def log(quick_demo: tuple[Path, Result]) -> pl.DataFrame:
    return pl.read_parquet(quick_demo[0] / "world" / "events.parquet")


def test_the_catalogue_and_the_log_are_counted(console: Console, log: pl.DataFrame) -> None:
    health = catalogue_health(console.catalog)
    assert health.videos == 120
    assert health.present["visual", "descriptor@1"] == 120
    assert health.uploads[COUNT].sum() == 120
    found = activity(console.workspace.events_dir)
    assert found.daily[COUNT].sum() == len(log)
    assert (len(found.minutes), found.last) == (60, log[Col.AT].max())


def test_a_video_tells_who_met_it_and_what_is_like_it(console: Console, log: pl.DataFrame) -> None:
    video_id = log[Col.VIDEO_ID].mode()[0]
    found = video_file(console, video_id)
    met = log.filter(pl.col(Col.VIDEO_ID) == video_id)
    assert set(found.viewers[Col.VIEWER_ID]) == set(met[Col.VIEWER_ID])
    assert found.first_shown_at == met[Col.AT].min()
    assert found.watched[Col.REMAINING][0] == 1.0
    assert sum(found.weights.values()) == pytest.approx(1.0)
    assert len(found.similar[FUSED]) == 8
    assert video_id not in {each.video_id for row in found.similar.values() for each in row}
    with pytest.raises(UnknownIdError, match="did you mean"):
        video_file(console, f"{video_id}x")


def test_videos_are_found_by_any_of_their_words(console: Console) -> None:
    videos = console.catalog.videos()
    assert find_videos(videos, "CLIP00010", 5)[Col.VIDEO_ID].to_list() == ["clip00010"]
    creator = videos[Col.CREATOR][0]
    assert set(find_videos(videos, creator, 50)[Col.CREATOR]) == {creator}
    assert find_videos(videos, "no such words", 5).is_empty()
    assert find_videos(videos, " ", 3)[Col.UPLOADED_AT].to_list() == videos[Col.UPLOADED_AT].top_k(3).to_list()


def test_a_viewer_tells_what_they_did_and_who_is_near(console: Console, log: pl.DataFrame) -> None:
    viewer_id = log[Col.VIEWER_ID].mode()[0]
    found = viewer_file(console, viewer_id)
    assert found.history[0].at == max(each.at for each in found.history)
    assert {each.video_id for each in found.history} == set(
        log.filter(pl.col(Col.VIEWER_ID) == viewer_id)[Col.VIDEO_ID]
    )
    assert list(found.moments) == sorted(found.moments)
    assert all(len(theme.tastes) == len(theme.pull) == len(found.moments) for theme in found.themes)
    assert [sum(weights.values()) for weights in found.weights] == [pytest.approx(1.0)] * len(found.moments)
    assert viewer_id not in found.nearest[Col.VIEWER_ID].to_list()
    assert found.nearest["likeness"].is_between(0, 1).all()
    assert viewers_seen(console.workspace.events_dir)[Col.VIEWER_ID].n_unique() == log[Col.VIEWER_ID].n_unique()


def test_shifts_of_interest_are_told_and_have_their_place_in_time(console: Console, log: pl.DataFrame) -> None:
    viewer_ids = log[Col.VIEWER_ID].unique(maintain_order=True).sort().to_list()
    viewer_id = next(each for each in viewer_ids if console.engine.standing(each, shifts=True).shifts)
    assert console.engine.standing(viewer_id).shifts == (), "they are not asked for"
    found = viewer_file(console, viewer_id)
    for shift in found.shifts[:SHIFTS]:
        assert shift.at in found.moments
        assert shift.at <= shift.noticed_at
        since = [each for each in found.history if shift.at <= each.at <= shift.noticed_at]
        assert 1 <= shift.interactions == len(since) <= 5
        assert 0.3 < shift.chance < 1
        assert shift.left["videos"]
        assert shift.joined["videos"]
        assert shift.left["videos"] != shift.joined["videos"]


def test_a_shift_stands_at_the_very_interaction_with_which_the_viewer_came_back(
    console: Console, log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model counts in milliseconds, events in microseconds."""
    viewer_id = log[Col.VIEWER_ID].mode()[0]
    history = [
        replace(each, at=each.at.replace(microsecond=each.at.microsecond // 1000 * 1000 + 456))
        for each in history_of(console, viewer_id)
    ]
    opening = history[3].at
    theme = Theme(modality="text", videos=())
    shift = InterestShift(
        at=opening.replace(microsecond=opening.microsecond // 1000 * 1000),
        noticed_at=opening,
        interactions=1,
        chance=0.5,
        left=theme,
        joined=theme,
    )
    standing = replace(console.engine.standing(viewer_id), shifts=(shift,))
    monkeypatch.setattr(FeedEngine, "standing", lambda *_, **__: standing)
    monkeypatch.setattr(viewers, "history_of", lambda *_: history)
    found = viewer_file(console, viewer_id)
    assert found.shifts[0].at == opening
    assert list(found.moments) == sorted({*found.moments, opening})
    assert set(found.moments) <= {each.at for each in history}


def test_of_nobody_nothing_is_told(console: Console) -> None:
    found = viewer_file(console, "nobody")
    assert (found.profile, found.history, found.themes, found.shifts) == ({}, [], [], [])
    assert found.nearest.is_empty()


def test_what_is_believed_of_a_viewer_heeds_only_what_was_done_by_then(
    console: Console, log: pl.DataFrame
) -> None:
    viewer_id = log[Col.VIEWER_ID].mode()[0]
    times = log.filter(pl.col(Col.VIEWER_ID) == viewer_id)[Col.AT].unique().sort()
    early = console.engine.standing(viewer_id, now=times[0])
    assert early.interactions < console.engine.standing(viewer_id).interactions


def test_what_would_change_a_feed(console: Console, log: pl.DataFrame) -> None:
    # Whoever did the most has met nearly all of the demo's clips.
    counts = log[Col.VIEWER_ID].value_counts(sort=True)
    viewer_id = counts[Col.VIEWER_ID][len(counts) // 2]
    history = history_of(console, viewer_id)
    found = what_would_change(console.engine, viewer_id, history)
    assert found.note is None
    assert len(found.top) == TOP
    met = {each.video_id for each in history}
    assert len(found.watched) == TRIED
    assert {each.video_id for each in found.watched} <= met
    assert {each.video_id for each in found.next} == {found.top[0]}
    assert any(each.joins for each in found.weights), "a modality that is heeded matters"
    for each in (*found.watched, *found.next, *found.weights):
        assert len(each.joins) == len(each.leaves)
        assert not set(each.joins) & met, "what was met does not come again"
        assert each.moved <= TOP - len(each.joins)
    joined = [len(each.joins) for each in found.watched]
    assert joined == sorted(joined, reverse=True)
    assert history_of(console, viewer_id) == history, "nothing was written"


def test_what_would_change_the_feed_of_somebody_new(console: Console) -> None:
    found = what_would_change(console.engine, "somebody new", [])
    assert (found.watched, found.weights) == ([], [])
    assert any(each.joins for each in found.next), "the first like decides"


def test_three_likes_of_any_visual_theme_raise_its_share(
    console: Console, quick_demo: tuple[Path, Result]
) -> None:
    """Three clips drawn from each theme, liked by somebody new, against the same three shown and left alone."""
    world = Truth.load(quick_demo[0] / "world").world
    theme_of = dict(zip(world.video_ids, world.theme_VM[:, 0].tolist(), strict=True))
    rng, liked = np.random.default_rng(0), (1.0, frozenset({Action.LIKE, Action.FINISH}))
    before, after = {}, {}
    for theme in set(theme_of.values()) - {-1}:
        mine = [video for video, its in theme_of.items() if its == theme]
        asked: list[Supposition] = []
        for _ in range(4):
            three = rng.choice(mine, 3, replace=False).tolist()
            asked += [Supposition(shown=frozenset(three)), Supposition(done=dict.fromkeys(three, liked))]
        feeds = console.engine.supposed("somebody new", asked, size=10)
        counts = [sum(theme_of[each.video_id] == theme for each in feed.recommendations) for feed in feeds]
        before[theme], after[theme] = sum(counts[::2]), sum(counts[1::2])
    rose = [theme for theme in before if after[theme] > before[theme]]
    # A theme of the quick demo has as few as nine clips, of which six are left, and its model is hardly trained.
    assert len(rose) >= len(before) - 2, (before, after)
    assert sum(after.values()) > 2 * sum(before.values())


def test_what_feeds_leaned_on(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "shop")
    now = datetime(2026, 1, 2, 12, 0, 30, tzinfo=UTC)
    assert fallbacks(workspace.events_dir, now).levels.is_empty()
    database = Database(workspace.events_dir)
    place = Place(video_id="a", position=0, source="popular", score=1.0, propensity=1.0)
    answered = [(0, "popular"), (0, "model"), (3, "model"), (24 * 60 + 1, "model")]
    Answers(database).put(
        [
            Answer(
                request_id=str(number),
                viewer_id="ann",
                at=now - timedelta(minutes=minutes),
                level=level,
                policy=None,
                places=(place,),
            )
            for number, (minutes, level) in enumerate(answered)
        ]
    )
    database.close()
    found = fallbacks(workspace.events_dir, now)
    assert found.every == timedelta(minutes=1)
    counts = found.levels.pivot(Col.LEVEL, index=Col.AT, values=Col.FEEDS)
    assert counts["model"].to_list() == [1, 0, 0, 1], "of the last day, also where there was none"
    assert counts["popular"].to_list() == [0, 0, 0, 1]
    assert found.sources.rows() == [("popular", 4)]


def test_behavior_of_the_platform(console: Console, log: pl.DataFrame) -> None:
    found = platform_behavior(console.workspace, console.catalog)
    steps = dict(found.funnel.select(Col.STEP, Col.INTERACTIONS).rows())
    assert steps["exposure"] == (log["action"] == "exposure").sum()
    assert found.retention[Col.SHARE].max() == 1.0
    assert found.watched[Col.REMAINING][0] == pytest.approx(1.0)


def test_models_and_their_report(console: Console) -> None:
    found = findings(console.workspace)
    assert found.evaluation is not None
    run = next(each for each in found.runs if each.model.run == found.evaluation["run"]["id"])
    assert run.sizes["videos"] == 120
    assert run.learning
    assert found.transfers == []


def test_transfers_are_read_the_latest_first(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "shop")
    for run in ("first", "second"):
        write_transfer({"source": {"run": run}}, workspace.report_dir)
    assert [report["source"]["run"] for report in findings(workspace).transfers] == ["second", "first"]
    (workspace.report_dir / "transfers" / "second.json").write_text("half")
    assert [report["source"]["run"] for report in findings(workspace).transfers] == ["first"]


@pytest.mark.parametrize("name", [name for name in TABLES if name not in ("ablations", "audit")])
def test_every_table_can_be_taken_in_each_of_its_forms(console: Console, name: str, log: pl.DataFrame) -> None:
    taken = table_named(name)
    # Who did most has seen it all, and there is nothing left to compare.
    viewers = log[Col.VIEWER_ID].value_counts(sort=True)[Col.VIEWER_ID]
    ids = {"viewer": viewers[len(viewers) // 2], "video": log[Col.VIDEO_ID].mode()[0], "part": "modality:visual"}
    frame = taken.read(console, ids.get(taken.of, ""))
    for kind in kinds_of(taken):
        content = written(taken, frame, kind)
        if kind == "parquet":
            assert pl.read_parquet(io.BytesIO(content)).equals(frame)
        elif kind == "csv":
            assert content.decode().splitlines()[0].split(",") == frame.columns
        else:
            assert content.startswith(b"\x89PNG")


def test_what_is_stated_of_a_viewer_is_taken(console: Console) -> None:
    viewer = next(each for each in viewers_seen(console.workspace.events_dir)[Col.VIEWER_ID])
    stated = console.engine.profile(viewer)
    assert stated is not None
    found = table_named("viewer-profile").read(console, viewer)
    assert dict(found.rows()) == {name: str(value) for name, value in stated.features.items()}
    assert table_named("viewer-profile").read(console, "nobody").is_empty()


def test_near_duplicates_are_taken_with_the_first_of_them(console: Console) -> None:
    class Copied(Catalog):
        """What is there, the last two videos as copies of the first."""

        def videos(self, *arguments: Any, **named: Any) -> pl.DataFrame:
            found = super().videos(*arguments, **named).sort(Col.VIDEO_ID)
            first = found[Col.VIDEO_ID][0]
            copied = pl.int_range(pl.len()) >= pl.len() - 2
            return found.with_columns(pl.when(copied).then(pl.lit(first)).alias(Col.DUPLICATE_OF))

    copied = replace(console, catalog=Copied(console.workspace.catalog_dir))
    ids = sorted(console.catalog.videos()[Col.VIDEO_ID])
    found = table_named("near-duplicates").read(copied, "")
    assert found.columns == [Col.VIDEO_ID, Col.DUPLICATE_OF]
    assert found.rows() == [(ids[-2], ids[0]), (ids[-1], ids[0])]


def test_what_feeds_took_is_taken(console: Console) -> None:
    found = table_named("feed-latencies").read(replace(console, scrape=SCRAPED.encode), "")
    assert found[Col.SHARE].to_list() == [0.5, 0.95, 0.99]
    assert found[Col.SECONDS].to_list() == pytest.approx([0.01, 0.019, 0.0198])


def test_ablations_are_taken_with_the_whole_model_first(console: Console, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is nothing of it yet: run 'swipewise ablate'"):
        table_named("ablations").read(console, "")
    workspace = Workspace.create(tmp_path / "shop")
    whole, less = ({"value": value, "low": value - 0.1, "high": value + 0.1} for value in (0.5, 0.25))
    change = {"ndcg@10": {"value": less, "change": {"value": -0.25, "low": -0.3, "high": -0.2}, "p_holm": 0.01}}
    report = {
        "segments": {"all": {"full": {"ndcg@10": whole}}},
        "variants": [{"title": "without sound", "changes": {"all": change}}],
    }
    (workspace.root / "ablations").mkdir()
    (workspace.root / "ablations" / "report.json").write_text(json.dumps(report))
    found = table_named("ablations").read(replace(console, workspace=workspace), "")
    assert found.select("trained", "value", "change", "p").rows() == [
        ("the whole model", 0.5, None, None),
        ("without sound", 0.25, -0.25, 0.01),
    ]


def test_the_findings_of_an_audit_are_taken(console: Console, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is nothing of it yet: run 'swipewise audit'"):
        table_named("audit").read(console, "")
    workspace = Workspace.create(tmp_path / "shop")
    finding = {"check": "order", "title": "Order counts", "verdict": "warn", "text": "It does not.", "mend": None}
    workspace.report_dir.mkdir()
    (workspace.report_dir / "audit.json").write_text(json.dumps({"run": "r", "findings": [finding | {"more": 1}]}))
    assert table_named("audit").read(replace(console, workspace=workspace), "").to_dicts() == [finding]


def test_what_cannot_be_taken_says_what_can() -> None:
    with pytest.raises(UnknownIdError, match="no table 'x': there are videos"):
        table_named("x")
    with pytest.raises(DataError, match="Videos as 'png': it can be had as csv, parquet"):
        written(TABLES["videos"], pl.DataFrame(), "png")


def test_the_servers_metrics_are_read() -> None:
    assert feed_service("") == FeedService()
    found = feed_service(SCRAPED)
    assert (found.feeds, found.failed) == (4, 1)
    assert found.seconds[0.5] == pytest.approx(0.01)
    assert found.seconds[0.95] == pytest.approx(0.019)


def test_what_takes_long_is_kept_longer() -> None:
    now, calls = [0.0], []

    def find() -> int:
        calls.append(now[0])
        now[0] += 5.0
        return len(calls)

    kept = Kept(20.0, lambda: now[0])
    assert (kept.get("a", find), kept.get("a", find)) == (1, 1)
    now[0] = 54.0
    assert kept.get("a", find) == 1
    now[0] = 55.0
    assert kept.get("a", find) == 2


def test_the_map_shows_everybody_in_bounds_and_a_sample_where_there_are_many(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = console.kept.get(
        ("interests", console.engine.run), lambda: read_interests(console.workspace, console.engine.run)
    )
    assert set(found.places.filter(pl.col(Col.KIND) == "video")[Col.ID]) == set(
        console.catalog.videos()[Col.VIDEO_ID]
    )
    assert found.places.select(Col.X, Col.Y).to_numpy().__abs__().max() <= 1.0
    assert len(found.shown()) == len(found.places)
    monkeypatch.setattr("swipewise.console.data.interests.SHOWN", 10)
    assert found.shown()[Col.KIND].value_counts()[COUNT].to_list() == [10, 10]
    assert found.shown().equals(found.shown())
