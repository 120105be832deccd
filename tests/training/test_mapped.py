"""Training from files: what memory gives to the last bit, and no array as long as the log in memory."""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from numpy.typing import NDArray

from swipewise.config import EventsConfig, SplitConfig
from swipewise.errors import StoreError
from swipewise.schema import FLAG_ACTIONS
from swipewise.training import mapped
from swipewise.training.batches import Batches
from swipewise.training.building import build_dataset
from swipewise.training.dataset import Dataset, GrowingInteractions, Interactions
from swipewise.training.loop import Fit, fit_network
from swipewise.training.mapped import Growing, viewer_blocks, viewer_stretches, zeros
from swipewise.training.ranking import ranking_task
from swipewise.training.split import TimeSplit, split_by_time
from swipewise.training.trends import Trends
from swipewise.training.vocabulary import Vocabulary
from tests.training.test_building import ANN, CATALOGUE, CYD, PROFILES
from tests.training.tiny import tiny_config, tiny_dataset

HOUR_MS = 3_600_000


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swipewise.training.mapped.BLOCK_ROWS", 37)


def in_files(dataset: Dataset, folder: Path) -> Dataset:
    rows = GrowingInteractions(folder)
    rows.add(dataset.interactions)
    return replace(dataset, interactions=rows.done(), folder=folder)


def same_rows(one: Interactions, other: Interactions) -> bool:
    pairs = [(getattr(one, name), getattr(other, name)) for name in Interactions.__slots__]
    return all(a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in pairs)


def is_mapped(array: NDArray[np.generic]) -> bool:
    base = array
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base  # type: ignore[assignment]
    return isinstance(base, np.memmap)


def trained(split: TimeSplit, **training: int) -> Fit:
    return fit_network(split.train, split.validation, tiny_config(epochs=2, places=6, **training))


