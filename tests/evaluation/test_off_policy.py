"""What other policies would have achieved, where the truth is known because it was planted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from swipewise.catalog import Catalog
from swipewise.errors import DataError
from swipewise.evaluation.off_policy import (
    METRICS,
    as_places,
    drawn_places,
    greedy_policy,
    off_policy_value,
    softmax_policy,
    uniform_policy,
    with_rewards,
)
from swipewise.events import EventLog
from swipewise.events.answers import ANSWER_SCHEMA, Answer, Answers, Place
from swipewise.events.database import Database
from swipewise.feed.exploration import draw, softmax
from swipewise.schema import Action, Event, Video
from swipewise.workspace import Workspace

NOW = datetime(2026, 3, 2, tzinfo=UTC)
SCORES = np.array([1.0, 0.0, -1.0, 0.5])
LIKED = np.array([0.1, 0.6, 0.3, 0.2])
"""The chance that each video is liked: not as the scores would have it."""


WORLDS = 20


@cache
def world(temperature: float, requests: int, *, seed: int = 0) -> pl.DataFrame:
    """Places drawn one a request for some viewers, and whether what was drawn was liked."""
    generator = np.random.default_rng(seed)
    rows = []
    for number in range(requests):
        ((row, propensity),) = draw(SCORES, 1, temperature, generator)
        rows.append(
            {
                "request_id": f"r{number}",
                "viewer_id": f"u{number % 200}",
                "video_id": f"v{row}",
                "propensity": propensity,
                "pool": [f"v{each}" for each in range(4)],
                "score": SCORES.tolist(),
                "met": True,
                "reward": float(generator.random() < LIKED[row]),
            }
        )
    return pl.DataFrame(rows)


@pytest.mark.parametrize(
    ("policy", "truth"),
    [
        (softmax_policy(1.0), float(softmax(SCORES, 1.0) @ LIKED)),
        (softmax_policy(0.5), float(softmax(SCORES, 0.5) @ LIKED)),
        (uniform_policy, float(LIKED.mean())),
        (greedy_policy, 0.1),
        (lambda scores_N: np.eye(4)[1], 0.6),
    ],
)
def test_estimates_cover_the_planted_truth(policy: object, truth: float) -> None:
    """Over twenty worlds: the estimates are right on average, and their intervals about as often as they say."""
    found = [off_policy_value(world(1.0, 1000, seed=seed), policy) for seed in range(WORLDS)]  # type: ignore[arg-type]
    for estimates in ([each.ips for each in found], [each.snips for each in found]):
        values = np.array([each.value for each in estimates])
        assert values.mean() == pytest.approx(truth, abs=4 * values.std(ddof=1) / WORLDS**0.5)
        assert values.mean() == pytest.approx(truth, abs=0.04)
        assert sum(each.low < truth < each.high for each in estimates) >= 16
    assert {each.places for each in found} == {1000}
    assert all(0 < each.effective <= 1000.0001 for each in found)


def test_under_its_own_policy_everything_weighs_1() -> None:
    places = world(0.8, 500)
    found = off_policy_value(places, softmax_policy(0.8))
    assert found.effective == pytest.approx(500)
    assert found.ips.value == pytest.approx(places["reward"].mean())
    assert found.ips == found.snips


def test_by_hand() -> None:
    """Two places, p = 1/4 and 3/4: uniform weighs 2 and 2/3."""
    places = pl.DataFrame(
        {
            "request_id": ["r1", "r2"],
            "viewer_id": ["ann", "bob"],
            "video_id": ["a", "b"],
            "propensity": [0.25, 0.75],
            "pool": [["a", "b"], ["a", "b"]],
            "score": [[0.0, np.log(3)], [0.0, np.log(3)]],
            "met": [True, False],
            "reward": [1.0, 0.0],
        }
    )
    found = off_policy_value(places, uniform_policy)
    assert found.ips.value == pytest.approx((2 * 1 + 2 / 3 * 0) / 2)
    assert found.snips.value == pytest.approx(2 / (2 + 2 / 3))
    assert found.effective == pytest.approx((2 + 2 / 3) ** 2 / (2**2 + (2 / 3) ** 2))
    assert off_policy_value(places, uniform_policy, met_only=True).ips.value == pytest.approx(2)


def test_without_places_there_is_nothing_to_tell() -> None:
    empty = with_rewards(as_places(pl.DataFrame(schema=ANSWER_SCHEMA)), _outcomes([]))
    with pytest.raises(DataError, match=r"no drawn place to tell from: keep feed\.explore"):
        off_policy_value(empty, uniform_policy)


def _outcomes(rows: list[tuple[str, str, datetime, float]]) -> pl.DataFrame:
    schema = {"viewer_id": pl.String, "video_id": pl.String, "at": pl.Datetime("us", "UTC"), "reward": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _place(video_id: str, position: int, source: str, propensity: float = 0.5) -> Place:
    return Place(video_id=video_id, position=position, source=source, score=0.0, propensity=propensity)


def _answer(request_id: str, at: datetime, *places: Place) -> Answer:
    return Answer(
        request_id=request_id,
        viewer_id="ann",
        at=at,
        level="model",
        policy="softmax@1 temperature=1",
        places=places,
        pool=(("a", 0.0), ("b", 1.0), ("c", 2.0)),
    )


@pytest.fixture
def shop(tmp_path: Path) -> Workspace:
    """Two answers to ann, an hour apart, and what she did."""
    made = Workspace.create(tmp_path / "shop")
    videos = [Video(video_id=v, uri=v, content_hash=v, duration_seconds=10.0) for v in "abcx"]
    Catalog(made.catalog_dir).upsert(videos, {})
    later = NOW + timedelta(hours=1)
    database = Database(made.events_dir)
    Answers(database).put(
        [
            _answer(
                "r1", NOW, _place("x", 0, "interest", 1.0), _place("b", 1, "explore"), _place("a", 2, "explore")
            ),
            _answer("r2", later, _place("b", 0, "explore"), _place("c", 1, "explore")),
        ]
    )
    database.close()
    did = [
        ("a", "view", NOW + timedelta(minutes=1), 9.0),
        ("b", "view", later + timedelta(minutes=1), 1.0),
        ("b", "like", later + timedelta(minutes=2), None),
        ("c", "view", NOW - timedelta(minutes=1), 9.0),
        ("c", "like", NOW + timedelta(days=3), None),
    ]
    with EventLog.open(made.events_dir) as log:
        log.append(
            [
                Event(
                    event_id=str(number),
                    viewer_id="ann",
                    video_id=video_id,
                    action=Action(action),
                    at=at,
                    watch_seconds=watched,
                )
                for number, (video_id, action, at, watched) in enumerate(did)
            ]
        )
    return made


def test_logged_places_are_joined_with_what_became_of_them(shop: Workspace) -> None:
    found = drawn_places(shop)
    columns = ["request_id", "video_id", "position", "pool", "met", "reward"]
    assert found.select(columns).rows() == [
        ("r1", "b", 1, ["a", "b", "c"], False, 0.0),  # what ann did with it came after the second answer
        ("r1", "a", 2, ["a", "c"], True, 1.0),
        ("r2", "b", 0, ["a", "b", "c"], True, 0.0),  # a tenth of it was watched
        ("r2", "c", 1, ["a", "c"], False, 0.0),  # before and days after it was shown
    ]
    assert drawn_places(shop, metric="like")["reward"].to_list() == [0.0, 0.0, 1.0, 0.0]
    assert drawn_places(shop, metric="like", horizon=timedelta(days=9))["reward"].to_list()[-1] == 0.0, (
        "the like belongs to the interaction that began before"
    )
    with pytest.raises(DataError, match=f"metric 'likes' is not known: valid are {', '.join(METRICS)}"):
        drawn_places(shop, metric="likes")
