"""What stretches of viewers' histories say about their tastes, summed up so that a model can weigh it.

Legend of shape suffixes: V = videos, M = modalities, K = themes of a modality, T = M * K, all themes side by side,
I = interactions, B = stretches of histories, P = pieces of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from swipewise.behavior.log import BehaviorLog
from swipewise.behavior.themes import Themes

_FULL_WATCH = 0.8  # a video watched to its end could have been liked more still
_SHORTEST = 0.02
_BLOCK_NUMBERS = 2**21  # in the sums of a block of stretches


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Sums over stretches of interactions.

    together_BTT: videos that have both themes and whose watching is known; response_BT: summed responses to videos
    of a theme; shown_BT: exposures with a theme; exposures_B: all of them; offer_BT: mean share of the videos the
    platform could have shown that have a theme.
    """

    together_BTT: NDArray[np.float64]
    response_BT: NDArray[np.float64]
    shown_BT: NDArray[np.float64]
    exposures_B: NDArray[np.float64]
    offer_BT: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.exposures_B)

    def at(self, rows_B: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Evidence:
        """The stretches at some rows."""
        return Evidence(**{each.name: getattr(self, each.name)[rows_B] for each in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """Each interaction as a model sees it.

    code_IM: int64 in [0, T), -1 where the modality is missing; response_I: float64, log-odds of watching, free of
    the place in the session; known_I: bool, whether the watching is known; offer_IT: share of the videos which the
    platform could show at that time that have each theme.
    """

    code_IM: NDArray[np.int64]
    response_I: NDArray[np.float64]
    known_I: NDArray[np.bool_]
    offer_IT: NDArray[np.float64]

    def over(self, start_B: NDArray[np.int64], end_B: NDArray[np.int64]) -> Evidence:
        """Sum up the interactions [start, end) of each stretch."""
        block = stretches_at_once(self.offer_IT.shape[1])
        summed = self._over_overlapping if self._overlap(start_B, end_B) else self._over
        parts = [
            summed(start_B[first : first + block], end_B[first : first + block])
            for first in range(0, max(len(start_B), 1), block)
        ]
        return Evidence(
            **{
                each.name: np.concatenate([getattr(part, each.name) for part in parts])
                for each in fields(Evidence)
            }
        )

    def _over(self, start_B: NDArray[np.int64], end_B: NDArray[np.int64]) -> Evidence:
        stretches, width = len(start_B), self.offer_IT.shape[1]
        length_B = end_B - start_B
        owner_J = np.repeat(np.arange(stretches), length_B)
        row_J = np.arange(length_B.sum()) - np.repeat(np.cumsum(length_B) - length_B - start_B, length_B)
        together, response = np.zeros(stretches * width * width), np.zeros(stretches * width)
        shown = np.zeros(stretches * width)
        for code_J, has_J in self._themes(row_J):
            place_J = owner_J[has_J] * width + code_J[has_J]
            shown += np.bincount(place_J, minlength=len(shown))
            heard_J = has_J & self.known_I[row_J]
            place_J = owner_J[heard_J] * width + code_J[heard_J]
            response += np.bincount(place_J, self.response_I[row_J[heard_J]], len(response))
            for other_J, also_J in self._themes(row_J):
                both_J = heard_J & also_J
                place_J = (owner_J[both_J] * width + code_J[both_J]) * width + other_J[both_J]
                together += np.bincount(place_J, minlength=len(together))
        # Stretches of a block lie close together in a log, of which no more is summed up.
        first, last = (int(start_B.min()), int(end_B.max())) if stretches else (0, 0)
        total_IT = np.concatenate([np.zeros((1, width)), np.cumsum(self.offer_IT[first:last], axis=0)])
        return Evidence(
            together_BTT=together.reshape(stretches, width, width),
            response_BT=response.reshape(stretches, width),
            shown_BT=shown.reshape(stretches, width),
            exposures_B=length_B.astype(np.float64),
            offer_BT=(total_IT[end_B - first] - total_IT[start_B - first]) / np.maximum(length_B, 1)[:, None],
        )

    def _overlap(self, start_B: NDArray[np.int64], end_B: NDArray[np.int64]) -> bool:
        """Whether rows are in several stretches, and few enough that sums up to each of them can be held."""
        rows = int(end_B.max(initial=0) - start_B.min(initial=0))
        return rows * self.offer_IT.shape[1] ** 2 <= _BLOCK_NUMBERS and int((end_B - start_B).sum()) > rows

    def _over_overlapping(self, start_B: NDArray[np.int64], end_B: NDArray[np.int64]) -> Evidence:
        """The same from the pieces into which the stretches cut the rows, so that none is summed up twice."""
        edge_P = np.unique(np.concatenate([start_B, end_B]))
        piece = self._over(edge_P[:-1], edge_P[1:])
        first_B, last_B = np.searchsorted(edge_P, start_B), np.searchsorted(edge_P, end_B)

        def between(values_P: NDArray[np.float64]) -> NDArray[np.float64]:
            total_P = np.concatenate([np.zeros((1, *values_P.shape[1:])), np.cumsum(values_P, axis=0)])
            found_B: NDArray[np.float64] = total_P[last_B] - total_P[first_B]
            return found_B

        length_B = (end_B - start_B).astype(np.float64)
        return Evidence(
            together_BTT=between(piece.together_BTT),
            response_BT=between(piece.response_BT),
            shown_BT=between(piece.shown_BT),
            exposures_B=length_B,
            offer_BT=between(piece.offer_BT * piece.exposures_B[:, None]) / np.maximum(length_B, 1)[:, None],
        )

    def _themes(self, row_J: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.bool_]]]:
        """The codes of one modality after another, and where there is one."""
        for column in range(self.code_IM.shape[1]):
            code_J = self.code_IM[row_J, column]
            yield code_J, code_J >= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseScale:
    """What is usual: the log-odds of watching at the mean place in a session, and how they fall with the place."""

    level: float
    slope: float
    place: float

    @classmethod
    def of(cls, log: BehaviorLog, *, until: int) -> Self:
        """What was usual before a time."""
        past_I = (log.watch_ratio_I > 0) & (log.at_I < until)
        if not past_I.any():
            return cls(level=0.0, slope=0.0, place=0.0)
        odds_I, place_I = _log_odds(log)[past_I], log.session_place()[past_I].astype(np.float64)
        return cls(level=float(odds_I.mean()), slope=_slope(place_I, odds_I), place=float(place_I.mean()))

    def responses(self, log: BehaviorLog) -> NDArray[np.float64]:
        """How much more than usual each video was watched: (I,), anything where that is unknown."""
        return _log_odds(log) - self.level - self.slope * (log.session_place() - self.place)


def _log_odds(log: BehaviorLog) -> NDArray[np.float64]:
    share_I = np.clip(log.watch_ratio_I.astype(np.float64), _SHORTEST, 1.0) * _FULL_WATCH
    odds_I: NDArray[np.float64] = np.log(share_I / (1 - share_I))
    return odds_I


class Shelf:
    """A catalogue as the evidence needs it: what each video is about, and what was on offer when.

    Args:
        themes: Of every video.
        uploaded_at_V: (V,) int64 milliseconds.
    """

    def __init__(self, themes: Themes, uploaded_at_V: NDArray[np.int64]) -> None:
        self.themes = themes
        modalities = len(themes.modalities)
        self.width = modalities * themes.count
        self.code_VM = np.where(themes.theme_VM >= 0, themes.theme_VM + themes.count * np.arange(modalities), -1)
        order_V = np.argsort(uploaded_at_V, kind="stable")
        self._uploaded_at_V = uploaded_at_V[order_V]
        self._uploaded_VT = np.concatenate(
            [np.zeros((1, self.width)), np.cumsum(one_hot(self.code_VM[order_V], self.width), axis=0)]
        )

    def signals(
        self, log: BehaviorLog, scale: ResponseScale, appeal_V: NDArray[np.float64] | None = None
    ) -> Signals:
        """Code a log for a model; responses are what is left of them beyond what everybody makes of the videos."""
        response_I = scale.responses(log)
        if appeal_V is not None:
            response_I = response_I - appeal_V[log.video_I]
        return Signals(
            code_IM=self.code_VM[log.video_I],
            response_I=response_I,
            known_I=log.watch_ratio_I > 0,
            offer_IT=self._offer(log),
        )

    def _offer(self, log: BehaviorLog) -> NDArray[np.float64]:
        """Shares of the themes among the videos that existed and that the viewer had not been shown yet: (I, T)."""
        exist_I = np.searchsorted(self._uploaded_at_V, log.at_I, side="right")
        shown_IT = one_hot(self.code_VM[log.video_I], self.width)
        seen_IT = np.cumsum(shown_IT, axis=0) - shown_IT
        first_I = log.offsets()[log.viewer_I]
        seen_IT -= seen_IT[first_I]
        unseen_I = np.maximum(exist_I - (np.arange(len(log)) - first_I), 1)
        share_IT = np.maximum(self._uploaded_VT[exist_I] - seen_IT, 0.5) / unseen_I[:, None]
        # A log may show videos again or before their upload: the shares of a modality still cannot exceed 1.
        modalities = self.code_VM.shape[1]
        grouped_IMK = share_IT.reshape(len(log), modalities, self.width // modalities)
        grouped_IMK /= np.maximum(grouped_IMK.sum(axis=2, keepdims=True), 1.0)
        return grouped_IMK.reshape(share_IT.shape)


def _slope(x_I: NDArray[np.float64], y_I: NDArray[np.float64]) -> float:
    x_I = x_I - x_I.mean()
    spread = float(x_I @ x_I)
    return float(x_I @ y_I) / spread if spread > 0 else 0.0


def stretches_at_once(width: int) -> int:
    """How many stretches of so many themes are weighed together without filling the memory."""
    return max(1, _BLOCK_NUMBERS // max(1, width**2))


def one_hot(code_NM: NDArray[np.int64], width: int) -> NDArray[np.float64]:
    """The themes of videos as rows of zeros and ones: (N, T)."""
    hot_NT = np.zeros((len(code_NM), width))
    for code_N in code_NM.T:
        has_N = code_N >= 0
        hot_NT[has_N, code_N[has_N]] = 1.0
    return hot_NT
