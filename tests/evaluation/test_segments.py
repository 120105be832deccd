from dataclasses import replace

import numpy as np
import pytest

from swipewise.evaluation.protocol import Metric, Protocol, evaluate
from swipewise.evaluation.segments import ACTIVITY, Group, Segment, categories_of, group_of
from swipewise.training.dataset import ContentFeature, Dataset
from tests.training.hand_made import TableRecommender, dataset_of

CUT = 1000


def with_tags(*tags: str) -> Dataset:
    """One video for each entry: its tags, separated by spaces; each viewer likes the video of the same number."""
    names = sorted({tag for entry in tags for tag in entry.split()})
    codes = np.zeros((len(tags), 3), np.int64)
    for row, entry in enumerate(tags):
        for place, tag in enumerate(entry.split()):
            codes[row, place] = names.index(tag) + 1
    rows = [(u, u, CUT + u, True) for u in range(len(tags))]
    dataset = dataset_of(rows, viewers=len(tags), uploaded=[0] * len(tags))
    return replace(dataset, attributes_VA=codes, attribute_values=tuple(names))


def videos_of(protocol: Protocol, segment: str) -> list[int]:
    return (protocol.segments[segment].relevant_R % len(protocol.history.video_ids)).tolist()


@pytest.mark.parametrize(
    ("interactions", "segment"),
    [
        (4, Segment.COLD_VIEWERS),
        (5, Segment.LIGHT_VIEWERS),
        (19, Segment.LIGHT_VIEWERS),
        (20, Segment.MEDIUM_VIEWERS),
        (99, Segment.MEDIUM_VIEWERS),
        (100, Segment.HEAVY_VIEWERS),
    ],
)
def test_viewers_are_told_apart_by_what_they_did_before_the_cut(interactions: int, segment: Segment) -> None:
    rows = [(0, 0, at, True) for at in range(interactions)]
    later = [(0, 0, CUT + at, True) for at in range(200)]
    protocol = Protocol.at(dataset_of([*rows, *later, (0, 1, CUT, True)], viewers=1, uploaded=[0, 0]), CUT)
    assert [one for one in protocol.segments if one in ACTIVITY] == [segment]


def test_categories_are_the_tags_of_most_videos() -> None:
    dataset = with_tags("tags=b tags=b", "tags=b tags=a", "tags=a tags=c", "creator=x", "tags=b")
    assert {name: np.flatnonzero(has).tolist() for name, has in categories_of(dataset, 2).items()} == {
        "tags=b": [0, 1, 4],
        "tags=a": [1, 2],
    }


def test_without_tags_creators_are_the_categories() -> None:
    assert list(categories_of(with_tags("creator=x", "creator=y", "creator=y music=z"))) == [
        "creator=y",
        "creator=x",
    ]
    assert categories_of(with_tags("music=z", "music=y")) == {}


def test_a_category_of_everything_tells_nothing() -> None:
    assert list(categories_of(with_tags("tags=a", "tags=a tags=b"))) == ["tags=b"]


def test_a_category_looks_at_its_own_relevant_videos_among_all_candidates() -> None:
    protocol = Protocol.at(with_tags("tags=a", "tags=b", "tags=a"), CUT)
    assert videos_of(protocol, "tags=a") == [0, 2]
    assert videos_of(protocol, "tags=b") == [1]
    measured = evaluate(TableRecommender([[3, 2, 1]] * 3), protocol)
    assert measured.values["tags=b"][Metric.MRR].tolist() == [1 / 2]


def test_relevant_videos_without_a_modality_are_looked_at_on_their_own() -> None:
    def feature(*present: bool) -> ContentFeature:
        return ContentFeature(values_VD=np.ones((3, 2), np.float32), present_V=np.array(present))

    content = {"visual": feature(True, True, True), "audio": feature(True, False, False)}
    dataset = dataset_of([(u, u, CUT + u, True) for u in range(3)], viewers=3, uploaded=[0] * 3)
    protocol = Protocol.at(replace(dataset, content=content), CUT)
    assert videos_of(protocol, "without audio") == [1, 2]
    assert "without visual" not in protocol.segments


def test_segments_come_in_families() -> None:
    assert {group_of(segment) for segment in ACTIVITY[1:]} == {Group.ACTIVITY}
    assert group_of(Segment.COLD_VIEWERS) == Group.COLDNESS
    assert group_of("creator=without audio") == Group.CATEGORY
