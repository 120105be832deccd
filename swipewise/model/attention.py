"""Scaled dot-product attention: the formula as it stands, and a faster way to train.

Legend of shape suffixes: B = sequences, H = heads, L = places that ask, K = places that are read, E = width of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from swipewise.model.dropout import Dropout
from swipewise.model.spans import spanned


def plain_attention(q_BHLE: Tensor, k_BHKE: Tensor, v_BHKE: Tensor, seen_B1LK: Tensor, drop: Dropout) -> Tensor:
    """Each place's mean of the values it sees, weighted by softmax(q · k / √E): (B, H, L, E).

    Args:
        q_BHLE: (B, H, L, E) queries.
        k_BHKE: (B, H, K, E) keys.
        v_BHKE: (B, H, K, E) values.
        seen_B1LK: bool, broadcast to (B, 1, L, K): what of the sequence a place sees; something always.
        drop: Dropout of the weights.
    """
    scores_BHLK = q_BHLE @ k_BHKE.transpose(-1, -2) / q_BHLE.shape[-1] ** 0.5
    lowest = torch.finfo(q_BHLE.dtype).min
    weights_BHLK = torch.softmax(scores_BHLK.masked_fill(~seen_B1LK, lowest), dim=-1)
    return torch.matmul(drop(weights_BHLK), v_BHKE)


def fast_attention(q_BHLE: Tensor, k_BHKE: Tensor, v_BHKE: Tensor, seen_B1LK: Tensor, drop: Dropout) -> Tensor:
    """As :func:`plain_attention`, for networks in training.

    On a CPU masking and scaling are part of the matrix product; there torch's own is no faster, and in bfloat16 its
    backward pass is several times slower. On a GPU torch's own is taken.
    """
    if q_BHLE.device.type != "cpu":
        return functional.scaled_dot_product_attention(
            q_BHLE, k_BHKE, v_BHKE, attn_mask=seen_B1LK, dropout_p=drop.share
        )
    B, H, L, E = q_BHLE.shape
    K = k_BHKE.shape[2]
    # Finite, as a row that sees nothing but padding must not turn into NaN.
    lowest = torch.finfo(q_BHLE.dtype).min / 2
    seen_BLK = seen_B1LK.squeeze(1)
    unseen_BLK = torch.zeros_like(seen_BLK, dtype=q_BHLE.dtype).masked_fill_(~seen_BLK, lowest)
    unseen_XLK = unseen_BLK if len(unseen_BLK) == 1 else unseen_BLK.repeat_interleave(H, dim=0)
    scores_XLK = torch.baddbmm(
        unseen_XLK.expand(B * H, L, K),
        (q_BHLE * E**-0.5).reshape(B * H, L, E),
        k_BHKE.reshape(B * H, K, E).transpose(-1, -2),
    )
    weights_XLK = drop(torch.softmax(scores_XLK, dim=-1))
    return torch.bmm(weights_XLK, v_BHKE.reshape(B * H, K, E)).view(B, H, L, E)


@spanned("attention")
def attention(
    q_BHLE: Tensor,
    k_BHKE: Tensor,
    v_BHKE: Tensor,
    seen_B1LK: Tensor,
    drop: Dropout,
) -> Tensor:
    """The faster way in training, as the mode of ``drop`` tells; else the formula, which is also what is exported."""
    if drop.training:
        return fast_attention(q_BHLE, k_BHKE, v_BHKE, seen_B1LK, drop)
    return plain_attention(q_BHLE, k_BHKE, v_BHKE, seen_B1LK, drop)
