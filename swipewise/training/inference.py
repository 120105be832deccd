"""The fitted network at work: interest of viewers, scores of videos.

Legend of shape suffixes: B = viewers, V = all videos, N = chosen videos, M = modalities, D = model width, L = events,
T = themes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from swipewise.model.fusion import fuse, fused_scores, modality_attention
from swipewise.model.interest import InterestModel
from swipewise.model.reading import HistoryInputs, Latest, Reading
from swipewise.model.scoring import training_scores
from swipewise.schema import Modality
from swipewise.training.beliefs import Beliefs, InterestShift, liked_themes
from swipewise.training.dataset import Dataset, Interactions
from swipewise.training.exported import HistoryReader
from swipewise.training.fitted import FittedModel, Weights
from swipewise.training.histories import Windows, latest_windows, like_lengths, pad
from swipewise.training.kin import Kinship, VideoFactors, VideoValues
from swipewise.training.ranking import ScoreFn
from swipewise.training.tastes import likings
from swipewise.training.trends import Trends
from swipewise.training.videos import Standard

_WEIGHED_VIDEOS = 1024  # over which modality weights are averaged


@dataclass(frozen=True, slots=True, kw_only=True)
class Interests:
    """Viewers as they are after their last event.

    z_BD: interest vectors; u_BD: preference vectors; s_BD: profiles; near: how near each video of the vocabulary
    is to what they watched, lift: how much more viewers of like profile watch it, taste_BT: what they make of each
    theme, misled_B: the share of what they watched that came before this changed, None where the model does not
    ask; tokens_BQD: their latest events as the network reads them; kept_BQ: bool,
    which of them there are.
    """

    z_BD: Tensor
    u_BD: Tensor
    s_BD: Tensor
    near: VideoValues | None
    lift: VideoFactors | None
    taste_BT: Tensor | None
    misled_B: Tensor | None
    tokens_BQD: Tensor
    kept_BQ: Tensor

    def alone(self, viewer: int) -> Interests:
        """One of the viewers, by number, without the padding that the others made necessary."""
        own, places = slice(viewer, viewer + 1), int(self.kept_BQ[viewer].sum())
        return Interests(
            z_BD=self.z_BD[own],
            u_BD=self.u_BD[own],
            s_BD=self.s_BD[own],
            near=self.near and self.near.alone(viewer),
            lift=self.lift and self.lift.alone(viewer),
            taste_BT=None if self.taste_BT is None else self.taste_BT[own],
            misled_B=None if self.misled_B is None else self.misled_B[own],
            tokens_BQD=self.tokens_BQD[own, :places],
            kept_BQ=self.kept_BQ[own, :places],
        )


class Projected:
    """A catalogue projected once, ready to score; everything runs without gradients and without dropout.

    Trends are those at the end of the data set's interactions.

    Args:
        fitted: The network and the coding of its inputs.
        dataset: The catalogue.
        standards: What its vectors are standardised by, by default what the model says of this catalogue.
    """

    def __init__(
        self, fitted: FittedModel, dataset: Dataset, standards: Mapping[str, Standard] | None = None
    ) -> None:
        self.network = fitted.network.eval()
        self.device = next(self.network.parameters()).device
        self.reader: HistoryReader = _Network(network=self.network)
        self._fitted = fitted
        self._standards = fitted.catalogue_standards(dataset) if standards is None else standards
        table = fitted.table(dataset, self._standards).to(self.device)
        with torch.inference_mode():
            self.p_VMD = self.network.project(
                table.inputs(torch.arange(len(dataset.video_ids), device=self.device))
            )
            self.present_VM = table.present_VM
            self.index_vectors_VD = self.network.index_vectors(self.p_VMD, self.present_VM)
        self._config = fitted.config
        self._neighbourhood = fitted.neighbourhood if fitted.weights.neighbour else None
        self._groups = fitted.groups if fitted.weights.group else None
        self._weights = fitted.weights
        self._id_V = fitted.vocabulary.video_rows(dataset.video_ids)
        self._kinship = Kinship.of(self.index_vectors_VD.cpu().numpy(), self._id_V)
        self._tastes = fitted.taste_reader(dataset)
        if self._tastes is not None:
            self._theme_VMK = torch.from_numpy(self._tastes.theme_VMK).to(self.device)
            self._appeal_V = torch.from_numpy(self._tastes.appeal_V).to(self.device)
        self._profile_codes = fitted.vocabulary.profile_codes(dataset.profile_values)
        self._trends_VS: Tensor | None = None
        if fitted.config.trends:
            trends = Trends.of(dataset.interactions, dataset.uploaded_at_V, last_only=True)
            self._trends_VS = torch.from_numpy(trends.latest_VS).to(self.device)

    def reading_with(self, reader: HistoryReader) -> Projected:
        """The same with histories read by something else than the network."""
        other = copy(self)
        other.reader = reader
        return other

    def extended(self, added: Dataset) -> Projected:
        """The same with further videos behind those that are there; only these are projected.

        Nothing is known yet of what viewers make of them, and what their vectors are standardised by stays as it is.
        """
        new = Projected(self._fitted, added, self._standards)
        joined = copy(self)
        for name in ("p_VMD", "present_VM", "index_vectors_VD"):
            setattr(joined, name, torch.cat([getattr(self, name), getattr(new, name)]))
        joined._id_V = np.concatenate([self._id_V, new._id_V])
        joined._kinship = self._kinship.extended(joined.index_vectors_VD.cpu().numpy(), new._id_V)
        if self._tastes is not None:
            joined._tastes = self._tastes.extended(added)
            joined._theme_VMK = torch.cat([self._theme_VMK, new._theme_VMK])
            joined._appeal_V = torch.cat([self._appeal_V, new._appeal_V])
        if self._trends_VS is not None and new._trends_VS is not None:
            joined._trends_VS = torch.cat([self._trends_VS, new._trends_VS])
        return joined

    def interest(self, dataset: Dataset, viewers_B: NDArray[np.int64]) -> Interests:
        """Viewers after their last interaction."""
        return self.interest_of(dataset.interactions, dataset.viewer_offsets(), dataset.profile_UP, viewers_B)

    def interest_of(
        self,
        rows: Interactions,
        offsets_U: NDArray[np.int64],
        profile_UP: NDArray[np.int64],
        viewers_B: NDArray[np.int64],
    ) -> Interests:
        """As :meth:`interest`, from the parts of a data set; profile codes are those of the catalogue's data set."""
        [interests] = self._interests_by([self.reader], rows, offsets_U, profile_UP, viewers_B)
        return interests

    def interests_by(
        self, readers: Sequence[HistoryReader], dataset: Dataset, viewers_B: NDArray[np.int64]
    ) -> list[Interests]:
        """As :meth:`interest`, by each of several readers of the same histories."""
        rows, offsets_U = dataset.interactions, dataset.viewer_offsets()
        return self._interests_by(readers, rows, offsets_U, dataset.profile_UP, viewers_B)

    def latest(
        self,
        rows: Interactions,
        offsets_U: NDArray[np.int64],
        profile_UP: NDArray[np.int64],
        viewers_B: NDArray[np.int64],
    ) -> Latest:
        """What the network alone tells of :meth:`interest_of`, which takes a fraction of the time of all of it."""
        windows = latest_windows(offsets_U, self._config.history, viewers_B, memory=self._config.memory)
        return self._latest_by([self.reader], rows, windows, profile_UP)[0]

    def _interests_by(
        self,
        readers: Sequence[HistoryReader],
        rows: Interactions,
        offsets_U: NDArray[np.int64],
        profile_UP: NDArray[np.int64],
        viewers_B: NDArray[np.int64],
    ) -> list[Interests]:
        """As :meth:`interests_by`, from the parts of a data set."""
        windows = latest_windows(offsets_U, self._config.history, viewers_B, memory=self._config.memory)
        near, lift = self._nearness(rows, windows), self._lift(profile_UP[viewers_B])
        taste_BT, misled_B = self._taste(rows, windows, profile_UP)
        last_B = torch.from_numpy(windows.length_W).to(self.device)
        return [
            Interests(
                z_BD=latest.z_BD,
                u_BD=latest.u_BD,
                s_BD=latest.s_BD,
                near=near,
                lift=lift,
                taste_BT=taste_BT,
                misled_B=misled_B,
                tokens_BQD=latest.tokens_BL1D,
                kept_BQ=torch.arange(latest.tokens_BL1D.shape[1], device=self.device) <= last_B.unsqueeze(1),
            )
            for latest in self._latest_by(readers, rows, windows, profile_UP)
        ]

    def _latest_by(
        self,
        readers: Sequence[HistoryReader],
        rows: Interactions,
        windows: Windows,
        profile_UP: NDArray[np.int64],
    ) -> list[Latest]:
        """What each reader makes of windows, which are read in blocks of like length."""
        blocks = like_lengths(windows.length_W)
        found: list[list[Latest]] = [[] for _ in readers]
        for block_W in blocks:
            some = windows.where(block_W)
            history = self._padded(rows, some, profile_UP)
            last_B = torch.from_numpy(some.length_W).to(self.device)
            with torch.inference_mode():
                for reader, parts in zip(readers, found, strict=True):
                    parts.append(reader.latest(history, self.p_VMD, self.present_VM, last_B))
        if len(blocks) == 1:
            return [latest for [latest] in found]
        back_W = torch.from_numpy(np.argsort(np.concatenate(blocks))).to(self.device)
        return [_in_order(parts, back_W) for parts in found]

    def _nearness(self, rows: Interactions, windows: Windows) -> VideoValues | None:
        """Of the vocabulary's videos to what is in each window."""
        if self._neighbourhood is None:
            return None
        length_W = windows.end_W - windows.older_W
        window_I = np.repeat(np.arange(len(windows)), length_W)
        starts_W = np.cumsum(length_W) - length_W
        row_I = windows.older_W[window_I] + np.arange(len(window_I)) - starts_W[window_I]
        video_I = self._id_V[rows.video_I[row_I]]
        known = replace(rows.where(row_I), viewer_I=window_I, video_I=video_I).where(video_I >= 0)
        return self._neighbourhood.nearness(known, len(windows))

    def _lift(self, profile_BP: NDArray[np.int64]) -> VideoFactors | None:
        """Of the vocabulary's videos among viewers of like profile."""
        if self._groups is None:
            return None
        return self._groups.lift(self._profile_codes[profile_BP])

    def _taste(
        self, rows: Interactions, windows: Windows, profile_UP: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor] | tuple[None, None]:
        """What each window's viewer makes of each theme (W, T), and the share of it from before this changed (W,)."""
        if self._tastes is None or not self._weights.taste:
            return None, None
        profile_WP = self._profile_codes[profile_UP[windows.viewer_W]]
        now = self._tastes.now(rows, windows, profile_WP, changes=self._config.ordered)
        taste_WT, misled_W = (torch.from_numpy(each.astype(np.float32)) for each in (now.taste_UT, now.misled_U))
        return taste_WT.to(self.device), misled_W.to(self.device)

    def score(
        self,
        interests: Interests,
        videos_N: NDArray[np.int64],
        factors: Mapping[str, float] | None = None,
        *,
        weights: Weights | None = None,
    ) -> Tensor:
        """Scores of videos for viewers: (B, N).

        ``factors`` multiply what the named modalities add to a score: their share of f, the tastes for their themes,
        and, of the id, nearness to what was watched. ``weights`` take the place of the model's own.
        """
        return self._score(interests, videos_N, weights or self._weights, factors or {})

    def score_and_weights(
        self, interests: Interests, videos_N: NDArray[np.int64], factors: Mapping[str, float] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Scores of videos for viewers (B, N), as :meth:`score` gives them, and the modality weights α (B, N, M)."""
        fused_BN, alpha_BNM = self._fused(interests, videos_N, factors or {})
        return self._completed(fused_BN, interests, videos_N, self._weights, factors or {}), alpha_BNM

    def _score(
        self, interests: Interests, videos_N: NDArray[np.int64], weights: Weights, factors: Mapping[str, float]
    ) -> Tensor:
        if factors:
            fused_BN, _ = self._fused(interests, videos_N, factors)
        else:  # in fewer passes, as nobody asks for the weights
            rows_N = torch.from_numpy(videos_N).to(self.device)
            with torch.inference_mode():
                fused_BN = training_scores(
                    interests.z_BD, interests.u_BD, self.p_VMD[rows_N], self.present_VM[rows_N]
                )
        return self._completed(fused_BN, interests, videos_N, weights, factors)

    def _fused(
        self, interests: Interests, videos_N: NDArray[np.int64], factors: Mapping[str, float]
    ) -> tuple[Tensor, Tensor]:
        rows_N = torch.from_numpy(videos_N).to(self.device)
        factor_M = self._factors(factors, self._fitted.modalities) if factors else None
        with torch.inference_mode():
            return fused_scores(
                interests.z_BD, interests.u_BD, self.p_VMD[rows_N], self.present_VM[rows_N], factor_M
            )

    def _completed(
        self,
        scores_BN: Tensor,
        interests: Interests,
        videos_N: NDArray[np.int64],
        weights: Weights,
        factors: Mapping[str, float],
    ) -> Tensor:
        """The scores of the fusion with what trends and nearness, groups and tastes add to them.

        The fusion, trends and nearness count the less the more of a history came before a change of taste.
        """
        rows_N = torch.from_numpy(videos_N).to(self.device)
        with torch.inference_mode():
            if self._trends_VS is not None:
                scores_BN = scores_BN + self.network.trend(interests.z_BD) @ self._trends_VS[rows_N].T
            if interests.near is not None or interests.lift is not None:
                asked = self._kinship.asked(videos_N)
            if interests.near is not None:
                near_BN = torch.from_numpy(asked.of(interests.near)).to(self.device)
                scores_BN = scores_BN + weights.neighbour * factors.get(Modality.ID, 1.0) * near_BN
            if interests.misled_B is not None and weights.taste:
                # All of this goes by the whole of a history; tastes alone go by what came after a change.
                scores_BN = scores_BN * (1 - weights.misled * interests.misled_B[:, None])
            if interests.lift is not None:
                lift_BN = torch.from_numpy(asked.of(interests.lift)).to(self.device)
                scores_BN = scores_BN + weights.group * lift_BN
            if interests.taste_BT is not None:
                taste_BT = interests.taste_BT
                if factors and self._tastes is not None:
                    factor_T = self._factors(factors, self._tastes.themes.modalities)
                    taste_BT = taste_BT * factor_T.repeat_interleave(self._tastes.themes.count)
                liking_BN = likings(taste_BT, self._theme_VMK[rows_N])
                scores_BN = scores_BN + weights.taste * (liking_BN + self._appeal_V[rows_N])
        return scores_BN

    def _factors(self, factors: Mapping[str, float], modalities: Sequence[str]) -> Tensor:
        return torch.tensor([factors.get(name, 1.0) for name in modalities], device=self.device)

    def beliefs(self, rows: Interactions, profile_1P: NDArray[np.int64], interests: Interests) -> Beliefs:
        """What is believed of one viewer, from the interactions that :meth:`interest_of` read."""
        videos = len(self.p_VMD)
        some_N = np.unique(np.linspace(0, videos - 1, min(videos, _WEIGHED_VIDEOS)).astype(np.int64))
        alpha_M = self.weights(interests, some_N)[0].mean(dim=0).tolist() if videos else []
        weights = dict(zip(self._fitted.modalities, alpha_M, strict=False))
        if self._tastes is None:
            return Beliefs(modality_weights=weights)
        themes = liked_themes(
            self._tastes,
            rows,
            self._latest(rows),
            self._profile_codes[profile_1P],
            changes=self._config.ordered,
            taste_T=None if interests.taste_BT is None else interests.taste_BT[0].cpu().numpy(),
        )
        return Beliefs(modality_weights=weights, themes=themes)

    def shifts(self, rows: Interactions, profile_1P: NDArray[np.int64]) -> tuple[InterestShift, ...]:
        """The shifts of interest of one viewer, the newest first; none where the run cannot tell them."""
        if self._tastes is None or not self._config.ordered:
            return ()
        profile_1P = self._profile_codes[profile_1P]
        found = self._tastes.shifts(rows, self._latest(rows), profile_1P)
        return tuple(InterestShift.of(shift) for shift in reversed(found))

    def _latest(self, rows: Interactions) -> Windows:
        """The window of one viewer's latest interactions."""
        offsets_U = np.array([0, len(rows)])
        return latest_windows(offsets_U, self._config.history, np.zeros(1, np.int64), memory=self._config.memory)

    def ranker(self, history: Dataset) -> ScoreFn:
        """Scores of videos for viewers after their last interaction in ``history``."""

        def score(viewers_B: NDArray[np.int64], videos_N: NDArray[np.int64]) -> NDArray[np.float32]:
            return self.score(self.interest(history, viewers_B), videos_N).cpu().numpy()

        return score

    def weights(self, interests: Interests | Latest, videos_N: NDArray[np.int64]) -> Tensor:
        """Modality weights α, as :meth:`score_and_weights` gives them: (B, N, M)."""
        rows_N = torch.from_numpy(videos_N).to(self.device)
        with torch.inference_mode():
            p_NMD, present_NM = self.p_VMD[rows_N], self.present_VM[rows_N]
            return fused_scores(interests.z_BD, interests.u_BD, p_NMD, present_NM)[1]

    def common_weights(self) -> Tensor:
        """Modality weights α of every video under the viewer-independent preference: (V, M)."""
        with torch.inference_mode():
            return modality_attention(self.network.common_preference, self.p_VMD, self.present_VM)

    def predict(self, interests: Interests, videos_N: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Logits of every action (B, N, A) and of the share watched (B, N), if the videos were shown now."""
        rows_N = torch.from_numpy(videos_N).to(self.device)
        with torch.inference_mode():
            f_BND = fuse(interests.u_BD.unsqueeze(1), self.p_VMD[rows_N], self.present_VM[rows_N])
            z_BND = interests.z_BD.unsqueeze(1).expand_as(f_BND)
            if self._trends_VS is None:
                known_NS = f_BND.new_zeros(len(rows_N), self.network.trend.out_features)
            else:
                known_NS = self._trends_VS[rows_N]
            logits_BNA = self.network.acts(
                z_BND,
                f_BND,
                interests.s_BD.unsqueeze(1),
                known_NS.expand(len(f_BND), -1, -1),
                interests.tokens_BQD,
                interests.kept_BQ.unsqueeze(1),
            )
            return logits_BNA, self.network.watch(z_BND, f_BND)

    def fused(self, u_BD: Tensor, videos_N: NDArray[np.int64]) -> Tensor:
        """f of videos under one viewer's preference (1, D): (N, D)."""
        rows_N = torch.from_numpy(videos_N).to(self.device)
        with torch.inference_mode():
            return fuse(u_BD, self.p_VMD[rows_N], self.present_VM[rows_N])

    def action_logits(self, dataset: Dataset, windows: Windows, trends: Trends) -> tuple[Tensor, Tensor]:
        """Logits of actions and of the share watched of each event of some windows: (B, L, A) and (B, L).

        Each event is judged from what came before it.
        """
        rows = dataset.interactions
        with torch.inference_mode():
            reading = self._read(rows, windows, dataset.profile_UP)
            place_BL = windows.start_W[:, None] + np.arange(reading.z_BL1D.shape[1] - 1)
            place_BL = np.where(place_BL < windows.end_W[:, None], place_BL, 0)
            video_BL = torch.from_numpy(rows.video_I[place_BL]).to(self.device)
            f_BLD = fuse(reading.u_BL1D[:, :-1], self.p_VMD[video_BL], self.present_VM[video_BL])
            known_BLS = None
            if self._config.trends:
                moment_BL = trends.places(rows.at_I[place_BL])
                known_BLS = torch.from_numpy(trends.values_GVS[moment_BL, rows.video_I[place_BL]]).to(self.device)
            logits_BLA = self.network.action_logits(reading, f_BLD, known_BLS)
            return logits_BLA, self.network.watch(reading.z_BL1D[:, :-1], f_BLD)

    def _read(self, rows: Interactions, windows: Windows, profile_UP: NDArray[np.int64]) -> Reading:
        with torch.inference_mode():
            return self.reader(self._padded(rows, windows, profile_UP), self.p_VMD, self.present_VM)

    def _padded(self, rows: Interactions, windows: Windows, profile_UP: NDArray[np.int64]) -> HistoryInputs:
        profile_WP = self._profile_codes[profile_UP[windows.viewer_W]]
        strength_WL1M = None if self._tastes is None else self._tastes.strengths(rows, windows, profile_WP)
        return pad(rows, windows, profile_WP, strength_WL1M).to(self.device)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Network:
    """The network as the reader of histories that the others are held against."""

    network: InterestModel

    def __call__(self, history: HistoryInputs, p_KMD: Tensor, present_KM: Tensor) -> Reading:
        reading: Reading = self.network(history, p_KMD, present_KM)
        return reading

    def latest(self, history: HistoryInputs, p_KMD: Tensor, present_KM: Tensor, last_B: Tensor) -> Latest:
        return self.network.latest(history, p_KMD, present_KM, last_B)


def _in_order(parts: Sequence[Latest], back_B: Tensor) -> Latest:
    """What was read in parts, put together and in the order of ``back_B``."""
    places = max(part.tokens_BL1D.shape[1] for part in parts)
    tokens = [functional.pad(part.tokens_BL1D, (0, 0, 0, places - part.tokens_BL1D.shape[1])) for part in parts]
    with torch.inference_mode():
        return Latest(
            z_BD=torch.cat([part.z_BD for part in parts])[back_B],
            u_BD=torch.cat([part.u_BD for part in parts])[back_B],
            tokens_BL1D=torch.cat(tokens)[back_B],
            s_BD=torch.cat([part.s_BD for part in parts])[back_B],
        )
