"""Scaled dot-product attention: the formula as it stands, and a faster way.

Legend of shape suffixes: B = sequences, H = heads, L = places that ask, K = places that are read, E = width of a head.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from swipewise.model.dropout import Dropout
from swipewise.model.softmax import softmax_, through_softmax_
from swipewise.model.spans import spanned


def plain_attention(
    q_BHLE: Tensor, k_BHKE: Tensor, v_BHKE: Tensor, seen_B1LK: Tensor | None, drop: Dropout
) -> Tensor:
    """Each place's mean of the values it sees, weighted by softmax(q · k / √E): (B, H, L, E).

    Args:
        q_BHLE: (B, H, L, E) queries.
        k_BHKE: (B, H, K, E) keys.
        v_BHKE: (B, H, K, E) values.
        seen_B1LK: bool, broadcast to (B, 1, L, K): what of the sequence a place sees; something always. None: itself
            and what came before, of sequences that are as long as what asks.
        drop: Dropout of the weights.
    """
    seen_B1LK = _or_causal(seen_B1LK, q_BHLE)
    scores_BHLK = q_BHLE @ k_BHKE.transpose(-1, -2) / q_BHLE.shape[-1] ** 0.5
    lowest = torch.finfo(q_BHLE.dtype).min
    weights_BHLK = torch.softmax(scores_BHLK.masked_fill(~seen_B1LK, lowest), dim=-1)
    return torch.matmul(drop(weights_BHLK), v_BHKE)


def torch_attention(
    q_BHLE: Tensor, k_BHKE: Tensor, v_BHKE: Tensor, seen_B1LK: Tensor | None, drop: Dropout
) -> Tensor:
    """As :func:`plain_attention`, by torch, which on a GPU can take FlashAttention in bfloat16 if given no mask."""
    return functional.scaled_dot_product_attention(
        q_BHLE,
        k_BHKE,
        v_BHKE,
        attn_mask=seen_B1LK,
        dropout_p=drop.share if drop.training else 0.0,
        is_causal=seen_B1LK is None,
    )


def fast_attention(
    q_BHLE: Tensor, k_BHKE: Tensor, v_BHKE: Tensor, seen_B1LK: Tensor | None, drop: Dropout
) -> Tensor:
    """As :func:`plain_attention`.

    On a CPU masking and scaling are part of the matrix product, and the gradient is written out; there torch's own is
    no faster, and in bfloat16 its backward pass is several times slower. On a GPU torch's own is taken.
    """
    if q_BHLE.device.type != "cpu":
        return torch_attention(q_BHLE, k_BHKE, v_BHKE, seen_B1LK, drop)
    B, H, L, E = q_BHLE.shape
    K = k_BHKE.shape[2]
    # Finite, as a row that sees nothing but padding must not turn into NaN.
    lowest = torch.finfo(q_BHLE.dtype).min / 2
    seen_BLK = _or_causal(seen_B1LK, q_BHLE).squeeze(1)
    unseen_BLK = torch.zeros_like(seen_BLK, dtype=q_BHLE.dtype).masked_fill_(~seen_BLK, lowest)
    unseen_XLK = unseen_BLK if len(unseen_BLK) == 1 else unseen_BLK.repeat_interleave(H, dim=0)
    kept_XLK = None
    if drop.training and drop.share:
        kept_XLK = drop.mask(torch.Size((B * H, L, K)), q_BHLE.dtype)
    mixed_XLE: Tensor = _Attention.apply(  # type: ignore[no-untyped-call]
        (q_BHLE * E**-0.5).reshape(B * H, L, E),
        k_BHKE.reshape(B * H, K, E),
        v_BHKE.reshape(B * H, K, E),
        unseen_XLK.expand(B * H, L, K),
        kept_XLK,
    )
    return mixed_XLE.view(B, H, L, E)


def _or_causal(seen_B1LK: Tensor | None, q_BHLE: Tensor) -> Tensor:
    """The mask, where there is none that of places that see what came before them."""
    if seen_B1LK is not None:
        return seen_B1LK
    L = q_BHLE.shape[2]
    return torch.ones(1, 1, L, L, dtype=torch.bool, device=q_BHLE.device).tril()


class _Attention(torch.autograd.Function):
    """X = sequences and heads; ``kept`` multiplies the weights, and is None where nothing is dropped."""

    @staticmethod
    def forward(
        ctx: Any, q_XLE: Tensor, k_XKE: Tensor, v_XKE: Tensor, unseen_XLK: Tensor, kept_XLK: Tensor | None
    ) -> Tensor:
        weights_XLK = softmax_(torch.baddbmm(unseen_XLK, q_XLE, k_XKE.transpose(1, 2)))
        ctx.save_for_backward(q_XLE, k_XKE, v_XKE, weights_XLK, kept_XLK)
        return torch.bmm(weights_XLK if kept_XLK is None else weights_XLK * kept_XLK, v_XKE)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_XLE: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        q_XLE, k_XKE, v_XKE, weights_XLK, kept_XLK = ctx.saved_tensors
        mixing_XLK = weights_XLK if kept_XLK is None else weights_XLK * kept_XLK
        of_v_XKE = torch.bmm(mixing_XLK.transpose(1, 2), gradient_XLE)
        of_scores_XLK = torch.bmm(gradient_XLE, v_XKE.transpose(1, 2))
        if kept_XLK is not None:
            of_scores_XLK.mul_(kept_XLK)
        of_scores_XLK = through_softmax_(of_scores_XLK, weights_XLK)
        return (
            torch.bmm(of_scores_XLK, k_XKE),
            torch.bmm(of_scores_XLK.transpose(1, 2), q_XLE),
            of_v_XKE,
            None,
            None,
        )


@spanned("attention")
def attention(
    q_BHLE: Tensor,
    k_BHKE: Tensor,
    v_BHKE: Tensor,
    seen_B1LK: Tensor | None,
    drop: Dropout,
) -> Tensor:
    """The faster way; what is exported, or compiled for a CPU, is the formula."""
    if torch.compiler.is_compiling() and q_BHLE.device.type == "cpu":
        return plain_attention(q_BHLE, k_BHKE, v_BHKE, seen_B1LK, drop)
    return fast_attention(q_BHLE, k_BHKE, v_BHKE, seen_B1LK, drop)
