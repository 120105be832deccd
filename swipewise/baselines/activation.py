"""The network of DIN: a local activation unit over the history, then an MLP.

Everything that depends on a pair of a watched video and a candidate is the unit's logit alone, and its first layer is
bilinear; so is the MLP's first layer in the pooled history. Both are written so that they can be computed for all
videos at once.

Legend of shape suffixes: B = windows or viewers, L = events, C = candidates, K = units of the activation, D = width
of a video, H = width of the MLP, A = outputs, P = profile fields, S = attribute places.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from swipewise.baselines.schedule import initialise
from swipewise.model.profile import ProfileEncoder


class LocalActivation(nn.Module):
    """How much a watched video matters for a candidate: any real number, no softmax, so that intensity is kept.

    v · PReLU(W_t t + W_x x + W_p (t ⊙ x) + b) for an event t and a candidate x. Weights are summed over a history,
    not averaged, so v starts small.
    """

    def __init__(self, *, width: int, units: int) -> None:
        super().__init__()
        self.event = nn.Linear(width, units)
        self.candidate = nn.Linear(width, units, bias=False)
        self.product = nn.Linear(width, units, bias=False)
        self.curve = nn.PReLU()
        self.out = nn.Linear(units, 1)

    def forward(self, t_BLD: Tensor, x_BCD: Tensor) -> Tensor:
        """Weights (B, L, C) of events for candidates."""
        B, L, D = t_BLD.shape
        scaled_BED = (t_BLD.unsqueeze(2) * self.product.weight).view(B, -1, D)
        product_BLKC = (scaled_BED @ x_BCD.transpose(1, 2)).view(B, L, -1, x_BCD.shape[1])
        event_BLK1 = self.event(t_BLD).unsqueeze(-1)
        candidate_B1KC = self.candidate(x_BCD).transpose(1, 2).unsqueeze(1)
        units_BLKC = self.curve(product_BLKC + event_BLK1 + candidate_B1KC)
        weights_BLC: Tensor = (self.out.weight @ units_BLKC).squeeze(2) + self.out.bias
        return weights_BLC


class DIN(nn.Module):
    """Logits of a candidate from the history that it activates, the profile and itself.

    A video is the embedding of its id beside the mean of its attributes' embeddings; an event adds what the viewer
    made of it. The first output ranks, the others are one an action. To the first, :meth:`own_bias` is to be added.

    Args:
        video_row_V: Row of each video's id embedding, -1 where training did not see it; then it has none.
        attributes_VS: Codes from 1, 0 pads.
        attribute_values: How many codes there are.
        profile_values: Likewise of profiles.
        width: Of each of the two embeddings of a video.
        units: Of the local activation.
        hidden: Of the MLP's first layer; the second has half of it.
        outputs: Logits a candidate.
        dropout: In the MLP.
    """

    def __init__(
        self,
        *,
        video_row_V: Tensor,
        attributes_VS: Tensor,
        attribute_values: int,
        profile_values: int,
        width: int,
        units: int,
        hidden: int,
        outputs: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.register_buffer("video_row_V", video_row_V, persistent=False)
        self.register_buffer("attributes_VS", attributes_VS, persistent=False)
        self.id = nn.Embedding(max(1, int(video_row_V.max()) + 1), width)
        self.attribute = nn.Embedding(attribute_values + 1, width)
        self.positive = nn.Embedding(2, 2 * width)
        self.profile = ProfileEncoder(values=profile_values, width=width)
        self.activation = LocalActivation(width=2 * width, units=units)
        self.from_history = nn.Linear(2 * width, hidden, bias=False)
        self.from_candidate = nn.Linear(2 * width, hidden)
        self.from_profile = nn.Linear(width, hidden, bias=False)
        self.first = nn.Sequential(nn.PReLU(), nn.Dropout(dropout))
        self.second = nn.Sequential(nn.Linear(hidden, hidden // 2), nn.PReLU(), nn.Dropout(dropout))
        self.out = nn.Linear(hidden // 2, outputs)
        self.bias = nn.Embedding(self.id.num_embeddings, 1)
        initialise(self)
        nn.init.zeros_(self.bias.weight)
        nn.init.normal_(self.activation.out.weight, std=0.1 * units**-0.5)

    video_row_V: Tensor
    attributes_VS: Tensor

    @property
    def device(self) -> torch.device:
        """Where the network lies."""
        return self.id.weight.device

    def videos(self, videos_C: Tensor) -> Tensor:
        """x of videos: (..., D)."""
        row_C = self.video_row_V[videos_C]
        id_CD = self.id(row_C.clamp(min=0)) * (row_C >= 0).unsqueeze(-1)
        codes_CS = self.attributes_VS[videos_C]
        used_CS = (codes_CS > 0).unsqueeze(-1)
        total_CD = (self.attribute(codes_CS) * used_CS).sum(dim=-2)
        return torch.cat([id_CD, total_CD / used_CS.sum(dim=-2).clamp(min=1)], dim=-1)

    def own_bias(self, videos_C: Tensor) -> Tensor:
        """How much a video is liked by everybody, for the first output: (...)."""
        row_C = self.video_row_V[videos_C]
        bias_C: Tensor = self.bias(row_C.clamp(min=0)).squeeze(-1) * (row_C >= 0)
        return bias_C

    def events(self, videos_L: Tensor, positive_L: Tensor) -> Tensor:
        """t of events: (..., D)."""
        t_LD: Tensor = self.videos(videos_L) + self.positive(positive_L)
        return t_LD

    def forward(self, t_BLD: Tensor, x_BCD: Tensor, seen_BLC: Tensor, profile_BP: Tensor) -> Tensor:
        """Logits (B, C, A).

        Args:
            t_BLD: Events.
            x_BCD: Candidates.
            seen_BLC: bool, True where an event lies before a candidate.
            profile_BP: int64 codes.
        """
        weights_BLC = self.activation(t_BLD, x_BCD) * seen_BLC
        pooled_BCH = weights_BLC.transpose(1, 2) @ self.from_history(t_BLD)
        own_B1H = self.from_profile(self.profile(profile_BP)).unsqueeze(1)
        return self.head(pooled_BCH + self.from_candidate(x_BCD) + own_B1H)

    def head(self, sum_CH: Tensor) -> Tensor:
        """Logits (..., A) from the first layer's sum."""
        logits_CA: Tensor = self.out(self.second(self.first(sum_CH)))
        return logits_CA
