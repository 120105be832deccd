"""What a run knows: the videos and categories of its training period, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from swipewise.training.dataset import Dataset
from swipewise.training.vocabulary import Vocabulary
from tests.training.hand_made import dataset_of


def shop() -> Dataset:
    """Video v1 and viewer u1 have no interaction; value 2 of either kind is theirs alone."""
    dataset = dataset_of([(0, 2, 1, True), (0, 0, 2, False), (2, 0, 3, True)], viewers=3, uploaded=[0] * 3)
    return replace(
        dataset,
        attributes_VA=np.array([[1, 0], [2, 3], [3, 4]]),
        attribute_values=("creator=ann", "creator=bob", "tags=cats", "tags=dogs"),
        profile_UP=np.array([[3], [2], [0]]),
        profile_values=("age=13-17", "age=18-24", "age=35+"),
    )


def test_only_what_training_saw_is_known() -> None:
    vocabulary = Vocabulary.of(shop())
    assert vocabulary.video_ids == ("v0", "v2")
    assert vocabulary.attribute_values == ("creator=ann", "tags=cats", "tags=dogs")
    assert vocabulary.profile_values == ("age=35+",)


def test_an_unseen_video_has_no_row() -> None:
    assert Vocabulary.of(shop()).video_rows(("v2", "v1", "new", "v0")).tolist() == [1, -1, -1, 0]
    assert Vocabulary.of(shop()).video_rows(()).tolist() == []


def test_codes_of_another_data_set_become_those_of_the_run() -> None:
    vocabulary = Vocabulary.of(shop())
    # Code 0 pads and stays 0; what the run does not know is as good as missing.
    assert vocabulary.attribute_codes(("tags=dogs", "creator=new", "creator=ann")).tolist() == [0, 3, 0, 1]
    assert vocabulary.profile_codes(("age=18-24", "age=35+")).tolist() == [0, 0, 1]
    assert vocabulary.profile_codes(()).tolist() == [0]


def test_recoding_an_array_of_codes() -> None:
    dataset = shop()
    coded_VA = Vocabulary.of(dataset).attribute_codes(dataset.attribute_values)[dataset.attributes_VA]
    assert coded_VA.tolist() == [[1, 0], [0, 2], [2, 3]]


def test_a_vocabulary_survives_json() -> None:
    vocabulary = Vocabulary.of(shop())
    assert Vocabulary.from_dict(json.loads(json.dumps(vocabulary.as_dict()))) == vocabulary


def test_nothing_seen_is_nothing_known() -> None:
    vocabulary = Vocabulary.of(shop().before(0))
    assert vocabulary == Vocabulary(video_ids=(), attribute_values=(), profile_values=())
