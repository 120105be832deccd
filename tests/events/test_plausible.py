"""Logs that say what cannot be are refused before anything of them is stored."""

from __future__ import annotations

import polars as pl
import pytest

from swipewise.errors import InputFileError
from swipewise.events import import_events, read_events
from swipewise.workspace import Workspace

LENGTHS = pl.DataFrame({"video_id": ["v1", "v2", "v3", "1"], "duration_seconds": [2.0, 0.04, None, 2.0]})


def bring(workspace: Workspace, lines: list[str], column: str = "watched") -> int:
    path = workspace.root / "log.csv"
    path.write_text("\n".join([f"viewer_id,video_id,at,{column}", *lines]) + "\n")
    return import_events(
        workspace,
        [path],
        mapping={"watch_seconds": column},
        known_videos=LENGTHS["video_id"].to_list(),
        lengths=LENGTHS,
    ).added


def views(*watched: float, video: str = "v1") -> list[str]:
    return [f"u{number},{video},2026-01-01,{seconds}" for number, seconds in enumerate(watched)]


def test_milliseconds_in_place_of_seconds(workspace: Workspace) -> None:
    with pytest.raises(InputFileError) as refused:
        bring(workspace, views(*[1900] * 20))
    assert str(refused.value) == (
        f"{workspace.root / 'log.csv'}: column 'watched' says that 'v1', a clip of 2 s, was watched for 1900 s, and "
        "the like in most rows: if it holds milliseconds, name it watched_ms in the file and add "
        "--map watch_seconds=watched_ms"
    )
    assert read_events(workspace.events_dir).collect().is_empty()
    assert bring(workspace, views(*[1900] * 20), "watched_ms") == 40


@pytest.mark.parametrize(
    "lines",
    [
        views(*[1900] * 19),
        views(*[199] * 20),
        views(*[1900] * 20, *[1] * 20),
        views(*[90] * 20, video="v2"),
        views(*[1900] * 20, video="v3"),
        views(*[1900] * 20, video="elsewhere"),
    ],
    ids=["too few", "a loop", "half of them", "a still", "of unknown length", "of another catalogue"],
)
def test_seconds_that_may_be_are_taken(workspace: Workspace, lines: list[str]) -> None:
    assert bring(workspace, lines) == 2 * len(lines)


def test_viewers_and_videos_in_each_others_column(workspace: Workspace) -> None:
    with pytest.raises(
        InputFileError, match=r"column 'viewer_id' holds videos of the catalogue, such as 'v1', and "
    ):
        bring(workspace, ["v2,ann,2026-01-01,1", "v1,bob,2026-01-01,1", "v9,bob,2026-01-02,1"])
    assert read_events(workspace.events_dir).collect().is_empty()


@pytest.mark.parametrize(
    "lines",
    [
        ["v2,ann,2026-01-01,1", "v1,v3,2026-01-01,1"],
        ["v2,ann,2026-01-01,1", "bob,v7,2026-01-01,1"],
        ["ann,v7,2026-01-01,1"],
        ["1,1001,2026-01-01,1"],
    ],
    ids=["a video that is known", "half of the viewers", "viewers who are none", "numbers"],
)
def test_names_that_may_be_are_taken(workspace: Workspace, lines: list[str]) -> None:
    assert bring(workspace, lines) == 2 * len(lines)


def test_viewers_who_have_the_names_of_files(workspace: Workspace) -> None:
    path = workspace.root / "log.csv"
    path.write_text("viewer_id,video_id,at,like\nbird.mp4,ann,2026-01-01,1\nflower,bob,2026-01-01,1\n")
    names = pl.DataFrame({"name": ["bird.mp4", "bird", "flower"], "video_id": ["v1", "v1", "v2"]})
    with pytest.raises(
        InputFileError, match=r"'viewer_id' holds videos of the catalogue, such as 'bird\.mp4', and"
    ):
        import_events(workspace, [path], mapping={}, known_videos=["v1", "v2"], file_names=lambda: names)
    assert read_events(workspace.events_dir).collect().is_empty()
