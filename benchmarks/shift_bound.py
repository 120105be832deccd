"""What could be found of the planted shifts by one who knows how a world is drawn, but no viewer's taste.

For the worlds of benchmarks/shifts.py, behaviour alone, as clips add nothing to planted themes. Before every return of
a viewer, tastes and weights are drawn from all that the history and the profile leave possible (Metropolis-Hastings);
what the viewer then does is as likely as these make it on average, against tastes shifted as worlds shift them: the one
that matters most becomes another one of the population's, its signs turned. This is Bayes' own test, but for the
chance in a few hundred draws, and no detector that has to learn what a world is can be expected to beat it.

- Known are the themes, groups' tastes, appeal, weights' distribution, noise, likes, comments, shares and follows, and
  how the platform chooses what it shows. Not known: tastes, weights, the group behind a profile, and who shifts.
- With the days of shifts told, changes are looked for only within the days in which shifts are planted.
- With the turn told as well, a shifted taste is the old one with its themes exchanged as this world exchanges them.
- Viewers are counted as in benchmarks/shifts.py; of those without a counted shift a quarter is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import polars as pl
from figures import Figures, Options, run
from numpy.typing import NDArray
from scipy.special import log_ndtr
from shifts import BEFORE, FALSE_ALARMS, NOISE, OFFSET, SEEDS, SLOPE, STRETCH, WANING, WITHIN

from swipewise.behavior.log import DAY_MS, SESSION_GAP_MS, BehaviorLog
from swipewise.events import fold
from swipewise.schema import FLAG_ACTIONS, Action, Col
from swipewise.simulate.behave import behave
from swipewise.simulate.world import (
    NO_SHIFT,
    OWN,
    THEMES,
    WEIGHT_PRIOR,
    World,
    WorldConfig,
    draw_world,
    pronounced,
)

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]

SWEEPS, DRAWS = 400, 267
BLOCK = 100  # returns whose tastes are drawn together
OTHERS = 0.25  # share of the viewers without a counted shift that is looked at
FIRST_DAY, LAST_DAY = 0.35, 0.7  # of the share of a world's days in which shifts are planted
SOME_VIDEOS = 192  # over which it is summed up what the platform could have shown in a history
TELLING = (
    (Action.LIKE, 1.8, -2.0),
    (Action.COMMENT, 1.5, -3.8),
    (Action.SHARE, 1.5, -3.6),
    (Action.FOLLOW, 1.5, -4.0),
)
SKIPPED = 0.12  # whoever watches less does nothing else
STRIDES = np.array([0.9, 0.5, 0.25, 0.1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A world and its log.

    place_I: in the session; actions_IF: columns as FLAG_ACTIONS; opens_S: the rows that open the returns looked at;
    looked_U: at whom; counted_U: whose shift counts; before_U: interactions before it.
    """

    world: World
    log: BehaviorLog
    place_I: Rows
    actions_IF: Flags
    opens_S: Rows
    offsets_U: Rows
    looked_U: Flags
    counted_U: Flags
    before_U: Rows


def measure(figures: Figures, options: Options) -> None:
    config = WorldConfig(videos=300, viewers=150) if options.quick else WorldConfig()
    found: dict[str, list[tuple[Seen, Array]]] = {}
    for seed in SEEDS[:1] if options.quick else SEEDS:
        seen = _seen(replace(config, seed=seed))
        for name, trace_I in _traces(seen, np.random.default_rng([seed, 3]), 150 if options.quick else SWEEPS):
            found.setdefault(name, []).append((seen, trace_I))
    for name, traces in found.items():
        share = _at_false_alarms(traces, FALSE_ALARMS)
        figures.record(f"shifts that could be found{name}, false alarms for {FALSE_ALARMS:.0%}", share)


