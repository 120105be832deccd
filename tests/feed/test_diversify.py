"""Feeds that are spread out, and feeds with caps."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from swipewise.feed.caps import ENOUGH_OF_CREATOR, ENOUGH_OF_TOPIC, Cap
from swipewise.feed.diversify import ALIKE, GROUP, HEAD, DiverseSelect, spread_out, variety_of
from swipewise.feed.stages import Query, Selection
from tests.feed.fakes import FakeState, query, roster, shelf

# 0 and 1 are twins, 2 is unlike them, 3 is in between
VECTORS_VD = np.array([[1, 0], [1, 0], [0, 1], [0.6, 0.8]], np.float32)
FOUR = shelf({"a": 1, "b": 2, "c": 3, "d": 4}, VECTORS_VD)
LIKES_A_AND_C = FakeState(np.array([1, 0], np.float32), history=[0, 2])


def selected(select: DiverseSelect, asked: Query, **scores: float) -> Selection:
    """Of videos with these scores, best first."""
    numbers_N = select.roster.numbers_of(scores)
    return select.select(asked, numbers_N, np.array(list(scores.values()), np.float64))


def unit(vectors_ND: NDArray[np.float32]) -> NDArray[np.float32]:
    length_N1 = np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    return np.divide(vectors_ND, length_N1, out=np.zeros_like(vectors_ND), where=length_N1 > 0)


@st.composite
def lists(draw: st.DrawFn) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scores, best first, and vectors of some candidates."""
    count = draw(st.integers(1, 30))
    numbers = st.floats(-3, 3, width=32)
    scores_N = np.sort(draw(arrays(np.float32, count, elements=numbers)))[::-1].copy()
    return scores_N, unit(draw(arrays(np.float32, (count, 3), elements=st.integers(-3, 3))))


def chosen_plainly(
    scores_N: NDArray[np.float32], vectors_ND: NDArray[np.float32], k: int, weight: float
) -> list[int]:
    """Every likeness of every pair, anew at each place."""
    taken: list[int] = []
    while len(taken) < min(k, len(scores_N)):
        group: list[int] = []
        for _ in range(min(GROUP, min(k, len(scores_N)) - len(taken))):
            others = taken + group
            values = {
                position: (1 - weight) * float(scores_N[position])
                - weight
                * 0.5
                * float(np.mean([vectors_ND[position] @ vectors_ND[each] for each in others] or [0.0]))
                for position in range(len(scores_N))
                if position not in others
            }
            group.append(max(values, key=lambda position: (round(values[position], 4), -position)))
        taken += sorted(group)
    return taken


@given(lists(), st.integers(1, 30))
def test_no_strength_and_no_variety_are_the_plain_order(
    made: tuple[NDArray[np.float32], NDArray[np.float32]], k: int
) -> None:
    scores_N, vectors_ND = made
    plain = list(range(min(k, len(scores_N))))
    assert spread_out(scores_N, vectors_ND, k=k, diversity=0.0, variety=0.5) == plain
    assert spread_out(scores_N, vectors_ND, k=k, diversity=1.0, variety=0.0) == plain


@given(lists(), st.integers(1, 30), st.floats(0, 1))
def test_every_place_is_filled_once_best_first_in_each_ten(
    made: tuple[NDArray[np.float32], NDArray[np.float32]], k: int, diversity: float
) -> None:
    scores_N, vectors_ND = made
    taken = spread_out(scores_N, vectors_ND, k=k, diversity=diversity, variety=0.5)
    assert len(taken) == len(set(taken)) == min(k, len(scores_N))
    for start in range(0, len(taken), GROUP):
        assert taken[start : start + GROUP] == sorted(taken[start : start + GROUP])
    if diversity < 1:
        assert taken[0] == 0, "the best leads"


def test_the_plain_twin_chooses_the_same() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        scores_N = np.sort(rng.normal(size=25).astype(np.float32))[::-1].copy()
        vectors_ND = unit(rng.normal(size=(25, 4)).astype(np.float32))
        taken = spread_out(scores_N, vectors_ND, k=15, diversity=0.8, variety=0.5)
        assert taken == chosen_plainly(scores_N, vectors_ND, 15, 0.8)


def test_the_first_ten_are_the_same_however_long_the_feed() -> None:
    rng = np.random.default_rng(0)
    scores_N = np.sort(rng.normal(size=80).astype(np.float32))[::-1].copy()
    vectors_ND = unit(rng.normal(size=(80, 4)).astype(np.float32))
    ten, many = (spread_out(scores_N, vectors_ND, k=k, diversity=0.9, variety=0.5) for k in (10, 55))
    assert many[:10] == ten


def test_a_twin_of_the_best_is_passed_over() -> None:
    select = DiverseSelect(roster=roster(FOUR), diversity=0.9)
    # likes of a and c: mean (1/2, 1/2), so 1 - 1/2, times 2 likes of 7: a variety of 1/7
    assert variety_of(VECTORS_VD[[0, 2]]) == pytest.approx(1 / 7)
    # after a: b has 0.1 * 0.9 - 0.9 / 7 = -0.04, c 0.1 * 0.5
    found = selected(select, query(state=LIKES_A_AND_C), a=1.0, b=0.9, c=0.5)
    assert found == Selection(positions=[0, 2], passed_over={1: ALIKE})