def test_training_from_files_in_small_blocks_is_training_from_memory_to_the_last_bit(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    expected = trained(split_by_time(tiny_dataset(), SplitConfig()))
    request.getfixturevalue("small_blocks")
    split = split_by_time(in_files(tiny_dataset(), tmp_path), SplitConfig())
    assert all(is_mapped(getattr(split.train.interactions, name)) for name in Interactions.__slots__)
    found = trained(split)
    assert [(epoch.loss, epoch.validation_ndcg) for epoch in found.epochs] == [
        (epoch.loss, epoch.validation_ndcg) for epoch in expected.epochs
    ]
    tensors, wanted = found.fitted.network.state_dict(), expected.fitted.network.state_dict()
    assert all(torch.equal(tensors[name], wanted[name]) for name in wanted)
    assert found.fitted.weights == expected.fitted.weights
    assert found.fitted.calibration.as_dict() == expected.fitted.calibration.as_dict()
    assert list(tmp_path.iterdir()) == []


def many_interactions(folder: Path, *, viewers: int, each: int, videos: int) -> Dataset:
    rng, rows = np.random.default_rng(0), GrowingInteractions(folder)
    for viewer in range(viewers):
        rows.add(
            Interactions(
                viewer_I=np.full(each, viewer),
                video_I=rng.integers(0, videos, each),
                at_I=np.sort(rng.integers(0, 30 * 24 * HOUR_MS, each)),
                watch_ratio_I=rng.random(each).astype(np.float32),
                actions_IF=np.zeros((each, len(FLAG_ACTIONS)), bool),
                positive_I=rng.random(each) < 0.5,
            )
        )
    return Dataset(
        viewer_ids=tuple(f"u{viewer}" for viewer in range(viewers)),
        video_ids=tuple(f"v{video}" for video in range(videos)),
        interactions=rows.done(),
        uploaded_at_V=np.zeros(videos, np.int64),
        content={},
        attributes_VA=np.zeros((videos, 0), np.int64),
        attribute_values=(),
        profile_UP=np.zeros((viewers, 0), np.int64),
        profile_values=(),
        folder=folder,
    )


def test_no_array_as_long_as_the_log_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swipewise.training.mapped.BLOCK_ROWS", 2_000)
    dataset = many_interactions(tmp_path, viewers=500, each=600, videos=200)
    config = tiny_config()
    tracemalloc.start()
    try:
        split = split_by_time(dataset, SplitConfig())
        some = split.train.some_viewers(1_000, 0)
        sample = split.train.of_viewers(some)
        whole = split.train.followed_by(split.validation)
        vocabulary = Vocabulary.of(split.train)
        trends = Trends.of(split.train.interactions, dataset.uploaded_at_V, last_only=True)
        task = ranking_task(split.train, split.validation.of_viewers(some))
        batches = Batches(split.train, dataset.profile_UP, trends, config.model, config.training)
        batch = next(batches.steps(0))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(whole.interactions) > 250_000
    assert 0 < len(sample.interactions) <= 1_000
    assert set(task.viewers_B) <= set(some.tolist())
    assert len(vocabulary.video_ids) == 200
    assert batch is not None
    assert len(batch.liked)
    # A window of twelve events takes 40 bytes itself, and 8 more for each number that it is sorted by.
    assert peak < 20 * len(dataset.interactions)


def test_the_sample_is_of_viewers_as_they_are_and_the_same_again() -> None:
    dataset = tiny_dataset()
    count = len(dataset.interactions)
    assert dataset.some_viewers(count, 0).tolist() == list(range(60))
    assert dataset.of_viewers(np.arange(60)) is dataset
    some = dataset.some_viewers(count // 3, 0)
    assert (
        some.tolist()
        == dataset.some_viewers(count // 3, 0).tolist()
        != dataset.some_viewers(count // 3, 1).tolist()
    )
    rows = dataset.of_viewers(some).interactions
    assert count // 4 < len(rows) <= count // 3
    assert same_rows(rows, dataset.interactions.where(np.isin(dataset.interactions.viewer_I, some)))
    assert len(dataset.some_viewers(1, 0)) == 1


def test_a_training_that_looks_at_some_viewers_learns_nearness_and_is_judged_by_these_alone() -> None:
    split = split_by_time(tiny_dataset(), SplitConfig())
    some = trained(split, sample_interactions=len(split.train.interactions) // 3)
    everybody = trained(split)
    near, all_near = (fit.fitted.neighbourhood for fit in (some, everybody))
    assert near is not None
    assert all_near is not None
    assert 0 < near.similarity_VV.nnz < all_near.similarity_VV.nnz
    assert some.epochs[0].validation_ndcg != everybody.epochs[0].validation_ndcg


def test_tables_are_coded_into_files_as_into_memory(tmp_path: Path, small_blocks: None) -> None:
    for parts in ([pl.concat([ANN, CYD])], [ANN, CYD], [CYD, ANN]):
        expected = build_dataset(CATALOGUE, {}, parts, PROFILES, EventsConfig())
        found = build_dataset(CATALOGUE, {}, parts, PROFILES, EventsConfig(), tmp_path)
        assert found.viewer_ids == expected.viewer_ids
        assert same_rows(found.interactions, expected.interactions)
        assert is_mapped(found.interactions.viewer_I)


def test_blocks_hold_whole_viewers(small_blocks: None) -> None:
    viewer_I = np.repeat(np.arange(5), [10, 100, 0, 20, 30])
    assert [(here.start, here.stop) for here in viewer_stretches(viewer_I)] == [(0, 110), (110, 160)]
    offsets_U = np.searchsorted(viewer_I, np.arange(6))
    assert [(here.start, here.stop) for here in viewer_blocks(offsets_U)] == [(0, 1), (1, 2), (2, 4), (4, 5)]
    assert list(viewer_stretches(viewer_I[:0])) == list(viewer_blocks(np.zeros(1, np.int64))) == []


def test_a_mapped_array_may_be_written_to_and_may_be_empty(tmp_path: Path) -> None:
    found = zeros(tmp_path, (3, 2), np.float32)
    found[1] = 4
    assert found.tolist() == [[0, 0], [4, 4], [0, 0]]
    grown = Growing(tmp_path, np.int64)
    assert grown.done().tolist() == []
    grown = Growing(tmp_path, np.int64, (2,))
    grown.add(np.array([[1, 2]]))
    array = grown.done()
    array[0, 0] = 7
    assert array.tolist() == [[7, 2]]


def test_a_folder_that_takes_no_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot keep the log's columns in .*gone: No such file"):
        Growing(tmp_path / "gone", np.int64)


def test_a_column_that_is_given_up_leaves_no_file_open(tmp_path: Path) -> None:
    opened = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else None
    grown = Growing(tmp_path, np.int64)
    grown.add(np.array([1]))
    del grown
    gc.collect()  # a file that is closed by the collector alone warns of it, which is an error here
    assert opened is None or len(list(Path("/proc/self/fd").iterdir())) == opened


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is full is a device of Linux")
def test_a_disk_that_is_full_is_told_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full").open("w+b")  # noqa: SIM115 (it is closed by whom it is given)
    monkeypatch.setattr(mapped, "TemporaryFile", lambda dir: full)
    grown = Growing(tmp_path, np.int64)
    grown.add(np.array([1]))
    with pytest.raises(
        StoreError, match=r"cannot keep the log's columns in .*: No space left on device \(.*make room"
    ):
        grown.done()
    assert full.closed