def _seen(config: WorldConfig) -> Seen:
    world = draw_world(config)
    seconds_V = np.random.default_rng([config.seed, 2]).uniform(2, 6, config.videos).round(2)
    durations = pl.LazyFrame({Col.VIDEO_ID: world.video_ids, Col.DURATION: seconds_V})
    viewer, video = (
        {name: row for row, name in enumerate(names)} for names in (world.viewer_ids, world.video_ids)
    )
    rows = fold(behave(world, seconds_V).lazy(), durations).collect().sort(Col.VIEWER_ID, Col.AT)
    log = BehaviorLog(
        viewer_I=np.array([viewer[name] for name in rows[Col.VIEWER_ID]]),
        video_I=np.array([video[name] for name in rows[Col.VIDEO_ID]]),
        at_I=rows[Col.AT].dt.epoch("ms").to_numpy(),
        watch_ratio_I=rows[Col.WATCH_RATIO].to_numpy(),
        uploaded_at_V=world.uploaded_at_V,
        content={},
        profile_UP=world.profile_UM,
    )
    count_U = np.diff(log.offsets())
    before_U = np.bincount(log.viewer_I[log.at_I < world.shift_at_U[log.viewer_I]], minlength=len(count_U))
    counted_U = (world.shift_at_U < NO_SHIFT) & (before_U >= BEFORE) & (count_U - before_U >= WITHIN)
    looked_U = counted_U | (np.random.default_rng(config.seed).random(len(count_U)) < OTHERS)
    opens_S = np.flatnonzero(log.away() > SESSION_GAP_MS)
    unshifted_S = log.at_I[opens_S - 1] < world.shift_at_U[log.viewer_I[opens_S]]
    opens_S = opens_S[unshifted_S & looked_U[log.viewer_I[opens_S]]]
    return Seen(
        world=world,
        log=log,
        place_I=log.session_place(),
        actions_IF=rows.select(FLAG_ACTIONS).to_numpy(),
        offsets_U=log.offsets(),
        opens_S=opens_S,
        looked_U=looked_U,
        counted_U=counted_U,
        before_U=before_U.astype(int),
    )


