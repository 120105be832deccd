"""What tells a change of interest from chance: the kinds of viewers there are, and how often interests change.

Legend of shape suffixes: U = viewers, I = interactions, B = stretches of histories, S = sessions,
F = columns of the profiles' design.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from swipewise.behavior.change_rate import USUAL
from swipewise.behavior.log import BehaviorLog
from swipewise.behavior.taste_model import TasteModel, design
from swipewise.behavior.weighing import Heard, SignalsApart, WeighedBelief, WeighedPopulation

_MOST_VIEWERS = 4_000  # that kinds are learned from


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

    def believe(self, log: BehaviorLog, heard: Heard, opens_S: NDArray[np.int64]) -> WeighedBelief:
        """What is believed of viewers when they come back.

        Args:
            log: Whose.
            heard: What counts of what they did until then.
            opens_S: Rows with which they come back.
        """
        design_SF = design(log.profile_UP[log.viewer_I[opens_S]], self.profile_values)
        before, _ = self.viewers.learn(self.viewers.prior(design_SF), heard)
        return before
