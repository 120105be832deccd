"""New videos stand where the known ones most like them do."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from swipewise.training import kin
from swipewise.training.kin import KIN, Kinship, VideoValues


def world(known: int = 40, new: int = 30, width: int = 8) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Vectors around five centres, and the vocabulary rows, backwards, of those that are known."""
    rng = np.random.default_rng(0)
    centre_CD = 3 * rng.standard_normal((5, width))
    vectors_VD = centre_CD[rng.integers(0, 5, known + new)] + rng.standard_normal((known + new, width))
    id_V = np.where(np.arange(known + new) < known, known - 1 - np.arange(known + new), -1)
    return vectors_VD.astype(np.float32), id_V


def values(videos: int) -> VideoValues:
    dense_UV = np.random.default_rng(1).random((2, videos)).round(1)
    return VideoValues(above_UV=sp.csr_array(dense_UV), usual_U=np.array([0.5, -1.0], np.float32))


def test_a_known_video_has_its_own_value_and_a_new_one_the_mean_of_the_likest() -> None:
    vectors_VD, id_V = world()
    vectors_VD[69] = 0  # has no modality, so it is like nothing
    kinship = Kinship.of(vectors_VD, id_V)
    found_UV, dense_UV = kinship.carried(values(40), np.arange(70)), values(40).dense()
    unit_VD = vectors_VD / np.maximum(np.linalg.norm(vectors_VD, axis=1, keepdims=True), 1e-9)
    assert found_UV[:, :40] == pytest.approx(dense_UV[:, ::-1])
    for video in range(40, 69):
        likest_Q = np.argsort(-unit_VD[:40] @ unit_VD[video])[:KIN]
        assert found_UV[:, video] == pytest.approx(found_UV[:, likest_Q].mean(axis=1), abs=1e-6)
    assert not found_UV[:, 69].any()


def test_asking_for_some_in_any_order_gives_the_same() -> None:
    vectors_VD, id_V = world()
    kinship = Kinship.of(vectors_VD, id_V)
    some_N = np.array([60, 3, 3, 41, 0])
    assert np.array_equal(
        kinship.carried(values(40), some_N), kinship.carried(values(40), np.arange(70))[:, some_N]
    )


def test_videos_that_come_later_get_the_kin_that_they_would_have_had() -> None:
    vectors_VD, id_V = world()
    whole, early = Kinship.of(vectors_VD, id_V), Kinship.of(vectors_VD[:50], id_V[:50])
    joined = early.extended(vectors_VD, id_V[50:])
    assert np.array_equal(joined.new_K, whole.new_K)
    assert np.array_equal(joined.kin_KQ, whole.kin_KQ)
    assert early.extended(vectors_VD[:50], id_V[:0]).new_K.tolist() == early.new_K.tolist()


def test_where_nothing_is_known_nobody_has_kin_until_something_is() -> None:
    vectors_VD, id_V = world()
    lonely = Kinship.of(vectors_VD[40:], id_V[40:])
    assert not len(lonely.new_K)
    assert not lonely.carried(values(40), np.arange(30)).any()


def test_among_very_many_pairs_lists_find_nearly_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors_VD, id_V = world(known=2000, new=300)
    exact = Kinship.of(vectors_VD, id_V)
    monkeypatch.setattr(kin, "_EXACT_PAIRS", 1000)
    found = Kinship.of(vectors_VD, id_V)
    assert np.array_equal(found.new_K, exact.new_K)
    same = [len(np.intersect1d(a, b)) / KIN for a, b in zip(found.kin_KQ, exact.kin_KQ, strict=True)]
    assert 0.9 < np.mean(same) < 1
