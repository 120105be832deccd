"""The fitted network at work: interest of viewers, scores of videos.

Legend of shape suffixes: B = viewers, V = all videos, N = chosen videos, M = modalities, D = model width, L = events.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from swipewise.model.fusion import fuse, fused_scores
from swipewise.model.interest import HistoryInputs
from swipewise.training.dataset import Dataset, Interactions
from swipewise.training.fitted import FittedModel
from swipewise.training.histories import latest_windows, pad


class Projected:
    """A catalogue projected once, ready to score; everything runs without gradients and without dropout."""

    def __init__(self, fitted: FittedModel, dataset: Dataset) -> None:
        self.network = fitted.network.eval()
        self.device = next(self.network.parameters()).device
        table = fitted.table(dataset).to(self.device)
        with torch.inference_mode():
            self.p_VMD = self.network.project(
                table.inputs(torch.arange(len(dataset.video_ids), device=self.device))
            )
            self.present_VM = table.present_VM
            self.index_vectors_VD = self.network.index_vectors(self.p_VMD, self.present_VM)
        self._history = fitted.config.history
        self._profile_codes = fitted.vocabulary.profile_codes(dataset.profile_values)

    def interest(self, dataset: Dataset, viewers_B: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Interest vectors z (B, D) and preference vectors u (B, D) after each viewer's last interaction."""
        return self.interest_of(dataset.interactions, dataset.viewer_offsets(), dataset.profile_UP, viewers_B)

    def interest_of(
        self,
        rows: Interactions,
        offsets_U: NDArray[np.int64],
        profile_UP: NDArray[np.int64],
        viewers_B: NDArray[np.int64],
    ) -> tuple[Tensor, Tensor]:
        """As :meth:`interest`, from the parts of a data set; profile codes are those of the catalogue's data set."""
        windows = latest_windows(offsets_U, self._history, viewers_B)
        history = self._to_device(pad(rows, windows, self._profile_codes[profile_UP[viewers_B]]))
        with torch.inference_mode():
            z_BL1D, u_BL1D = self.network(history, self.p_VMD, self.present_VM)
        row_B = torch.arange(len(viewers_B), device=self.device)
        last_B = torch.from_numpy(windows.length_W).to(self.device)
        return z_BL1D[row_B, last_B], u_BL1D[row_B, last_B]

    def score(self, z_BD: Tensor, u_BD: Tensor, videos_N: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Scores (B, N) and modality weights α (B, N, M)."""
        rows_N = torch.from_numpy(videos_N).to(self.device)
        with torch.inference_mode():
            return fused_scores(z_BD, u_BD, self.p_VMD[rows_N], self.present_VM[rows_N])

    def fused(self, u_BD: Tensor, videos_N: NDArray[np.int64]) -> Tensor:
        """f of videos under one viewer's preference (1, D): (N, D)."""
        rows_N = torch.from_numpy(videos_N).to(self.device)
        with torch.inference_mode():
            return fuse(u_BD, self.p_VMD[rows_N], self.present_VM[rows_N])

    def _to_device(self, history: HistoryInputs) -> HistoryInputs:
        return HistoryInputs(**{name: getattr(history, name).to(self.device) for name in HistoryInputs.__slots__})
