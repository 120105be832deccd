"""Interest shifts: the moments at which what a viewer cares about changes.

After every interaction the detector compares two accounts of what the viewer has done since they last came back: the
tastes are those of before, or the taste in one modality was drawn anew while the viewer was away. Interests change
with time, so the longer a viewer was away, the likelier a change; how often they do is learned from everybody's earlier
returns. An alarm is raised once its odds are high enough.

Everything is learned again every few days from the past alone, and a verdict depends on nothing that came after it.

Legend of shape suffixes: U = viewers, V = videos, I = interactions, S = sessions, M = modalities, K = themes of a
modality, T = M * K, W = interactions of a session that are looked at, F = columns of the profiles' design.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swipewise.behavior.change_rate import USUAL, ChangeRate
from swipewise.behavior.evidence import Shelf, Signals, stretches_at_once
from swipewise.behavior.log import DAY_MS, SESSION_GAP_MS, BehaviorLog
from swipewise.behavior.taste_model import LONGEST_AWAY_DAYS, TasteModel, design
from swipewise.behavior.themes import Themes
from swipewise.behavior.weighing import SignalsApart, WeighedBelief, WeighedPopulation
from swipewise.errors import DataError

_EXAMPLES = 5
_MOST_VIEWERS = 4_000  # that kinds of viewers are learned from
_NEVER = -np.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftSettings:
    """How shifts are looked for."""

    odds: float = 0.7
    """Odds that raise an alarm; higher is stricter. At this, one simulated viewer in twelve is falsely suspected."""
    rate: float = USUAL
    """Chance of a shift in a day, until the log tells how often there are any."""
    window: int = 5
    """Interactions after coming back that are looked at; a shift unnoticed by then stays so."""
    themes: int = 8
    """Themes of each modality."""
    refit_days: float = 3.0
    """Days after which themes and typical tastes are learned again."""
    least: int = 500
    """Interactions without which nothing can be learned."""
    seed: int = 0
    """Of the clustering."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A viewer's interest has changed.

    ``at`` is when the viewer came back with another interest and ``noticed_at`` when that was seen, milliseconds;
    ``place`` counts the viewer's interactions up to then. ``left`` and ``joined`` are videos typical of the themes
    whose taste fell and rose most, indices.
    """

    viewer: int
    at: int
    noticed_at: int
    place: int
    odds: float
    modality: str
    left: tuple[int, ...]
    joined: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdicts:
    """What a model says after each of the first W interactions of sessions.

    opens_S: rows of the log; begin_S: of the first interaction that counts before them; rate: of shifts a day;
    log_odds_SWM: of a shift of each modality, -inf beyond the viewer's last interaction.
    """

    opens_S: NDArray[np.int64]
    begin_S: NDArray[np.int64]
    rate: float
    log_odds_SWM: NDArray[np.float64]

    def at(self, rows_S: NDArray[np.bool_]) -> _Verdicts:
        """Those on some of the sessions."""
        return _Verdicts(
            opens_S=self.opens_S[rows_S],
            begin_S=self.begin_S[rows_S],
            rate=self.rate,
            log_odds_SWM=self.log_odds_SWM[rows_S],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """What was learned from everything before a time."""

    tastes: TasteModel
    viewers: WeighedPopulation
    themes: Themes
    signals: SignalsApart

    def before(self, log: BehaviorLog, begin_S: NDArray[np.int64], opens_S: NDArray[np.int64]) -> WeighedBelief:
        """What is believed of viewers when they come back."""
        design_SF = design(log.profile_UP[log.viewer_I[opens_S]], self.tastes.profile_values)
        before, _ = self.viewers.learn(self.viewers.prior(design_SF), self.signals.over(begin_S, opens_S))
        return before


class ShiftDetector:
    """Finds the moments at which viewers' interests change; causal: as if it had run while the log was written.

    Args:
        settings: How shifts are looked for.
        on_progress: Told how many of the log's periods of ``refit_days`` are done, and how many there are.
    """

    def __init__(
        self,
        settings: ShiftSettings | None = None,
        *,
        on_progress: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> None:
        self.settings = settings or ShiftSettings()
        self._on_progress = on_progress

    def detect(self, log: BehaviorLog) -> list[Shift]:
        """All shifts, in the order in which they are noticed.

        After a shift the viewer's earlier history no longer counts, so that further shifts are found too.

        Args:
            log: Of one viewer or of all.

        Raises:
            DataError: There are too few interactions to learn from, or no vectors.
        """
        found: list[Shift] = []
        first_U = log.offsets()[:-1]
        begin_U = first_U.copy()
        for model, verdicts in self._periods(log):
            viewer_S = log.viewer_I[verdicts.opens_S]
            moved_S = begin_U[viewer_S] > first_U[viewer_S]
            fresh = self._alarms(log, model, verdicts.at(~moved_S))
            while True:
                found += [shift for shift, _ in fresh]
                for shift, opened in fresh:
                    begin_U[shift.viewer] = opened
                # What came before a shift no longer counts: the viewer's later sessions are judged again.
                shifted = np.array([shift.viewer for shift, _ in fresh], np.int64)
                moved_S = (moved_S | np.isin(viewer_S, shifted)) & (verdicts.opens_S > begin_U[viewer_S])
                pending_S = verdicts.opens_S[moved_S]
                if not len(pending_S):
                    break
                fresh = self._alarms(log, model, self._judge(log, model, pending_S, begin_U, verdicts.rate))
                moved_S &= np.isin(viewer_S, [shift.viewer for shift, _ in fresh])
        return sorted(found, key=lambda shift: (shift.noticed_at, shift.viewer))

    def trace(self, log: BehaviorLog) -> NDArray[np.float64]:
        """Log-odds of a shift after each interaction, as if no alarm was ever raised: (I,), -inf where not judged.

        The first of a viewer's above a limit is the first alarm of a detector with that limit.

        Args:
            log: Of one viewer or of all.

        Raises:
            DataError: There are too few interactions to learn from.
        """
        log_odds_I = np.full(len(log), _NEVER)
        for _, verdicts in self._periods(log):
            _add_to(log_odds_I, verdicts)
        return log_odds_I

    def _periods(self, log: BehaviorLog) -> Iterator[tuple[_Model, _Verdicts]]:
        """One model after another, with what it says of the sessions that follow, by the viewers' whole histories."""
        if len(log) < self.settings.least:
            raise DataError(
                f"{len(log)} interactions are too few to tell shifts of interest from chance, at least "
                f"{self.settings.least} are needed: import more with 'swipewise events import FILE'"
            )
        if not log.content:
            raise DataError(
                "shifts of interest are told by what videos show, say and sound like, and these have no vectors: "
                "encode them with 'swipewise videos encode'"
            )
        step = int(self.settings.refit_days * DAY_MS)
        opens_I = log.away() > SESSION_GAP_MS
        begin_U, rate = log.offsets()[:-1], ChangeRate(self.settings.rate)
        times = range(int(log.at_I.min()) + step, int(log.at_I.max()) + 1, step)
        for done, time in enumerate(times):
            self._on_progress(done, len(times))
            opens_S = np.flatnonzero(opens_I & (log.at_I >= time) & (log.at_I < time + step))
            if len(opens_S) and (log.at_I < time).sum() >= self.settings.least:
                model = self._learn(log, time)
                verdicts = self._judge(log, model, opens_S, begin_U, rate.before(time))
                self._note(log, verdicts, rate)
                yield model, verdicts

    def _learn(self, log: BehaviorLog, time: int) -> _Model:
        """Themes, tastes and the appeal of videos, from what came before a time alone."""
        tastes = TasteModel.learn(
            log,
            count=self.settings.themes,
            until=time,
            profile_values=int(log.profile_UP.max(initial=0)),
            seed=self.settings.seed,
        )
        themes = tastes.themes_met(log, until=time, seed=self.settings.seed)
        signals = Shelf(themes, log.uploaded_at_V).signals(log, tastes.scale, tastes.appeal_V)
        apart = SignalsApart.of(signals)
        return _Model(
            tastes=tastes,
            viewers=self._viewers(log, tastes, signals, apart, time),
            themes=themes,
            signals=apart,
        )

    def _viewers(
        self, log: BehaviorLog, tastes: TasteModel, signals: Signals, apart: SignalsApart, time: int
    ) -> WeighedPopulation:
        """What kinds of viewers there are, from what some did before a time."""
        past_I = log.at_I < time
        count_U = np.bincount(log.viewer_I[past_I], minlength=len(log.profile_UP))
        viewers = np.flatnonzero(count_U)
        if len(viewers) > _MOST_VIEWERS:
            rng = np.random.default_rng(self.settings.seed)
            viewers = np.sort(rng.choice(viewers, _MOST_VIEWERS, replace=False))
        first_U = log.offsets()[viewers]
        heard_I = past_I & signals.known_I & np.isin(log.viewer_I, viewers)
        return WeighedPopulation.fit(
            tastes.population,
            apart.over(first_U, first_U + count_U[viewers]),
            design(log.profile_UP[viewers], tastes.profile_values),
            float((signals.response_I[heard_I] ** 2).sum()),
            int(heard_I.sum()),
        )

    def _judge(
        self,
        log: BehaviorLog,
        model: _Model,
        opens_S: NDArray[np.int64],
        begin_U: NDArray[np.int64],
        rate: float,
    ) -> _Verdicts:
        """Odds of a shift after each of the first interactions of some sessions."""
        begin_S = np.minimum(begin_U[log.viewer_I[opens_S]], opens_S)
        # Each is weighed as every kind of viewer's.
        width, kinds = len(model.viewers.base.covariance_TT), len(model.viewers.weight_GM)
        block = max(1, stretches_at_once(width) // kinds)
        found = [
            self._log_odds(log, model, opens_S[start : start + block], begin_S[start : start + block], rate)
            for start in range(0, len(opens_S), block)
        ]
        return _Verdicts(opens_S=opens_S, begin_S=begin_S, rate=rate, log_odds_SWM=np.concatenate(found))

    def _log_odds(
        self,
        log: BehaviorLog,
        model: _Model,
        opens_S: NDArray[np.int64],
        begin_S: NDArray[np.int64],
        rate: float,
    ) -> NDArray[np.float64]:
        """Of a shift in each modality after each of the first interactions: (S, W, M)."""
        learn = model.viewers.learn
        before = model.before(log, begin_S, opens_S)
        redrawn_M = [model.viewers.redrawn(before, column) for column in range(len(model.themes.modalities))]
        prior_S = np.log(rate * _days_away(log, opens_S))
        log_odds_SWM = np.full((len(opens_S), self.settings.window, len(redrawn_M)), _NEVER)
        end_S = log.offsets()[log.viewer_I[opens_S] + 1]
        for step in range(self.settings.window):
            reached_S = np.flatnonzero(opens_S + step < end_S)
            since = model.signals.over(opens_S[reached_S], opens_S[reached_S] + step + 1)
            _, same_S = learn(before.at(reached_S), since)
            for column, anew in enumerate(redrawn_M):
                _, changed_S = learn(anew.at(reached_S), since)
                log_odds_SWM[reached_S, step, column] = changed_S - same_S + prior_S[reached_S]
        return log_odds_SWM

    def _note(self, log: BehaviorLog, verdicts: _Verdicts, rate: ChangeRate) -> None:
        """Note how likely a shift each session made at last."""
        opens_S = verdicts.opens_S
        last_S = np.minimum(opens_S + self.settings.window, log.offsets()[log.viewer_I[opens_S] + 1]) - 1
        log_odds_S = np.logaddexp.reduce(verdicts.log_odds_SWM[np.arange(len(opens_S)), last_S - opens_S], axis=1)
        away_S = _days_away(log, opens_S)
        rate.note(log_odds_S - np.log(verdicts.rate * away_S), away_S, log.at_I[last_S])

    def _alarms(self, log: BehaviorLog, model: _Model, verdicts: _Verdicts) -> list[tuple[Shift, int]]:
        """The first alarm of each viewer, with the row at which the new interest began."""
        log_odds_I = np.full(len(log), _NEVER)
        _add_to(log_odds_I, verdicts)
        rows = np.flatnonzero(log_odds_I > np.log(self.settings.odds))
        _, first = np.unique(log.viewer_I[rows], return_index=True)
        return [
            self._explain(log, model, verdicts, int(row), float(np.exp(log_odds_I[row]))) for row in rows[first]
        ]

    def _explain(
        self, log: BehaviorLog, model: _Model, verdicts: _Verdicts, row: int, odds: float
    ) -> tuple[Shift, int]:
        """When the shift that an alarm is about began, and between which themes."""
        step_S = row - verdicts.opens_S
        near_S = np.flatnonzero((step_S >= 0) & (step_S < self.settings.window))
        log_odds_SM = verdicts.log_odds_SWM[near_S, step_S[near_S]]
        session, column = np.unravel_index(log_odds_SM.argmax(), log_odds_SM.shape)
        opened = verdicts.opens_S[near_S[[session]]]
        before = model.before(log, verdicts.begin_S[near_S[[session]]], opened)
        since = model.signals.over(opened, np.array([row + 1]))
        after, _ = model.viewers.learn(model.viewers.redrawn(before, int(column)), since)
        count, themes = model.themes.count, model.themes
        block = slice(int(column) * count, (int(column) + 1) * count)
        change_K = (after.mean_BT - before.mean_BT)[0, block]
        modality = themes.modalities[int(column)]
        now = int(log.at_I[row])
        exists_V = log.uploaded_at_V <= now

        def typical(theme: int) -> tuple[int, ...]:
            return tuple(int(video) for video in themes.typical(modality, theme, _EXAMPLES, among_V=exists_V))

        viewer = int(log.viewer_I[row])
        shift = Shift(
            viewer=viewer,
            at=int(log.at_I[opened[0]]),
            noticed_at=now,
            place=row + 1 - int(log.offsets()[viewer]),
            odds=odds,
            modality=modality,
            left=typical(int(change_K.argmin())),
            joined=typical(int(change_K.argmax())),
        )
        return shift, int(opened[0])


def _days_away(log: BehaviorLog, opens_S: NDArray[np.int64]) -> NDArray[np.float64]:
    days_S: NDArray[np.float64] = np.minimum(log.away()[opens_S] / DAY_MS, LONGEST_AWAY_DAYS)
    return days_S


def _add_to(log_odds_I: NDArray[np.float64], verdicts: _Verdicts) -> None:
    """Sum the odds of all shifts that could have led to each interaction."""
    log_odds_SW = np.logaddexp.reduce(verdicts.log_odds_SWM, axis=2)
    for step in range(log_odds_SW.shape[1]):
        judged_S = log_odds_SW[:, step] > _NEVER
        row_S = verdicts.opens_S[judged_S] + step
        log_odds_I[row_S] = np.logaddexp(log_odds_I[row_S], log_odds_SW[judged_S, step])
