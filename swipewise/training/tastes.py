"""The model of tastes beside the network: what it learns from a data set, and what it says of the histories in it.

Legend of shape suffixes: W = windows, L1 = events and the opening place before them, I = interactions, V = videos,
M = content modalities, T = their themes side by side, P = profile fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from swipewise.behavior.changes import TastesNow
from swipewise.behavior.evidence import ResponseScale, Shelf, Signals, one_hot, stretches_at_once
from swipewise.behavior.judging import Judge, Shift, settled_kinds
from swipewise.behavior.kinds import Kinds
from swipewise.behavior.log import BehaviorLog, Vectors
from swipewise.behavior.taste_model import TasteModel
from swipewise.behavior.tastes import Population
from swipewise.behavior.themes import ThemeAxes, ThemeMap, Themes
from swipewise.behavior.weighing import SignalsApart, WeighedPopulation
from swipewise.config import ModelConfig
from swipewise.schema import CONTENT_MODALITIES
from swipewise.training.dataset import Dataset, Interactions
from swipewise.training.histories import Windows
from swipewise.training.mapped import zeros
from swipewise.training.vocabulary import Vocabulary

LEAST_INTERACTIONS = 500
"""Fewer teach nothing of tastes."""

_BLOCK_WINDOWS = 64
_MOST_SESSIONS = 64  # of a window, roughly; each may have brought a change
_RENEWED = 8
_ODDS = 0.4  # that show a shift: less than the detector asks for, as more is known of viewers from the start
_FAINTEST = 1e-4  # variance of tastes; keeps the log of a modality that nobody cares about finite


def log_of(dataset: Dataset, content: Sequence[str] | None = None) -> BehaviorLog:
    """A data set as the model of tastes sees it, with the vectors of all modalities or of the named ones."""
    return _log(
        dataset.interactions,
        dataset.uploaded_at_V,
        dataset.profile_UP,
        {name: dataset.content[name] for name in (dataset.content if content is None else content)},
    )


def _log(
    rows: Interactions, uploaded_at_V: NDArray[np.int64], profile_UP: NDArray[np.int64], content: Mapping[str, Any]
) -> BehaviorLog:
    return BehaviorLog(
        viewer_I=rows.viewer_I,
        video_I=rows.video_I,
        at_I=rows.at_I,
        watch_ratio_I=rows.watch_ratio_I,
        uploaded_at_V=uploaded_at_V,
        content={
            name: Vectors(values_VD=feature.values_VD, present_V=feature.present_V)
            for name, feature in content.items()
        },
        profile_UP=profile_UP,
    )


def learn_tastes(
    config: ModelConfig, dataset: Dataset, vocabulary: Vocabulary, modalities: Sequence[str]
) -> TasteModel | None:
    """Learn tastes for the content modalities that the network reads; its appeal is that of the vocabulary's videos.

    None where the configuration asks for no themes, no content is read, or too little happened.
    """
    content = [name for name in modalities if name in dataset.content]
    rows = dataset.interactions
    if not config.themes or not content or len(rows) < LEAST_INTERACTIONS:
        return None
    known = 0 if "profile" in config.without else len(vocabulary.profile_values)
    log = replace(
        log_of(dataset, content),
        profile_UP=vocabulary.profile_codes(dataset.profile_values)[dataset.profile_UP],
    )
    until = int(rows.at_I.max()) + 1
    learned = TasteModel.learn(log, count=config.themes, until=until, profile_values=known)
    place = {video_id: video for video, video_id in enumerate(dataset.video_ids)}
    seen = [place[video_id] for video_id in vocabulary.video_ids]
    return replace(learned, appeal_V=learned.appeal_V[seen], theme_VM=learned.theme_VM[seen])


class TasteReader:
    """What a model of tastes says of the viewers of one catalogue.

    Args:
        tastes: The model.
        vocabulary: Of the run; its videos have an appeal, others none.
        catalogue: A data set, whose videos are read.
        kinds: The kinds of viewers there are; None: one for all.
    """

    def __init__(
        self, tastes: TasteModel, vocabulary: Vocabulary, catalogue: Dataset, kinds: Kinds | None = None
    ) -> None:
        self.model, self._kinds = tastes, kinds
        self._vocabulary = vocabulary
        self.modalities = len(tastes.themes.axes)
        names = [name for name in tastes.themes.axes if name in catalogue.content]
        row_V = vocabulary.video_rows(catalogue.video_ids)
        # Row -1, of the unknown, is the last: no appeal, and the theme that the vectors tell.
        appeal_V = np.append(tastes.appeal_V, 0.0)
        theme_VM = np.vstack([tastes.theme_VM, np.full((1, self.modalities), -1)])
        self._take(
            tastes.themes.of(log_of(catalogue, names).content, theme_VM[row_V]),
            catalogue.uploaded_at_V,
            appeal_V[row_V],
        )

    def extended(self, added: Dataset) -> TasteReader:
        """The same with further videos behind those of its catalogue."""
        new, joined = TasteReader(self.model, self._vocabulary, added), copy(self)
        joined._take(
            self.themes.followed_by(new.themes),
            np.concatenate([self._uploaded_at_V, new._uploaded_at_V]),
            np.concatenate([self._appeal_V, new._appeal_V]),
        )
        return joined

    def _take(self, themes: Themes, uploaded_at_V: NDArray[np.int64], appeal_V: NDArray[np.float64]) -> None:
        self.themes, self._uploaded_at_V, self._appeal_V = themes, uploaded_at_V, appeal_V
        self._shelf = Shelf(themes, uploaded_at_V)
        theme_VT = one_hot(self._shelf.code_VM, self._shelf.width).astype(np.float32)
        self.theme_VMK = theme_VT.reshape(len(theme_VT), self.modalities, -1)
        self.appeal_V = self._appeal_V.astype(np.float32)

    def strengths(
        self, rows: Interactions, windows: Windows, profile_WP: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """How strongly a viewer's tastes differ within each content modality, in logs with a mean of 0: (W, L1, M).

        Place 0 knows the profile and the older events, place j the recent ones up to the last renewal as well: beliefs
        are renewed after 1, 2 and 4 recent events and then after every 8.

        Args:
            rows: Interactions with videos of the catalogue.
            windows: Of them.
            profile_WP: int64 codes of the run's vocabulary, 0 where a field is missing.
        """
        length_W = windows.length_W
        places = max(1, int(length_W.max(initial=0))) + 1
        renewed_R = np.unique(np.concatenate([[0, 1, 2, 4], np.arange(_RENEWED, places, _RENEWED)]))
        log, signals = self.heard(rows, windows)
        first_W, older_W = log.offsets()[:-1], windows.start_W - windows.older_W
        window_B, renewal_B = np.nonzero(renewed_R <= length_W[:, None])
        end_B = first_W[window_B] + older_W[window_B] + renewed_R[renewal_B]
        strength_BM = np.zeros((len(window_B), self.modalities), np.float32)
        block = stretches_at_once(self._shelf.width)
        for start in range(0, len(window_B), block):
            here = slice(start, start + block)
            belief = self.model.believe(signals, profile_WP[window_B[here]], first_W[window_B[here]], end_B[here])
            variance_BM = belief.mean_BT.reshape(len(belief.mean_BT), self.modalities, -1).var(axis=2)
            log_BM = 0.5 * np.log(variance_BM + _FAINTEST)
            strength_BM[here] = log_BM - log_BM.mean(axis=1, keepdims=True)
        # Of each place the row of its last renewal; padding keeps the last one there is.
        place_W1 = np.minimum(np.arange(places), length_W[:, None])
        renewal_WL = np.searchsorted(renewed_R, place_W1, side="right") - 1
        row_WL: NDArray[np.int64] = np.searchsorted(window_B, np.arange(len(windows)))[:, None] + renewal_WL
        return strength_BM[row_WL]

    def now(
        self, rows: Interactions, windows: Windows, profile_WP: NDArray[np.int64], *, changes: bool = True
    ) -> TastesNow:
        """Tastes of the viewers after all that is in their windows, changes of taste reckoned with or not."""
        taste_WT, misled_W = np.zeros((len(windows), self._shelf.width)), np.zeros(len(windows))
        told = self.model.tastes_now if self._kinds is None else partial(self._kinds.tastes_now, self.model)
        block = max(1, stretches_at_once(self._shelf.width) // _MOST_SESSIONS)
        for start in range(0, len(windows), block):
            here = np.arange(start, min(start + block, len(windows)))
            log, signals = self.heard(rows, windows.where(here))
            now = told(log, signals, profile_WP[here], changes=changes)
            taste_WT[here], misled_W[here] = now.taste_UT, now.misled_U
        return TastesNow(taste_UT=taste_WT, misled_U=misled_W)

    def learn_kinds(
        self, rows: Interactions, windows: Windows, profile_WP: NDArray[np.int64], *, changes: bool = True
    ) -> Kinds:
        """What kinds of viewers there are and how often their interests change.

        Args:
            rows: Interactions with videos of the catalogue.
            windows: Of them, one a viewer; a few hundred are enough.
            profile_WP: Their profiles in codes of the run.
            changes: Whether changes are reckoned with: where they are not, none are looked for.
        """
        log, signals = self.heard(rows, windows)
        log, apart = replace(log, profile_UP=profile_WP), SignalsApart.of(signals)
        if changes:
            return settled_kinds(log, apart, self.model, self.themes)
        return Kinds.of(log, apart, self.model, until=int(log.at_I.max()) + 1)

    def shifts(self, rows: Interactions, window: Windows, profile_1P: NDArray[np.int64]) -> list[Shift]:
        """The shifts of interest of one viewer, in order of time, told by all that was done until the next one.

        There are none where no kinds of viewers are known; whoever reckons with no order does not ask.

        Args:
            rows: The viewer's interactions.
            window: One, of them.
            profile_1P: The viewer's profile in codes of the run.
        """
        if self._kinds is None:
            return []
        log, signals = self.heard(rows, window)
        log = replace(log, profile_UP=profile_1P)
        apart = SignalsApart.of(signals)
        judge = Judge(kinds=self._kinds, log=log, signals=apart, themes=self.themes, odds=_ODDS, hindsight=True)
        begin_U = log.offsets()[:-1]
        found = judge.shifts(judge.verdicts(log.returns(), begin_U), begin_U)
        edges = [0, *(shift.opened for shift in found), len(log)]
        return [
            judge.told(shift, begin, end) for shift, begin, end in zip(found, edges[:-2], edges[2:], strict=True)
        ]

    def heard(self, rows: Interactions, windows: Windows) -> tuple[BehaviorLog, Signals]:
        """What is in the windows as the log of as many viewers, and as the model of tastes sees it."""
        log = self._gathered(rows, windows)
        return log, self._shelf.signals(log, self.model.scale, self._appeal_V)

    def _gathered(self, rows: Interactions, windows: Windows) -> BehaviorLog:
        """What is in the windows, the older events too, as the log of as many viewers."""
        length_W = windows.end_W - windows.older_W
        window_I = np.repeat(np.arange(len(windows)), length_W)
        first_W = np.cumsum(length_W) - length_W
        row_I = windows.older_W[window_I] + np.arange(len(window_I)) - first_W[window_I]
        nobody = np.zeros((len(windows), 0), np.int64)
        return _log(replace(rows.where(row_I), viewer_I=window_I), self._uploaded_at_V, nobody, {})


def likings(taste_BT: Tensor, theme_NMK: Tensor) -> Tensor:
    """What viewers make of videos: the sum of their tastes for the themes of what the video has, (B, N).

    As fusion does it, a video that lacks a modality is judged by the others all the more, each by how much the viewer's
    tastes differ within it; a video without any is worth 0.
    """
    B, (N, M, K) = len(taste_BT), theme_NMK.shape
    spread_BM = taste_BT.view(B, M, K).std(dim=2, correction=0) + _FAINTEST
    told_BN = spread_BM @ theme_NMK.sum(dim=2).T / spread_BM.sum(dim=1, keepdim=True)
    return taste_BT @ theme_NMK.reshape(N, M * K).T / told_BN.clamp(min=_FAINTEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowStrengths:
    """What :meth:`TasteReader.strengths` says of all windows of a training, computed once.

    first_W: int64, where each window's places begin in ``strength_NM``; length_W: int64, events in each.
    """

    first_W: NDArray[np.int64]
    length_W: NDArray[np.int64]
    strength_NM: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        reader: TasteReader,
        rows: Interactions,
        windows: Windows,
        profile_UP: NDArray[np.int64],
        folder: Path | None = None,
    ) -> Self:
        """Read all windows, into memory or a file in ``folder``; those of like length together, as padding costs.

        Raises:
            StoreError: The file cannot be written.
        """
        length_W = windows.length_W
        first_W = np.cumsum(length_W + 1) - (length_W + 1)
        strength_NM = zeros(folder, (int((length_W + 1).sum()), reader.modalities), np.float32)
        order_W = np.argsort(length_W, kind="stable")
        for start in range(0, len(order_W), _BLOCK_WINDOWS):
            block_B = order_W[start : start + _BLOCK_WINDOWS]
            block = windows.where(block_B)
            found_BLM = reader.strengths(rows, block, profile_UP[block.viewer_W])
            there_BL = np.arange(found_BLM.shape[1]) <= length_W[block_B][:, None]
            strength_NM[(first_W[block_B][:, None] + np.arange(found_BLM.shape[1]))[there_BL]] = found_BLM[
                there_BL
            ]
        return cls(first_W=first_W, length_W=length_W, strength_NM=strength_NM)

    def padded(self, windows_B: NDArray[np.int64], places: int) -> NDArray[np.float32]:
        """Of some windows, with as many places for each: (B, L1, M)."""
        place_BL1 = np.minimum(np.arange(places), self.length_W[windows_B][:, None])
        return self.strength_NM[self.first_W[windows_B][:, None] + place_BL1]


def tastes_as_tensors(tastes: TasteModel) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A model of tastes for a safetensors file: its arrays, and the facts for its JSON."""
    arrays = {
        "appeal": tastes.appeal_V,
        "theme": tastes.theme_VM.astype(np.int16),
        "coefficients": tastes.population.coefficients_FT,
        "covariance": tastes.population.covariance_TT,
    }
    for name, axes in tastes.themes.axes.items():
        if axes is not None:
            arrays |= {f"{name}/{key}": value for key, value in asdict(axes).items()}
    facts = {
        "modalities": list(tastes.themes.axes),
        "count": tastes.themes.count,
        "scale": asdict(tastes.scale),
        "noise": tastes.population.noise,
        "targeting": tastes.population.targeting,
        "profile_values": tastes.profile_values,
    }
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}, facts


