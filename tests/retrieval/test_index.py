"""Exact search agrees with plain numpy."""

from __future__ import annotations

import threading

import faiss
import numpy as np
import pytest

from swipewise.retrieval.index import ExactIndex


def test_agrees_with_numpy() -> None:
    rng = np.random.default_rng(0)
    vectors_VD = rng.standard_normal((300, 16)).astype(np.float32)
    queries_BD = rng.standard_normal((7, 16)).astype(np.float32)

    scores_BK, rows_BK = ExactIndex.build(vectors_VD).search(queries_BD, k=25)

    products_BV = queries_BD @ vectors_VD.T
    assert rows_BK.tolist() == np.argsort(-products_BV, axis=1)[:, :25].tolist()
    np.testing.assert_allclose(scores_BK, np.take_along_axis(products_BV, rows_BK, axis=1), rtol=1e-5)


def test_length_counts_and_is_not_normalised() -> None:
    index = ExactIndex.build(np.array([[1, 0], [3, 0], [0, 9]], np.float32))
    scores_BK, rows_BK = index.search(np.array([[2, 0]], np.float32), k=3)
    assert rows_BK.tolist() == [[1, 0, 2]]
    assert scores_BK.tolist() == [[6, 2, 0]]


@pytest.mark.parametrize(("rows", "k", "found"), [(3, 10, 3), (3, 0, 0), (0, 5, 0)])
def test_asks_for_more_than_there_is(rows: int, k: int, found: int) -> None:
    index = ExactIndex.build(np.ones((rows, 4), np.float32))
    scores_BK, rows_BK = index.search(np.ones((2, 4), np.float32), k=k)
    assert scores_BK.shape == rows_BK.shape == (2, found)
    assert len(index) == rows


def test_takes_other_memory_layouts() -> None:
    vectors_VD = np.asfortranarray(np.arange(12, dtype=np.float64).reshape(4, 3))
    _, rows_BK = ExactIndex.build(vectors_VD.astype(np.float32)).search(np.ones((2, 6), np.float32)[:, ::2], k=1)
    assert rows_BK.tolist() == [[3], [3]]


def test_searches_with_one_thread_in_every_calling_thread() -> None:
    index = ExactIndex.build(np.eye(4, dtype=np.float32))
    threads_used = []

    def search() -> None:
        faiss.omp_set_num_threads(2)
        index.search(np.ones((1, 4), np.float32), k=1)
        threads_used.append(faiss.omp_get_max_threads())

    thread = threading.Thread(target=search)
    thread.start()
    thread.join()
    assert threads_used == [1]
