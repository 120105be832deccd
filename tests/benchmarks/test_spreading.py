"""The rivals of the feed's way to spread a list out, against what they are by definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.spreading import WAYS, determinantal, marginal_relevance


def made(seed: int, count: int = 12, width: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    vectors_ND = rng.normal(size=(count, width)).astype(np.float32)
    vectors_ND /= np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    return np.sort(rng.normal(size=count).astype(np.float32))[::-1].copy(), vectors_ND


def log_volume(vectors_ND: np.ndarray, chosen: list[int]) -> float:
    likeness_KK = (1 + vectors_ND[chosen].astype(np.float64) @ vectors_ND[chosen].T.astype(np.float64)) / 2
    return float(np.linalg.slogdet(likeness_KK)[1])


@given(st.integers(0, 10_000), st.floats(0, 0.99))
def test_the_cholesky_factor_chooses_as_the_determinants_do(seed: int, strength: float) -> None:
    scores_N, vectors_ND = made(seed)
    plainly: list[int] = []
    for _ in range(5):
        values = {
            each: (1 - strength) * float(scores_N[[*plainly, each]].sum())
            + strength * log_volume(vectors_ND, [*plainly, each])
            for each in range(len(scores_N))
            if each not in plainly
        }
        first, second = sorted(values.values())[-1:-3:-1]
        if first - second < 1e-3:
            return  # a tie within what float32 can tell
        plainly.append(max(values, key=values.__getitem__))
    assert determinantal(scores_N, vectors_ND, strength, 0.5, 5) == sorted(plainly)


def test_of_twins_the_determinant_takes_one() -> None:
    vectors_ND = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    scores_N = np.array([1.0, 0.9, 0.5], np.float32)
    assert determinantal(scores_N, vectors_ND, 0.5, 0.5, 2) == [0, 2]
    assert determinantal(scores_N, vectors_ND, 0.5, 0.5, 9) == [0, 1, 2], (
        "where nothing else is left, the other too"
    )


def test_marginal_relevance_looks_at_the_likest() -> None:
    vectors_ND = np.array([[1, 0], [0, 1], [1, 0], [0.7, 0.7]], np.float32)
    scores_N = np.array([1.0, 0.9, 0.8, 0.75], np.float32)
    # after 0 and 1: the twin of 0 has 0.5 * 0.8 - 0.5 * 1 = -0.1, the last 0.5 * 0.75 - 0.5 * 0.7 = 0.025
    assert marginal_relevance(scores_N, vectors_ND, 0.5, 0.5, 3) == [0, 1, 3]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_without_strength_all_keep_the_order_of_scores(way) -> None:  # type: ignore[no-untyped-def]
    scores_N, vectors_ND = made(0)
    assert way(scores_N, vectors_ND, 0.0, 0.5, 6) == [0, 1, 2, 3, 4, 5]
