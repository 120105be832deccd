"""DIN at work: exact scores of the whole catalogue in little time, and of single exposures.

How much an event activates a candidate depends on the event's video, on whether it was liked and on the candidate,
and on nothing else of the viewer. So those weights are computed once a pair and kept in a table that all viewers share,
and the MLP's first layer, which is linear in the pooled history, is applied to events before they are pooled.

Legend of shape suffixes: B = viewers, L = events, N = videos asked for, V = videos, E = distinct events (a video, liked
or not), H = width of the MLP, U = viewers, P = profile fields, I = exposures, A = outputs.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from swipewise.baselines.activation import DIN
from swipewise.baselines.sequences import latest_tokens, pad_tokens
from swipewise.training.dataset import Dataset, Interactions
from swipewise.training.ranking import ScoreFn

_TABLE_WEIGHTS = 250_000_000
_BLOCK_UNITS = 8_000_000
_BLOCK_EXPOSURES = 1024


def full_scorer(network: DIN, dataset: Dataset, profile_UP: NDArray[np.int64], history: int) -> ScoreFn:
    """Rank with the histories of ``dataset`` and the network's parameters as they are when it is first asked."""
    offsets_U = dataset.viewer_offsets()
    parts: list[_Catalogue] = []

    def score(viewers_B: NDArray[np.int64], videos_N: NDArray[np.int64]) -> NDArray[np.float32]:
        with torch.inference_mode():
            if not parts:
                parts.append(_Catalogue(network.eval(), dataset))
            tokens = latest_tokens(dataset.interactions, offsets_U, viewers_B, history)
            event_BL = (2 * tokens.video_BL + tokens.positive_BL).numpy()
            profile_BP = torch.from_numpy(profile_UP[viewers_B]).to(network.device)
            own_BH = network.from_profile(network.profile(profile_BP))
            return parts[0].scores(event_BL, tokens.length_B.numpy(), own_BH, videos_N)

    return score


