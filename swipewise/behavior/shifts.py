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
from swipewise.behavior.judging import ODDS, WINDOW, Judge, Shift, Verdicts
from swipewise.behavior.kinds import Kinds
from swipewise.behavior.log import DAY_MS, BehaviorLog
from swipewise.behavior.taste_model import TasteModel
from swipewise.behavior.weighing import SignalsApart
from swipewise.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftSettings:
    """How shifts are looked for."""

    odds: float = ODDS
    """Odds that raise an alarm; higher is stricter."""
    rate: float = USUAL
    """Chance of a shift in a day, until the log tells how often there are any."""
    window: int = WINDOW
    """Interactions after coming back that are looked at; a shift unnoticed by then stays so."""
    themes: int = 8
    """Themes of each modality."""
    refit_days: float = 3.0
    """Days after which themes and typical tastes are learned again."""
    least: int = 500
    """Interactions without which nothing can be learned."""
    seed: int = 0
    """Of the clustering."""


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
        begin_U = log.offsets()[:-1].copy()
        found = [shift for judge, verdicts in self._periods(log) for shift in judge.shifts(verdicts, begin_U)]
        return sorted(found, key=lambda shift: (shift.noticed_at, shift.viewer))

    def trace(self, log: BehaviorLog) -> NDArray[np.float64]:
        """Log-odds of a shift after each interaction, as if no alarm was ever raised: (I,), -inf where not judged.

        The first of a viewer's above a limit is the first alarm of a detector with that limit.

        Args:
            log: Of one viewer or of all.

        Raises:
            DataError: There are too few interactions to learn from.
        """
        log_odds_I = np.full(len(log), -np.inf)
        for _, verdicts in self._periods(log):
            verdicts.add_to(log_odds_I)
        return log_odds_I

    def _periods(self, log: BehaviorLog) -> Iterator[tuple[Judge, Verdicts]]:
        """One judge after another, with what it says of the sessions that follow, by the viewers' whole histories."""
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
        returns_S = log.returns()
        begin_U, rate = log.offsets()[:-1], ChangeRate(self.settings.rate)
        times = range(int(log.at_I.min()) + step, int(log.at_I.max()) + 1, step)
        for done, time in enumerate(times):
            self._on_progress(done, len(times))
            opens_S = returns_S[(log.at_I[returns_S] >= time) & (log.at_I[returns_S] < time + step)]
            if len(opens_S) and (log.at_I < time).sum() >= self.settings.least:
                judge = self._learn(log, time, rate.before(time))
                verdicts = judge.verdicts(opens_S, begin_U)
                verdicts.note(log, rate)
                yield judge, verdicts

    def _learn(self, log: BehaviorLog, time: int, rate: float) -> Judge:
        """Themes, tastes, the appeal of videos and kinds of viewers, from what came before a time alone."""
        seed = self.settings.seed
        tastes = TasteModel.learn(
            log,
            count=self.settings.themes,
            until=time,
            profile_values=int(log.profile_UP.max(initial=0)),
            seed=seed,
        )
        shelf = tastes.shelf(log.content, log.uploaded_at_V)
        signals = SignalsApart.of(shelf.signals(log, tastes.scale, tastes.appeal_V))
        return Judge(
            kinds=Kinds.of(log, signals, tastes, until=time, rate=rate, seed=seed),
            log=log,
            signals=signals,
            themes=shelf.themes,
            odds=self.settings.odds,
            window=self.settings.window,
        )
