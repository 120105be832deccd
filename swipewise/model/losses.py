"""Sampled softmax with logQ correction (Bengio and Senécal 2008; Yi et al., RecSys 2019).

Legend of shape suffixes: T = targets, N = shared negatives.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def sampled_softmax(
    target_scores_T: Tensor,
    negative_scores_TN: Tensor,
    *,
    target_logq_T: Tensor,
    negative_logq_N: Tensor,
    excluded_TN: Tensor,
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

    Returns:
        A scalar, 0 where there are no targets.
    """
    negatives_TN = (negative_scores_TN - negative_logq_N).masked_fill(excluded_TN, float("-inf"))
    logits_TC = torch.cat([(target_scores_T - target_logq_T).unsqueeze(1), negatives_TN], dim=1)
    first_T = torch.zeros(len(logits_TC), dtype=torch.long, device=logits_TC.device)
    return functional.cross_entropy(logits_TC, first_T, reduction="sum") / max(1, len(logits_TC))
