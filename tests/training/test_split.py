import numpy as np
import pytest

from swipewise.config import SplitConfig
from swipewise.errors import DataError
from swipewise.training.dataset import Dataset, Interactions
from swipewise.training.split import split_by_time


def dataset_at(times: list[int]) -> Dataset:
    count = len(times)
    return Dataset(
        viewer_ids=("ann",),
        video_ids=tuple(f"v{n}" for n in range(count)),
        interactions=Interactions(
            viewer_I=np.zeros(count, np.int64),
            video_I=np.arange(count),
            at_I=np.array(times, np.int64),
            watch_ratio_I=np.ones(count, np.float32),
            actions_IF=np.zeros((count, 7), bool),
            positive_I=np.ones(count, bool),
        ),
        uploaded_at_V=np.zeros(count, np.int64),
        content={},
        attributes_VA=np.zeros((count, 0), np.int64),
        attribute_values=(),
        profile_UP=np.zeros((1, 0), np.int64),
        profile_values=(),
    )


def test_parts_hold_the_configured_shares_in_order_of_time() -> None:
    split = split_by_time(dataset_at(list(range(100, 200))), SplitConfig(validation=0.1, test=0.15))
    assert (split.valid_start, split.test_start) == (175, 185)
    assert split.train.interactions.at_I.tolist() == list(range(100, 175))
    assert split.validation.interactions.at_I.tolist() == list(range(175, 185))
    assert split.test.interactions.at_I.tolist() == list(range(185, 200))
    assert split.test.video_ids == split.train.video_ids


def test_interactions_of_one_moment_stay_together() -> None:
    split = split_by_time(dataset_at([1, 2, 3, 4, 5, 5, 5, 8, 9, 10]), SplitConfig(validation=0.2, test=0.3))
    assert split.train.interactions.at_I.tolist() == [1, 2, 3, 4]
    assert split.validation.interactions.at_I.tolist() == [5, 5, 5]
    assert split.test.interactions.at_I.tolist() == [8, 9, 10]


def test_nothing_is_lost_or_doubled_whatever_the_ties() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        times = np.sort(rng.integers(0, 40, 60)).tolist()
        try:
            split = split_by_time(dataset_at(times), SplitConfig(validation=0.1, test=0.15))
        except DataError:
            continue
        parts = [split.train, split.validation, split.test]
        assert np.concatenate([part.interactions.at_I for part in parts]).tolist() == times


def test_a_share_of_zero_leaves_that_part_empty() -> None:
    split = split_by_time(dataset_at(list(range(10))), SplitConfig(validation=0.0, test=0.0))
    assert len(split.train.interactions) == 10
    assert len(split.validation.interactions) == len(split.test.interactions) == 0


@pytest.mark.parametrize(("times", "part"), [([], "train"), ([5, 5, 5, 5], "train"), ([1, 2, 2, 2], "validation")])
def test_too_few_moments_are_an_error(times: list[int], part: str) -> None:
    with pytest.raises(DataError, match=f"the {part} part of the time split holds none of the {len(times)}"):
        split_by_time(dataset_at(times), SplitConfig(validation=0.25, test=0.25))
