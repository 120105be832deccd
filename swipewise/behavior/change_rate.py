"""How often interests change: learned from what was seen of earlier returns, whoever's they were.

Legend of shape suffixes: S = sessions that may have brought a change.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

USUAL: Final = 0.01
"""Chance that a viewer's taste in some modality is drawn anew within a day, before anything is seen."""

_WORTH_DAYS = 1000.0  # of a viewer's absence that the usual rate is worth
_ROUNDS = 30
_LARGEST = 30.0  # in logs; beyond this nothing but the change is left


@dataclass(slots=True)
class ChangeRate:
    """Changes a day that viewers are away, the likeliest after all that was noted; at first the usual rate."""

    usual: float = USUAL
    _told_at: list[NDArray[np.int64]] = field(default_factory=list)
    _odds: list[NDArray[np.float64]] = field(default_factory=list)
    _away: list[NDArray[np.float64]] = field(default_factory=list)

    def note(
        self, log_ratio_S: NDArray[np.float64], away_S: NDArray[np.float64], told_at_S: NDArray[np.int64]
    ) -> None:
        """Note what some returns said.

        Args:
            log_ratio_S: How much likelier a change makes what was done after the return, in logs.
            away_S: Days that the viewer had been away.
            told_at_S: When the last of it was done, milliseconds.
        """
        self._odds.append(away_S * np.exp(np.clip(log_ratio_S, -_LARGEST, _LARGEST)))
        self._away.append(away_S)
        self._told_at.append(told_at_S)

    def before(self, time: int) -> float:
        """The rate by what was done before a time, by expectation maximisation."""
        if not self._odds:
            return self.usual
        past_S = np.concatenate(self._told_at) < time
        odds_S, away_S = np.concatenate(self._odds)[past_S], np.concatenate(self._away)[past_S]
        days, rate = _WORTH_DAYS + float(away_S.sum()), self.usual
        for _ in range(_ROUNDS):
            changes = float((rate * odds_S / (1 + rate * odds_S)).sum())
            rate = (_WORTH_DAYS * self.usual + changes) / days
        return rate
