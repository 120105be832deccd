"""Interest shifts on the demo's worlds: how many are found in time, and how many viewers are falsely suspected.

For three seeds, or those of --seeds: renders a world, adds its clips, events and profiles to a workspace by the
commands a user would type, and lets the detector run over the workspace. It sees what a platform sees: vectors of
videos, times, watch ratios and profiles. Its settings were chosen on the worlds of seeds 11 to 14. Figures are means
over the worlds.

- A viewer has a shift if interactions lie on both sides of the planted moment; it counts if there are at least N before
  it and 5 after it.
- It is found if an alarm comes with one of the 5 interactions after the planted moment. The detector goes on after an
  alarm, as it does for users: an earlier one, a false one, costs it the viewer's history.
- A false alarm is one of a viewer who has no shift, or one before the shift; their share is of viewers with any among
  all who did anything. An alarm that comes later than 5 interactions after a shift is neither.
- Shown are the shifts of a viewer's page, by a model as a training leaves it: fitted on the train part of the default
  split, asked about each viewer's whole history: what the next clips contradicted outright is shown no more. One is
  shown in time if it is noticed at one of the 5 interactions.
- Where limits are compared, and others' alarms with ours, only the first alarm of a viewer counts.
- The same detector, told the planted themes in the place of vectors, is what could be found if clips were described
  without a fault.
- The likelihood-ratio test knows the truth, both tastes, weights and the platform's way of choosing videos: what could
  be found at the same share of false alarms if nothing had to be learned.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

import numpy as np
from figures import Figures, Options, run
from numpy.typing import NDArray
from worlds import simulated

from swipewise.behavior.log import BehaviorLog, Vectors
from swipewise.behavior.shifts import ShiftDetector
from swipewise.config import Config
from swipewise.schema import CONTENT_MODALITIES, Modality
from swipewise.simulate.world import NO_SHIFT, THEMES, World, WorldConfig, draw_world
from swipewise.training.dataset import Dataset
from swipewise.training.finishing import with_kinds
from swipewise.training.fitted import FittedModel
from swipewise.training.inference import Projected
from swipewise.training.loop import seeded
from swipewise.training.split import split_by_time
from swipewise.training.tastes import log_of

SEEDS = (0, 1, 2)
WITHIN = 5
BEFORE = 10
OTHERS = (1, 5, 20, 50)
FALSE_ALARMS = 0.1

NOISE, SLOPE, OFFSET, WANING, STRETCH = 0.5, 1.6, -1.6, -0.05, 1.25  # of swipewise.simulate.behave


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One world, and what is said of it.

    alarms, shown: viewers and the place, from 1, of the interaction that raised it, by the detector and on pages; the
    log-odds of three detectors after each interaction (I,).
    """

    log: BehaviorLog
    shift_at_U: NDArray[np.int64]
    alarms: list[tuple[int, int]]
    shown: list[tuple[int, int]]
    detector_I: NDArray[np.float64]
    told_I: NDArray[np.float64]
    oracle_I: NDArray[np.float64]


def measure(figures: Figures, options: Options) -> None:
    seeds = options.own.seeds[:1] if options.quick else options.own.seeds
    trials = [_trial(seed, quick=options.quick) for seed in seeds]
    limit = float(np.log(ShiftDetector().settings.odds))
    found, false = np.mean([_alarmed(trial, trial.alarms, BEFORE) for trial in trials], axis=0)
    figures.record(f"shifts found within {WITHIN} interactions, {BEFORE} or more before", found, at_least=0.8)
    figures.record("viewers with a false alarm", false, at_most=FALSE_ALARMS)
    found, false = np.mean([_alarmed(trial, trial.shown, BEFORE) for trial in trials], axis=0)
    figures.record(f"shifts shown within {WITHIN} interactions, {BEFORE} or more before", found, at_least=0.8)
    figures.record("viewers who are shown with a false one", false, at_most=FALSE_ALARMS)
    for least in OTHERS:
        found = np.mean([_alarmed(trial, trial.alarms, least)[0] for trial in trials])
        figures.record(f"shifts found, {least} or more before", float(found))
    first, _ = _mean(trials, limit, BEFORE)
    figures.record(f"shifts found by the first alarm, {BEFORE} or more before", first)
    for share in (0.02, 0.05, 0.1, 0.2):
        best = _at_false_alarms(trials, share)
        figures.record(f"shifts found by the first alarm with any one limit, false alarms for {share:.0%}", best)
    figures.record(
        "shifts found by the first alarm, however late", float(np.mean([_ever(trial, limit) for trial in trials]))
    )
    for title, told in (
        (
            "shifts found if the planted themes are told",
            [replace(each, detector_I=each.told_I) for each in trials],
        ),
        (
            "shifts found by a test that knows both tastes",
            [replace(each, detector_I=each.oracle_I) for each in trials],
        ),
    ):
        figures.record(f"{title}, false alarms for {FALSE_ALARMS:.0%}", _at_false_alarms(told, FALSE_ALARMS))
    counted = sum(int(_counted(trial, BEFORE)[0].sum()) for trial in trials)
    figures.record(f"viewers with a shift, {BEFORE} or more before, all worlds", counted)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seeds",
        nargs="+",
        type=int,
        default=SEEDS,
        metavar="SEED",
        help="other worlds, as those of the settings",
    )


