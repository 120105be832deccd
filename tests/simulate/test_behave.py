"""What viewers do follows from what is planted, and the log is one that could have been recorded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from swipewise.schema import Col
from swipewise.simulate.behave import behave
from swipewise.simulate.world import DAY_MS, World, WorldConfig, draw_world

CONFIG = WorldConfig(videos=300, viewers=200, seed=1)


def lengths(world: World) -> NDArray[np.float64]:
    return np.random.default_rng(9).uniform(2, 6, len(world.theme_VM))


def played(world: World) -> pl.DataFrame:
    """The log with rows of the world instead of ids, and milliseconds instead of times."""
    return behave(world, lengths(world)).with_columns(
        pl.col(Col.AT).dt.epoch("ms"),
        viewer=pl.col(Col.VIEWER_ID).str.slice(len("viewer")).cast(pl.Int64),
        video=pl.col(Col.VIDEO_ID).str.slice(len("clip")).cast(pl.Int64),
    )


def exposed(world: World, log: pl.DataFrame) -> pl.DataFrame:
    """A row an exposure: when, where, what it was truly worth and what came of it."""
    watched = log.filter(pl.col(Col.ACTION) == "view").select("viewer", "video", watched=Col.WATCH_SECONDS)
    done = log.group_by("viewer", "video").agg(actions=Col.ACTION)
    shown = log.filter(pl.col(Col.ACTION) == "exposure").drop(Col.WATCH_SECONDS)
    for facts in (watched, done):
        shown = shown.join(facts, on=["viewer", "video"], maintain_order="left")
    viewers, videos = shown["viewer"].to_numpy(), shown["video"].to_numpy()
    utility = world.utility(viewers, shown[Col.AT].to_numpy())[np.arange(len(shown)), videos]
    ratio = shown["watched"].to_numpy() / lengths(world)[videos]
    return shown.with_columns(pl.Series("utility", utility), pl.Series("ratio", ratio))


@pytest.fixture(scope="module")
def world() -> World:
    return draw_world(CONFIG)


@pytest.fixture(scope="module")
def log(world: World) -> pl.DataFrame:
    return played(world)


@pytest.fixture(scope="module")
def exposures(world: World, log: pl.DataFrame) -> pl.DataFrame:
    return exposed(world, log)


def has(action: str) -> pl.Expr:
    return pl.col("actions").list.contains(action)


def share(exposures: pl.DataFrame, action: str) -> float:
    return float(exposures.select(has(action).mean()).item())


def test_the_same_world_gives_the_same_log_and_another_seed_another(world: World, log: pl.DataFrame) -> None:
    assert played(world).equals(log)
    other = played(draw_world(replace(CONFIG, seed=2)))
    assert not set(other[Col.EVENT_ID]) & set(log[Col.EVENT_ID])


def test_event_ids_are_unique(log: pl.DataFrame) -> None:
    assert log[Col.EVENT_ID].n_unique() == len(log)


def test_a_viewer_does_one_thing_after_the_other(log: pl.DataFrame) -> None:
    backwards = log.filter(pl.col(Col.AT) < pl.col(Col.AT).shift().over("viewer"))
    assert backwards.is_empty()
    ends = log.filter(pl.col(Col.ACTION) != "exposure").group_by("viewer", "video").agg(end=pl.col(Col.AT).max())
    shown = log.filter(pl.col(Col.ACTION) == "exposure")
    shown = shown.join(ends, on=["viewer", "video"], maintain_order="left")
    assert shown.filter(pl.col(Col.AT) < pl.col("end").shift().over("viewer")).is_empty()


def test_a_viewer_who_would_start_a_session_amid_another_starts_it_afterwards() -> None:
    busy = draw_world(WorldConfig(videos=300, viewers=3, days=2, sessions=200.0, seed=4))
    log = played(busy)
    assert log.filter(pl.col(Col.AT) < pl.col(Col.AT).shift().over("viewer")).is_empty()


def test_nobody_sees_a_video_twice_or_before_its_upload_or_before_joining(
    world: World, exposures: pl.DataFrame
) -> None:
    assert exposures.select("viewer", "video").is_unique().all()
    at, end = exposures[Col.AT].to_numpy(), CONFIG.start_ms + CONFIG.days * DAY_MS
    assert (at >= world.uploaded_at_V[exposures["video"]]).all()
    assert (at >= world.joined_at_U[exposures["viewer"]]).all()
    assert (at < end + DAY_MS).all()
    assert exposures["viewer"].n_unique() == CONFIG.viewers


def test_watch_times_lie_within_the_video_and_belong_to_views_alone(
    log: pl.DataFrame, exposures: pl.DataFrame
) -> None:
    # Times are in hundredths of a second.
    assert exposures.filter((pl.col("watched") <= 0) | (pl.col("ratio") > 1 + 0.005 / 2)).is_empty()
    views = pl.col(Col.ACTION) == "view"
    assert log.filter(views == pl.col(Col.WATCH_SECONDS).is_null()).is_empty()
    assert log.filter((pl.col(Col.ACTION) == "exposure") == pl.col(Col.POSITION).is_null()).is_empty()


def test_what_is_worth_more_is_watched_longer_and_liked_more(exposures: pl.DataFrame) -> None:
    utility = exposures["utility"]
    assert spearmanr(utility, exposures["ratio"]).statistic > 0.6
    better, worse = exposures.filter(utility > utility.median()), exposures.filter(utility <= utility.median())
    for action in ("like", "comment", "share", "follow", "finish"):
        assert share(better, action) > 2 * share(worse, action)
        assert share(better, action) > 0
    assert share(worse, "skip") > 2 * share(better, "skip")


def test_a_video_is_finished_when_nearly_all_was_watched_and_a_skipped_one_never_liked(
    exposures: pl.DataFrame,
) -> None:
    # Ratios are of times rounded to hundredths of a second: leave room for that at the two thresholds.
    room = 0.005 / 2
    assert exposures.filter(has("finish") & (pl.col("ratio") < 0.97 - room)).is_empty()
    assert exposures.filter(~has("finish") & (pl.col("ratio") >= 0.97 + room)).is_empty()
    skipped = exposures.filter(has("skip"))
    assert skipped["ratio"].max() < 0.12 + room  # type: ignore[operator]
    assert set(skipped["actions"].explode()) == {"exposure", "view", "skip"}


def test_interest_wanes_down_the_session(exposures: pl.DataFrame) -> None:
    # What a video is worth is taken out first: the platform shows the best first.
    slope, level = np.polyfit(exposures["utility"], exposures["ratio"], 1)
    rest = exposures["ratio"] - slope * exposures["utility"] - level
    assert spearmanr(exposures[Col.POSITION], rest).statistic < -0.05
    assert set(exposures.group_by("viewer", maintain_order=True).first()[Col.POSITION]) == {0}


def choices(world: World, **settings: Any) -> pl.DataFrame:
    changed = replace(world, config=replace(world.config, **settings))
    return exposed(changed, played(changed))


def test_the_platform_shows_what_a_viewer_likes_as_far_as_it_does_not_explore(world: World) -> None:
    targeted, half, evenly = (choices(world, exploration=part)["utility"].mean() for part in (0.0, 0.5, 1.0))
    assert targeted > half > evenly  # type: ignore[operator]
    # Drawn evenly, half of what is shown is as good as it is targeted, and half is not.
    assert half == pytest.approx((targeted + evenly) / 2, abs=0.1)  # type: ignore[operator]
    assert evenly == pytest.approx(choices(world, targeting=0.0, herding=0.0)["utility"].mean(), abs=0.1)


def test_herding_gathers_the_exposures_on_what_was_liked(world: World) -> None:
    def share_of_the_most_shown(herding: float) -> float:
        shown = choices(world, herding=herding, targeting=0.0)
        counts = np.bincount(shown["video"], minlength=CONFIG.videos)
        return float(np.sort(counts)[-30:].sum() / counts.sum())

    assert share_of_the_most_shown(2.0) > 1.5 * share_of_the_most_shown(0.0)


def test_at_the_end_some_viewers_and_videos_are_still_cold(world: World, exposures: pl.DataFrame) -> None:
    per_viewer = np.bincount(exposures["viewer"], minlength=CONFIG.viewers)
    assert 0 < (per_viewer < 5).sum() < CONFIG.viewers / 4
    late = exposures.filter(pl.col(Col.AT) >= exposures[Col.AT].quantile(0.85))
    early = exposures.filter(pl.col(Col.AT) < exposures[Col.AT].quantile(0.85))
    new = set(late["video"]) - set(early["video"])
    assert len(new) >= 10
    assert (world.uploaded_at_V[list(new)] > CONFIG.start_ms + CONFIG.days * DAY_MS / 2).mean() > 0.9


def test_a_world_with_fewer_videos_than_a_session_shows_each_once() -> None:
    tiny = draw_world(WorldConfig(videos=3, viewers=4, seed=0))
    assert exposed(tiny, played(tiny)).group_by("viewer").len()["len"].max() <= 3  # type: ignore[operator]
