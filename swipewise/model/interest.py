"""The interest model: fusion, behaviour Transformer and profile together (equations 1 to 4 of arXiv:2509.04751).

Legend of shape suffixes: B = viewers in the batch, L = events, L1 = events and the opening place before them,
K = videos in the batch, M = modalities, F = action flags, P = profile fields, D = model width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from swipewise.model.behavior import BehaviorEmbedding
from swipewise.model.fusion import ModalityProjection, VideoInputs, fuse
from swipewise.model.heads import WatchHead
from swipewise.model.profile import ProfileEncoder
from swipewise.model.sequence import CausalTransformer


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryInputs:
    """Histories in time order, padded at the end.

    video_BL: int64 rows of the projected videos; watch_ratio_BL: float; flags_BLF: bool; gap_BL: float seconds since
    the event before; valid_BL: bool, False where the sequence is padded; profile_BP: int64 codes.
    """

    video_BL: Tensor
    watch_ratio_BL: Tensor
    flags_BLF: Tensor
    gap_BL: Tensor
    valid_BL: Tensor
    profile_BP: Tensor


class InterestModel(nn.Module):
    """From what a viewer did to the interest vector z_u and the preference vector u.

    The preference vector is never looked up by viewer: it is computed from the profile and the pooled history, so it
    exists for viewers that training never saw. Both vectors are computed at every place of the sequence from what
    came before, so that one pass gives a training signal for each event.
    """

    def __init__(
        self,
        *,
        modalities: tuple[str, ...],
        content_dims: Mapping[str, int],
        videos: int,
        attribute_values: int,
        profile_values: int,
        flags: int,
        width: int,
        layers: int,
        heads: int,
        history: int,
        dropout: float,
        event_dropout: float,
    ) -> None:
        super().__init__()
        self.modalities = modalities
        self.event_dropout = event_dropout
        self.project = ModalityProjection(
            modalities=modalities,
            content_dims=content_dims,
            videos=videos,
            attribute_values=attribute_values,
            width=width,
        )
        self.behavior = BehaviorEmbedding(flags=flags, width=width)
        self.profile = ProfileEncoder(values=profile_values, width=width)
        self.opening = nn.Parameter(torch.empty(width))
        self.transformer = CausalTransformer(
            width=width, layers=layers, heads=heads, places=history + 1, dropout=dropout
        )
        pooled = len(modalities) * (width + 1)
        self.preference = nn.Sequential(
            nn.Linear(width + pooled, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )
        self.evidence = nn.Linear(pooled, width)
        self.combine = nn.Linear(2 * width, width)
        self.watch = WatchHead()
        self.common_preference = nn.Parameter(torch.empty(width))
        self.init_weights()

    def init_weights(self) -> None:
        """Embeddings N(0, 1/√d), linear maps Xavier uniform with zero biases, norms the identity but for their shifts.

        The shifts of the modalities' norms start orthogonal and of length √d / 2: along them u can prefer a modality
        as a whole from the first step. From shifts of zero that would have to be found first, and the weights of
        viewers then tell little of what they listen to.
        """
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=module.embedding_dim**-0.5)
            elif isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        self.project.part_modalities()
        nn.init.normal_(self.opening, std=self.opening.shape[0] ** -0.5)
        nn.init.normal_(self.common_preference, std=self.common_preference.shape[0] ** -0.5)

    def forward(self, history: HistoryInputs, p_KMD: Tensor, present_KM: Tensor) -> tuple[Tensor, Tensor]:
        """Interest and preference before the first event and after each one.

        Args:
            history: What the viewers did; ``video_BL`` names rows of ``p_KMD``.
            p_KMD: (K, M, D) the projected videos.
            present_KM: (K, M) bool.

        Returns:
            z_BL1D and u_BL1D: place 0 knows the profile alone, place j the first j events as well.
        """
        s_BD = self.profile(history.profile_BP)
        b_BLD, strength_BL = self.behavior(history.watch_ratio_BL, history.flags_BLF, history.gap_BL)
        kept_BL = self._drop_events(history.valid_BL)
        p_BLMD = p_KMD[history.video_BL]
        present_BLM = present_KM[history.video_BL] & kept_BL.unsqueeze(-1)
        evidence_BL1E = self._evidence(p_BLMD, present_BLM, strength_BL)
        s_BL1D = s_BD.unsqueeze(1).expand(-1, evidence_BL1E.shape[1], -1)
        u_BL1D = self.preference(torch.cat([s_BL1D, evidence_BL1E], dim=-1))
        f_BLD = fuse(u_BL1D[:, 1:], p_BLMD, present_BLM)
        tokens_BLD = (f_BLD + b_BLD) * kept_BL.unsqueeze(-1)
        tokens_BL1D = torch.cat([(self.opening + s_BD).unsqueeze(1), tokens_BLD], dim=1)
        # A token is a sum, from which attention has to learn that a skip turns a video's meaning round; the evidence
        # is a product of both and carries that as it stands.
        h_BL1D = self.transformer(tokens_BL1D) + self.evidence(evidence_BL1E)
        z_BL1D = torch.relu(self.combine(torch.cat([h_BL1D, s_BL1D], dim=-1)))
        return z_BL1D, u_BL1D

    def _drop_events(self, valid_BL: Tensor) -> Tensor:
        """In training hide a random share of events, so that no single one is relied on."""
        if not self.training or not self.event_dropout:
            return valid_BL
        return valid_BL & (torch.rand(valid_BL.shape, device=valid_BL.device) >= self.event_dropout)

    def _evidence(self, p_BLMD: Tensor, present_BLM: Tensor, strength_BL: Tensor) -> Tensor:
        """What was watched, a modality at a time: the running mean of p, signed by what the viewer made of it.

        The mean is long where the videos that a viewer likes agree in a modality and short where they do not, which is
        what tells how much that modality matters to the viewer; its length is therefore given as well. The shift that
        all videos share is taken off first, as it says nothing of any of them.

        Returns:
            (B, L1, M * (D + 1)), zeros before the first event.
        """
        weight_BLM = strength_BL.unsqueeze(-1) * present_BLM
        own_BLMD = p_BLMD - self.project.shift_MD
        total_BLMD = (weight_BLM.unsqueeze(-1) * own_BLMD).cumsum(dim=1)
        amount_BLM = weight_BLM.abs().cumsum(dim=1)
        mean_BLMD = total_BLMD / (1 + amount_BLM).unsqueeze(-1)
        length_BLM = mean_BLMD.square().mean(dim=-1)
        evidence_BLE = torch.cat([mean_BLMD.flatten(2), length_BLM], dim=-1)
        nothing_BLE = evidence_BLE.new_zeros(len(evidence_BLE), 1, evidence_BLE.shape[-1])
        return torch.cat([nothing_BLE, evidence_BLE], dim=1)

    def index_vectors(self, p_KMD: Tensor, present_KM: Tensor) -> Tensor:
        """f under the viewer-independent preference: (K, D), one vector a video, for any stock vector index."""
        return fuse(self.common_preference, p_KMD, present_KM)


__all__ = ["HistoryInputs", "InterestModel", "VideoInputs"]
