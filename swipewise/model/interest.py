"""The interest model: fusion, behaviour Transformer and profile together (equations 1 to 4 of arXiv:2509.04751).

Legend of shape suffixes: B = viewers in the batch, L = events, L1 = events and the opening place before them,
X = viewers with older events,
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
from swipewise.model.linear import Linear, LinearOfParts
from swipewise.model.profile import ProfileEncoder
from swipewise.model.reading import Events, HistoryInputs, Latest, Looked, Reading
from swipewise.model.sequence import SUMMARY_TOKENS, CausalTransformer, HistorySummary
from swipewise.model.spans import spanned


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """What the Transformer reads and what stands beside it; summary_BCD may be (1, C, D)."""

    summary_BCD: Tensor
    tokens_BL1D: Tensor
    u_BL1D: Tensor
    evidence_BL1E: Tensor
    s_BD: Tensor


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
            Linear(width + pooled, 2 * width), nn.GELU(), Dropout(dropout), Linear(2 * width, width)
        )
        self.content = [column for column, name in enumerate(modalities) if name in content_dims]
        self.heed = nn.Parameter(torch.ones(()))
        self.evidence = Linear(pooled, width)
        self.combine = LinearOfParts(2 * width, width)
        self.trend = Linear(width, statistics)
        self.shown = Linear(width, width)
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
        return self._reading(self._looked_up(history, p_KMD, present_KM))

    def latest(self, history: HistoryInputs, p_KMD: Tensor, present_KM: Tensor, last_B: Tensor) -> Latest:
        """What :meth:`forward` gives at one place of each viewer; the last layer reads for that alone.

        Args:
            history: What the viewers did.
            p_KMD: Projected videos, of which the history has rows.
            present_KM: bool, which modalities each has.
            last_B: int64, the places.
        """
        opened = self._looked_up(history, p_KMD, present_KM)
        rows_B = torch.arange(len(last_B), device=last_B.device)
        return Latest(
            z_BD=self._interest(opened, opened.evidence_BL1E[rows_B, last_B], opened.s_BD, last_B),
            u_BD=opened.u_BL1D[rows_B, last_B],
            tokens_BL1D=opened.tokens_BL1D,
            s_BD=opened.s_BD,
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
        return self._reading(self._open(self._seen(recent), self._seen(older), profile_BP, strength_BL1M))

    def _looked_up(self, history: HistoryInputs, p_KMD: Tensor, present_KM: Tensor) -> _Opened:
        # Few viewers have older events: padding for all the others would be most of what is read of them.
        whose_X = history.older.valid_BL.any(dim=1).nonzero().flatten()
        return self._open(
            self._seen(Looked.at(history.recent, p_KMD, present_KM)),
            self._seen(Looked.at(history.older.of(whose_X), p_KMD, present_KM)),
            history.profile_BP,
            history.strength_BL1M,
            whose_X,
        )

    def _open(
        self,
        recent: _Seen,
        older: _Seen,
        profile_BP: Tensor,
        strength_BL1M: Tensor | None,
        whose_X: Tensor | None = None,
    ) -> _Opened:
        """``whose_X``: the viewers that the rows of ``older`` belong to, the others having none; None: all in turn."""
        s_BD = self.profile(profile_BP) * self.parts.profile
        evidence_BL1E = self._evidence(recent, self._weighed(older), whose_X)
        u_BL1D = self._preference(s_BD, evidence_BL1E, strength_BL1M)
        tokens_BLD = self._tokens(u_BL1D[:, 1:], recent)
        return _Opened(
            summary_BCD=self._summary(u_BL1D[:, :1], older, whose_X),
            tokens_BL1D=torch.cat([(self.opening + s_BD).unsqueeze(1), tokens_BLD], dim=1),
            u_BL1D=u_BL1D,
            evidence_BL1E=evidence_BL1E,
            s_BD=s_BD,
        )

    def _reading(self, opened: _Opened) -> Reading:
        return Reading(
            z_BL1D=self._interest(opened, opened.evidence_BL1E, opened.s_BD.unsqueeze(1)),
            u_BL1D=opened.u_BL1D,
            tokens_BL1D=opened.tokens_BL1D,
            s_BD=opened.s_BD,
        )

    def _interest(self, opened: _Opened, evidence_E: Tensor, s_D: Tensor, last_B: Tensor | None = None) -> Tensor:
        """z at all places, or at one of each viewer, whose evidence and profiles are given: (..., D)."""
        # A token is a sum, from which attention has to learn that a skip turns a video's meaning round; the evidence
        # is a product of both and carries that as it stands.
        h_D = self.evidence(evidence_E)
        if self.parts.sequence:
            h_D = h_D + self.transformer.after(
                opened.summary_BCD, opened.tokens_BL1D, last_B=last_B, positions=self.parts.positions
            )
        return torch.relu(self.combine(h_D, s_D))

    def _preference(self, s_BD: Tensor, evidence_BL1E: Tensor, strength_BL1M: Tensor | None) -> Tensor:
        """u at every place: (B, L1, D); zeros where there is nothing to choose from."""
        B, L1, _ = evidence_BL1E.shape
        if not self.parts.attention or len(self.modalities) == 1:
            return evidence_BL1E.new_zeros(B, L1, s_BD.shape[1])
        s_BL1D = s_BD.unsqueeze(1).expand(-1, L1, -1)
        u_BL1D: Tensor = self.preference(torch.cat([s_BL1D, evidence_BL1E], dim=-1))
        return u_BL1D if strength_BL1M is None else u_BL1D + self._towards(strength_BL1M)

    def _summary(self, u_B1D: Tensor, older: _Seen, whose_X: Tensor | None) -> Tensor:
        """The tokens that stand for older events: (B, C, D), or (1, C, D) where nobody has any."""
        if whose_X is None:
            summary_BCD: Tensor = self.summary(self._tokens(u_B1D, older), older.kept_BL)
            return summary_BCD
        base_1CD = self.summary.base_CD.unsqueeze(0)
        if not len(whose_X):
            return base_1CD
        some_XCD = self.summary(self._tokens(u_B1D[whose_X], older), older.kept_BL)
        return base_1CD.expand(len(u_B1D), -1, -1).index_copy(0, whose_X, some_XCD)

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
    def _evidence(self, recent: _Seen, older: tuple[Tensor, Tensor], whose_X: Tensor | None) -> Tensor:
        """What was watched, a modality at a time: the running mean of p, signed by what the viewer made of it.

        The mean is long where the videos that a viewer likes agree in a modality and short where they do not, which is
        what tells how much that modality matters to the viewer; its length is therefore given as well. The shift that
        all videos share is taken off first, as it says nothing of any of them.

        Args:
            recent: The recent events.
            older: The sums over all events before them, from :meth:`_weighed`.
            whose_X: As in :meth:`_open`.

        Returns:
            (B, L1, M * (D + 1)), zeros before the very first event.
        """
        weight_BLM = recent.strength_BL.unsqueeze(-1) * recent.present_BLM
        own_BLMD = recent.p_BLMD - self.project.shift_MD
        total_B1MD, amount_B1M = (_of_all(sums, weight_BLM.shape[0], whose_X).unsqueeze(1) for sums in older)
        total_BL1MD = torch.cat([total_B1MD, weight_BLM.unsqueeze(-1) * own_BLMD], dim=1).cumsum(dim=1)
        amount_BL1M = torch.cat([amount_B1M, weight_BLM.abs()], dim=1).cumsum(dim=1)
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
        logits_BLF: Tensor = self.acts(
            reading.z_BL1D[:, :-1],
            f_BLD,
            reading.s_BD.unsqueeze(1),
            statistics_BLS,
            reading.tokens_BL1D[:, :-1],
            visible_1LL,
        )
        return logits_BLF

    def index_vectors(self, p_KMD: Tensor, present_KM: Tensor) -> Tensor:
        """f under the viewer-independent preference: (K, D), one vector a video, for any stock vector index.

        Args:
            p_KMD: (K, M, D) projected videos.
            present_KM: (K, M) bool.
        """
        return fuse(self.common_preference, p_KMD, present_KM)


def _of_all(some_X: Tensor, viewers: int, whose_X: Tensor | None) -> Tensor:
    """Rows of some viewers among zeros for the others: (X, ...) to (B, ...)."""
    if whose_X is None:
        return some_X
    return some_X.new_zeros(viewers, *some_X.shape[1:]).index_copy(0, whose_X, some_X)


__all__ = ["Events", "HistoryInputs", "InterestModel", "Latest", "Looked", "Parts", "Reading", "VideoInputs"]
