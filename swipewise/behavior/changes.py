"""Tastes now: all accounts of a history, that the taste never changed or that it did while the viewer was away.

Legend of shape suffixes: U = viewers, S = sessions that may have brought a change, M = modalities, T = themes of all
modalities side by side, B = stretches of histories, G = stretches of sessions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Final, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from swipewise.behavior.log import DAY_MS, BehaviorLog

LONGEST_AWAY_DAYS: Final = 7.0
"""Being away for longer makes a change no likelier."""

_EACH_OF = 64  # sessions; the latest so many of a viewer are each looked at for a change
_FINENESS = 16  # what lies longer ago is told to within a 16th of the sessions since then
_LARGEST_ODDS = 30.0  # in logs; beyond this nothing is left of the other accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Returns:
    """Sessions with which viewers came back, perhaps with another taste.

    opens_S: the rows of the log that open them; viewer_S: whose they are; days_S: that the viewer had been away, as far
    as they make a change likelier; earlier_S: the share of the viewer's interactions that came before; stands_for_S:
    for how many sessions of the viewer each one stands.
    """

    opens_S: NDArray[np.int64]
    viewer_S: NDArray[np.int64]
    days_S: NDArray[np.float64]
    earlier_S: NDArray[np.float64]
    stands_for_S: NDArray[np.int64]

    @classmethod
    def of(cls, log: BehaviorLog) -> Self:
        """The latest of each viewer, and some that stand for older ones."""
        opens_S = log.returns()
        viewer_S, offsets = log.viewer_I[opens_S], log.offsets()
        start_S, end_S = offsets[viewer_S], offsets[viewer_S + 1]
        found = cls(
            opens_S=opens_S,
            viewer_S=viewer_S,
            days_S=days_away(log, opens_S),
            earlier_S=(opens_S - start_S) / (end_S - start_S),
            stands_for_S=standing_for(viewer_S),
        )
        return found.at(found.stands_for_S > 0)

    def __len__(self) -> int:
        return len(self.opens_S)

    def at(self, rows_S: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Self:
        """Those at some places."""
        return type(self)(**{each.name: getattr(self, each.name)[rows_S] for each in fields(self)})


class Believed(Protocol):
    """What is believed of the viewers of some stretches."""

    @property
    def mean_BT(self) -> NDArray[np.float64]:
        """The expected tastes."""
        ...


B = TypeVar("B", bound=Believed)
E_contra = TypeVar("E_contra", contravariant=True)


class Viewers(Protocol[B, E_contra]):
    """What is typical of viewers, by which one learns of each."""

    def learn(self, belief: B, evidence: E_contra, /) -> tuple[B, NDArray[np.float64]]:
        """What is believed after the evidence, and the evidence's log-likelihood (B,)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """That the taste in one modality was drawn anew before each of some sessions.

    odds_S: against that it never changed, of all sessions together that one stands for; mean_ST: the tastes that are
    expected then.
    """

    odds_S: NDArray[np.float64]
    mean_ST: NDArray[np.float64]


def accounts(
    viewers: Viewers[B, E_contra],
    returns: Returns,
    before: B,
    anew_M: Sequence[B],
    since: E_contra,
    *,
    rate: float,
    share_SM: NDArray[np.float64] | None = None,
) -> Iterator[Account]:
    """How likely it is that the taste was drawn anew before some sessions, one modality after another.

    Args:
        viewers: By whom evidence is weighed.
        returns: The sessions.
        before: What was believed when they opened.
        anew_M: What is believed if the taste in each modality was drawn anew.
        since: All that the viewers have done from then on.
        rate: The chance that a taste is drawn anew in a day.
        share_SM: The chance that it was the one in each modality; None: ``anew_M`` takes it in.
    """
    _, same_S = viewers.learn(before, since)
    for column, anew in enumerate(anew_M):
        after, changed_S = viewers.learn(anew, since)
        chance_S = rate * returns.days_S * (1.0 if share_SM is None else share_SM[:, column])
        log_odds_S = changed_S - same_S + np.log(chance_S)
        odds_S: NDArray[np.float64] = np.exp(np.minimum(log_odds_S, _LARGEST_ODDS)) * returns.stands_for_S
        yield Account(odds_S=odds_S, mean_ST=after.mean_BT)


@dataclass(frozen=True, slots=True, kw_only=True)
class TastesNow:
    """Viewers after all that they did.

    taste_UT: what they make of each theme, the mean over all accounts of their histories, each as likely as it makes
    what happened; misled_U: the share of their interactions, by the same accounts, that came before a change of taste
    and so mislead who goes by all of them alike.
    """

    taste_UT: NDArray[np.float64]
    misled_U: NDArray[np.float64]


class Weighing:
    """The sum over all accounts of some viewers' histories.

    Args:
        steady_UT: The tastes that are expected by the first account, that they never changed.
    """

    def __init__(self, steady_UT: NDArray[np.float64]) -> None:
        self._sum_UT = steady_UT.copy()
        self._total_U, self._earlier_U = np.ones(len(steady_UT)), np.zeros(len(steady_UT))

    def add(self, returns: Returns, account: Account) -> None:
        """Take in an account of some sessions."""
        np.add.at(self._total_U, returns.viewer_S, account.odds_S)
        np.add.at(self._earlier_U, returns.viewer_S, account.odds_S * returns.earlier_S)
        np.add.at(self._sum_UT, returns.viewer_S, account.odds_S[:, None] * account.mean_ST)

    def found(self) -> TastesNow:
        """The mean over the accounts."""
        return TastesNow(taste_UT=self._sum_UT / self._total_U[:, None], misled_U=self._earlier_U / self._total_U)


def days_away(log: BehaviorLog, opens_S: NDArray[np.int64]) -> NDArray[np.float64]:
    """The days that viewers had been away before some sessions, as far as they make a change likelier: (S,)."""
    days_S: NDArray[np.float64] = np.minimum(log.away()[opens_S] / DAY_MS, LONGEST_AWAY_DAYS)
    return days_S


def standing_for(viewer_S: NDArray[np.int64]) -> NDArray[np.int64]:
    """For how many sessions each one stands: (S,), 0 for those that another stands for.

    The latest of a viewer stand for themselves, and of older ones that in the middle of each stretch, which is the
    longer the older it is.

    Args:
        viewer_S: Whose each session is, ascending; those of a viewer are in order of time.
    """
    _, first_U, count_U = np.unique(viewer_S, return_index=True, return_counts=True)
    last_S, count_S = np.repeat(first_U + count_U - 1, count_U), np.repeat(count_U, count_U)
    since_S = last_S - np.arange(len(viewer_S))  # sessions that came later
    bounds = [*range(_EACH_OF + 1)]
    while bounds[-1] < count_U.max(initial=0):
        bounds.append(bounds[-1] + max(1, bounds[-1] // _FINENESS))
    bound_G = np.array(bounds)
    stretch_S = np.searchsorted(bound_G, since_S, side="right") - 1
    start_S = bound_G[stretch_S]
    length_S = np.minimum(bound_G[stretch_S + 1], count_S) - start_S
    stands_for_S: NDArray[np.int64] = np.where(since_S == start_S + length_S // 2, length_S, 0)
    return stands_for_S
