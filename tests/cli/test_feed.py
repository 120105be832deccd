"""``swipewise feed`` prints a feed and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from swipewise.catalog import Catalog
from swipewise.cli import cli
from swipewise.cli.feed import _told
from swipewise.events import EventLog
from swipewise.schema import Action, Event, Video
from swipewise.workspace import Workspace
from tests.feed.conftest import runs as runs
from tests.feed.conftest import workspace as workspace


def invoke(workspace: Workspace, *arguments: str) -> Result:
    return CliRunner().invoke(
        cli, ["feed", *arguments, "--workspace", str(workspace.root)], catch_exceptions=False
    )


def ann_likes(workspace: Workspace, *videos: str) -> None:
    with EventLog.open(workspace.events_dir) as log:
        log.append(
            [
                Event(event_id=v, viewer_id="ann", video_id=v, action=Action.LIKE, at=datetime.now(UTC))
                for v in videos
            ]
        )


def test_the_table_says_what_and_why(workspace: Workspace, runs: Callable[[str, str], None]) -> None:
    runs("r1", "sound")
    ann_likes(workspace, "a")
    result = invoke(workspace, "ann", "--size", "2")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].strip() == "feed of ann (level: model)"
    first = next(line for line in lines if "the b video" in line)
    assert first.strip("│ ").split()[0] == "1"
    assert "interest" in first
    assert "visual 75%, text 25%; similar to a (0.80)" in first
    assert lines[-1].startswith("2 of 4 candidates, 1 seen, 1 outranked; ")
    assert result.stderr == ""


def test_without_a_model_the_note_says_so(workspace: Workspace) -> None:
    result = invoke(workspace, "ann")
    assert "feed of ann (level: popular)" in result.stdout
    assert result.stderr == f"note: no model yet: fit one with 'swipewise train -w {workspace.root}'\n"


def test_json_holds_everything(workspace: Workspace, runs: Callable[[str, str], None]) -> None:
    runs("r1", "sound")
    ann_likes(workspace, "a")
    feed = json.loads(invoke(workspace, "ann", "--json", "--size", "1").stdout)
    assert (feed["viewer_id"], feed["level"]) == ("ann", "model")
    (best,) = feed["recommendations"]
    assert best["video_id"] == "b"
    assert best["evidence"][0]["video_id"] == "a"
    assert {"video_id": "a", "source": "popular", "reason": "seen"} in feed["dropped"]
    assert feed["trace"][0]["stage"] == "read the history"


def test_captions_are_shortened_and_never_taken_for_markup(workspace: Workspace) -> None:
    caption = "[red]not\nmarkup[/red] " + "long " * 20
    videos = [Video(video_id="m", uri="m.mp4", content_hash="m", caption=caption)]
    Catalog(workspace.catalog_dir).upsert(videos, {})
    text = invoke(workspace, "ann").stdout
    assert "[red]not markup[/red] long" in " ".join(text.split())
    assert text.count("long") < 10


def test_a_video_without_a_caption_is_told_by_its_file(workspace: Workspace) -> None:
    of_content = "0123456789abcdef"
    made = [
        Video(
            video_id=of_content,
            uri="clips/bird.mp4",
            content_hash=f"{of_content}0000",
            uploaded_at=datetime.now(UTC),
        ),
        Video(video_id="own", uri="clips/cat.mp4", content_hash="other"),
    ]
    Catalog(workspace.catalog_dir).upsert(made, {})
    assert f"{of_content}  bird.mp4" in invoke(workspace, "ann").stdout
    told = _told(workspace)
    assert [told[name] for name in (of_content, "own", "a")] == [
        ("bird.mp4", "bird.mp4"),
        (None, "own"),
        ("the a video", "a"),
    ]


def test_everything_was_seen(workspace: Workspace) -> None:
    ann_likes(workspace, *"abcd")
    assert invoke(workspace, "ann").stdout.startswith("nothing left to show, 4 seen")


def test_an_empty_catalogue(tmp_path: Path) -> None:
    empty = Workspace.create(tmp_path / "empty")
    assert "nothing to show: the catalogue is empty, add videos with" in invoke(empty, "ann").stdout


@pytest.mark.parametrize("size", ["0", "1001"])
def test_size_has_bounds(workspace: Workspace, size: str) -> None:
    result = invoke(workspace, "ann", "--size", size)
    assert result.exit_code == 2
    assert "1<=x<=1000" in result.stderr


def test_a_context_bounds_it_and_a_request_is_drawn_again(workspace: Workspace) -> None:
    toml = workspace.root / "swipewise.toml"
    rule = '[[feed.rules]]\nreason = "not on air"\nblock = { videos = "d" }\nwhen = { device = "tv" }\n'
    toml.write_text(f"[feed]\nexplore = 0.5\n{rule}")
    bound = Video(video_id="e", uri="e", content_hash="e", regions=("us",), language="en")
    Catalog(workspace.catalog_dir).upsert([bound], {})

    def shown(*arguments: str) -> list[str]:
        feed = json.loads(invoke(workspace, "ann", "--json", "--request-id", "r1", *arguments).stdout)
        assert feed["request_id"] == "r1"
        return [each["video_id"] for each in feed["recommendations"]]

    assert shown() == shown()
    assert sorted(shown()) == ["a", "b", "c", "d"]
    assert sorted(shown("--region", "us", "--language", "en")) == ["a", "b", "c", "d", "e"]
    assert sorted(shown("--context", "device=TV")) == ["a", "b", "c"]
    assert "drawn with a probability of 0." in invoke(workspace, "ann").stdout
    wrong = CliRunner().invoke(cli, ["feed", "ann", "--context", "tv", "-w", str(workspace.root)])
    assert wrong.exit_code == 2
    assert "'tv' is not NAME=VALUE, such as device=tv" in wrong.stderr
