"""Both kinds of index find what plain numpy finds, whatever was added, removed or filtered."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from swipewise.retrieval import NO_ROW, ExactIndex, Index, IvfIndex, build_index, choice, ivf, load_index, put

Vectors = NDArray[np.float32]


def clustered(rows: int, seed: int, width: int = 8) -> Vectors:
    centres = np.random.default_rng(99).standard_normal((40, width))
    rng = np.random.default_rng(seed)
    return (centres[rng.integers(0, 40, rows)] + 0.3 * rng.standard_normal((rows, width))).astype(np.float32)


VECTORS_VD = clustered(3000, 0)
QUERIES_BD = clustered(40, 1)
KINDS: list[Callable[[Vectors], Index]] = [ExactIndex.build, IvfIndex.build]


def truth(vectors_VD: Vectors, k: int, allowed: NDArray[np.bool_] | None = None) -> list[set[int]]:
    products_BV = QUERIES_BD @ vectors_VD.T
    if allowed is not None:
        products_BV = np.where(allowed, products_BV, -np.inf)
    return [set(row.tolist()) for row in np.argsort(-products_BV, axis=1, kind="stable")[:, :k]]


def recall(found_BK: NDArray[np.int64], expected: list[set[int]]) -> float:
    pairs = zip(found_BK.tolist(), expected, strict=True)
    return float(np.mean([len(wanted & set(found)) / len(wanted) for found, wanted in pairs]))


def test_exact_search_agrees_with_numpy() -> None:
    scores_BK, rows_BK = ExactIndex.build(VECTORS_VD).search(QUERIES_BD, k=25)
    products_BV = QUERIES_BD @ VECTORS_VD.T
    assert rows_BK.tolist() == np.argsort(-products_BV, axis=1)[:, :25].tolist()
    np.testing.assert_allclose(scores_BK, np.take_along_axis(products_BV, rows_BK, axis=1), rtol=1e-5)


def test_approximate_search_finds_nearly_all_and_scores_exactly() -> None:
    index = IvfIndex.build(VECTORS_VD)
    scores_BK, rows_BK = index.search(QUERIES_BD, k=100)
    assert index.nprobe < index.trained.template.nlist / 2, "or this would be an exact search"
    assert recall(rows_BK, truth(VECTORS_VD, 100)) >= 0.98
    np.testing.assert_allclose(
        scores_BK, np.take_along_axis(QUERIES_BD @ VECTORS_VD.T, rows_BK, axis=1), rtol=1e-4, atol=1e-5
    )
    assert (np.diff(scores_BK, axis=1) <= 0).all()


def test_fewer_lists_find_less() -> None:
    vectors_VD = np.random.default_rng(6).standard_normal((20_000, 8)).astype(np.float32)
    index = IvfIndex.build(vectors_VD)
    hasty = replace(index, trained=replace(index.trained, nprobe=1))
    assert recall(hasty.search(QUERIES_BD, k=5)[1], truth(vectors_VD, 5)) < 0.95


def test_more_results_need_more_lists() -> None:
    vectors_VD = np.random.default_rng(6).standard_normal((20_000, 8)).astype(np.float32)
    index = IvfIndex.build(vectors_VD)
    lists = [index.trained.lists_for(results) for results in (10, 100, 500, 2000)]
    assert lists[0] == lists[1] == index.nprobe < lists[2] < lists[3]
    hasty = replace(index, trained=replace(index.trained, growth=0.0))
    many, few = (recall(each.search(QUERIES_BD, 500)[1], truth(vectors_VD, 500)) for each in (index, hasty))
    assert many >= 0.98 > few
    assert index.trained.lists_for(10**9) == index.trained.template.nlist


VIEWERS_QD = np.abs(np.random.default_rng(7).standard_normal((400, 32)) * ([3.0] * 4 + [0.1] * 28)).astype(
    np.float32
)
"""What viewers ask for: four numbers of 32 matter, and none is negative."""


def wide() -> Vectors:
    return np.random.default_rng(8).standard_normal((20_000, 32)).astype(np.float32)


def test_lists_are_made_for_what_viewers_ask() -> None:
    vectors_VD, held_out_QD = wide(), VIEWERS_QD[:80]
    index = IvfIndex.build(vectors_VD, asked_QD=VIEWERS_QD[80:])
    plain = IvfIndex.build(vectors_VD)
    assert index.nprobe < plain.nprobe / 2
    assert index.measured is not None
    assert (index.measured.asked, index.measured.questions) == ("viewers", 160), (
        "the half that made no coordinates"
    )
    assert index.measured.recall >= 0.99
    assert plain.measured is not None
    assert plain.measured.asked == "videos"
    best_QK = np.argsort(-held_out_QD @ vectors_VD.T, axis=1)[:, :100]
    scores_QK, found_QK = index.search(held_out_QD, 100)
    assert recall(found_QK, [set(row.tolist()) for row in best_QK]) >= 0.98
    products_QK = np.einsum("qd,qkd->qk", held_out_QD, vectors_VD[found_QK])
    np.testing.assert_allclose(scores_QK, products_QK, rtol=1e-4, atol=1e-5)


def test_coordinates_that_hardly_tell_videos_apart_are_left_out() -> None:
    index = IvfIndex.build(wide(), asked_QD=VIEWERS_QD)
    assert index.trained.space.videos_WD.shape == (16, 32)
    assert index.trained.candidates(100) > IvfIndex.build(wide()).trained.candidates(100)


def test_coordinates_that_other_viewers_need_come_back() -> None:
    before = IvfIndex.build(wide(), asked_QD=VIEWERS_QD)
    others_QD = np.ascontiguousarray(VIEWERS_QD[:, ::-1])
    index = IvfIndex.build(wide(), like=before.trained, asked_QD=others_QD[80:])
    assert not np.array_equal(index.trained.space.videos_WD, before.trained.space.videos_WD)
    best_QK = np.argsort(-others_QD[:80] @ wide().T, axis=1)[:, :100]
    assert recall(index.search(others_QD[:80], 100)[1], [set(row.tolist()) for row in best_QK]) >= 0.98


def test_no_coordinate_is_left_out_where_all_matter_alike() -> None:
    asked_QD = np.random.default_rng(12).standard_normal((400, 32)).astype(np.float32)
    index = IvfIndex.build(wide(), asked_QD=asked_QD[80:])
    assert index.trained.space.videos_WD.shape == (32, 32)
    best_QK = np.argsort(-asked_QD[:80] @ wide().T, axis=1)[:, :100]
    assert recall(index.search(asked_QD[:80], 100)[1], [set(row.tolist()) for row in best_QK]) >= 0.98


def test_vectors_may_lie_far_from_the_origin() -> None:
    vectors_VD = wide() + 20 * np.random.default_rng(11).standard_normal(32).astype(np.float32)
    index = IvfIndex.build(vectors_VD, asked_QD=VIEWERS_QD[80:])
    assert index.nprobe < index.trained.template.nlist / 3, "codes are precise where the vectors are"
    best_QK = np.argsort(-VIEWERS_QD[:80] @ vectors_VD.T, axis=1)[:, :100]
    assert recall(index.search(VIEWERS_QD[:80], 100)[1], [set(row.tolist()) for row in best_QK]) >= 0.98


@pytest.mark.parametrize(("rows", "width"), [(5, 8), (300, 1)])
def test_few_vectors_or_numbers_keep_all_coordinates(rows: int, width: int) -> None:
    vectors_VD = clustered(rows, 13, width=width)
    index = IvfIndex.build(vectors_VD, asked_QD=clustered(64, 14, width=width))
    assert index.trained.space.videos_WD.shape == (width, width)
    assert index.search(vectors_VD[:1], 1)[1].tolist() == [[int((vectors_VD @ vectors_VD[0]).argmax())]]


def test_few_viewers_teach_nothing() -> None:
    index = IvfIndex.build(VECTORS_VD, asked_QD=QUERIES_BD[:31])
    assert index.measured is not None
    assert (index.measured.asked, index.measured.questions) == ("videos", 256)
    assert np.array_equal(index.trained.space.videos_WD, np.eye(8))


def test_viewers_who_ask_for_nothing() -> None:
    index = IvfIndex.build(VECTORS_VD, asked_QD=np.zeros((100, 8), np.float32))
    assert index.measured is not None
    assert index.measured.asked == "videos"
    assert recall(index.search(QUERIES_BD, 100)[1], truth(VECTORS_VD, 100)) >= 0.98
    assert np.array_equal(index.trained.space.videos_WD, np.eye(8))


def test_what_viewers_taught_is_kept(tmp_path: Path) -> None:
    index = IvfIndex.build(wide(), asked_QD=VIEWERS_QD)
    index.save(tmp_path)
    loaded = load_index(tmp_path)
    assert isinstance(loaded, IvfIndex)
    assert loaded.measured == index.measured
    assert loaded.search(VIEWERS_QD[:5], 300)[1].tolist() == index.search(VIEWERS_QD[:5], 300)[1].tolist()
    again = IvfIndex.build(wide()[::-1], like=loaded.trained)
    assert (again.trained.template, again.nprobe) == (loaded.trained.template, loaded.nprobe)
    grown = loaded.put(np.arange(20_000, 41_000), np.concatenate([wide(), wide()])[:21_000] * 1.1)
    assert isinstance(grown, IvfIndex)
    assert grown.trained.rows == 41_000, "the lists are new"
    assert grown.trained.space is loaded.trained.space
    assert grown.nprobe / grown.trained.template.nlist == loaded.nprobe / loaded.trained.template.nlist
    learned = IvfIndex.build(wide(), like=IvfIndex.build(wide()).trained, asked_QD=VIEWERS_QD)
    assert learned.nprobe == index.nprobe, "lists made without viewers are not taken over where there are some"


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


def test_an_approximate_index_gives_every_row_when_asked_to() -> None:
    _, rows_BK = IvfIndex.build(VECTORS_VD).search(QUERIES_BD[:2], k=5000)
    assert [sorted(rows) for rows in rows_BK.tolist()] == [list(range(3000))] * 2


def test_takes_other_memory_layouts() -> None:
    vectors_VD = np.asfortranarray(np.arange(12, dtype=np.float64).reshape(4, 3))
    _, rows_BK = ExactIndex.build(vectors_VD.astype(np.float32)).search(np.ones((2, 6), np.float32)[:, ::2], k=1)
    assert rows_BK.tolist() == [[3], [3]]


@pytest.mark.parametrize("build", KINDS)
@pytest.mark.parametrize("share", [0.9, 0.5, 0.25, 0.05])
def test_filters(build: Callable[[Vectors], Index], share: float) -> None:
    only_V = np.random.default_rng(2).random(3000) < share
    without_N = np.array([*truth(VECTORS_VD, 30)[0]], np.int64)
    allowed_V = only_V.copy()
    allowed_V[without_N] = False
    _, rows_BK = build(VECTORS_VD).search(QUERIES_BD, 50, only_V=only_V, without_N=without_N)
    assert allowed_V[rows_BK].all()
    assert recall(rows_BK, truth(VECTORS_VD, 50, allowed_V)) >= 0.98


def test_a_filter_looks_into_more_lists() -> None:
    vectors_VD = np.random.default_rng(4).standard_normal((6000, 8)).astype(np.float32)
    index = IvfIndex.build(vectors_VD)
    only_V = np.random.default_rng(5).random(6000) < 0.25
    hasty = replace(index, trained=replace(index.trained, nprobe=index.nprobe // 4))
    expected = truth(vectors_VD, 10, only_V)
    assert recall(index.search(QUERIES_BD, 10, only_V=only_V)[1], expected) >= 0.98
    assert recall(hasty.search(QUERIES_BD, 10)[1], truth(vectors_VD, 10)) < 0.98, "so many would be too few"
    narrow_V = only_V & (np.arange(6000) % 10 == 0)
    assert recall(hasty.search(QUERIES_BD, 10, only_V=narrow_V)[1], truth(vectors_VD, 10, narrow_V)) == 1.0


@pytest.mark.parametrize("build", KINDS)
def test_filters_that_leave_too_few(build: Callable[[Vectors], Index]) -> None:
    only_V = np.zeros(3000, bool)
    only_V[[7, 8, 9]] = True
    scores_BK, rows_BK = build(VECTORS_VD).search(QUERIES_BD, 5, only_V=only_V, without_N=np.array([8]))
    assert [sorted(rows) for rows in rows_BK.tolist()] == [[NO_ROW, NO_ROW, NO_ROW, 7, 9]] * 40
    assert np.isneginf(scores_BK[:, 2:]).all()
    without_all = np.arange(2999)
    _, rows_BK = build(VECTORS_VD).search(QUERIES_BD[:1], 3, without_N=without_all)
    assert rows_BK.tolist() == [[2999, NO_ROW, NO_ROW]]


@pytest.mark.parametrize("build", KINDS)
def test_rows_are_added_replaced_and_removed_in_a_new_index(build: Callable[[Vectors], Index]) -> None:
    before = build(VECTORS_VD)
    first = before.search(QUERIES_BD, 20)[1].tolist()
    added_ND = clustered(500, 3)
    rows_N = np.concatenate([np.arange(3000, 3300), np.arange(200)])
    after = before.put(rows_N, added_ND)
    now_VD = np.concatenate([VECTORS_VD, added_ND[:300]])
    now_VD[:200] = added_ND[300:]
    assert (len(after), after.rows) == (3300, 3300)
    assert recall(after.search(QUERIES_BD, 100)[1], truth(now_VD, 100)) >= 0.98
    removed_N = np.concatenate([np.arange(150, 400), np.arange(3100, 3200)])
    fewer = after.remove(removed_N)
    allowed_V = np.ones(3300, bool)
    allowed_V[removed_N] = False
    assert (len(fewer), fewer.rows, fewer.removed_N.tolist()) == (2950, 3300, removed_N.tolist())
    rows_BK = fewer.search(QUERIES_BD, 100)[1]
    assert allowed_V[rows_BK].all()
    assert recall(rows_BK, truth(now_VD, 100, allowed_V)) >= 0.98
    back = fewer.put(np.array([3100]), 100 * QUERIES_BD[:1])
    assert back.search(QUERIES_BD[:1], 1)[1].tolist() == [[3100]]
    assert len(fewer.remove(removed_N)) == 2950, "removing twice is no error"
    assert before.search(QUERIES_BD, 20)[1].tolist() == first, "readers of the old one are not disturbed"


def test_new_rows_leave_no_gap() -> None:
    for build in KINDS:
        with pytest.raises(AssertionError, match="without a gap"):
            build(VECTORS_VD).put(np.array([3001]), QUERIES_BD[:1])
        with pytest.raises(AssertionError, match="given twice"):
            build(VECTORS_VD).put(np.array([3, 3]), QUERIES_BD[:2])


def test_a_full_tail_joins_the_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ivf, "TAIL_ROWS", 100)
    index = IvfIndex.build(VECTORS_VD).remove(np.array([5]))
    assert (index._base.ntotal, len(index._tail.rows_T)) == (3000, 0)
    index = index.put(np.arange(3000, 3060), clustered(60, 4))
    assert (index._base.ntotal, len(index._tail.rows_T)) == (3000, 60)
    index = index.put(np.arange(3060, 3120), clustered(60, 5))
    assert (index._base.ntotal, len(index._tail.rows_T)) == (3119, 0), "without the removed one"
    now_VD = np.concatenate([VECTORS_VD, clustered(60, 4), clustered(60, 5)])
    now_VD[5] = -100 * QUERIES_BD.mean(axis=0)
    assert recall(index.search(QUERIES_BD, 100)[1], truth(now_VD, 100, np.arange(3120) != 5)) >= 0.98


def test_many_removed_rows_are_compacted_away() -> None:
    index = IvfIndex.build(VECTORS_VD)
    assert index.remove(np.arange(500))._base.ntotal == 3000
    assert index.remove(np.arange(700))._base.ntotal == 2300


def test_what_has_doubled_is_trained_anew() -> None:
    index = IvfIndex.build(VECTORS_VD).remove(np.array([1]))
    grown = index.put(np.arange(3000, 6100), clustered(3100, 6))
    assert (grown.trained.rows, len(grown), grown.removed_N.tolist()) == (6099, 6099, [1])
    assert 1 not in grown.search(VECTORS_VD[1:2], 6099)[1]


def test_like_vectors_take_over_the_lists() -> None:
    first = IvfIndex.build(VECTORS_VD)
    again = IvfIndex.build(VECTORS_VD[::-1], like=first.trained)
    assert again.trained.template is first.trained.template
    assert recall(again.search(QUERIES_BD, 100)[1], truth(VECTORS_VD[::-1], 100)) >= 0.98
    assert (
        IvfIndex.build(clustered(200, 0, width=4), like=first.trained).trained.template
        is not first.trained.template
    )


def test_the_kind_goes_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "EXACT_ROWS", 3000)
    index = build_index(VECTORS_VD)
    assert isinstance(index, ExactIndex)
    grown = put(index.remove(np.array([9])), np.arange(3000, 3001), QUERIES_BD[:1])
    assert isinstance(grown, ExactIndex), "3000 without the removed one"
    larger = put(grown, np.arange(3001, 3002), QUERIES_BD[1:2])
    assert isinstance(larger, IvfIndex)
    assert (len(larger), larger.removed_N.tolist()) == (3001, [9])
    monkeypatch.setattr(choice, "EXACT_ROWS", 100)
    of_like = build_index(VECTORS_VD, like=larger)
    assert isinstance(of_like, IvfIndex)
    assert of_like.trained.template is larger.trained.template


def test_searches_go_on_while_rows_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ivf, "TAIL_ROWS", 50)
    shared: list[Index] = [IvfIndex.build(VECTORS_VD)]
    faults: list[str] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            index = shared[0]
            scores_BK, rows_BK = index.search(QUERIES_BD[:4], 10)
            if not np.isfinite(scores_BK).all() or rows_BK.min() < 0 or rows_BK.max() >= index.rows:
                faults.append(f"{scores_BK} {rows_BK}")
            if np.isin(rows_BK, index.removed_N).any():
                faults.append(f"removed: {rows_BK}")

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for step in range(30):
        rows = shared[0].rows
        shared[0] = shared[0].put(np.arange(rows, rows + 20), clustered(20, step)).remove(np.arange(step))
    done.set()
    for reader in readers:
        reader.join()
    assert faults == []
    assert (shared[0].rows, len(shared[0])) == (3600, 3571)


@pytest.mark.parametrize("build", KINDS)
def test_searches_with_one_thread_in_every_calling_thread(build: Callable[[Vectors], Index]) -> None:
    index = build(VECTORS_VD)
    threads_used = []

    def search() -> None:
        faiss.omp_set_num_threads(2)
        index.search(QUERIES_BD[:1], k=1)
        threads_used.append(faiss.omp_get_max_threads())

    thread = threading.Thread(target=search)
    thread.start()
    thread.join()
    assert threads_used == [1]


def test_a_saved_index_is_mapped_and_grows(tmp_path: Path) -> None:
    index = IvfIndex.build(VECTORS_VD).put(np.arange(3000, 3010), clustered(10, 7)).remove(np.array([4, 3001]))
    index.save(tmp_path)
    loaded = load_index(tmp_path)
    assert isinstance(loaded, IvfIndex)
    assert isinstance(loaded.vectors_VD, np.memmap)
    assert (loaded.nprobe, loaded.rows, loaded.removed_N.tolist()) == (index.nprobe, 3010, [4, 3001])
    now_VD = np.concatenate([VECTORS_VD, clustered(10, 7), 9 * QUERIES_BD[:1]])
    allowed_V = ~np.isin(np.arange(3011), [4, 3001])
    grown = loaded.put(np.array([3010]), 9 * QUERIES_BD[:1])
    assert recall(grown.search(QUERIES_BD, 100)[1], truth(now_VD, 100, allowed_V)) >= 0.98
    compact = grown.remove(np.arange(10, 900))
    assert compact._base.ntotal == 2119, "lists that are mapped can be compacted too"
    assert compact.search(QUERIES_BD[:1], 1)[1].tolist() == [[3010]]
