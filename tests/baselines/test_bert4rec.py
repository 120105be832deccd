"""BERT4Rec fills in what is masked, looks both ways, and ranks with a mask after the history."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from swipewise.baselines.bert4rec import BERT4Rec, BERT4RecRecommender, draw_masks
from swipewise.baselines.schedule import Schedule
from swipewise.baselines.sequences import Tokens
from tests.baselines.worlds import VIDEOS, VIEWERS, walks

EVERYBODY, EVERYTHING = np.arange(VIEWERS), np.arange(VIDEOS)


def small(**settings: Any) -> BERT4RecRecommender:
    schedule = Schedule(epochs=60, batch_events=64, average=0.8, device="cpu")
    defaults = {"width": 16, "layers": 1, "heads": 1, "dropout": 0.0, "learning_rate": 0.01, "negatives": None}
    return BERT4RecRecommender(**{**defaults, "schedule": schedule, **settings})


def test_the_next_video_of_a_walk_is_found() -> None:
    dataset = walks()
    scores = small(inputs="positives").fit(dataset).score(EVERYBODY, EVERYTHING)
    rows = dataset.interactions
    liked = [rows.video_I[(rows.viewer_I == viewer) & rows.positive_I][-1] for viewer in EVERYBODY]
    assert (scores.argmax(axis=1) == (np.array(liked) + 1) % VIDEOS).mean() > 0.6


def test_exposures_are_read_and_validation_is_looked_at() -> None:
    dataset, figures = walks(), []
    recommender = small(
        negatives=8,
        schedule=Schedule(epochs=3, batch_events=64, device="cpu"),
        validation=dataset.between(6, 9),
        on_epoch=lambda epoch: figures.append(epoch.validation_ndcg),
    ).fit(dataset.before(6))
    assert len(figures) == 3
    assert None not in figures
    scores = recommender.observe(dataset.before(0)).score(EVERYBODY, EVERYTHING)
    assert np.isfinite(scores).all()
    assert (scores[0] == scores[1]).all()
    best = recommender.observe(dataset).recommend(EVERYBODY, 1)
    assert best.shape == (VIEWERS, 1)


def network() -> BERT4Rec:
    torch.manual_seed(0)
    return BERT4Rec(videos=VIDEOS, width=8, layers=2, heads=2, history=6, dropout=0.0).eval()


def tokens(video_BL: list[list[int]], length_B: list[int]) -> Tokens:
    video = torch.tensor(video_BL)
    length = torch.tensor(length_B)
    return Tokens(
        video_BL=video,
        positive_BL=torch.ones_like(video),
        valid_BL=torch.arange(video.shape[1]) < length[:, None],
        length_B=length,
    )


def test_a_masked_place_is_told_by_both_sides_and_not_by_what_it_hides() -> None:
    masked_BL = torch.tensor([[False, True, False]])

    def h(*videos: int) -> torch.Tensor:
        found: torch.Tensor = network()(tokens([list(videos)], [3]), masked_BL)
        return found

    assert torch.equal(h(1, 2, 3), h(1, 5, 3))
    assert not torch.allclose(h(1, 2, 3), h(4, 2, 3))
    assert not torch.allclose(h(1, 2, 3), h(1, 2, 4))


def test_padding_has_no_influence() -> None:
    alone = network().last(tokens([[1, 2]], [2]))
    beside = network().last(tokens([[1, 2, 0, 0], [4, 5, 6, 7]], [2, 4]))
    other = network().last(tokens([[1, 2, 3, 3], [4, 5, 6, 7]], [2, 4]))
    assert torch.allclose(beside[:1], alone, atol=1e-6)
    assert torch.equal(beside, other)


def test_ranking_puts_the_mask_after_the_last_event() -> None:
    one = tokens([[1, 2]], [2])
    asked = tokens([[1, 2, 7]], [3])
    assert torch.allclose(network().last(one), network()(asked, torch.tensor([[False, False, True]])))
    # A history that fills all places, and one that is empty, can be asked for as well.
    full = network().last(tokens([[1, 2, 3, 4, 5, 6], [0] * 6], [6, 0]))
    assert torch.isfinite(full).all()


def test_what_the_viewer_made_of_a_masked_video_is_known() -> None:
    liked = tokens([[1, 2]], [2])
    skipped = replace(liked, positive_BL=torch.tensor([[1, 0]]))
    masked_BL = torch.tensor([[False, True]])
    assert not torch.allclose(network()(liked, masked_BL), network()(skipped, masked_BL))


def test_masks_fall_on_events_only_and_on_one_at_least() -> None:
    length_B = np.random.default_rng(1).integers(1, 20, 2000)
    masked_BL = draw_masks(length_B, 20, 0.3, np.random.default_rng(0))
    assert masked_BL.any(axis=1).all()
    assert not masked_BL[np.arange(20) >= length_B[:, None]].any()
    assert masked_BL.sum() / length_B.sum() == pytest.approx(0.3, abs=0.03)
    only_last_B = (masked_BL.sum(axis=1) == 1) & masked_BL[np.arange(2000), length_B - 1]
    long_B = length_B > 15
    assert only_last_B[long_B].mean() == pytest.approx(0.1, abs=0.05)
