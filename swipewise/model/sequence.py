"""The Transformer over what a viewer did (equation 3).

Legend of shape suffixes: B = viewers in the batch, L = places of the sequence, H = heads, E = width of a head,
D = model width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from swipewise.model.attention import attention
from swipewise.model.dropout import Dropout
from swipewise.model.linear import Linear, feed_forward, linear


class CausalAttention(nn.Module):
    """Multi-head self-attention in which a place sees itself and what came before; or, not ``causal``, everything.

    Sequences are padded at the end, so the causal mask alone keeps padding unseen; without it ``valid_BL`` has to.
    """

    def __init__(self, *, width: int, heads: int, dropout: float, causal: bool = True) -> None:
        super().__init__()
        self.heads = heads
        self.causal = causal
        self.qkv = Linear(width, 3 * width)
        self.out = Linear(width, width)
        self.dropout = Dropout(dropout)

    def forward(self, x_BLD: Tensor, valid_BL: Tensor | None = None, before_1CD: Tensor | None = None) -> Tensor:
        """Attend: (B, L, D) to (B, L, D), to places where ``valid_BL`` is True.

        ``before_1CD``: places before the first one that all sequences share; they are all seen.
        """
        B, L, D = x_BLD.shape
        q_BHLE, k_BHKE, v_BHKE = self.qkv(x_BLD).view(B, L, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        seen_B1LK: Tensor | None = None
        if not self.causal or valid_BL is not None or before_1CD is not None:
            seen_B1LK = torch.ones(1, 1, L, L, dtype=torch.bool, device=x_BLD.device)
            if self.causal:
                seen_B1LK = seen_B1LK.tril()
            if valid_BL is not None:
                seen_B1LK = seen_B1LK & valid_BL[:, None, None, :]
            if before_1CD is not None:
                k_BHKE, v_BHKE, seen_B1LK = self._with(before_1CD, k_BHKE, v_BHKE, seen_B1LK)
        mixed_BHLE = attention(q_BHLE, k_BHKE, v_BHKE, seen_B1LK, self.dropout)
        out_BLD: Tensor = self.out(mixed_BHLE.transpose(1, 2).reshape(B, L, D))
        return out_BLD

    def at(
        self,
        x_BLD: Tensor,
        place_B: Tensor,
        valid_BL: Tensor | None = None,
        before_1CD: Tensor | None = None,
    ) -> Tensor:
        """What :meth:`forward` gives at one place of each sequence: (B, D).

        Keys and values of the other places are never made. A score q · (W x + b) is (Wᵀ q) · x and something that all
        places share, and the mean of values is the value of the mean, so that one matrix for each sequence does what
        would take one for each place.
        """
        B, L, D = x_BLD.shape
        weight_3DD, bias_3D = self.qkv.weight.view(3, D, D), self.qkv.bias.view(3, D)
        ask_BD = linear(x_BLD[torch.arange(B, device=x_BLD.device), place_B], weight_3DD[0], bias_3D[0])
        ask_BHE = ask_BD.view(B, self.heads, -1) * (D // self.heads) ** -0.5
        ask_BHD = torch.einsum("bhe,hed->bhd", ask_BHE, weight_3DD[1].view(self.heads, -1, D))
        score_BHL = ask_BHD @ x_BLD.transpose(1, 2)
        unseen_BL = torch.zeros(B, L, dtype=torch.bool, device=x_BLD.device)
        if self.causal:
            unseen_BL = torch.arange(L, device=x_BLD.device) > place_B.unsqueeze(1)
        if valid_BL is not None:
            unseen_BL = unseen_BL | ~valid_BL
        score_BHL = score_BHL.masked_fill(unseen_BL.unsqueeze(1), torch.finfo(score_BHL.dtype).min)
        before = 0 if before_1CD is None else before_1CD.shape[1]
        if before_1CD is not None:
            score_BHL = torch.cat([ask_BHD @ before_1CD[0].T, score_BHL], dim=2)
        share_BHL = self.dropout(torch.softmax(score_BHL, dim=2))
        mean_BHD = share_BHL[:, :, before:] @ x_BLD
        if before_1CD is not None:
            mean_BHD = mean_BHD + share_BHL[:, :, :before] @ before_1CD[0]
        value_BHE = torch.einsum("bhd,hed->bhe", mean_BHD, weight_3DD[2].view(self.heads, -1, D))
        value_BHE = value_BHE + share_BHL.sum(dim=2, keepdim=True) * bias_3D[2].view(self.heads, -1)
        out_BD: Tensor = self.out(value_BHE.reshape(B, D))
        return out_BD

    def _with(
        self, before_1CD: Tensor, k_BHLE: Tensor, v_BHLE: Tensor, seen_B1LL: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Keys, values and what is seen of them with the places that come before all sequences."""
        _, C, D = before_1CD.shape
        own_1C2D = linear(before_1CD, self.qkv.weight[D:], self.qkv.bias[D:])
        own_k_1HCE, own_v_1HCE = own_1C2D.view(1, C, 2, self.heads, -1).permute(2, 0, 3, 1, 4)
        k_BHKE = torch.cat([own_k_1HCE.expand(len(k_BHLE), -1, -1, -1), k_BHLE], dim=2)
        v_BHKE = torch.cat([own_v_1HCE.expand(len(v_BHLE), -1, -1, -1), v_BHLE], dim=2)
        return k_BHKE, v_BHKE, functional.pad(seen_B1LL, (before_1CD.shape[1], 0), value=True)


