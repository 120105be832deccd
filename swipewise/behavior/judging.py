"""Whether a viewer's interest has changed, judged by what they do after they come back.

Two accounts of it are compared: the tastes are those of before, or the taste in one modality was drawn anew while the
viewer was away. Interests change with time, so the longer a viewer was away, the likelier a change. An alarm is raised
once its odds are high enough, and the viewer's earlier history no longer counts.

Legend of shape suffixes: U = viewers, V = videos, I = interactions, S = sessions, M = modalities, K = themes of a
modality, W = interactions of a session that are looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swipewise.behavior.change_rate import ChangeRate
from swipewise.behavior.changes import days_away
from swipewise.behavior.evidence import stretches_at_once
from swipewise.behavior.kinds import Kinds
from swipewise.behavior.log import BehaviorLog
from swipewise.behavior.taste_model import TasteModel
from swipewise.behavior.themes import Themes
from swipewise.behavior.weighing import Heard, SignalsApart

ODDS: Final = 0.7
"""Odds that raise an alarm; at these one simulated viewer in twelve is falsely suspected."""

WINDOW: Final = 5
"""Interactions after coming back that are looked at; a shift unnoticed by then stays so."""

_EXAMPLES = 5
_NEVER = -np.inf
_CONTRADICTED = 4.0  # in logs; by so much below the alarm's odds what came next speaks against a shift


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A viewer's interest has changed.

    ``at`` is when the viewer came back with another interest and ``noticed_at`` when that was seen, milliseconds;
    ``opened`` is the row of the log with which they came back, and ``place`` counts the viewer's interactions up to
    the one at which it was seen. ``left`` and ``joined`` are videos typical of the themes whose taste fell and rose
    most, of those that the viewer met before and since, indices.
    """

    viewer: int
    at: int
    noticed_at: int
    opened: int
    place: int
    odds: float
    modality: str
    left: tuple[int, ...]
    joined: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """What is said after each of the first W interactions of sessions.

    opens_S: rows of the log; begin_S: of the first interaction that counts before them; rate: of shifts a day;
    log_odds_SWM: of a shift of each modality, -inf where none was judged, as beyond the viewer's last interaction.
    """

    opens_S: NDArray[np.int64]
    begin_S: NDArray[np.int64]
    rate: float
    log_odds_SWM: NDArray[np.float64]

    def at(self, rows_S: NDArray[np.bool_]) -> Verdicts:
        """Those on some of the sessions."""
        return Verdicts(
            opens_S=self.opens_S[rows_S],
            begin_S=self.begin_S[rows_S],
            rate=self.rate,
            log_odds_SWM=self.log_odds_SWM[rows_S],
        )

    def with_rate(self, rate: float) -> Verdicts:
        """The same if interests change that often."""
        return replace(self, rate=rate, log_odds_SWM=self.log_odds_SWM + np.log(rate / self.rate))

    def add_to(self, log_odds_I: NDArray[np.float64]) -> None:
        """Sum the odds of all shifts that could have led to each interaction."""
        log_odds_SW = np.logaddexp.reduce(self.log_odds_SWM, axis=2)
        for step in range(log_odds_SW.shape[1]):
            judged_S = log_odds_SW[:, step] > _NEVER
            row_S = self.opens_S[judged_S] + step
            log_odds_I[row_S] = np.logaddexp(log_odds_I[row_S], log_odds_SW[judged_S, step])

    def note(self, log: BehaviorLog, rate: ChangeRate) -> None:
        """Note how likely a shift each session made at last."""
        last_S = np.minimum(
            self.opens_S + self.log_odds_SWM.shape[1], log.offsets()[log.viewer_I[self.opens_S] + 1]
        )
        at_last_SM = self.log_odds_SWM[np.arange(len(last_S)), last_S - 1 - self.opens_S]
        away_S = days_away(log, self.opens_S)
        ratio_S = np.logaddexp.reduce(at_last_SM, axis=1) - np.log(self.rate * away_S)
        judged_S = ratio_S > _NEVER
        rate.note(ratio_S[judged_S], away_S[judged_S], log.at_I[last_S[judged_S] - 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Says of a log whose interests have changed.

    signals: of the log; themes: of its videos; odds, window: what raises an alarm, and how late one can be. hindsight:
    leaves out what the rest of a window contradicts outright, which takes far less time.
    """

    kinds: Kinds
    log: BehaviorLog
    signals: SignalsApart
    themes: Themes
    odds: float = ODDS
    window: int = WINDOW
    hindsight: bool = False

    def verdicts(self, opens_S: NDArray[np.int64], begin_U: NDArray[np.int64]) -> Verdicts:
        """Odds of a shift after each of the first interactions of some sessions.

        Args:
            opens_S: Rows that open them.
            begin_U: Each viewer's first row that counts.
        """
        begin_S = np.minimum(begin_U[self.log.viewer_I[opens_S]], opens_S)
        # Each is weighed as every kind of viewer's.
        width, kinds = len(self.kinds.viewers.base.covariance_TT), len(self.kinds.viewers.weight_GM)
        block = max(1, stretches_at_once(width) // kinds)
        found = [
            self._log_odds(opens_S[start : start + block], begin_S[start : start + block])
            for start in range(0, max(1, len(opens_S)), block)
        ]
        return Verdicts(opens_S=opens_S, begin_S=begin_S, rate=self.kinds.rate, log_odds_SWM=np.concatenate(found))

    def shifts(self, verdicts: Verdicts, begin_U: NDArray[np.int64]) -> list[Shift]:
        """The alarms, one viewer's in order of time.

        Args:
            verdicts: On sessions of the log.
            begin_U: Each viewer's first row that counts; of those who shifted it is moved up to the shift.
        """
        viewer_S, found = self.log.viewer_I[verdicts.opens_S], []
        # What came before a shift no longer counts: the viewer's later sessions are judged again.
        moved_S = verdicts.begin_S < np.minimum(begin_U[viewer_S], verdicts.opens_S)
        fresh = self._alarms(verdicts.at(~moved_S))
        while True:
            found += fresh
            for shift in fresh:
                begin_U[shift.viewer] = shift.opened
            moved_S |= np.isin(viewer_S, [shift.viewer for shift in fresh])
            moved_S &= verdicts.opens_S > begin_U[viewer_S]
            if not moved_S.any():
                return found
            fresh = self._alarms(self.verdicts(verdicts.opens_S[moved_S], begin_U))
            moved_S &= np.isin(viewer_S, [shift.viewer for shift in fresh])

    def again(self, verdicts: Verdicts, begin_U: NDArray[np.int64]) -> Verdicts:
        """The verdicts, judged again where a viewer's earlier history no longer counts."""
        counts_S = begin_U[self.log.viewer_I[verdicts.opens_S]]
        # What opened the new interest is judged by what came before it.
        moved_S = (verdicts.begin_S < counts_S) & (counts_S < verdicts.opens_S)
        anew = self.verdicts(verdicts.opens_S[moved_S], begin_U)
        log_odds_SWM, begin_S = verdicts.log_odds_SWM.copy(), verdicts.begin_S.copy()
        log_odds_SWM[moved_S], begin_S[moved_S] = anew.log_odds_SWM, anew.begin_S
        return replace(verdicts, begin_S=begin_S, log_odds_SWM=log_odds_SWM)

    def _log_odds(self, opens_S: NDArray[np.int64], begin_S: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of a shift in each modality after each of the first interactions: (S, W, M)."""
        viewers, log = self.kinds.viewers, self.log
        before = self.kinds.believe(log, self.signals.over(begin_S, opens_S), opens_S)
        redrawn_M = [viewers.redrawn(before, column) for column in range(len(self.themes.modalities))]
        prior_S = np.log(self.kinds.rate * days_away(log, opens_S))
        log_odds_SWM = np.full((len(opens_S), self.window, len(redrawn_M)), _NEVER)
        end_S = log.offsets()[log.viewer_I[opens_S] + 1]
        likely_S = np.ones(len(opens_S), bool)
        for step in range(self.window)[::-1]:
            reached_S = np.flatnonzero(likely_S & (opens_S + step < end_S))
            since = self.signals.over(opens_S[reached_S], opens_S[reached_S] + step + 1)
            _, same_S = viewers.learn(before.at(reached_S), since)
            for column, anew in enumerate(redrawn_M):
                _, changed_S = viewers.learn(anew.at(reached_S), since)
                log_odds_SWM[reached_S, step, column] = changed_S - same_S + prior_S[reached_S]
            if self.hindsight and step == self.window - 1:
                at_last_S = np.logaddexp.reduce(log_odds_SWM[reached_S, step], axis=1)
                likely_S[reached_S] = at_last_S > np.log(self.odds) - _CONTRADICTED
        return log_odds_SWM

    def _alarms(self, verdicts: Verdicts) -> list[Shift]:
        """The first alarm of each viewer."""
        log_odds_I = np.full(len(self.log), _NEVER)
        verdicts.add_to(log_odds_I)
        rows = np.flatnonzero(log_odds_I > np.log(self.odds))
        _, first = np.unique(self.log.viewer_I[rows], return_index=True)
        return [self._explain(verdicts, int(row), float(np.exp(log_odds_I[row]))) for row in rows[first]]

    def _explain(self, verdicts: Verdicts, row: int, odds: float) -> Shift:
        """When the shift that an alarm is about began, and between which themes."""
        log = self.log
        step_S = row - verdicts.opens_S
        near_S = np.flatnonzero((step_S >= 0) & (step_S < self.window))
        session = near_S[verdicts.log_odds_SWM[near_S, step_S[near_S]].max(axis=1).argmax()]
        viewer, opened = int(log.viewer_I[row]), int(verdicts.opens_S[session])
        shift = Shift(
            viewer=viewer,
            at=int(log.at_I[opened]),
            noticed_at=int(log.at_I[row]),
            opened=opened,
            place=row + 1 - int(log.offsets()[viewer]),
            odds=odds,
            modality="",
            left=(),
            joined=(),
        )
        return self.told(shift, int(verdicts.begin_S[session]), row + 1)

    def told(self, shift: Shift, begin: int, end: int) -> Shift:
        """The shift with the modality and themes that are likeliest by what was done until a row.

        Args:
            shift: Of the log.
            begin: The viewer's first row that counts.
            end: The row after the last that counts.
        """
        viewers, themes, modalities = self.kinds.viewers, self.themes, range(len(self.themes.modalities))
        opened_1 = np.array([shift.opened])
        earlier = self.signals.over(np.array([begin]), opened_1)
        since = self.signals.over(opened_1, np.array([end]))
        before = self.kinds.believe(self.log, earlier, opened_1)
        accounts = [viewers.learn(viewers.redrawn(before, column), since) for column in modalities]
        column = int(np.argmax([told_1[0] for _, told_1 in accounts]))
        block = slice(column * themes.count, (column + 1) * themes.count)
        was_K, now_K = before.mean_BT[0, block], accounts[column][0].mean_BT[0, block]
        modality, exists_V = themes.modalities[column], self.log.uploaded_at_V <= int(self.log.at_I[end - 1])

        def best(value_K: NDArray[np.float64], met: Heard, other: int = -1) -> int:
            """The theme with the highest value among those that the viewer met, as little is known of others."""
            free_K = np.arange(themes.count) != other
            met_K = free_K & (met.shown_BT[0, block] > 0)
            return int(np.where(met_K if met_K.any() else free_K, value_K, -np.inf).argmax())

        def typical(theme: int) -> tuple[int, ...]:
            return tuple(int(video) for video in themes.typical(modality, theme, _EXAMPLES, among_V=exists_V))

        joined = best(now_K - was_K, since)
        left = best(was_K - now_K, earlier, joined)
        return replace(shift, modality=modality, left=typical(left), joined=typical(joined))


def settled_kinds(log: BehaviorLog, signals: SignalsApart, tastes: TasteModel, themes: Themes) -> Kinds:
    """What kinds of viewers there are and how often interests change, from histories cut where one has changed.

    Takes a second of processor time for some 150 returns of viewers, so that a sample of a large platform is enough.

    Args:
        log: Of some or of all.
        signals: Of the log.
        tastes: Learned from these viewers or from more.
        themes: Of the videos.
    """
    now, begin_U, returns_S = int(log.at_I.max()) + 1, log.offsets()[:-1], log.returns()
    kinds = Kinds.of(log, signals, tastes, until=now)
    judge = Judge(kinds=kinds, log=log, signals=signals, themes=themes, hindsight=True)
    verdicts = judge.verdicts(returns_S, begin_U)
    often = _rate(log, verdicts)
    judge = replace(judge, kinds=replace(kinds, rate=often))
    opened = np.array([shift.opened for shift in judge.shifts(verdicts.with_rate(often), begin_U)], np.int64)
    # A change is seen again at every return until its own time is known: only then it counts once.
    seldom = _rate(log, judge.again(verdicts.with_rate(often), begin_U))
    return Kinds.of(log, signals, tastes, until=now, rate=seldom, opened=opened)


def _rate(log: BehaviorLog, verdicts: Verdicts) -> float:
    """How often interests change by what is said of all of a log's sessions."""
    rate = ChangeRate()
    verdicts.note(log, rate)
    return rate.before(int(log.at_I.max()) + 1)
