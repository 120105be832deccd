"""Windows of like length share a batch; negatives are drawn by known chances."""

from __future__ import annotations

import numpy as np
import pytest

from swipewise.errors import DataError
from swipewise.training.sampling import Proposal, length_buckets
from tests.training.hand_made import dataset_of


def test_every_window_is_in_one_batch_and_no_batch_is_too_large() -> None:
    length_W = np.random.default_rng(1).integers(0, 30, 200)
    batches = length_buckets(length_W, 64, np.random.default_rng(0))
    assert sorted(np.concatenate(batches).tolist()) == list(range(200))
    sizes = [len(batch) * (int(length_W[batch].max()) + 1) for batch in batches]
    assert max(sizes) <= 64
    # Batches of mixed lengths would be padded to twice the events or so.
    assert sum(sizes) < 1.5 * (length_W + 1).sum()


def test_a_window_that_is_too_long_is_a_batch_of_its_own() -> None:
    batches = length_buckets(np.array([100, 2, 2]), 10, np.random.default_rng(0))
    assert sorted(map(len, batches)) == [1, 2]


def test_no_windows_make_no_batches() -> None:
    assert length_buckets(np.zeros(0, np.int64), 10, np.random.default_rng(0)) == []


def test_the_generator_decides_who_shares_a_batch() -> None:
    length_W = np.random.default_rng(1).integers(0, 30, 200)

    def drawn(seed: int) -> list[list[int]]:
        return [batch.tolist() for batch in length_buckets(length_W, 64, np.random.default_rng(seed))]

    assert drawn(0) == drawn(0)
    assert drawn(0) != drawn(1)


ROWS = dataset_of(
    [(0, 0, 1, True), (1, 0, 2, True), (2, 0, 3, True), (0, 1, 4, True), (1, 3, 5, False)],
    viewers=3,
    uploaded=[0] * 5,
).interactions


def test_chances_mix_what_was_seen_with_what_was_liked() -> None:
    # v0, v1 and v3 were seen; v0 was liked three times, v1 once.
    chance_V = Proposal.of(ROWS, 5, popular=0.4).chance_V
    expected_V = [0.6 / 3 + 0.4 * 3 / 4, 0.6 / 3 + 0.4 / 4, 0, 0.6 / 3, 0]
    assert chance_V == pytest.approx(expected_V)


def test_draws_follow_the_chances_and_their_expected_counts() -> None:
    proposal = Proposal.of(ROWS, 5)
    drawn_N = proposal.draw(20_000, np.random.default_rng(0))
    count_V = np.bincount(drawn_N, minlength=5)
    assert count_V == pytest.approx(20_000 * proposal.chance_V, abs=400)
    assert count_V[[2, 4]].tolist() == [0, 0]
    assert np.exp(proposal.logq_V(20_000)) == pytest.approx(20_000 * proposal.chance_V, rel=1e-4)


def test_nothing_positive_is_an_error() -> None:
    with pytest.raises(DataError, match="none of the 1 interactions in the training period is positive"):
        Proposal.of(ROWS.where(~ROWS.positive_I), 5)
