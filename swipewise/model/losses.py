"""Sampled softmax with logQ correction (Bengio and Senécal 2008; Yi et al., RecSys 2019), and contrastive alignment.

Legend of shape suffixes: T = targets, N = shared negatives, K = videos, M = modalities, D = model width.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from swipewise.model.scoring import negative_log_likelihood
from swipewise.model.spans import spanned


@spanned("loss")
def sampled_softmax(
    target_scores_T: Tensor,
    negative_scores_TN: Tensor,
    *,
    target_logq_T: Tensor,
    negative_logq_N: Tensor,
    excluded_TN: Tensor,
    weight_T: Tensor | None = None,
) -> Tensor:
    """Mean cross-entropy of each target against negatives that all targets share.

    Taking log Q, the log of the expected number of times a video is drawn, from its score makes the sampled softmax
    agree with the full one in expectation, however skewed the sampling is.

    Args:
        target_scores_T: (T,) scores of the targets.
        negative_scores_TN: (T, N) scores of the drawn negatives.
        target_logq_T: (T,) log Q of the targets.
        negative_logq_N: (N,) log Q of the negatives.
        excluded_TN: (T, N) bool, True where a negative must not count: it is the target itself, or could not have
            been shown.
        weight_T: (T,) float, how much each target counts; None: all alike.

    Returns:
        A scalar, 0 where there are no targets.
    """
    loss_T = negative_log_likelihood(
        target_scores_T - target_logq_T, negative_scores_TN, negative_logq_N, excluded_TN
    )
    if weight_T is None:
        return loss_T.sum() / max(1, len(loss_T))
    return (loss_T * weight_T).sum() / weight_T.sum().clamp(min=1e-6)


def plain_negative_log_likelihood(
    target_scores_T: Tensor, negative_scores_TN: Tensor, negative_logq_N: Tensor, excluded_TN: Tensor
) -> Tensor:
    """As ``scoring.negative_log_likelihood``, by torch's own cross-entropy."""
    negatives_TN = (negative_scores_TN - negative_logq_N).masked_fill(excluded_TN, float("-inf"))
    logits_TC = torch.cat([target_scores_T.unsqueeze(1), negatives_TN], dim=1)
    first_T = torch.zeros(len(logits_TC), dtype=torch.long, device=logits_TC.device)
    return functional.cross_entropy(logits_TC, first_T, reduction="none")


@spanned("loss")
def alignment_loss(p_KMD: Tensor, present_KM: Tensor, *, temperature: float = 0.1) -> Tensor:
    """InfoNCE between every two modalities of the same video, both ways (CLIP, arXiv:2103.00020).

    A modality's vector is to be closer, by cosine, to the other modality of its own video than to that of the other
    videos of the batch.

    Args:
        p_KMD: (K, M, D) projected modalities of K different videos.
        present_KM: (K, M) bool; a video takes part in the pairs of modalities it has both of.
        temperature: Of the softmax.

    Returns:
        A scalar, the mean over pairs of modalities; 0 where no two videos share a pair.
    """
    unit_KMD = functional.normalize(p_KMD, dim=-1)
    modalities = p_KMD.shape[1]
    losses = []
    for a in range(modalities):
        for b in range(a + 1, modalities):
            both_K = present_KM[:, a] & present_KM[:, b]
            if int(both_K.sum()) < 2:
                continue
            logits_KK = unit_KMD[both_K, a] @ unit_KMD[both_K, b].T / temperature
            own_K = torch.arange(len(logits_KK), device=logits_KK.device)
            losses.append(
                functional.cross_entropy(logits_KK, own_K) + functional.cross_entropy(logits_KK.T, own_K)
            )
    return torch.stack(losses).mean() / 2 if losses else p_KMD.sum() * 0