def _traces(seen: Seen, rng: np.random.Generator, sweeps: int) -> Iterator[tuple[str, Array]]:
    """The log-odds of a shift after each interaction, by what is told."""
    length_S = seen.opens_S - seen.log.offsets()[seen.log.viewer_I[seen.opens_S]]
    order_S = seen.opens_S[np.argsort(length_S, kind="stable")]
    parts = [
        _ratios(seen, rng, block_S, sweeps) for block_S in np.array_split(order_S, max(1, len(order_S) // BLOCK))
    ]
    other_SW, turned_SW = (np.concatenate([part[kind] for part in parts]) for kind in (0, 1))
    away_S = np.minimum(seen.log.away()[order_S] / DAY_MS, 7.0)
    config = seen.world.config
    share_S = (seen.log.at_I[order_S] - config.start_ms) / (config.days * DAY_MS)
    likely_S = np.where((share_S > FIRST_DAY) & (share_S < LAST_DAY + 1 / config.days), 1.0, 0.02)
    yield "", _trace(seen, order_S, other_SW + np.log(away_S)[:, None])
    yield ", the days of shifts told", _trace(seen, order_S, other_SW + np.log(away_S * likely_S)[:, None])
    yield ", the days and the turn told", _trace(seen, order_S, turned_SW + np.log(away_S * likely_S)[:, None])


def _trace(seen: Seen, opens_S: Rows, log_odds_SW: Array) -> Array:
    log_odds_I = np.full(len(seen.log), -np.inf)
    for step in range(WITHIN):
        told_S = log_odds_SW[:, step] > -np.inf
        rows = opens_S[told_S] + step
        log_odds_I[rows] = np.logaddexp(log_odds_I[rows], log_odds_SW[told_S, step])
    return log_odds_I


def _at_false_alarms(traces: list[tuple[Seen, Array]], share: float) -> float:
    """The most that is found by any one limit for all worlds that suspects no more viewers than that."""
    limits = np.arange(-10.0, 40.0, 0.1)
    rates = np.mean([[_held(seen, trace_I, limit) for limit in limits] for seen, trace_I in traces], axis=0)
    return float(max((found for found, false in rates if false <= share), default=float("nan")))


def _held(seen: Seen, log_odds_I: Array, limit: float) -> tuple[float, float]:
    """The share of shifts found in time, and of viewers with a false alarm."""
    count_U, first_U = np.diff(seen.log.offsets()), np.full(len(seen.looked_U), np.inf)
    rows = np.flatnonzero(log_odds_I > limit)
    np.minimum.at(first_U, seen.log.viewer_I[rows], rows - seen.log.offsets()[seen.log.viewer_I[rows]] + 1)
    found_U = (first_U > seen.before_U) & (first_U <= seen.before_U + WITHIN)
    has_U = (seen.before_U > 0) & (seen.before_U < count_U)
    false_U = np.where(has_U, first_U <= seen.before_U, np.isfinite(first_U))
    others_U = (count_U > 0) & ~seen.counted_U
    weight_U = np.where(
        seen.counted_U, 1.0, seen.looked_U * others_U.sum() / max((seen.looked_U & others_U).sum(), 1)
    )
    weight_U = np.where(count_U > 0, weight_U, 0.0)
    return float(found_U[seen.counted_U].mean()), float((false_U * weight_U).sum() / weight_U.sum())


def _utility(world: World, taste_NMT: Array, weight_NM: Array, video_NL: Rows) -> Array:
    """What videos are worth by some tastes and weights: (N, L)."""
    row_N1 = np.arange(len(taste_NMT))[:, None]
    total_NL, weights_NL = np.zeros(video_NL.shape), np.zeros(video_NL.shape)
    for column in range(weight_NM.shape[1]):
        theme_NL = world.theme_VM[video_NL, column]
        own_NL = weight_NM[:, [column]] * (theme_NL >= 0)
        total_NL += own_NL * taste_NMT[:, column][row_N1, np.maximum(theme_NL, 0)]
        weights_NL += own_NL
    worth_NL: Array = total_NL / weights_NL + world.appeal_V[video_NL]
    return worth_NL


class Watched:
    """What was made of some interactions."""

    def __init__(self, seen: Seen, row_NL: Rows) -> None:
        ratio_NL = np.clip(seen.log.watch_ratio_I[row_NL], 0.02, 1.0)
        self._drive_NL, self._highest, self._lowest = (
            np.log(ratio / (STRETCH - ratio)) for ratio in (ratio_NL, np.array(1.0), np.array(0.02))
        )
        self._usual_NL = OFFSET + WANING * seen.place_I[row_NL]
        self._full_NL, self._none_NL = ratio_NL >= 0.999, ratio_NL <= 0.0201
        self._told_NL = ratio_NL >= SKIPPED
        self._done_NL = [seen.actions_IF[row_NL, FLAG_ACTIONS.index(action)] for action, _, _ in TELLING]

    def likely(self, utility_NL: Array) -> Array:
        """How likely that is if the videos are worth so much, in logs up to a constant: (N, L)."""
        drive_NL = SLOPE * utility_NL + self._usual_NL
        likely_NL = -0.5 * ((self._drive_NL - drive_NL) / NOISE) ** 2
        likely_NL[self._full_NL] = log_ndtr((drive_NL[self._full_NL] - self._highest) / NOISE)
        likely_NL[self._none_NL] = log_ndtr((self._lowest - drive_NL[self._none_NL]) / NOISE)
        for done_NL, (_, slope, offset) in zip(self._done_NL, TELLING, strict=True):
            sign_NL = slope * drive_NL + offset
            likely_NL -= self._told_NL * (np.log1p(np.exp(sign_NL)) - done_NL * sign_NL)
        return likely_NL


def _picked(world: World, utility_NL: Array, offered_NL: Array) -> Array:
    """How likely the platform was to show a video against an even choice: (N, L); offered: the mean of e^utility."""
    config = world.config
    odds_NL = (1 - config.exploration) * np.exp(config.targeting * utility_NL) / offered_NL + config.exploration
    logs_NL: Array = np.log(odds_NL)
    return logs_NL


class Drawing:
    """Tastes and weights that histories of some viewers leave possible, one draw after another."""

    def __init__(self, seen: Seen, rng: np.random.Generator, opens_C: Rows) -> None:
        self.seen, self.rng, log = seen, rng, seen.log
        first_C = log.offsets()[log.viewer_I[opens_C]]
        length_C = opens_C - first_C
        place_L = np.arange(length_C.max())
        self.valid_CL = place_L < length_C[:, None]
        self.row_CL = np.where(self.valid_CL, first_C[:, None] + place_L, first_C[:, None])
        self.watched = Watched(seen, self.row_CL)
        self.profile_CM = log.profile_UP[log.viewer_I[opens_C]]
        self.some_CV = np.broadcast_to(
            rng.choice(len(log.uploaded_at_V), min(SOME_VIDEOS, len(log.uploaded_at_V)), replace=False),
            (len(opens_C), min(SOME_VIDEOS, len(log.uploaded_at_V))),
        )
        self.offered_CV = self._offered(length_C)
        self.group_CM = self._groups()
        self.own_CMT = OWN * rng.standard_normal((*self.group_CM.shape, THEMES))
        self.log_weight_CM = np.log(
            rng.dirichlet(np.full(self.group_CM.shape[1], WEIGHT_PRIOR), len(opens_C)) + 1e-6
        )
        self.likely_C = self._likely(*self._tastes(self.group_CM, self.own_CMT, self.log_weight_CM))

    def draws(self, sweeps: int) -> tuple[Array, Array]:
        """Tastes (C, Q, M, T) and weights (C, Q, M) after a third of the sweeps."""
        kept = []
        for sweep in range(sweeps):
            for column in range(self.group_CM.shape[1]):
                self._turn_taste(column, anew=sweep % 4 == 0)
            self._turn_weights()
            if sweep >= sweeps // 3 and sweep % max(1, (sweeps - sweeps // 3) // DRAWS) == 0:
                kept.append(self._tastes(self.group_CM, self.own_CMT, self.log_weight_CM))
        return np.stack([taste for taste, _ in kept], axis=1), np.stack([weight for _, weight in kept], axis=1)

    def _offered(self, length_C: Rows) -> Array:
        """How large a part of what the platform could show each of some videos was, on average: (C, V')."""
        log = self.seen.log
        some_V = self.some_CV[0]
        exists_CLV = log.uploaded_at_V[some_V] <= log.at_I[self.row_CL][:, :, None]
        seen_CLV = np.cumsum(log.video_I[self.row_CL][:, :, None] == some_V, axis=1) > 0
        here_CLV = (exists_CLV & ~seen_CLV & self.valid_CL[:, :, None]).astype(np.float64)
        share_CLV = here_CLV / np.maximum(here_CLV.sum(axis=2, keepdims=True), 1)
        offered_CV: Array = share_CLV.sum(axis=1) / length_C[:, None]
        return offered_CV

    def _groups(self) -> Rows:
        kept_CM = self.rng.random(self.profile_CM.shape) < self.seen.world.config.profile_truth
        return np.where(kept_CM, self.profile_CM, self.rng.integers(0, 4, self.profile_CM.shape))

    def _tastes(self, group_CM: Rows, own_CMT: Array, log_weight_CM: Array) -> tuple[Array, Array]:
        common_CMT = self.seen.world.common_MGT[np.arange(group_CM.shape[1]), group_CM]
        weight_CM = np.exp(log_weight_CM - log_weight_CM.max(axis=1, keepdims=True))
        return pronounced(common_CMT + own_CMT), weight_CM / weight_CM.sum(axis=1, keepdims=True)

    def _likely(self, taste_CMT: Array, weight_CM: Array) -> Array:
        world, log = self.seen.world, self.seen.log
        utility_CL = _utility(world, taste_CMT, weight_CM, log.video_I[self.row_CL])
        some_CV = np.exp(world.config.targeting * _utility(world, taste_CMT, weight_CM, self.some_CV))
        offered_C1 = (self.offered_CV * some_CV).sum(axis=1, keepdims=True)
        told_CL = self.watched.likely(utility_CL) + _picked(world, utility_CL, offered_C1)
        likely_C: Array = np.where(self.valid_CL, told_CL, 0.0).sum(axis=1)
        return likely_C

    def _turn_taste(self, column: int, *, anew: bool) -> None:
        """Move the tastes in one modality within their prior; sometimes the group behind them is drawn anew."""
        stride_C1 = self.rng.choice(STRIDES, len(self.likely_C))[:, None]
        own_CMT, group_CM = self.own_CMT.copy(), self.group_CM.copy()
        fresh_CT = OWN * self.rng.standard_normal(own_CMT[:, column].shape)
        own_CMT[:, column] = np.sqrt(1 - stride_C1**2) * own_CMT[:, column] + stride_C1 * fresh_CT
        if anew:
            group_CM[:, column] = self._groups()[:, column]
        likely_C = self._likely(*self._tastes(group_CM, own_CMT, self.log_weight_CM))
        taken_C = np.log(self.rng.random(len(likely_C))) < likely_C - self.likely_C
        self.own_CMT[taken_C], self.group_CM[taken_C] = own_CMT[taken_C], group_CM[taken_C]
        self.likely_C = np.where(taken_C, likely_C, self.likely_C)

    def _turn_weights(self) -> None:
        stride_C1 = self.rng.choice(STRIDES, len(self.likely_C))[:, None]
        moved_CM = self.log_weight_CM + stride_C1 * self.rng.standard_normal(self.log_weight_CM.shape)
        moved_CM -= np.log(np.exp(moved_CM).sum(axis=1, keepdims=True))
        likely_C = self._likely(*self._tastes(self.group_CM, self.own_CMT, moved_CM))
        prior_C = WEIGHT_PRIOR * (moved_CM - self.log_weight_CM).sum(axis=1)
        taken_C = np.log(self.rng.random(len(likely_C))) < likely_C - self.likely_C + prior_C
        self.log_weight_CM[taken_C] = moved_CM[taken_C]
        self.likely_C = np.where(taken_C, likely_C, self.likely_C)


def _ratios(seen: Seen, rng: np.random.Generator, opens_C: Rows, sweeps: int) -> tuple[Array, Array]:
    """How much likelier a shift makes what came next, to any taste and to the turned one, in logs: (C, W) each."""
    taste_CQMT, weight_CQM = Drawing(seen, rng, opens_C).draws(sweeps)
    main_CQ = weight_CQM.argmax(axis=2)
    chain_CQ, draw_CQ = np.indices(main_CQ.shape)
    other_CQMT, turned_CQMT = taste_CQMT.copy(), taste_CQMT.copy()
    group_CQ = rng.integers(0, 4, main_CQ.shape)
    drawn_CQT = seen.world.common_MGT[main_CQ, group_CQ] + OWN * rng.standard_normal((*main_CQ.shape, THEMES))
    exchanged_CQT = rng.permuted(pronounced(drawn_CQT), axis=2)
    other_CQMT[chain_CQ, draw_CQ, main_CQ] = -exchanged_CQT
    turned_CQMT[chain_CQ, draw_CQ, main_CQ] = -taste_CQMT[chain_CQ, draw_CQ, main_CQ][:, :, _turn(seen.world)]
    every_CKQMT = np.stack([taste_CQMT, other_CQMT, turned_CQMT], axis=1)
    ratio_CKW = np.stack(
        [
            _next(seen, int(row), tastes_KQMT, weight_QM)
            for row, tastes_KQMT, weight_QM in zip(opens_C, every_CKQMT, weight_CQM, strict=True)
        ]
    )
    same_CW, other_CW, turned_CW = ratio_CKW.transpose(1, 0, 2)
    return _against(other_CW, same_CW), _against(turned_CW, same_CW)


def _against(ratio_CW: Array, same_CW: Array) -> Array:
    difference_CW: Array = np.full(same_CW.shape, -np.inf)
    return np.subtract(ratio_CW, same_CW, out=difference_CW, where=np.isfinite(same_CW))


def _turn(world: World) -> Rows:
    """How this world exchanges the themes of a taste that shifts: (T,)."""
    main = int(world.weight_UM[0].argmax())
    near_TT = np.abs(world.shifted_taste_UMT[0, main][:, None] + world.taste_UMT[0, main])
    return near_TT.argmin(axis=1)


def _next(seen: Seen, row: int, taste_KQMT: Array, weight_QM: Array) -> Array:
    """How likely each of the next interactions, with those before it, is by some tastes, in logs: (K, W)."""
    world, log = seen.world, seen.log
    first, end = seen.offsets_U[log.viewer_I[row] :][:2]
    rows = np.arange(row, min(row + WITHIN, end))
    offer_V = log.uploaded_at_V <= log.at_I[row]
    offer_V[log.video_I[first:row]] = False
    taste_NMT = taste_KQMT.reshape(-1, *taste_KQMT.shape[2:])
    weight_NM = np.tile(weight_QM, (len(taste_KQMT), 1))
    worth = partial(_utility, world, taste_NMT, weight_NM)
    offered = np.flatnonzero(offer_V)
    total_N = np.exp(world.config.targeting * worth(np.tile(offered, (len(taste_NMT), 1)))).sum(axis=1)
    utility_NW = worth(np.tile(log.video_I[rows], (len(taste_NMT), 1)))
    pull_NW = np.exp(world.config.targeting * utility_NW) * offer_V[log.video_I[rows]]
    left_NW = (total_N[:, None] - np.cumsum(pull_NW, axis=1) + pull_NW) / (len(offered) - np.arange(len(rows)))
    row_NW = np.tile(rows, (len(taste_NMT), 1))
    told_NW = Watched(seen, row_NW).likely(utility_NW) + _picked(world, utility_NW, left_NW)
    ratio_KQW = told_NW.cumsum(axis=1).reshape(*taste_KQMT.shape[:2], len(rows))
    found_KW = np.full((len(taste_KQMT), WITHIN), -np.inf)
    found_KW[:, : len(rows)] = np.logaddexp.reduce(ratio_KQW, axis=1)
    return found_KW


if __name__ == "__main__":
    run(measure, __doc__)
