"""What another policy of exploration would have achieved, told from what was logged under this one.

At its drawn places a feed logs what it drew from and with which probability p. Had another policy drawn the same video
with probability π, its mean reward is estimated by inverse propensity scores: the mean of π / p · r (IPS), which is
unbiased, and Σ π / p · r over Σ π / p (self-normalised, SNIPS), which varies less. Both need p > 0 wherever π > 0, as
holds for a softmax.

Legend of shape suffixes: N = videos of a pool, P = drawn places, B = viewers, S = resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from swipewise.errors import DataError
from swipewise.evaluation.intervals import Estimate, bootstrap, estimate
from swipewise.events import fold, read_events
from swipewise.events.answers import read_answers
from swipewise.events.history import History
from swipewise.feed.exploration import EXPLORE, softmax
from swipewise.schema import Action, Col
from swipewise.workspace import Workspace

REWARD: Final = "reward"
MET: Final = "met"
HORIZON: Final = timedelta(days=1)
"""Between an answer and what the viewer did with its videos."""
METRICS: Final = (
    "long_view",
    *map(str, (Action.FINISH, Action.LIKE, Action.COMMENT, Action.SHARE, Action.FOLLOW)),
)

Policy = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""The scores (N,) of a pool -> the probability (N,) of each of its videos to be drawn."""

