"""``swipewise behavior``: tables to read, JSON and files, of a log whose counts are known."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from swipewise.catalog import Catalog
from swipewise.cli import cli
from swipewise.errors import DataError, StoreError, UnknownIdError
from swipewise.events import EventLog, compact
from swipewise.schema import Action, Event, Video
from swipewise.workspace import Workspace

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def empty(tmp_path: Path) -> Workspace:
    made = Workspace.create(tmp_path / "shop")
    videos = [
        Video(
            video_id=name,
            uri=f"{name}.mp4",
            content_hash=name,
            duration_seconds=10.0,
            uploaded_at=NOON - timedelta(hours=2),
        )
        for name in "abc"
    ]
    Catalog(made.catalog_dir).upsert(videos, {})
    return made


@pytest.fixture
def shop(empty: Workspace) -> Workspace:
    """Ann and bob on Monday, ann again on Tuesday; Monday is in the history, Tuesday in the live log."""
    shown = [
        ("ann", "a", NOON, 10.0),
        ("bob", "a", NOON + timedelta(minutes=5), 4.0),
        ("ann", "b", NOON + DAY, 1.0),
    ]
    events = []
    for number, (viewer, video, at, watched) in enumerate(shown):
        what = [("exposure", None), ("view", watched), *([("like", None)] if viewer == "ann" else [])]
        events += [
            Event(
                event_id=f"{number}{action}",
                viewer_id=viewer,
                video_id=video,
                action=Action(action),
                at=at + timedelta(seconds=place),
                watch_seconds=seconds,
            )
            for place, (action, seconds) in enumerate(what)
        ]
    with EventLog.open(empty.events_dir) as log:
        log.append(events)
    compact(empty, now=NOON + DAY)
    return empty


def invoke(workspace: Workspace, *arguments: str) -> Result:
    return CliRunner().invoke(
        cli, ["behavior", *arguments, "--workspace", str(workspace.root)], catch_exceptions=False
    )


def rows(workspace: Workspace, *arguments: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(invoke(workspace, *arguments, "--json").stdout)
    return found


def test_funnel(shop: Workspace) -> None:
    lines = invoke(shop, "funnel").stdout.splitlines()
    assert lines[0].split() == ["step", "interactions", "share"]
    assert lines[1].split() == ["exposure", "3", "100.0%"]
    assert lines[4].split() == ["like", "2", "66.7%"]
    assert lines[-1] == "3 exposures: 100.0% viewed, 0.0% finished, 66.7% liked, 0.0% shared, 0.0% followed"
    by_day = rows(shop, "funnel", "--every", "day")
    assert [(row["day"], row["exposure"], row["like"]) for row in by_day] == [
        ("2026-03-02", 2, 1),
        ("2026-03-03", 1, 1),
    ]


def test_activity(shop: Workspace) -> None:
    lines = invoke(shop, "activity").stdout.splitlines()
    assert lines[1].split()[:5] == ["2026-03-02", "00:00", "5", "2", "2"]
    assert lines[-1] == ("8 events from 2026-03-02 00:00 on, 4.0 a day; most, 5, in the day of 2026-03-02 00:00")
    minutes = rows(shop, "activity", "--every", "minute", "--last", "1h")
    assert [(row["at"], row["events"]) for row in minutes] == [("2026-03-03T12:00:00+00:00", 3)]
    assert len(rows(shop, "activity", "--every", "hour")) == 25
    shown = invoke(shop, "activity", "--every", "hour", "--limit", "2").stdout.splitlines()
    assert [line[:16] for line in shown[1:3]] == ["2026-03-03 11:00", "2026-03-03 12:00"]
    assert "is no length of time: write 30m" in invoke(shop, "activity", "--last", "soon").stderr


def test_retention(shop: Workspace) -> None:
    lines = invoke(shop, "retention").stdout.splitlines()
    assert lines[0].split() == ["cohort", "size", "0", "1"]
    assert lines[1].split() == ["2026-03-02", "2", "100.0%", "50.0%"]
    assert lines[-1] == "2 viewers in 1 cohort, 50.0% of those who could came again a day later (classic)"
    assert [row["active"] for row in rows(shop, "retention", "--every", "week")] == [2]


def test_watching(shop: Workspace) -> None:
    lines = invoke(shop, "watching").stdout.splitlines()
    assert lines[11].split() == ["50.0%", "1", "33.3%"]
    assert lines[-1] == "all videos watched 3 times: 33.3% to the middle, 33.3% to the end"
    one = rows(shop, "watching", "--video", "a")
    assert [row["watchers"] for row in one] == [2] * 9 + [1] * 12
    Catalog(shop.catalog_dir).delete(list("abc"))
    with pytest.raises(DataError, match="nothing is known of how far anybody watched a"):
        invoke(shop, "watching", "--video", "a")


def test_audience(shop: Workspace) -> None:
    lines = invoke(shop, "audience", "a").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["ann", "bob"]
    assert lines[-1] == (
        "2 viewers met a 2 times, half of them to 70% of it or further, first shown 2.0 hours after its upload"
    )
    assert [row["like"] for row in rows(shop, "audience", "a")] == [True, False]
    with pytest.raises(DataError, match="nobody has met 'c' yet"):
        invoke(shop, "audience", "c")
    with pytest.raises(UnknownIdError, match="no video 'z'"):
        invoke(shop, "audience", "z")


def test_files(shop: Workspace, tmp_path: Path) -> None:
    for name, read in (("f.csv", pl.read_csv), ("f.parquet", pl.read_parquet)):
        result = invoke(shop, "retention", "-o", str(tmp_path / name))
        assert result.stdout.splitlines()[-1] == f"wrote 2 rows to {tmp_path / name}"
        assert read(tmp_path / name)["active"].to_list() == [2, 1]
    assert "says no format: name it .csv or .parquet" in invoke(shop, "funnel", "-o", "f.xlsx").stderr
    with pytest.raises(StoreError, match="cannot write"):
        invoke(shop, "funnel", "-o", str(tmp_path / "none" / "f.csv"))


@pytest.mark.parametrize("name", ["activity", "funnel", "retention", "watching"])
def test_an_empty_log_says_what_to_do(empty: Workspace, name: str) -> None:
    with pytest.raises(
        DataError, match=r"nobody has done anything in .* yet: bring a log with 'swipewise events import"
    ):
        invoke(empty, name)


def test_shifts_have_moved_here_and_go_by_their_old_name_too(empty: Workspace) -> None:
    for words in (["behavior", "shifts"], ["shifts"]):
        assert "--odds" in CliRunner().invoke(cli, [*words, "--help"]).stdout
    assert "shifts " not in CliRunner().invoke(cli, ["--help"]).stdout.partition("Commands:")[2].replace(
        "audiences, shifts.", ""
    )
