"""Themes are named by the words their videos share."""

from __future__ import annotations

from swipewise.behavior.wording import CaptionWords

VIDEOS = [("a", "purring kitten", ["Cats"]), ("b", "a kitten sleeps", ["cats"]), ("c", "dog and kitten", None)]


def test_shared_words_name_a_theme_those_first_that_are_rarest_elsewhere() -> None:
    words = CaptionWords(VIDEOS, ["a", "b", "c"])
    assert words.naming([0, 1]) == ["cats", "kitten"]
    assert words.naming([0, 2]) == ["kitten"]


def test_further_videos_count_as_if_they_had_been_there_from_the_start() -> None:
    grown = CaptionWords(VIDEOS[:1], ["a"]).extended(VIDEOS[1:], ["b", "c"])
    assert grown.naming([0, 1]) == CaptionWords(VIDEOS, ["a", "b", "c"]).naming([0, 1])
    assert CaptionWords(VIDEOS[:1], ["a"]).naming([0]) == []