_FRAME: Final[dict[str, Any]] = {
    Col.REQUEST_ID: pl.String,
    Col.VIEWER_ID: pl.String,
    Col.AT: pl.Datetime("us", "UTC"),
    Col.POLICY: pl.String,
    Col.POSITION: pl.Int64,
    Col.VIDEO_ID: pl.String,
    Col.PROPENSITY: pl.Float64,
    Col.POOL: pl.List(pl.String),
    Col.SCORE: pl.List(pl.Float64),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OffPolicy:
    """What a policy would have achieved.

    places: how many drawn places it is told from. effective: how many of these would tell as much if all weighed alike.
    ips, snips: the mean reward of a place, with an interval over viewers.
    """

    places: int
    effective: float
    ips: Estimate
    snips: Estimate


def softmax_policy(temperature: float) -> Policy:
    """Draws in proportion to exp(score / temperature), as a feed does with ``feed.explore_temperature``.

    Args:
        temperature: Above 0; the lower, the more the best.

    Returns:
        The policy.
    """
    return lambda scores_N: softmax(scores_N, temperature)


def uniform_policy(scores_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draws all alike.

    Args:
        scores_N: Of what can be drawn.

    Returns:
        The probability of each: (N,).
    """
    return np.full(len(scores_N), 1 / len(scores_N))


def greedy_policy(scores_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """Takes the best; of those equally good the first.

    Args:
        scores_N: Of what can be drawn.

    Returns:
        The probability of each: (N,).
    """
    chosen_N = np.zeros(len(scores_N))
    chosen_N[int(np.argmax(scores_N))] = 1.0
    return chosen_N


def drawn_places(workspace: Workspace, *, metric: str = "long_view", horizon: timedelta = HORIZON) -> pl.DataFrame:
    """The drawn places that a workspace has logged, a row each, and what became of them.

    An event belongs to the latest answer that showed its viewer its video within ``horizon`` before it.

    Args:
        workspace: Whose log.
        metric: What is rewarded with 1: "long_view", which is a share watched from ``events.positive_watch_ratio`` on,
            or an action such as "like".
        horizon: Until when the viewer may have done so.

    Returns:
        request_id, viewer_id, at, policy, position, video_id, propensity, pool (the videos it was drawn from), score
        (of each of these), met (whether there is any event of it) and reward (0 where there is none).

    Raises:
        DataError: There is no such metric.
        StoreError: A store cannot be read.
    """
    if metric not in METRICS:
        raise DataError(f"metric {metric!r} is not known: valid are {', '.join(METRICS)}")
    from swipewise.catalog import Catalog

    places = as_places(read_answers(workspace.events_dir))
    durations = Catalog(workspace.catalog_dir).videos().lazy().select(Col.VIDEO_ID, Col.DURATION)
    wanted = places.lazy().select(Col.VIEWER_ID, Col.VIDEO_ID).unique()
    rows = History(workspace.events_dir).collected(
        lambda: fold(
            read_events(workspace.events_dir).join(wanted, on=[Col.VIEWER_ID, Col.VIDEO_ID], how="semi"), durations
        ).collect()
    )
    long_view = pl.col(Col.WATCH_RATIO).fill_null(0) >= workspace.config.events.positive_watch_ratio
    rewarded = long_view if metric == "long_view" else pl.col(metric)
    outcomes = rows.select(Col.VIEWER_ID, Col.VIDEO_ID, Col.AT, rewarded.cast(pl.Float64).alias(REWARD))
    return with_rewards(places, outcomes, horizon)


def as_places(answers: pl.DataFrame) -> pl.DataFrame:
    """The drawn places of answers, a row each: the pool of each is what was left when it was drawn.

    Args:
        answers: Feeds that were answered, as ``read_answers`` gives them.
    """
    rows: list[tuple[Any, ...]] = []
    for answer in answers.iter_rows(named=True):
        pool = {each[Col.VIDEO_ID]: each[Col.SCORE] for each in answer[Col.POOL]}
        for place in answer[Col.PLACES]:
            video_id = place[Col.VIDEO_ID]
            if place[Col.SOURCE] != EXPLORE or video_id not in pool:
                continue
            named = (answer[Col.REQUEST_ID], answer[Col.VIEWER_ID], answer[Col.AT], answer[Col.POLICY])
            drawn = (place[Col.POSITION], video_id, place[Col.PROPENSITY])
            rows.append((*named, *drawn, list(pool), list(pool.values())))
            del pool[video_id]
    return pl.DataFrame(rows, schema=_FRAME, orient="row")


def with_rewards(places: pl.DataFrame, outcomes: pl.DataFrame, horizon: timedelta = HORIZON) -> pl.DataFrame:
    """Drawn places with what became of them.

    Args:
        places: As ``as_places`` gives them.
        outcomes: viewer_id, video_id, at and reward, a row an interaction.
        horizon: Until when an interaction counts.
    """
    pair, shown_at = [Col.VIEWER_ID, Col.VIDEO_ID], "shown_at"
    shown = places.select(*pair, Col.REQUEST_ID, Col.AT).sort(Col.AT).with_columns(pl.col(Col.AT).alias(shown_at))
    met = (
        outcomes.sort(Col.AT)
        .join_asof(shown, on=Col.AT, by=pair, strategy="backward", tolerance=horizon, check_sortedness=False)
        .drop_nulls(Col.REQUEST_ID)
        .group_by(Col.REQUEST_ID, *pair)
        .agg(pl.col(REWARD).max())
    )
    joined = places.join(met, on=[Col.REQUEST_ID, *pair], how="left", maintain_order="left")
    return joined.with_columns(pl.col(REWARD).is_not_null().alias(MET), pl.col(REWARD).fill_null(0.0))


def off_policy_value(places: pl.DataFrame, policy: Policy, *, met_only: bool = False) -> OffPolicy:
    """What a policy would have achieved at the places that were drawn.

    Args:
        places: As ``drawn_places`` gives them.
        policy: The other one.
        met_only: Whether places without any event are left out instead of counting as 0: for logs that tell what was
            shown and not reached, which does not depend on the video that stands there.

    Raises:
        DataError: There is no place to tell it from.
    """
    rows = places.filter(pl.col(MET)) if met_only else places
    if rows.is_empty():
        raise DataError(
            "no drawn place to tell from: keep feed.explore and feed.log_days above 0, and serve feeds for a while"
        )
    weights_P = _probabilities(rows, policy) / rows[Col.PROPENSITY].to_numpy()
    rewards_P = rows[REWARD].to_numpy()
    viewer_P = rows[Col.VIEWER_ID].rank("dense").to_numpy().astype(np.int64) - 1
    # Of each viewer what all places add up to, so that resampling viewers is a product.
    sums_B3 = np.stack(
        [np.bincount(viewer_P, weights=each) for each in (weights_P * rewards_P, weights_P, np.ones(len(rows)))],
        axis=1,
    )
    resampled_S3 = bootstrap(len(sums_B3), lambda times_SB: times_SB @ sums_B3)
    gained, weight, count = sums_B3.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ips_S, snips_S = resampled_S3[:, 0] / resampled_S3[:, 2], resampled_S3[:, 0] / resampled_S3[:, 1]
    return OffPolicy(
        places=len(rows),
        effective=float(weight**2 / max((weights_P**2).sum(), 1e-12)),
        ips=estimate(float(gained / count), ips_S),
        snips=estimate(float(gained / weight) if weight else float("nan"), snips_S),
    )


def _probabilities(rows: pl.DataFrame, policy: Policy) -> NDArray[np.float64]:
    """The policy's probability (P,) of the video that was drawn at each place."""
    drawn = zip(rows[Col.VIDEO_ID].to_list(), rows[Col.POOL].to_list(), rows[Col.SCORE].to_list(), strict=True)
    return np.array([_probability(policy, video_id, pool, scores) for video_id, pool, scores in drawn])


def _probability(policy: Policy, video_id: str, pool: Sequence[str], scores: Sequence[float]) -> float:
    return float(policy(np.array(scores, np.float64))[list(pool).index(video_id)])
