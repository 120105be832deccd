"""The names of files by which videos are told."""

from __future__ import annotations

import polars as pl

from swipewise.catalog.names import file_names


def names_of(**uris: str) -> dict[str, str]:
    return dict(file_names(pl.DataFrame({"video_id": list(uris), "uri": list(uris.values())})).iter_rows())


def test_a_video_is_told_by_its_file_with_and_without_its_ending_and_by_where_it_lies() -> None:
    assert names_of(a="clips/bird.v2.mp4", b="s3://bucket/cat") == {
        "clips/bird.v2.mp4": "a",
        "bird.v2.mp4": "a",
        "bird.v2": "a",
        "s3://bucket/cat": "b",
        "cat": "b",
    }


def test_a_name_that_two_videos_have_tells_neither() -> None:
    assert names_of(a="one/bird.mp4", b="two/bird.mkv") == {
        "one/bird.mp4": "a",
        "bird.mp4": "a",
        "two/bird.mkv": "b",
        "bird.mkv": "b",
    }


def test_an_id_goes_before_a_name() -> None:
    assert "bird" not in names_of(a="bird.mp4", bird="other.mp4")