class Block(nn.Module):
    """One pre-norm Transformer layer, whose feed-forward part is ``feed`` times as wide within."""

    def __init__(self, *, width: int, heads: int, dropout: float, causal: bool = True, feed: int = 4) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = CausalAttention(width=width, heads=heads, dropout=dropout, causal=causal)
        self.feed_norm = nn.LayerNorm(width)
        self.feed = _FeedForward(
            Linear(width, feed * width), nn.GELU(), Dropout(dropout), Linear(feed * width, width)
        )
        self.dropout = Dropout(dropout)

    def forward(self, x_BLD: Tensor, valid_BL: Tensor | None = None, before_1CD: Tensor | None = None) -> Tensor:
        """Transform: (B, L, D) to (B, L, D); arguments as of :class:`CausalAttention`."""
        if before_1CD is not None:
            before_1CD = self.attention_norm(before_1CD)
        x_BLD = x_BLD + self.dropout(self.attention(self.attention_norm(x_BLD), valid_BL, before_1CD))
        return self._fed(x_BLD)

    def at(
        self,
        x_BLD: Tensor,
        place_B: Tensor,
        valid_BL: Tensor | None = None,
        before_1CD: Tensor | None = None,
    ) -> Tensor:
        """What :meth:`forward` gives at one place of each sequence: (B, D). Nearly all of its work is saved."""
        if before_1CD is not None:
            before_1CD = self.attention_norm(before_1CD)
        here_BD = x_BLD[torch.arange(len(x_BLD), device=x_BLD.device), place_B]
        read_BD = self.attention.at(self.attention_norm(x_BLD), place_B, valid_BL, before_1CD)
        return self._fed(here_BD + self.dropout(read_BD))

    def _fed(self, x: Tensor) -> Tensor:
        fed: Tensor = x + self.dropout(self.feed(self.feed_norm(x)))
        return fed


