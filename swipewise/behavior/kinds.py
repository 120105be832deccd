"""The kinds of viewers there are, and how often interests change: what tells a change from chance, and tastes now.

Legend of shape suffixes: U = viewers, I = interactions, B = stretches of histories, S = sessions, G = kinds,
M = modalities, P = profile fields, F = columns of the profiles' design.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from swipewise.behavior.change_rate import USUAL
from swipewise.behavior.changes import Returns, TastesNow, Weighing, accounts
from swipewise.behavior.evidence import Signals, stretches_at_once
from swipewise.behavior.log import BehaviorLog
from swipewise.behavior.taste_model import TasteModel, design
from swipewise.behavior.weighing import Heard, SignalsApart, WeighedBelief, WeighedPopulation

_MOST_VIEWERS = 4_000  # that kinds are learned from
_LEAST_CHANCE = 0.01  # that a session brought a change, by tastes of one kind for all, to be weighed by every kind
_LEAST_SHARE = 0.03  # of a kind, by all that a viewer did, to be weighed again for what followed a change


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinds:
    """What was learned of viewers.

    profile_values: codes of profile fields that are heeded, 1 to this; rate: the chance that an interest changes in a
    day.
    """

    viewers: WeighedPopulation
    profile_values: int
    rate: float = USUAL

    @classmethod
    def of(
        cls,
        log: BehaviorLog,
        signals: SignalsApart,
        tastes: TasteModel,
        *,
        until: int,
        rate: float = USUAL,
        opened: NDArray[np.int64] | None = None,
        seed: int = 0,
    ) -> Self:
        """Learn from what viewers did before a time.

        Args:
            log: Of everybody.
            signals: Of the log.
            tastes: Learned from the log.
            until: Milliseconds.
            rate: Of changes.
            opened: Rows with which viewers came back with another interest: what came before each is somebody else's.
            seed: Of the viewers that are looked at where there are very many.
        """
        past_I = log.at_I < until
        count_U, first_U = np.bincount(log.viewer_I[past_I], minlength=len(log.profile_UP)), log.offsets()[:-1]
        viewers = np.flatnonzero(count_U)
        if len(viewers) > _MOST_VIEWERS:
            viewers = np.sort(np.random.default_rng(seed).choice(viewers, _MOST_VIEWERS, replace=False))
        heard_I = past_I & np.isin(log.viewer_I, viewers)
        start_B = first_U[viewers]
        if opened is not None:
            start_B = np.union1d(start_B, opened[heard_I[opened]])
        viewer_B = log.viewer_I[start_B]
        # A stretch ends where the next begins, or with what the viewer did before the time.
        end_B = np.minimum(np.append(start_B[1:], len(log)), (first_U + count_U)[viewer_B])
        heard_I &= signals.known_I
        return cls(
            viewers=WeighedPopulation.fit(
                tastes.population,
                signals.over(start_B, end_B),
                design(log.profile_UP[viewer_B], tastes.profile_values),
                float((signals.response_I[heard_I] ** 2).sum()),
                int(heard_I.sum()),
            ),
            profile_values=tastes.profile_values,
            rate=rate,
        )

    def tastes_now(
        self,
        tastes: TasteModel,
        log: BehaviorLog,
        signals: Signals,
        profile_UP: NDArray[np.int64],
        *,
        changes: bool = True,
    ) -> TastesNow:
        """The tastes of a log's viewers after all that they did, as ``TasteModel.tastes_now`` tells them.

        The model of tastes takes one kind for all; here each viewer is weighed as every kind's. Which sessions may have
        brought a change the model of tastes says in a fraction of the time: these alone are weighed by the kinds, and
        by those alone that the viewer is likely to be of.

        Args:
            tastes: With which the kinds were learned.
            log: Whose; so few that as many matrices as there are kinds can be held of each.
            signals: Of the log.
            profile_UP: Their profiles.
            changes: Whether changes are reckoned with.
        """
        start_U, end_U = log.offsets()[:-1], log.offsets()[1:]
        apart, prior = SignalsApart.of(signals), self._prior(profile_UP)
        steady, _ = self.viewers.learn(prior, apart.over(start_U, end_U))
        weighing = Weighing(steady.mean_BT)
        if not changes:
            return weighing.found()
        likeliest_U1 = steady.log_share_BG.max(axis=1, keepdims=True)
        likely_UG = steady.log_share_BG >= np.minimum(likeliest_U1, np.log(_LEAST_SHARE))
        prior = replace(prior, log_share_BG=np.where(likely_UG, prior.log_share_BG, -np.inf))
        returns = tastes.likely_changes(log, signals, profile_UP, least=_LEAST_CHANCE, rate=self.rate)
        block = max(1, stretches_at_once(prior.mean_BGT.shape[2]) // prior.mean_BGT.shape[1])
        for first in range(0, len(returns), block):
            self._weigh_changes(weighing, returns.at(slice(first, first + block)), log, apart, prior)
        return weighing.found()

    def _weigh_changes(
        self, weighing: Weighing, returns: Returns, log: BehaviorLog, apart: SignalsApart, prior: WeighedBelief
    ) -> None:
        offsets, viewer_S = log.offsets(), returns.viewer_S
        earlier = apart.over(offsets[viewer_S], returns.opens_S)
        since = apart.over(returns.opens_S, offsets[viewer_S + 1])
        before, _ = self.viewers.learn(prior.at(viewer_S), earlier)
        anew_M = [self.viewers.redrawn(before, modality) for modality in range(self.viewers.base.modalities)]
        for account in accounts(self.viewers, returns, before, anew_M, since, rate=self.rate):
            weighing.add(returns, account)

    def believe(self, log: BehaviorLog, heard: Heard, opens_S: NDArray[np.int64]) -> WeighedBelief:
        """What is believed of viewers when they come back.

        Args:
            log: Whose.
            heard: What counts of what they did until then.
            opens_S: Rows with which they come back.
        """
        before, _ = self.viewers.learn(self._prior(log.profile_UP[log.viewer_I[opens_S]]), heard)
        return before

    def _prior(self, profile_BP: NDArray[np.int64]) -> WeighedBelief:
        return self.viewers.prior(design(profile_BP, self.profile_values))