def test_who_likes_one_kind_alone_or_nothing_gets_the_order_of_scores() -> None:
    select = DiverseSelect(roster=roster(FOUR), diversity=0.9)
    for history in ([], [0], [0, 1, 0, 1]):
        state = FakeState(np.array([1, 0], np.float32), history=history)
        assert selected(select, query(state=state), a=1.0, b=0.9, c=0.5) == Selection(positions=[0, 1])
    assert selected(select, query(), a=1.0, b=0.9, c=0.5) == Selection(positions=[0, 1])
    assert variety_of(VECTORS_VD[[0, 2]]) < variety_of(VECTORS_VD[[0, 2] * 5]), "the more likes, the surer"


def test_without_vectors_the_score_decides() -> None:
    select = DiverseSelect(roster=roster(shelf({"a": 0, "b": 0})), diversity=0.5)
    assert selected(select, query(), a=1.0, b=0.5) == Selection(positions=[0, 1])
    assert selected(select, query()) == Selection(positions=[])


def test_what_lies_beyond_the_head_is_taken_where_nothing_else_fits() -> None:
    count = HEAD + 5
    names = [f"v{place}" for place in range(count)]
    crowd = replace(
        shelf(dict.fromkeys(names, 0)), creator_of=dict.fromkeys(names[: HEAD + 3], "ann") | {names[-1]: "bob"}
    )
    found = selected(
        DiverseSelect(roster=roster(crowd), diversity=0.5, creator_cap=1),
        query(size=3),
        **{name: -float(place) for place, name in enumerate(names)},
    )
    assert found.positions == [0, count - 2, count - 1]
    assert set(found.passed_over.values()) == {ENOUGH_OF_CREATOR}


def test_topics_give_way_first_and_creators_last() -> None:
    some = replace(
        shelf(dict.fromkeys("abcd", 0)),
        creator_of={"a": "ann", "b": "ann", "c": "bob"},
        tags_of={"a": ("Cats",), "b": ("dogs",), "c": ("cats", "fun")},
    )
    select = DiverseSelect(roster=roster(some), diversity=0.0, creator_cap=1, topic_cap=1)

    def feed(size: int, **scores: float) -> list[int]:
        return selected(select, query(size=size), **scores).positions

    # d has neither creator nor topic; then c, whose topic is used up; then b, whose creator is
    assert feed(2, a=4, b=3, c=2, d=1) == [0, 3]
    assert feed(3, a=4, b=3, c=2, d=1) == [0, 2, 3]
    assert feed(4, a=4, b=3, c=2, d=1) == [0, 1, 2, 3]
    assert feed(2, a=4, b=3, c=2) == [0, 2]
    both = selected(select, query(size=2), a=4, b=3, c=2, d=1)
    assert both.passed_over == {1: ENOUGH_OF_CREATOR, 2: ENOUGH_OF_TOPIC}


LABELS = st.lists(st.sampled_from("xyz"), max_size=2)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(["ann", "bob", ""]), LABELS), min_size=1, max_size=12), st.data())
def test_caps_hold_wherever_the_feed_can_be_filled(
    videos: list[tuple[str, list[str]]], data: st.DataObject
) -> None:
    names = [f"v{place}" for place in range(len(videos))]
    creator_cap, topic_cap = data.draw(st.integers(0, 3)), data.draw(st.integers(0, 3))
    size = data.draw(st.integers(1, len(videos)))
    vectors_VD = unit(data.draw(arrays(np.float32, (len(videos), 2), elements=st.integers(-2, 2))))
    made = replace(
        shelf(dict.fromkeys(names, 0), vectors_VD),
        creator_of={name: creator for name, (creator, _) in zip(names, videos, strict=True) if creator},
        tags_of={name: tuple(tags) for name, (_, tags) in zip(names, videos, strict=True) if tags},
    )
    select = DiverseSelect(roster=roster(made), diversity=0.9, creator_cap=creator_cap, topic_cap=topic_cap)
    state = FakeState(np.array([1, 0], np.float32), history=list(range(len(videos))))
    found = selected(
        select, query(size=size, state=state), **{name: -float(place) for place, name in enumerate(names)}
    )
    taken = [videos[position] for position in found.positions]
    left = [video for place, video in enumerate(videos) if place not in found.positions]
    assert len(taken) == size, "a feed is filled"
    creators = Counter(creator for creator, _ in taken if creator)
    topics = Counter(topic for _, tags in taken for topic in set(tags))
    # Where a cap was passed, whoever was left out would have passed the first one too.
    if creator_cap and max(creators.values(), default=0) > creator_cap:
        assert all(creators[creator] >= creator_cap for creator, _ in left if creator)
        assert all(creator for creator, _ in left)
    elif topic_cap and max(topics.values(), default=0) > topic_cap:
        fit = [
            tags for creator, tags in left if not (creator_cap and creators[creator] >= creator_cap and creator)
        ]
        assert all(any(topics[topic] >= topic_cap for topic in tags) for tags in fit)


def test_a_label_counts_once_a_video() -> None:
    cap = Cap([["x", "x"], ["x"], []], most=2, reason="enough")
    cap.take(0)
    assert cap.fits_N.tolist() == [True, True, True]
    cap.take(1)
    assert cap.fits_N.tolist() == [False, False, True]