def _trial(seed: int, *, quick: bool) -> Trial:
    config = replace(WorldConfig(), seed=seed, **({"videos": 120, "viewers": 150} if quick else {}))
    dataset, world = simulated(config), draw_world(config)
    log = log_of(dataset)
    viewers_U = _numbers(dataset.viewer_ids, world.viewer_ids)
    return Trial(
        log=log,
        shift_at_U=world.shift_at_U[viewers_U],
        alarms=[(shift.viewer, shift.place) for shift in ShiftDetector().detect(log)],
        shown=_shown(dataset),
        detector_I=ShiftDetector().trace(log),
        told_I=ShiftDetector().trace(_told_themes(dataset, world, log)),
        oracle_I=_oracle(dataset, world, viewers_U),
    )


def _numbers(ids: tuple[str, ...], of_world: list[str]) -> NDArray[np.int64]:
    place = {each: number for number, each in enumerate(of_world)}
    return np.array([place[each] for each in ids])


def _counted(trial: Trial, least: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.int64]]:
    """Viewers whose shift counts, viewers who have one, and interactions before it: (U,) each."""
    count_U = np.diff(trial.log.offsets())
    earlier_I = trial.log.at_I < trial.shift_at_U[trial.log.viewer_I]
    before_U = np.bincount(trial.log.viewer_I[earlier_I], minlength=len(count_U))
    has_U = (trial.shift_at_U < NO_SHIFT) & (before_U > 0) & (before_U < count_U)
    return has_U & (before_U >= least) & (count_U - before_U >= WITHIN), has_U, before_U


def _shown(dataset: Dataset) -> list[tuple[int, int]]:
    """The shifts of all viewers' pages: whose, and after how many of their interactions they could be seen."""
    config, shown = Config(), []
    split, rows, offsets = split_by_time(dataset, config.split), dataset.interactions, dataset.viewer_offsets()
    with seeded(config.training.seed):
        fitted = FittedModel.untrained(config.model, split.train, {})
    told = Projected(with_kinds(fitted, split.train, config.training), dataset)
    for viewer in range(len(dataset.viewer_ids)):
        own = rows.part(slice(offsets[viewer], offsets[viewer + 1]))
        alone = replace(own, viewer_I=np.zeros_like(own.viewer_I))
        for shift in told.shifts(alone, dataset.profile_UP[[viewer]]):
            noticed_at = round(shift.noticed_at.timestamp() * 1000)
            shown.append((viewer, int(np.searchsorted(own.at_I, noticed_at, side="right"))))
    return shown


def _alarmed(trial: Trial, alarms: list[tuple[int, int]], least: int) -> tuple[float, float]:
    """The share of shifts found in time by any of some alarms, and of viewers with a false one."""
    counted_U, has_U, before_U = _counted(trial, least)
    found_U, false_U = np.zeros(len(has_U), bool), np.zeros(len(has_U), bool)
    for viewer, place in alarms:
        after = place - before_U[viewer] if has_U[viewer] else 0
        found_U[viewer] |= 0 < after <= WITHIN
        false_U[viewer] |= after <= 0
    active_U = np.diff(trial.log.offsets()) > 0
    return _share(found_U[counted_U]), _share(false_U[active_U])


def _first(log: BehaviorLog, log_odds_I: NDArray[np.float64], limit: float) -> NDArray[np.float64]:
    """The place, from 1, of each viewer's first alarm, infinite without one: (U,)."""
    first_U = np.full(len(log.profile_UP), np.inf)
    rows = np.flatnonzero(log_odds_I > limit)
    np.minimum.at(first_U, log.viewer_I[rows], rows - log.offsets()[log.viewer_I[rows]] + 1)
    return first_U


