"""Tastes that a viewer of a simulated world may have after what they did, drawn by Metropolis and Hastings.

Legend of shape suffixes: C = viewers at some moment, L = what they did before it, N = tastes, M = modalities,
T = themes, V = videos, Q = draws, I = interactions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr
from shifts import NOISE, OFFSET, SLOPE, STRETCH, WANING

from swipewise.behavior.log import BehaviorLog
from swipewise.schema import FLAG_ACTIONS, Action
from swipewise.simulate.world import OWN, THEMES, WEIGHT_PRIOR, World, pronounced

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]

DRAWS = 267
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


def utility(world: World, taste_NMT: Array, weight_NM: Array, video_NL: Rows) -> Array:
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


def picked(world: World, utility_NL: Array, offered_NL: Array) -> Array:
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
        utility_CL = utility(world, taste_CMT, weight_CM, log.video_I[self.row_CL])
        some_CV = np.exp(world.config.targeting * utility(world, taste_CMT, weight_CM, self.some_CV))
        offered_C1 = (self.offered_CV * some_CV).sum(axis=1, keepdims=True)
        told_CL = self.watched.likely(utility_CL) + picked(world, utility_CL, offered_C1)
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
