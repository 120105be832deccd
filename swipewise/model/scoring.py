"""Scores of shared candidates and their softmax as training computes them: few passes over large tensors.

Each function has its plain twin, :func:`~swipewise.model.fusion.fused_scores` and
:func:`~swipewise.model.losses.plain_negative_log_likelihood`; a gradient is written out where autograd would
go over a tensor of targets times candidates again and again.

Legend of shape suffixes: T = targets, N = shared candidates, M = modalities, D = model width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from swipewise.model.linear import linear
from swipewise.model.spans import spanned

_NEVER = torch.finfo(torch.float32).min / 2


@spanned("fusion")
def training_scores(z_TD: Tensor, u_TD: Tensor, p_NMD: Tensor, present_NM: Tensor) -> Tensor:
    """z · f(u, i) / √d of every target with every candidate: (T, N), as ``fused_scores`` gives them.

    Args:
        z_TD: (T, D) interest vectors.
        u_TD: (T, D) preference vectors.
        p_NMD: (N, M, D) projected candidates, zeros where ``present_NM`` is False.
        present_NM: (N, M) bool.
    """
    scale = z_TD.shape[-1] ** -0.5
    if p_NMD.shape[1] == 1:
        return linear(z_TD * scale, p_NMD[:, 0])
    scores_TN: Tensor = _FusedScores.apply(z_TD * scale, u_TD * scale, p_NMD, present_NM)  # type: ignore[no-untyped-call]
    return scores_TN


@spanned("loss")
def negative_log_likelihood(
    target_scores_T: Tensor, negative_scores_TN: Tensor, negative_logq_N: Tensor, excluded_TN: Tensor
) -> Tensor:
    """Of each target among itself and the candidates that are not excluded: (T,).

    Args:
        target_scores_T: (T,) scores of the targets, their log Q taken off.
        negative_scores_TN: (T, N) scores of the candidates.
        negative_logq_N: (N,) what is taken off them.
        excluded_TN: (T, N) bool.
    """
    loss_T: Tensor = _NegativeLogLikelihood.apply(  # type: ignore[no-untyped-call]
        target_scores_T, negative_scores_TN, negative_logq_N, excluded_TN
    )
    return loss_T


class _FusedScores(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z_TD: Tensor, u_TD: Tensor, p_NMD: Tensor, present_NM: Tensor) -> Tensor:
        N, M, D = p_NMD.shape
        T = len(z_TD)
        flat_XD = p_NMD.transpose(0, 1).reshape(M * N, D)
        absent_X = torch.where(present_NM.T, 0.0, _NEVER).reshape(M * N).to(z_TD.dtype)
        alpha_TMN = torch.softmax(linear(u_TD, flat_XD, absent_X).view(T, M, N), dim=1)
        # Values of what is absent are zeros, so that only a candidate without anything needs no weights at all.
        value_TMN = linear(z_TD, flat_XD).view(T, M, N)
        scores_TN = (alpha_TMN * value_TMN).sum(dim=1)
        ctx.save_for_backward(z_TD, u_TD, flat_XD, alpha_TMN, value_TMN, scores_TN)
        return scores_TN

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_TN: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        z_TD, u_TD, flat_XD, alpha_TMN, value_TMN, scores_TN = ctx.saved_tensors
        T, M, N = alpha_TMN.shape
        of_value_TX = (alpha_TMN * gradient_TN.unsqueeze(1)).view(T, M * N)
        of_logit_TX = (value_TMN - scores_TN.unsqueeze(1)).view(T, M * N).mul_(of_value_TX)
        of_flat_DX = linear(z_TD.T, of_value_TX.T) + linear(u_TD.T, of_logit_TX.T)
        of_p_NMD = of_flat_DX.T.reshape(M, N, -1).transpose(0, 1)
        flat_DX = flat_XD.T.contiguous()
        return linear(of_value_TX, flat_DX), linear(of_logit_TX, flat_DX), of_p_NMD, None


class _NegativeLogLikelihood(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, target_T: Tensor, scores_TN: Tensor, negative_logq_N: Tensor, excluded_TN: Tensor
    ) -> Tensor:
        # Bytes become numbers many times faster than truth values do.
        excluded_TN = excluded_TN.view(torch.uint8).to(scores_TN.dtype)
        logits_TN = (scores_TN - negative_logq_N).add_(excluded_TN, alpha=_NEVER)
        highest_T = torch.maximum(logits_TN.amax(dim=1), target_T) if logits_TN.shape[1] else target_T
        others_TN = logits_TN.sub_(highest_T.unsqueeze(1)).exp_()
        own_T = (target_T - highest_T).exp()
        total_T = others_TN.sum(dim=1) + own_T
        ctx.save_for_backward(others_TN, own_T, total_T)
        return total_T.log() + highest_T - target_T

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_T: Tensor) -> tuple[Tensor, Tensor, None, None]:
        others_TN, own_T, total_T = ctx.saved_tensors
        share_T = gradient_T / total_T
        return own_T * share_T - gradient_T, others_TN * share_T.unsqueeze(1), None, None
