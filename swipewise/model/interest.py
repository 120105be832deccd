"""The interest model: fusion, behaviour Transformer and profile together (equations 1 to 4 of arXiv:2509.04751).

Legend of shape suffixes: B = viewers in the batch, L = events, L1 = events and the opening place before them,
C = tokens of the summary, E = all numbers of the evidence,
K = videos in the batch, M = modalities, F = action flags, P = profile fields, D = model width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from swipewise.model.behavior import BehaviorEmbedding
from swipewise.model.dropout import Dropout
from swipewise.model.fusion import ModalityProjection, VideoInputs, fuse
from swipewise.model.heads import ActionHeads, WatchHead
from swipewise.model.profile import ProfileEncoder
from swipewise.model.sequence import SUMMARY_TOKENS, CausalTransformer, HistorySummary
from swipewise.model.spans import spanned


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
        """Look up the videos of events among projected ones."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Which parts of the network are in use; what an ablation takes away is False here.

    sequence: the Transformer; without it the evidence alone speaks. positions: the order of events within it.
    behavior: what the viewer did with each video. profile: s_u. attention: weights of modalities that differ from
    viewer to viewer; without it every modality present weighs the same.
    """

    sequence: bool = True
    positions: bool = True
    behavior: bool = True
    profile: bool = True
    attention: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """Events as the network sees them; what is hidden or padded is neither kept nor present."""

    p_BLMD: Tensor
    present_BLM: Tensor
    kept_BL: Tensor
    b_BLD: Tensor
    strength_BL: Tensor


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
        statistics: int,
        width: int,
        layers: int,
        heads: int,
        history: int,
        dropout: float,
        norm: str = "layer",
        adapter: str = "linear",
        parts: Parts | None = None,
    ) -> None:
        super().__init__()
        self.modalities = modalities
        self.parts = parts or Parts()
        self.project = ModalityProjection(
            modalities=modalities,
            content_dims=content_dims,
            videos=videos,
            attribute_values=attribute_values,
            width=width,
            norm=norm,
            adapter=adapter,
        )
        self.behavior = BehaviorEmbedding(flags=flags, width=width)
        self.profile = ProfileEncoder(values=profile_values, width=width)
        self.opening = nn.Parameter(torch.empty(width))
        self.summary = HistorySummary(width=width)
        self.transformer = CausalTransformer(
            width=width, layers=layers, heads=heads, places=SUMMARY_TOKENS + history + 1, dropout=dropout
        )
        pooled = len(modalities) * (width + 1)
        self.preference = nn.Sequential(
            nn.Linear(width + pooled, 2 * width), nn.GELU(), Dropout(dropout), nn.Linear(2 * width, width)
        )
        self.content = [column for column, name in enumerate(modalities) if name in content_dims]
        self.heed = nn.Parameter(torch.ones(()))
        self.evidence = nn.Linear(pooled, width)
        self.combine = nn.Linear(2 * width, width)
        self.trend = nn.Linear(width, statistics)
        self.shown = nn.Linear(width, width)
        self.watch = WatchHead()
        self.acts = ActionHeads(actions=flags, statistics=statistics, width=width, heads=heads, dropout=dropout)
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
        # Trends have no say until they are found to tell something.
        nn.init.zeros_(self.trend.weight)
        nn.init.normal_(self.opening, std=self.opening.shape[0] ** -0.5)
        nn.init.normal_(self.common_preference, std=self.common_preference.shape[0] ** -0.5)

    def forward(self, history: HistoryInputs, p_KMD: Tensor, present_KM: Tensor) -> Reading:
        """Interest and preference before the first recent event and after each one.

        Place 0 knows the profile and the older events, place j the first j recent events as well.

        Args:
            history: What the viewers did; its ``video_BL`` name rows of ``p_KMD``.
            p_KMD: (K, M, D) the projected videos.
            present_KM: (K, M) bool.
        """
        return self.read(
            Looked.at(history.recent, p_KMD, present_KM),
            Looked.at(history.older, p_KMD, present_KM),
            history.profile_BP,
            history.strength_BL1M,
        )

    def read(
        self, recent: Looked, older: Looked, profile_BP: Tensor, strength_BL1M: Tensor | None = None
    ) -> Reading:
        """As :meth:`forward`, from events whose videos have been looked up; the rest is as in ``HistoryInputs``.

        Args:
            recent: Events that are read one by one.
            older: Those before, which are read as a summary.
            profile_BP: int64 codes, 0 where a field is missing.
            strength_BL1M: How strongly tastes differ within each content modality; None where that is not known.
        """
        return self._read(self._seen(recent), self._seen(older), profile_BP, strength_BL1M)

    def _read(self, recent: _Seen, older: _Seen, profile_BP: Tensor, strength_BL1M: Tensor | None) -> Reading:
        s_BD = self.profile(profile_BP) * self.parts.profile
        evidence_BL1E = self._evidence(recent, self._weighed(older))
        s_BL1D = s_BD.unsqueeze(1).expand(-1, evidence_BL1E.shape[1], -1)
        u_BL1D = self.preference(torch.cat([s_BL1D, evidence_BL1E], dim=-1))
        if strength_BL1M is not None:
            u_BL1D = u_BL1D + self._towards(strength_BL1M)
        u_BL1D = u_BL1D * self.parts.attention
        tokens_BLD = self._tokens(u_BL1D[:, 1:], recent)
        tokens_BL1D = torch.cat([(self.opening + s_BD).unsqueeze(1), tokens_BLD], dim=1)
        # A token is a sum, from which attention has to learn that a skip turns a video's meaning round; the evidence
        # is a product of both and carries that as it stands.
        h_BL1D = self.evidence(evidence_BL1E)
        if self.parts.sequence:
            summary_BCD = self.summary(self._tokens(u_BL1D[:, :1], older), older.kept_BL)
            h_BL1D = (
                h_BL1D
                + self.transformer(torch.cat([summary_BCD, tokens_BL1D], dim=1), positions=self.parts.positions)[
                    :, summary_BCD.shape[1] :
                ]
            )
        z_BL1D = torch.relu(self.combine(torch.cat([h_BL1D, s_BL1D], dim=-1)))
        return Reading(z_BL1D=z_BL1D, u_BL1D=u_BL1D, tokens_BL1D=tokens_BL1D, s_BD=s_BD)

    def _towards(self, strength_BL1M: Tensor) -> Tensor:
        """What to add to u so that the logit of α rises by a multiple of each content modality's strength: (B, L1, D).

        The shift of a modality's norm is what all its videos share. The multiple is learned, and starts at 1: a
        modality then weighs in proportion to the spread of the tastes in it.
        """
        shift_MD = self.project.shift_MD[self.content].detach()
        length_M1 = shift_MD.square().sum(dim=-1, keepdim=True)
        dual_MD = shift_MD / length_M1 * shift_MD.shape[1] ** 0.5
        towards_BL1D: Tensor = self.heed * (strength_BL1M @ dual_MD)
        return towards_BL1D

    def _seen(self, events: Looked) -> _Seen:
        b_BLD, strength_BL = self.behavior(events.watch_ratio_BL, events.flags_BLF, events.gap_BL)
        if not self.parts.behavior:
            b_BLD, strength_BL = torch.zeros_like(b_BLD), torch.ones_like(strength_BL)
        return _Seen(
            p_BLMD=events.p_BLMD,
            present_BLM=events.present_BLM & events.valid_BL.unsqueeze(-1),
            kept_BL=events.valid_BL,
            b_BLD=b_BLD,
            strength_BL=strength_BL,
        )

    def _tokens(self, u_BLD: Tensor, seen: _Seen) -> Tensor:
        """f_j + b_j, zeros where there is no event: (B, L, D)."""
        f_BLD = fuse(u_BLD, seen.p_BLMD, seen.present_BLM)
        return (f_BLD + seen.b_BLD) * seen.kept_BL.unsqueeze(-1)

    @spanned("fusion")
    def _weighed(self, seen: _Seen) -> tuple[Tensor, Tensor]:
        """Sums over all events of p, signed by what the viewer made of it (B, M, D), and of the weights (B, M)."""
        weight_BLM = seen.strength_BL.unsqueeze(-1) * seen.present_BLM
        own_BLMD = seen.p_BLMD - self.project.shift_MD
        return (weight_BLM.unsqueeze(-1) * own_BLMD).sum(dim=1), weight_BLM.abs().sum(dim=1)

    @spanned("fusion")
    def _evidence(self, recent: _Seen, older: tuple[Tensor, Tensor]) -> Tensor:
        """What was watched, a modality at a time: the running mean of p, signed by what the viewer made of it.

        The mean is long where the videos that a viewer likes agree in a modality and short where they do not, which is
        what tells how much that modality matters to the viewer; its length is therefore given as well. The shift that
        all videos share is taken off first, as it says nothing of any of them.

        Args:
            recent: The recent events.
            older: The sums over all events before them, from :meth:`_weighed`.

        Returns:
            (B, L1, M * (D + 1)), zeros before the very first event.
        """
        weight_BLM = recent.strength_BL.unsqueeze(-1) * recent.present_BLM
        own_BLMD = recent.p_BLMD - self.project.shift_MD
        total_BL1MD = torch.cat([older[0].unsqueeze(1), weight_BLM.unsqueeze(-1) * own_BLMD], dim=1).cumsum(dim=1)
        amount_BL1M = torch.cat([older[1].unsqueeze(1), weight_BLM.abs()], dim=1).cumsum(dim=1)
        mean_BL1MD = total_BL1MD / (1 + amount_BL1M).unsqueeze(-1)
        length_BL1M = mean_BL1MD.square().mean(dim=-1)
        return torch.cat([mean_BL1MD.flatten(2), length_BL1M], dim=-1)

    def action_logits(self, reading: Reading, f_BLD: Tensor, statistics_BLS: Tensor | None) -> Tensor:
        """Logits of every action for each recent event, from what came before it.

        Args:
            reading: Of the histories that the events are the recent ones of.
            f_BLD: (B, L, D) the events' videos under the preference before each event.
            statistics_BLS: (B, L, S) what everybody had made of them by then; None: nothing is known.

        Returns:
            (B, L, F).
        """
        B, L, _ = f_BLD.shape
        if statistics_BLS is None:
            statistics_BLS = f_BLD.new_zeros(B, L, self.trend.out_features)
        # Event j may read the places 0 to j: the opening and the events before it.
        visible_1LL = torch.ones(1, L, L, dtype=torch.bool, device=f_BLD.device).tril()
        s_BLD = reading.s_BD.unsqueeze(1).expand(-1, L, -1)
        logits_BLF: Tensor = self.acts(
            reading.z_BL1D[:, :-1], f_BLD, s_BLD, statistics_BLS, reading.tokens_BL1D[:, :-1], visible_1LL
        )
        return logits_BLF

    def index_vectors(self, p_KMD: Tensor, present_KM: Tensor) -> Tensor:
        """f under the viewer-independent preference: (K, D), one vector a video, for any stock vector index.

        Args:
            p_KMD: (K, M, D) projected videos.
            present_KM: (K, M) bool.
        """
        return fuse(self.common_preference, p_KMD, present_KM)


__all__ = ["Events", "HistoryInputs", "InterestModel", "Parts", "Reading", "VideoInputs"]
