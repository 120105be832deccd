"""The losses of videos known by their ids, worked out by hand."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
import torch

from swipewise.baselines.ids import Contrast, Loss, Negatives, VideoIds, contrast_loss
from tests.training.hand_made import dataset_of

DATASET = dataset_of(
    [(0, 0, 10, True), (0, 1, 20, True), (1, 2, 30, True), (1, 0, 40, True)], viewers=2, uploaded=[0, 0, 25, 0]
)


def ids_with(scores: list[float]) -> VideoIds:
    """Of width 1: under h = 1 the scores of the videos are these, half embedding, half bias."""
    ids = VideoIds(videos=len(scores), width=1)
    half = torch.tensor(scores).unsqueeze(1) / 2
    ids.embedding.weight.data.copy_(half)
    ids.bias.weight.data.copy_(half)
    return ids


def contrast(excluded: bool = False) -> Contrast:
    return Contrast(
        target_T=torch.tensor([0]),
        negative_N=torch.tensor([1, 2]),
        target_logq_T=torch.zeros(1),
        negative_logq_N=torch.tensor([0.0, log(2)]),
        excluded_TN=torch.tensor([[excluded, False]]),
    )


def test_softmax_takes_log_q_off_the_scores() -> None:
    loss = contrast_loss(ids_with([1.0, 2.0, 3.0]), torch.ones(1, 1), contrast(), Loss.SOFTMAX)
    assert loss.item() == pytest.approx(-log(exp(1) / (exp(1) + exp(2) + exp(3) / 2)))
    excluded = contrast_loss(ids_with([1.0, 2.0, 3.0]), torch.ones(1, 1), contrast(excluded=True), Loss.SOFTMAX)
    assert excluded.item() == pytest.approx(-log(exp(1) / (exp(1) + exp(3) / 2)))


def test_bce_is_that_of_the_target_and_of_one_negative_in_the_mean() -> None:
    ids = ids_with([1.0, 2.0, 3.0])
    loss = contrast_loss(ids, torch.ones(1, 1), contrast(), Loss.BCE)
    assert loss.item() == pytest.approx(log(1 + exp(-1)) + (log(1 + exp(2)) + log(1 + exp(3))) / 2)
    excluded = contrast_loss(ids, torch.ones(1, 1), contrast(excluded=True), Loss.BCE)
    assert excluded.item() == pytest.approx(log(1 + exp(-1)) + log(1 + exp(3)))


def test_a_negative_is_neither_the_target_nor_a_video_of_later() -> None:
    found = Negatives(DATASET, None, popular=0.5).against(
        np.array([0, 1]), np.array([40, 20]), np.random.default_rng(0)
    )
    # v3 was never seen; v2 was uploaded at 25, after the second target was liked.
    assert found.negative_N.tolist() == [0, 1, 2]
    assert found.excluded_TN.tolist() == [[True, False, False], [False, True, True]]
    assert not found.target_logq_T.any()
    assert not found.negative_logq_N.any()


def test_drawn_negatives_carry_the_log_of_how_often_they_are_expected() -> None:
    found = Negatives(DATASET, 6, popular=1.0).against(np.array([0]), np.array([50]), np.random.default_rng(0))
    assert len(found.negative_N) == 6
    # v0 was liked in two of four.
    assert found.target_logq_T.tolist() == pytest.approx([log(6 * 2 / 4)])
