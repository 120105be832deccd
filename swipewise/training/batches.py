"""Training batches: windows of like length together, what is to be predicted at their places, shared negatives.

Legend of shape suffixes: W = windows, B = windows in a batch, L = events, L1 = events and the opening place,
T = targets, N = negatives, I = interactions, V = videos, K = distinct videos of a batch, P = profile fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from swipewise.config import ModelConfig, TrainingConfig
from swipewise.model.interest import Events, HistoryInputs
from swipewise.training.dataset import Dataset, has_watch_times, told_actions
from swipewise.training.histories import Ahead, Windows, is_first, pad, training_windows
from swipewise.training.mapped import Growing, stretches
from swipewise.training.sampling import WHOLE, Part, Proposal, draw_batches, length_buckets
from swipewise.training.tastes import TasteReader, WindowStrengths
from swipewise.training.trends import DAY_MS, Trends


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What some places are asked for, against the batch's negatives.

    place_T: int64 rows into the flattened (B, L + 1) places; video_T: int64 rows of the batch's videos; logq_T: log
    expected count of the target among the negatives; weight_T: float32, how much it counts; moment_T: int64, the trends
    of its time; excluded_TN: bool, a negative that must not count.
    """

    place_T: Tensor
    video_T: Tensor
    logq_T: Tensor
    weight_T: Tensor
    moment_T: Tensor
    excluded_TN: Tensor

    def __len__(self) -> int:
        return len(self.place_T)

    def to(self, device: torch.device) -> Targets:
        """The same targets on another device."""
        return Targets(**{name: getattr(self, name).to(device) for name in self.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One step's data. All video numbers but ``videos_K`` are rows of ``videos_K``, which holds catalogue rows.

    liked: later positive interactions; shown: later exposures, whatever came of them; hidden: positive interactions
    that the history hides, asked of its last place; negative_logq_N: log expected counts of the proposal; moment_BL:
    int64, the trends of each recent event's time; learn_BL: bool, events whose watch share and actions are to be
    predicted; told_BLF: bool, the actions of which is known whether they happened.
    """

    history: HistoryInputs
    videos_K: Tensor
    liked: Targets
    shown: Targets
    hidden: Targets
    negative_N: Tensor
    negative_logq_N: Tensor
    moment_BL: Tensor
    learn_BL: Tensor
    told_BLF: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        return Batch(**{name: getattr(self, name).to(device) for name in self.__slots__})


def _without_some(events: Events, share: float, rng: np.random.Generator) -> tuple[Events, NDArray[np.bool_]]:
    """The events without a random share of them, and which are hidden: (B, L)."""
    valid_BL = events.valid_BL.numpy()
    hidden_BL: NDArray[np.bool_] = valid_BL & (rng.random(valid_BL.shape) < share)
    return replace(events, valid_BL=torch.from_numpy(valid_BL & ~hidden_BL)), hidden_BL


def _both(one_I: NDArray[np.bool_], other_I: NDArray[np.bool_], folder: Path | None) -> NDArray[np.bool_]:
    found = Growing(folder, bool)
    for here in stretches(len(one_I)):
        found.add(one_I[here] & other_I[here])
    return found.done()


class Batches:
    """All batches of a data set, by epoch; a function of the seed alone, so that a resumed run sees the same ones.

    Args:
        dataset: What to learn from.
        profile_UP: (U, P) int64, profiles coded in the terms of the run's vocabulary.
        trends: Of the data set.
        model: Its ``history`` and ``memory`` are used.
        training: Its ``batch_events``, ``negatives``, ``places``, ``ahead``, ``half_life_days``, ``hidden_share``
            and ``seed`` are used.
        reader: Says how strong tastes are; None: nobody does.

    Raises:
        DataError: No interaction is positive.
        StoreError: A file of the data set's folder cannot be written.
    """

    def __init__(
        self,
        dataset: Dataset,
        profile_UP: NDArray[np.int64],
        trends: Trends,
        model: ModelConfig,
        training: TrainingConfig,
        reader: TasteReader | None = None,
    ) -> None:
        self._rows = rows = dataset.interactions
        self._uploaded_at_V = dataset.uploaded_at_V
        self._profile_UP = profile_UP
        self._trends = trends
        self._settings = training
        self._windows = training_windows(dataset.viewer_offsets(), model.history, memory=model.memory)
        self._proposal = Proposal.of(rows, len(dataset.video_ids))
        self._logq_V = self._proposal.logq_V(training.negatives)
        # A feed shows no video twice, so what is seen again is nothing to predict.
        first_I = is_first(rows, dataset.folder)
        self._target_I = _both(rows.positive_I, first_I, dataset.folder)
        self._liked = Ahead.of(rows, self._target_I, dataset.folder)
        self._hidden_share = training.hidden_share
        self._shown = Ahead.of(rows, first_I, dataset.folder)
        self._end = int(rows.at_I.max())
        self._timed = has_watch_times(rows)
        self._strengths = (
            None
            if reader is None
            else WindowStrengths.of(reader, rows, self._windows, self._profile_UP, dataset.folder)
        )

    def epoch(self, number: int) -> list[NDArray[np.int64]]:
        """The windows of each batch of an epoch, shuffled; windows of one batch are of like length."""
        rng = np.random.default_rng([self._settings.seed, number])
        return length_buckets(self._windows.length_W, self._settings.batch_events, rng)

    def steps(self, epoch: int, start: int = 0, part: Part = WHOLE) -> Iterator[Batch | None]:
        """A part of the batches of an epoch from step ``start`` on; None where it has no window."""
        for drawn in draw_batches(self.epoch(epoch), part, self._settings.seed, epoch, start=start):
            yield None if drawn is None else self._batch(*drawn)

    def _batch(self, windows_B: NDArray[np.int64], rng: np.random.Generator) -> Batch:
        windows = self._windows.where(windows_B)
        strength_BL1M = None
        if self._strengths is not None:
            strength_BL1M = self._strengths.padded(windows_B, max(1, int(windows.length_W.max())) + 1)
        history = pad(self._rows, windows, self._profile_UP[windows.viewer_W], strength_BL1M)
        negative_N = self._proposal.draw(self._settings.negatives, rng)
        places = self._places(windows, history.recent.video_BL.shape[1], rng)
        liked, shown = (self._ahead(kind, *places, negative_N, rng) for kind in (self._liked, self._shown))
        history, hidden = self._hide(history, windows, negative_N, rng)
        parts = [history.recent.video_BL, history.older.video_BL, liked.video_T, shown.video_T, hidden.video_T]
        parts.append(torch.from_numpy(negative_N))
        videos_K, rows = np.unique(torch.cat([part.flatten() for part in parts]).numpy(), return_inverse=True)
        ends = np.cumsum([part.numel() for part in parts])[:-1]
        recent_BL, older_BL, liked_T, shown_T, hidden_T, drawn_N = (
            torch.from_numpy(row).view(part.shape) for row, part in zip(np.split(rows, ends), parts, strict=True)
        )
        place_BL = windows.start_W[:, None] + np.arange(recent_BL.shape[1])
        row_BL = np.minimum(place_BL, len(self._rows) - 1)
        fresh_BL = windows.fresh(recent_BL.shape[1])
        told_IF = told_actions(self._rows.where(row_BL.reshape(-1)), timed=self._timed)
        return Batch(
            history=replace(
                history,
                recent=replace(history.recent, video_BL=recent_BL),
                older=replace(history.older, video_BL=older_BL),
            ),
            videos_K=torch.from_numpy(videos_K),
            liked=replace(liked, video_T=liked_T),
            shown=replace(shown, video_T=shown_T),
            hidden=replace(hidden, video_T=hidden_T),
            negative_N=drawn_N,
            negative_logq_N=torch.from_numpy(self._logq_V[negative_N]),
            moment_BL=torch.from_numpy(self._trends.places(self._rows.at_I[row_BL])),
            learn_BL=torch.from_numpy(fresh_BL),
            told_BLF=torch.from_numpy(fresh_BL[..., None] & told_IF.reshape(*row_BL.shape, -1)),
        )

    def _places(
        self, windows: Windows, length: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The places that are asked: as rows of the flattened (B, L1), the first row they do not know, their viewer."""
        place_L1 = np.arange(length + 1)
        asked_BL1 = (place_L1 >= windows.learn_W[:, None]) & (place_L1 <= windows.length_W[:, None])
        if self._settings.places:
            # Of each window the places with the lowest lots.
            lot_BL1 = np.where(asked_BL1, rng.random(asked_BL1.shape), 2.0)
            last = min(self._settings.places, length + 1) - 1
            asked_BL1 &= lot_BL1 <= np.partition(lot_BL1, last, axis=1)[:, last : last + 1]
        row_B, place_T = np.nonzero(asked_BL1)
        return np.flatnonzero(asked_BL1), windows.start_W[row_B] + place_T, windows.viewer_W[row_B]

    def _hide(
        self, history: HistoryInputs, windows: Windows, negative_N: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[HistoryInputs, Targets]:
        """Hide a random share of the events; the last place is asked for the recent ones that were liked."""
        recent, hidden_BL = _without_some(history.recent, self._hidden_share, rng)
        older, _ = _without_some(history.older, self._hidden_share, rng)
        row_B, place_T = np.nonzero(hidden_BL)
        row_T = windows.start_W[row_B] + place_T
        liked_T = self._target_I[row_T]
        last_T = row_B * (hidden_BL.shape[1] + 1) + windows.length_W[row_B]
        targets = self._targets(last_T[liked_T], row_T[liked_T], negative_N)
        return replace(history, recent=recent, older=older), targets

    def _ahead(
        self,
        kind: Ahead,
        place_T: NDArray[np.int64],
        after_T: NDArray[np.int64],
        viewer_T: NDArray[np.int64],
        negative_N: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> Targets:
        """Targets of the places that have one left; ``video_T`` holds catalogue rows."""
        row_T = kind.draw(after_T, viewer_T, self._settings.ahead, rng)
        return self._targets(place_T[row_T >= 0], row_T[row_T >= 0], negative_N)

    def _targets(
        self, place_T: NDArray[np.int64], row_T: NDArray[np.int64], negative_N: NDArray[np.int64]
    ) -> Targets:
        """The videos of the rows ``row_T``, to be predicted at the flattened places ``place_T``."""
        video_T, at_T = self._rows.video_I[row_T], self._rows.at_I[row_T]
        # A video that was not there yet could not have been chosen: as a negative it would teach that new is bad.
        unborn_TN = self._uploaded_at_V[negative_N] > at_T[:, None]
        return Targets(
            place_T=torch.from_numpy(place_T),
            video_T=torch.from_numpy(video_T),
            logq_T=torch.from_numpy(self._logq_V[video_T]),
            weight_T=torch.from_numpy(self._weights(at_T)),
            moment_T=torch.from_numpy(self._trends.places(at_T)),
            excluded_TN=torch.from_numpy(unborn_TN | (negative_N == video_T[:, None])),
        )

    def _weights(self, at_T: NDArray[np.int64]) -> NDArray[np.float32]:
        """How much targets count: half as much for every half-life that they lie before the end."""
        if not self._settings.half_life_days:
            return np.ones(len(at_T), np.float32)
        age_T = (self._end - at_T) / DAY_MS / self._settings.half_life_days
        weight_T: NDArray[np.float32] = (0.5**age_T).astype(np.float32)
        return weight_T
