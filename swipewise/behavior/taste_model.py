"""All that a log teaches of tastes: the themes, what is usual, the population, and what everybody makes of a video.

Legend of shape suffixes: U = viewers, V = videos, I = interactions, B = stretches of histories, S = sessions that may
have brought a change, M = modalities, K = themes of a modality, T = M * K, P = profile fields, F = columns of the
profiles' design.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from swipewise.behavior.change_rate import USUAL
from swipewise.behavior.changes import Account, Returns, TastesNow, Weighing, accounts
from swipewise.behavior.evidence import ResponseScale, Shelf, Signals
from swipewise.behavior.log import BehaviorLog, Vectors
from swipewise.behavior.tastes import Belief, Population, fit_population, redrawn
from swipewise.behavior.themes import ThemeAxes, ThemeMap, Themes, learn_themes

_REDRAWINGS = 3
_CONTENT_TRUST = 0.2  # distances sum over many axes that are not independent, so they claim to know too much
_APPEAL_WORTH = 5.0  # how many responses the guess is worth that nothing sets a video apart but its themes
_MOST_VIEWERS = 20_000  # that a population is learned from, and fewer where there are many themes
_MOST_NUMBERS = 2**25  # in their covariances together
_LARGEST_PULL = 30.0  # exponents beyond this say nothing more


@dataclass(frozen=True, slots=True, kw_only=True)
class TasteModel:
    """What was learned from a log.

    profile_values: codes of profile fields that are heeded, 1 to this. appeal_V: what everybody makes of each video
    beyond its themes, on the scale of responses. theme_VM: the themes that its vectors and what viewers made of it
    make likeliest together, -1 where it lacks the modality or was not there yet.
    """

    themes: ThemeMap
    scale: ResponseScale
    population: Population
    profile_values: int
    appeal_V: NDArray[np.float64]
    theme_VM: NDArray[np.int64]

    @classmethod
    def learn(cls, log: BehaviorLog, *, count: int, until: int, profile_values: int, seed: int = 0) -> Self:
        """Learn from what came before a time alone.

        Args:
            log: The platform's.
            count: Themes of a modality.
            until: Milliseconds.
            profile_values: The codes of ``log.profile_UP`` are 1 to this.
            seed: Of the clustering, and of the viewers that are looked at where there are very many.
        """
        log = _of_some(log.before(until), len(log.content) * count, seed)
        themes = learn_themes(log, count=count, until=until, seed=seed)
        scale, design_UF = ResponseScale.of(log, until=until), design(log.profile_UP, profile_values)
        population = None
        for _ in range(_REDRAWINGS):
            signals = Shelf(themes.of(log.content), log.uploaded_at_V).signals(log, scale)
            population = _population(log, signals, design_UF, len(themes.axes), start=population)
            themes = _redrawn(log, themes, signals, population, design_UF, until)
        shelf = Shelf(themes.of(log.content), log.uploaded_at_V)
        signals = shelf.signals(log, scale)
        population = _population(log, signals, design_UF, len(themes.axes), start=population)
        appeal_V = _appeal(log, signals, population, design_UF)
        signals = shelf.signals(log, scale, appeal_V)
        population = _population(log, signals, design_UF, len(themes.axes), start=population)
        theme_VM = _likeliest(log, themes, signals, population, design_UF, until)
        signals = Shelf(themes.of(log.content, theme_VM), log.uploaded_at_V).signals(log, scale, appeal_V)
        population = _population(log, signals, design_UF, len(themes.axes), start=population)
        return cls(
            themes=themes,
            scale=scale,
            population=population,
            profile_values=profile_values,
            appeal_V=appeal_V,
            theme_VM=theme_VM,
        )

    def shelf(self, content: Mapping[str, Vectors], uploaded_at_V: NDArray[np.int64]) -> Shelf:
        """The catalogue that it was learned from."""
        return Shelf(self.themes_met(content), uploaded_at_V)

    def themes_met(self, content: Mapping[str, Vectors]) -> Themes:
        """The themes of the videos that it was learned from, also by what viewers made of them."""
        return self.themes.of(content, self.theme_VM)

    def prior(self, profile_BP: NDArray[np.int64]) -> Belief:
        """What is believed of viewers of whom only the profile is known."""
        return self.population.belief(design(profile_BP, self.profile_values))

    def believe(
        self, signals: Signals, profile_BP: NDArray[np.int64], start_B: NDArray[np.int64], end_B: NDArray[np.int64]
    ) -> Belief:
        """What is believed after stretches of interactions, as if tastes never changed.

        Args:
            signals: Of a log.
            profile_BP: int64 codes of whose the stretches are, 0 where a field is missing.
            start_B: The first row of each stretch.
            end_B: The row after its last.
        """
        return self.population.posterior(self.prior(profile_BP), signals.over(start_B, end_B))

    def tastes_now(
        self, log: BehaviorLog, signals: Signals, profile_UP: NDArray[np.int64], *, changes: bool = True
    ) -> TastesNow:
        """The tastes of a log's viewers after all that they did.

        Of sessions long ago one stands for several: a history of years with thousands is told in the time that a few
        dozen take.

        Args:
            log: Whose.
            signals: Of the log.
            profile_UP: Their profiles.
            changes: Whether changes are reckoned with.
        """
        start_U, end_U = log.offsets()[:-1], log.offsets()[1:]
        weighing = Weighing(self.believe(signals, profile_UP, start_U, end_U).mean_BT)
        if changes:
            returns = Returns.of(log)
            for account in self._accounts(returns, log, signals, profile_UP, USUAL):
                weighing.add(returns, account)
        return weighing.found()

    def likely_changes(
        self, log: BehaviorLog, signals: Signals, profile_UP: NDArray[np.int64], *, least: float, rate: float
    ) -> Returns:
        """The sessions that brought a change with a chance of at least so much.

        Args:
            log: Whose.
            signals: Of the log.
            profile_UP: The viewers' profiles.
            least: That chance.
            rate: The chance that a taste is drawn anew in a day.
        """
        returns = Returns.of(log)
        odds_S = np.zeros(len(returns))
        for account in self._accounts(returns, log, signals, profile_UP, rate):
            odds_S += account.odds_S
        total_U = 1 + np.bincount(returns.viewer_S, odds_S, len(log.profile_UP))
        return returns.at(odds_S >= least * total_U[returns.viewer_S])

    def _accounts(
        self, returns: Returns, log: BehaviorLog, signals: Signals, profile_UP: NDArray[np.int64], rate: float
    ) -> Iterator[Account]:
        """How likely it is that the taste was drawn anew before some session, one modality after another."""
        if not len(returns):
            return
        offsets, viewer_S = log.offsets(), returns.viewer_S
        before = self.believe(signals, profile_UP[viewer_S], offsets[viewer_S], returns.opens_S)
        since = signals.over(returns.opens_S, offsets[viewer_S + 1])
        anew_M, share_SM = redrawn(before, self.population.modalities)
        yield from accounts(self.population, returns, before, anew_M, since, rate=rate, share_SM=share_SM)


def design(profile_BP: NDArray[np.int64], values: int) -> NDArray[np.float64]:
    """A column of ones, and one for each value of a profile field: (B, F)."""
    design_BF = np.zeros((len(profile_BP), values + 1))
    np.put_along_axis(design_BF, np.where(profile_BP <= values, profile_BP, 0), 1.0, axis=1)
    design_BF[:, 0] = 1.0
    return design_BF


def _of_some(log: BehaviorLog, width: int, seed: int) -> BehaviorLog:
    """The log of so many as can be learned from, as each one takes memory, the more the wider the tastes."""
    return log.of_some(min(_MOST_VIEWERS, max(1, _MOST_NUMBERS // max(1, width**2))), seed)


def _population(
    log: BehaviorLog,
    signals: Signals,
    design_UF: NDArray[np.float64],
    modalities: int,
    *,
    start: Population | None,
) -> Population:
    known_I = signals.known_I
    offsets = log.offsets()
    return fit_population(
        signals.over(offsets[:-1], offsets[1:]),
        float((signals.response_I[known_I] ** 2).sum()),
        int(known_I.sum()),
        design_UF,
        modalities,
        start=start,
    )


def _redrawn(
    log: BehaviorLog,
    themes: ThemeMap,
    signals: Signals,
    population: Population,
    design_UF: NDArray[np.float64],
    until: int,
) -> ThemeMap:
    """The themes drawn anew so that content tells apart what viewers tell apart.

    Each video gets the theme that its content and what viewers made of it make likeliest together, given the tastes
    that follow from the themes as they were; then the axes are drawn so that the content alone gives these.
    """
    theme_VM = _likeliest(log, themes, signals, population, design_UF, until)
    axes = dict(themes.axes)
    for column, name, old, known_V in _known(log, themes, until):
        axes[name] = old.redrawn(log.content[name].values_VD[known_V], theme_VM[known_V, column])
    return replace(themes, axes=axes)


def _likeliest(
    log: BehaviorLog,
    themes: ThemeMap,
    signals: Signals,
    population: Population,
    design_UF: NDArray[np.float64],
    until: int,
) -> NDArray[np.int64]:
    """What content and what viewers made of it make likeliest together: (V, M), -1 unless uploaded before a time."""
    offsets = log.offsets()
    belief, _ = population.learn(population.belief(design_UF), signals.over(offsets[:-1], offsets[1:]))
    told_VT = themes_told(log, signals, population, belief.mean_BT)
    theme_VM = np.full((len(log.uploaded_at_V), len(themes.axes)), -1, np.int64)
    for column, name, axes, known_V in _known(log, themes, until):
        near_VK = axes.square_distances(log.content[name].values_VD[known_V])
        first = column * themes.count
        likely_VK = told_VT[known_V, first : first + near_VK.shape[1]] - 0.5 * _CONTENT_TRUST * near_VK
        theme_VM[known_V, column] = likely_VK.argmax(axis=1)
    return theme_VM


def _known(
    log: BehaviorLog, themes: ThemeMap, until: int
) -> Iterator[tuple[int, str, ThemeAxes, NDArray[np.int64]]]:
    """The column, name and axes of each modality that has any, and the videos uploaded before a time that have it."""
    for column, (name, axes) in enumerate(themes.axes.items()):
        if axes is not None and name in log.content:
            known_V = log.content[name].present_V & (log.uploaded_at_V < until)
            yield column, name, axes, np.flatnonzero(known_V)


def themes_told(
    log: BehaviorLog, signals: Signals, population: Population, taste_UT: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How likely what was made of each video is if it had each theme, in logs up to a constant a modality: (V, T).

    Args:
        log: Whose tastes are known.
        signals: Of the log; a video's other modalities have the themes that are coded here.
        population: How watching and showing follow tastes.
        taste_UT: The viewers' tastes.
    """
    videos, width = len(log.uploaded_at_V), taste_UT.shape[1]
    count = width // max(population.modalities, 1)
    row_I, known_I = np.arange(len(log)), signals.known_I
    shown_VI = sp.csr_array((np.ones(len(log)), (log.video_I, row_I)), shape=(videos, len(log)))
    heard_VI = sp.csr_array((known_I.astype(np.float64), (log.video_I, row_I)), shape=(videos, len(log)))
    shown_V1 = np.bincount(log.video_I, minlength=videos)[:, None]
    heard_V1 = np.bincount(log.video_I, known_I, videos)[:, None]
    own_IM = taste_UT[log.viewer_I[:, None], np.maximum(signals.code_IM, 0)]
    own_IM = np.where(signals.code_IM >= 0, own_IM, 0.0)
    found_VT = np.zeros((videos, width))
    for column in range(population.modalities):
        block = slice(column * count, (column + 1) * count)
        taste_IK = taste_UT[log.viewer_I, block]
        rest_I = signals.response_I - own_IM.sum(axis=1) + own_IM[:, column]
        error_IK = np.where(known_I[:, None], rest_I[:, None] - taste_IK, 0.0)
        # What everybody makes of the video besides is unknown here, and integrated out.
        square_VK = heard_VI @ error_IK**2 - (heard_VI @ error_IK) ** 2 / (heard_V1 + _APPEAL_WORTH)
        pull_IK = population.targeting * taste_IK
        usual_K = np.log(np.exp(np.clip(pull_IK, -_LARGEST_PULL, _LARGEST_PULL)).mean(axis=0))
        found_VT[:, block] = shown_VI @ pull_IK - shown_V1 * usual_K - square_VK / (2 * population.noise)
    return found_VT


def _appeal(
    log: BehaviorLog, signals: Signals, population: Population, design_UF: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What everybody makes of a video beyond its themes, on the scale of responses: (V,), shrunk towards 0."""
    offsets = log.offsets()
    belief, _ = population.learn(population.belief(design_UF), signals.over(offsets[:-1], offsets[1:]))
    known_I = np.flatnonzero(signals.known_I)
    taste_IM = belief.mean_BT[log.viewer_I[known_I][:, None], signals.code_IM[known_I]]
    rest_I = signals.response_I[known_I] - np.where(signals.code_IM[known_I] >= 0, taste_IM, 0.0).sum(axis=1)
    videos = len(log.uploaded_at_V)
    total_V = np.bincount(log.video_I[known_I], rest_I, videos)
    count_V = np.bincount(log.video_I[known_I], minlength=videos).astype(np.float64)
    noise = float((rest_I**2).mean()) if len(rest_I) else 0.0
    variance = float((total_V**2 - count_V * noise).sum()) / max(float((count_V**2).sum()), 1.0)
    if variance <= 0:
        return np.zeros(videos)
    appeal_V: NDArray[np.float64] = total_V / (count_V + noise / variance)
    return appeal_V