def _held(trial: Trial, log_odds_I: NDArray[np.float64], limit: float, least: int) -> tuple[float, float]:
    """The share of shifts found in time, and of viewers with a false alarm."""
    counted_U, has_U, before_U = _counted(trial, least)
    first_U = _first(trial.log, log_odds_I, limit)
    found_U = (first_U > before_U) & (first_U <= before_U + WITHIN)
    false_U = np.where(has_U, first_U <= before_U, np.isfinite(first_U))
    active_U = np.diff(trial.log.offsets()) > 0
    return _share(found_U[counted_U]), _share(false_U[active_U])


def _ever(trial: Trial, limit: float) -> float:
    counted_U, _, before_U = _counted(trial, BEFORE)
    first_U = _first(trial.log, trial.detector_I, limit)
    return _share(((first_U > before_U) & np.isfinite(first_U))[counted_U])


def _share(of_U: NDArray[np.bool_]) -> float:
    return float(of_U.mean()) if len(of_U) else float("nan")


def _mean(trials: list[Trial], limit: float, least: int) -> tuple[float, float]:
    rates = [_held(each, each.detector_I, limit, least) for each in trials]
    found, false = np.mean(rates, axis=0)
    return float(found), float(false)


def _at_false_alarms(trials: list[Trial], share: float) -> float:
    """The most that is found by any one limit for all worlds that suspects no more viewers than that."""
    rates = [_mean(trials, limit, BEFORE) for limit in np.arange(-6.0, 12.0, 0.1)]
    return max((found for found, false in rates if false <= share), default=float("nan"))


def _told_themes(dataset: Dataset, world: World, log: BehaviorLog) -> BehaviorLog:
    """The log with vectors that say nothing but a clip's theme."""
    theme_VM = world.theme_VM[_numbers(dataset.video_ids, world.video_ids)]
    content = {
        name: Vectors(
            values_VD=np.eye(THEMES)[theme_VM[:, CONTENT_MODALITIES.index(Modality(name))]],
            present_V=theme_VM[:, CONTENT_MODALITIES.index(Modality(name))] >= 0,
        )
        for name in log.content
    }
    return replace(log, content=content)


def _oracle(dataset: Dataset, world: World, viewers_U: NDArray[np.int64]) -> NDArray[np.float64]:
    """CUSUM of the true log-likelihood ratio of the taste after the shift against the one before: (I,)."""
    log, config = dataset.interactions, world.config
    videos_V = _numbers(dataset.video_ids, world.video_ids)
    offsets = dataset.viewer_offsets()
    share_I = np.clip(log.watch_ratio_I.astype(np.float64), 0.02, 1.0) / STRETCH
    place_I = log_of(dataset).session_place()
    drive_I = np.log(share_I / (1 - share_I)) - OFFSET - WANING * place_I
    sum_I = np.zeros(len(log))
    for viewer, number in enumerate(viewers_U):
        rows = np.arange(offsets[viewer], offsets[viewer + 1])
        if not len(rows) or log.at_I[rows[0]] >= world.shift_at_U[number]:
            continue  # whoever came after the shift has had one taste only
        old_V, new_V = _tastes(world, int(number), videos_V)
        unseen_V, total = np.ones(len(videos_V), bool), 0.0
        for row in rows:
            video = log.video_I[row]
            ratio = 0.5 * ((drive_I[row] - SLOPE * old_V[video]) ** 2 - (drive_I[row] - SLOPE * new_V[video]) ** 2)
            offer_V = unseen_V & (dataset.uploaded_at_V <= log.at_I[row])
            picked = [
                (1 - config.exploration)
                * np.exp(config.targeting * each[video])
                / np.exp(config.targeting * each[offer_V]).sum()
                + config.exploration / offer_V.sum()
                for each in (old_V, new_V)
            ]
            total = max(total, 0.0) + float(ratio / NOISE**2 + np.log(picked[1] / picked[0]))
            sum_I[row] = total
            unseen_V[video] = False
    return sum_I


def _tastes(
    world: World, viewer: int, videos_V: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """True utilities (V,) before the viewer's shift and after it, also of viewers for whom it never comes."""
    present_VM = world.theme_VM >= 0
    weight_VM = world.weight_UM[viewer] * present_VM
    weight_VM = weight_VM / weight_VM.sum(axis=1, keepdims=True)
    modality_M = np.arange(present_VM.shape[1])
    before_V, after_V = (
        (weight_VM * taste_MT[modality_M, world.theme_VM]).sum(axis=1) + world.appeal_V
        for taste_MT in (world.taste_UMT[viewer], world.shifted_taste_UMT[viewer])
    )
    return before_V[videos_V], after_V[videos_V]


if __name__ == "__main__":
    run(measure, __doc__, add_options=_add_options)