class _FeedForward(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        if self.training or torch.is_grad_enabled():
            return super().forward(x)  # type: ignore[no-any-return, no-untyped-call]
        return feed_forward(x, self[0], self[3])  # type: ignore[arg-type]


class CausalTransformer(nn.Module):
    """h_j for every place j of a sequence, from the places up to j, with learned positions.

    Not ``causal``, h_j comes from all places where ``valid_BL`` is True; each sequence needs at least one.
    """

    def __init__(
        self, *, width: int, layers: int, heads: int, places: int, dropout: float, causal: bool = True
    ) -> None:
        super().__init__()
        self.positions = nn.Embedding(places, width)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(width=width, heads=heads, dropout=dropout, causal=causal) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)

    def after(
        self, before_BCD: Tensor, tokens_BLD: Tensor, *, last_B: Tensor | None = None, positions: bool = True
    ) -> Tensor:
        """h_j of tokens that come after others.

        Args:
            before_BCD: The others; (1, C, D) where all sequences share them, which are then read only once.
            tokens_BLD: The tokens.
            last_B: int64, the one of the tokens of each sequence that is asked for; None: all are.
            positions: Whether each token is told its place.

        Returns:
            (B, L, D), or (B, D) of those asked for.
        """
        places = before_BCD.shape[1]
        before_1CD: Tensor | None = None
        if before_BCD.shape[0] == tokens_BLD.shape[0]:  # len() would fix the batch of an export
            x_BLD = self._placed(torch.cat([before_BCD, tokens_BLD], dim=1), positions=positions)
            last_B = None if last_B is None else last_B + places
        else:
            before_1CD = self._placed(before_BCD, positions=positions)
            x_BLD = self._placed(tokens_BLD, places, positions=positions)
        *earlier, top = self.blocks
        for block in earlier:
            x_BLD = block(x_BLD, before_1CD=before_1CD)
            before_1CD = None if before_1CD is None else block(before_1CD)
        if last_B is not None:
            h_BD: Tensor = self.norm(top.at(x_BLD, last_B, before_1CD=before_1CD))  # type: ignore[operator]
            return h_BD
        h_BLD: Tensor = self.norm(top(x_BLD, before_1CD=before_1CD))
        return h_BLD if before_1CD is not None else h_BLD[:, places:]

    def forward(self, tokens_BLD: Tensor, valid_BL: Tensor | None = None, *, positions: bool = True) -> Tensor:
        """Read sequences of at most ``places`` tokens: (B, L, D) to (B, L, D).

        Args:
            tokens_BLD: The tokens.
            valid_BL: Where there is one; needed only where the Transformer is not causal.
            positions: Whether each token is told its place.
        """
        x_BLD = self._placed(tokens_BLD, positions=positions)
        for block in self.blocks:
            x_BLD = block(x_BLD, valid_BL)
        h_BLD: Tensor = self.norm(x_BLD)
        return h_BLD

    def _placed(self, tokens_BLD: Tensor, first: int = 0, *, positions: bool) -> Tensor:
        """The tokens with their places, of which the first one's is given."""
        if positions:
            tokens_BLD = tokens_BLD + self.positions.weight[first : first + tokens_BLD.shape[1]]
        placed_BLD: Tensor = self.dropout(tokens_BLD)
        return placed_BLD


SUMMARY_TOKENS = 4
"""Tokens that stand for whatever lies before the events that are read one by one."""


class HistorySummary(nn.Module):
    """Older events as a few tokens: each is a learned query's weighted mean of them.

    A viewer without older events gets the tokens' learned base alone, so the sequence is as long for everybody.
    """

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.base_CD = nn.Parameter(torch.zeros(SUMMARY_TOKENS, width))
        self.weigh = Linear(width, SUMMARY_TOKENS)
        self.value = Linear(width, width)

    def forward(self, tokens_BLD: Tensor, kept_BL: Tensor) -> Tensor:
        """Sum up events.

        Args:
            tokens_BLD: (B, L, D) the older events, L may be 0.
            kept_BL: (B, L) bool, False where there is none.

        Returns:
            (B, C, D).
        """
        lowest = torch.finfo(tokens_BLD.dtype).min
        logits_BLC = self.weigh(tokens_BLD).masked_fill(~kept_BL.unsqueeze(-1), lowest)
        weights_BLC = torch.softmax(logits_BLC, dim=1) * kept_BL.unsqueeze(-1)
        summary_BCD: Tensor = weights_BLC.transpose(1, 2) @ self.value(tokens_BLD)
        return summary_BCD + self.base_CD
