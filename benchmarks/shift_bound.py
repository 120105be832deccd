"""What could be found of the planted shifts by one who knows how a world is drawn, but no viewer's taste.

For the worlds of benchmarks/shifts.py, behaviour alone, as clips add nothing to planted themes. Before every return of
a viewer, tastes and weights are drawn from all that the history and the profile leave possible (Metropolis-Hastings);
what the viewer then does is as likely as these make it on average, against tastes shifted as worlds shift them: the one
that matters most becomes another one of the population's, its signs turned. But for the chance in a few hundred draws
this is Bayes' own test, which nothing that knows no more can beat; a detector has to learn all this from the log.

- Known are the themes, groups' tastes, appeal, weights' distribution, noise, likes, comments, shares and follows, and
  how the platform chooses what it shows. Not known: tastes, weights, the group behind a profile, and who shifts.
- With the days of shifts told, changes are looked for only within the days in which shifts are planted.
- With the turn told as well, a shifted taste is the old one with its themes exchanged as this world exchanges them.
- Viewers are counted as in benchmarks/shifts.py, with the first alarm of each; of those without a counted shift a
  quarter is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import polars as pl
from figures import Figures, Options, run
from shift_draws import Array, Drawing, Rows, Seen, Watched, picked, utility
from shifts import BEFORE, FALSE_ALARMS, SEEDS, WITHIN

from swipewise.behavior.log import DAY_MS, SESSION_GAP_MS, BehaviorLog
from swipewise.events import fold
from swipewise.schema import FLAG_ACTIONS, Col
from swipewise.simulate.behave import behave
from swipewise.simulate.world import (
    NO_SHIFT,
    OWN,
    THEMES,
    World,
    WorldConfig,
    draw_world,
    pronounced,
)

SWEEPS = 400
BLOCK = 100  # returns whose tastes are drawn together
OTHERS = 0.25  # share of the viewers without a counted shift that is looked at
FIRST_DAY, LAST_DAY = 0.35, 0.7  # of the share of a world's days in which shifts are planted


def measure(figures: Figures, options: Options) -> None:
    config = WorldConfig(videos=300, viewers=150) if options.quick else WorldConfig()
    found: dict[str, list[tuple[Seen, Array]]] = {}
    for seed in SEEDS[:1] if options.quick else SEEDS:
        seen = _seen(replace(config, seed=seed))
        for name, trace_I in _traces(seen, 150 if options.quick else SWEEPS):
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


def _traces(seen: Seen, sweeps: int) -> Iterator[tuple[str, Array]]:
    """The log-odds of a shift after each interaction, by what is told."""
    length_S = seen.opens_S - seen.log.offsets()[seen.log.viewer_I[seen.opens_S]]
    order_S = seen.opens_S[np.argsort(length_S, kind="stable")]
    blocks = np.array_split(order_S, max(1, len(order_S) // BLOCK))
    parts = [_ratios(seen, number, block_S, sweeps) for number, block_S in enumerate(blocks)]
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


def _ratios(seen: Seen, number: int, opens_C: Rows, sweeps: int) -> tuple[Array, Array]:
    """How much likelier a shift makes what came next, to any taste and to the turned one, in logs: (C, W) each.

    ``number`` is that of the block, for draws of its own.
    """
    rng = np.random.default_rng([seen.world.config.seed, 3, number])
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
    theme_T: Rows = near_TT.argmin(axis=1)
    return theme_T


def _next(seen: Seen, row: int, taste_KQMT: Array, weight_QM: Array) -> Array:
    """How likely each of the next interactions, with those before it, is by some tastes, in logs: (K, W)."""
    world, log = seen.world, seen.log
    first, end = seen.offsets_U[log.viewer_I[row] :][:2]
    rows = np.arange(row, min(row + WITHIN, end))
    offer_V = log.uploaded_at_V <= log.at_I[row]
    offer_V[log.video_I[first:row]] = False
    taste_NMT = taste_KQMT.reshape(-1, *taste_KQMT.shape[2:])
    weight_NM = np.tile(weight_QM, (len(taste_KQMT), 1))
    worth = partial(utility, world, taste_NMT, weight_NM)
    offered = np.flatnonzero(offer_V)
    total_N = np.exp(world.config.targeting * worth(np.tile(offered, (len(taste_NMT), 1)))).sum(axis=1)
    utility_NW = worth(np.tile(log.video_I[rows], (len(taste_NMT), 1)))
    pull_NW = np.exp(world.config.targeting * utility_NW) * offer_V[log.video_I[rows]]
    left_NW = (total_N[:, None] - np.cumsum(pull_NW, axis=1) + pull_NW) / (len(offered) - np.arange(len(rows)))
    row_NW = np.tile(rows, (len(taste_NMT), 1))
    told_NW = Watched(seen, row_NW).likely(utility_NW) + picked(world, utility_NW, left_NW)
    ratio_KQW = told_NW.cumsum(axis=1).reshape(*taste_KQMT.shape[:2], len(rows))
    found_KW = np.full((len(taste_KQMT), WITHIN), -np.inf)
    found_KW[:, : len(rows)] = np.logaddexp.reduce(ratio_KQW, axis=1)
    return found_KW


if __name__ == "__main__":
    run(measure, __doc__)
