"""What the network reads of viewers, and what it makes of it.

Legend of shape suffixes: B = viewers in the batch, X = some of them, L = events, L1 = events and the opening place
before them, K = videos in the batch, M = modalities, F = action flags, P = profile fields, D = model width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Stretches of viewers' histories in time order, padded at the end.

    video_BL: int64 rows of the projected videos; watch_ratio_BL: float, NaN where unknown; flags_BLF: bool; gap_BL:
    float seconds since the event before; valid_BL: bool, False where the stretch is padded or an event is hidden.
    """

    video_BL: Tensor
    watch_ratio_BL: Tensor
    flags_BLF: Tensor
    gap_BL: Tensor
    valid_BL: Tensor

    def to(self, device: torch.device) -> Events:
        """The same events on another device.

        Args:
            device: As torch names it.
        """
        return Events(**{name: getattr(self, name).to(device) for name in self.__slots__})

    def of(self, viewers_X: Tensor) -> Events:
        """Those of some viewers.

        Args:
            viewers_X: int64, their rows.
        """
        return Events(**{name: getattr(self, name)[viewers_X] for name in self.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """Events with their videos in place of the videos' rows.

    p_BLMD: (B, L, M, D) projected videos; present_BLM: bool; the rest as in ``Events``.
    """

    p_BLMD: Tensor
    present_BLM: Tensor
    watch_ratio_BL: Tensor
    flags_BLF: Tensor
    gap_BL: Tensor
    valid_BL: Tensor

    @classmethod
    def at(cls, events: Events, p_KMD: Tensor, present_KM: Tensor) -> Looked:
        """Look up the videos of events among projected ones.

        Args:
            events: Whose videos are rows of the next two.
            p_KMD: Projected videos.
            present_KM: bool, which modalities each has.

        Returns:
            The events with their videos.
        """
        p_XMD = p_KMD.index_select(0, events.video_BL.flatten())
        return cls(
            p_BLMD=p_XMD.view(*events.video_BL.shape, *p_KMD.shape[1:]),
            present_BLM=present_KM[events.video_BL],
            watch_ratio_BL=events.watch_ratio_BL,
            flags_BLF=events.flags_BLF,
            gap_BL=events.gap_BL,
            valid_BL=events.valid_BL,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryInputs:
    """What viewers did: the latest events, read one by one, and the older ones before them, read as a summary.

    profile_BP: int64 codes, 0 where a field is missing. strength_BL1M: float, for each content modality how strongly
    the viewer's tastes differ within it, in logs with a mean of 0; None where that is not known.
    """

    recent: Events
    older: Events
    profile_BP: Tensor
    strength_BL1M: Tensor | None = None

    def to(self, device: torch.device) -> HistoryInputs:
        """The same histories on another device.

        Args:
            device: As torch names it.
        """
        return HistoryInputs(
            recent=self.recent.to(device),
            older=self.older.to(device),
            profile_BP=self.profile_BP.to(device),
            strength_BL1M=None if self.strength_BL1M is None else self.strength_BL1M.to(device),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the network makes of histories, before the first recent event (place 0) and after each one.

    z_BL1D: interest vectors; u_BL1D: preference vectors; tokens_BL1D: the opening and the events as the Transformer
    reads them; s_BD: profiles.
    """

    z_BL1D: Tensor
    u_BL1D: Tensor
    tokens_BL1D: Tensor
    s_BD: Tensor

    def at(self, last_B: Tensor) -> Latest:
        """What it says of one place of each viewer.

        Args:
            last_B: int64, the places.
        """
        rows_B = torch.arange(len(last_B), device=last_B.device)
        return Latest(
            z_BD=self.z_BL1D[rows_B, last_B],
            u_BD=self.u_BL1D[rows_B, last_B],
            tokens_BL1D=self.tokens_BL1D,
            s_BD=self.s_BD,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest:
    """What the network makes of viewers after their last event; the rest is as in ``Reading``."""

    z_BD: Tensor
    u_BD: Tensor
    tokens_BL1D: Tensor
    s_BD: Tensor
