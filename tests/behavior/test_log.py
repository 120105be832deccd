"""A log knows when viewers were away and where in a session each interaction is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from swipewise.behavior.log import SESSION_GAP_MS, BehaviorLog

MINUTE = 60_000


def log(viewers: list[int], minutes: list[int]) -> BehaviorLog:
    return BehaviorLog(
        viewer_I=np.array(viewers),
        video_I=np.zeros(len(viewers), np.int64),
        at_I=np.array(minutes) * MINUTE,
        watch_ratio_I=np.full(len(viewers), 0.5),
        uploaded_at_V=np.zeros(1, np.int64),
        content={},
        profile_UP=np.zeros((3, 0), np.int64),
    )


def test_sessions() -> None:
    half_hour = SESSION_GAP_MS // MINUTE
    of_two = log([0, 0, 0, 0, 2, 2], [0, 1, 1 + half_hour, 2 + 2 * half_hour, 500, 501])
    assert (of_two.away() / MINUTE).tolist() == [0, 1, 30, 31, 0, 1]
    assert of_two.session_place().tolist() == [0, 1, 2, 0, 0, 1]
    assert of_two.offsets().tolist() == [0, 4, 4, 6]


def test_before_keeps_viewers_and_videos() -> None:
    earlier = log([0, 0, 1], [1, 5, 3]).before(5 * MINUTE)
    assert (len(earlier), earlier.viewer_I.tolist(), len(earlier.profile_UP)) == (2, [0, 1], 3)


def test_an_empty_log() -> None:
    empty = log([], [])
    assert (empty.away().tolist(), empty.session_place().tolist()) == ([], [])
    assert empty.offsets().tolist() == [0, 0, 0, 0]


def test_viewers_come_back_after_half_an_hour() -> None:
    half_hour = SESSION_GAP_MS // MINUTE
    assert log([0, 0, 0, 1, 1], [0, half_hour, 2 * half_hour + 1, 900, 1000]).returns().tolist() == [2, 4]


def test_some_viewers_keep_what_they_did() -> None:
    three = replace(log([0, 0, 2, 2, 2], [1, 2, 3, 4, 5]), profile_UP=np.array([[7], [8], [9]]))
    assert three.of_some(2).viewer_I.tolist() == [0, 0, 1, 1, 1], "only those who did anything"
    one = three.of_some(1, seed=0)
    chosen = int(one.profile_UP[0, 0] == 9)
    assert one.profile_UP.tolist() == [[[7], [9]][chosen]]
    assert one.at_I.tolist() == [three.at_I[:2].tolist(), three.at_I[2:].tolist()][chosen]
    assert set(one.viewer_I.tolist()) == {0}