def tastes_from_tensors(tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> TasteModel:
    """The inverse of :func:`tastes_as_tensors`.

    Raises:
        ValueError: Arrays do not belong together.
        KeyError: One is missing.
    """
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    names, keys = facts["modalities"], ("centre_D", "spread_D", "axis_DR", "centre_KR")
    axes = {
        name: ThemeAxes(**{key: arrays[f"{name}/{key}"] for key in keys})
        if f"{name}/{keys[0]}" in arrays
        else None
        for name in names
    }
    width = len(names) * facts["count"]
    if not set(names) <= set(CONTENT_MODALITIES) or arrays["covariance"].shape != (width, width):
        raise ValueError("the model of tastes does not fit its themes")
    if arrays["coefficients"].shape != (facts["profile_values"] + 1, width):
        raise ValueError("the model of tastes does not fit its profiles")
    theme_VM = arrays["theme"].astype(np.int64)
    known_M = np.array([len(found.centre_KR) if (found := axes[name]) is not None else 0 for name in names])
    fits = theme_VM.shape == (len(arrays["appeal"]), len(names))
    if not fits or (theme_VM >= known_M).any() or theme_VM.min(initial=-1) < -1:
        raise ValueError("the themes of videos do not fit the model of tastes")
    return TasteModel(
        themes=ThemeMap(count=facts["count"], axes=axes),
        scale=ResponseScale(**facts["scale"]),
        population=Population(
            modalities=len(names),
            coefficients_FT=arrays["coefficients"],
            covariance_TT=arrays["covariance"],
            noise=facts["noise"],
            targeting=facts["targeting"],
        ),
        profile_values=facts["profile_values"],
        appeal_V=arrays["appeal"],
        theme_VM=theme_VM,
    )


def kinds_as_tensors(kinds: Kinds) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Kinds of viewers for a safetensors file beside the tastes that they were learned with: arrays, and facts."""
    viewers = kinds.viewers
    arrays = {
        "weight": viewers.weight_GM,
        "share": viewers.share_G,
        "coefficients": viewers.coefficients_FT,
        "covariance": viewers.covariance_MKK,
        "spread": viewers.spread_MKK,
    }
    facts = {"noise": viewers.base.noise, "rate": kinds.rate}
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}, facts


def kinds_from_tensors(tensors: Mapping[str, Tensor], facts: Mapping[str, Any], tastes: TasteModel) -> Kinds:
    """The inverse of :func:`kinds_as_tensors`.

    Raises:
        ValueError: Arrays do not belong together.
        KeyError: One is missing.
    """
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    base, count = tastes.population, tastes.themes.count
    kinds = len(arrays["weight"])
    expected = {
        "weight": (kinds, base.modalities),
        "share": (kinds,),
        "coefficients": base.coefficients_FT.shape,
        "covariance": (base.modalities, count, count),
        "spread": (base.modalities, count, count),
    }
    if any(arrays[name].shape != shape for name, shape in expected.items()):
        raise ValueError("the kinds of viewers do not fit the model of tastes")
    viewers = WeighedPopulation(
        base=replace(base, noise=facts["noise"]),
        weight_GM=arrays["weight"],
        share_G=arrays["share"],
        coefficients_FT=arrays["coefficients"],
        covariance_MKK=arrays["covariance"],
        spread_MKK=arrays["spread"],
    )
    return Kinds(viewers=viewers, profile_values=tastes.profile_values, rate=facts["rate"])