class _Catalogue:
    """What of the scores is the same for every viewer."""

    def __init__(self, network: DIN, dataset: Dataset) -> None:
        self._network = network
        videos = len(dataset.video_ids)
        video_V = torch.arange(videos, device=network.device)
        self._x_VD = network.videos(video_V)
        self._candidate_VH = network.from_candidate(self._x_VD)
        self._bias_V = network.own_bias(video_V)
        flags_2 = torch.arange(2, device=network.device)
        self._t_ED = (self._x_VD.unsqueeze(1) + network.positive(flags_2)).flatten(0, 1)
        self._event_EH = network.from_history(self._t_ED)
        rows = dataset.interactions
        events = np.unique(2 * rows.video_I + rows.positive_I)
        self._table: Tensor | None = None
        if len(events) * videos <= _TABLE_WEIGHTS:
            self._row_E = np.full(2 * videos, -1)
            self._row_E[events] = np.arange(len(events))
            self._filled = np.zeros(len(events), bool)
            self._table = torch.empty(len(events), videos, device=network.device)

    def scores(
        self,
        event_BL: NDArray[np.int64],
        length_B: NDArray[np.int64],
        own_BH: Tensor,
        videos_N: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Scores (B, N); of each row of ``event_BL`` the first ``length_B`` count."""
        everything = len(videos_N) == len(self._x_VD) and bool((videos_N == np.arange(len(videos_N))).all())
        chosen_N = torch.from_numpy(videos_N).to(self._network.device)
        candidate_NH = self._candidate_VH if everything else self._candidate_VH[chosen_N]
        known_BL = np.arange(event_BL.shape[1]) < length_B[:, None]
        weights_EN, row_BL = self._weights(event_BL, known_BL, None if everything else chosen_N)
        scores_BN = np.empty((len(event_BL), len(videos_N)), np.float32)
        for row, known_L in enumerate(known_BL):
            events_L = torch.from_numpy(event_BL[row, known_L]).to(self._network.device)
            rows_L = torch.from_numpy(row_BL[row, known_L]).to(self._network.device)
            # The candidate's part, and this viewer's weights times what their events pass on.
            sum_NH = torch.addmm(candidate_NH + own_BH[row], weights_EN[rows_L].T, self._event_EH[events_L])
            scores_BN[row] = (self._network.head(sum_NH)[:, 0] + self._bias_V[chosen_N]).cpu().numpy()
        return scores_BN

    def _weights(
        self, event_BL: NDArray[np.int64], known_BL: NDArray[np.bool_], chosen_N: Tensor | None
    ) -> tuple[Tensor, NDArray[np.int64]]:
        """Weights (E, N) of events for candidates, and the row of each event in them."""
        events_E, place = np.unique(event_BL[known_BL], return_inverse=True)
        row_BL = np.zeros(event_BL.shape, np.int64)
        if self._table is None or chosen_N is not None:
            row_BL[known_BL] = place
            return self._activate(events_E, self._x_VD if chosen_N is None else self._x_VD[chosen_N]), row_BL
        rows_E = self._row_E[events_E]
        new_E = ~self._filled[rows_E]
        if new_E.any():
            self._table[torch.from_numpy(rows_E[new_E])] = self._activate(events_E[new_E], self._x_VD)
            self._filled[rows_E[new_E]] = True
        row_BL[known_BL] = rows_E[place]
        return self._table, row_BL

    def _activate(self, events_E: NDArray[np.int64], x_ND: Tensor) -> Tensor:
        """How much events activate candidates: (E, N), block by block of events."""
        activation = self._network.activation
        block = max(1, _BLOCK_UNITS // max(1, len(x_ND) * activation.event.out_features))
        weights_EN = torch.empty(len(events_E), len(x_ND), device=x_ND.device)
        for start in range(0, len(events_E), block):
            events = torch.from_numpy(events_E[start : start + block]).to(x_ND.device)
            weights_EN[start : start + block] = activation(self._t_ED[events].unsqueeze(0), x_ND.unsqueeze(0))[0]
        return weights_EN


def exposure_logits(
    network: DIN, dataset: Dataset, profile_UP: NDArray[np.int64], history: int, exposures: Interactions
) -> NDArray[np.float32]:
    """All outputs for exposures, from what ``dataset`` holds of each viewer before it: (I, A)."""
    rows, offsets_U = dataset.interactions, dataset.viewer_offsets()
    end_I = _rows_before(rows, offsets_U, exposures)
    start_I = np.maximum(offsets_U[exposures.viewer_I], end_I - history)
    # Exposures with histories of like length share a block, so that little of it is padding.
    order_I = np.argsort(end_I - start_I, kind="stable")
    logits_IA = np.empty((len(exposures), network.out.out_features), np.float32)
    network.eval()
    for start in range(0, len(exposures), _BLOCK_EXPOSURES):
        here = order_I[start : start + _BLOCK_EXPOSURES]
        viewer_B = exposures.viewer_I[here]
        tokens = pad_tokens(rows, start_I[here], end_I[here]).to(network.device)
        video_B1 = torch.from_numpy(exposures.video_I[here])[:, None].to(network.device)
        profile_BP = torch.from_numpy(profile_UP[viewer_B]).to(network.device)
        with torch.inference_mode():
            logits_B1A = network(
                network.events(tokens.video_BL, tokens.positive_BL),
                network.videos(video_B1),
                tokens.valid_BL.unsqueeze(-1),
                profile_BP,
            )
        logits_IA[here] = logits_B1A[:, 0].cpu().numpy()
    return logits_IA


def _rows_before(rows: Interactions, offsets_U: NDArray[np.int64], exposures: Interactions) -> NDArray[np.int64]:
    """For each exposure the row after its viewer's last interaction that is earlier than it: (I,)."""
    # Ranks of all moments keep viewer and time in one number that sorts as the rows do.
    moments = np.unique(np.concatenate([rows.at_I, exposures.at_I]))
    width = len(moments) + 1
    row_keys = rows.viewer_I * width + np.searchsorted(moments, rows.at_I)
    keys_I = exposures.viewer_I * width + np.searchsorted(moments, exposures.at_I)
    return np.maximum(np.searchsorted(row_keys, keys_I, side="left"), offsets_U[exposures.viewer_I])
