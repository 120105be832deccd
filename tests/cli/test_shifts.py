"""``swipewise behavior shifts`` lists whose interest shifted, when, and from what to what."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from swipewise.behavior.log import BehaviorLog
from swipewise.behavior.shifts import Shift, ShiftDetector
from swipewise.catalog import Catalog
from swipewise.cli import cli
from swipewise.errors import DataError, UnknownIdError
from swipewise.events import EventLog
from swipewise.schema import Action, Event, Video
from swipewise.workspace import Workspace

DAY = 86_400_000
CAPTIONS = {"a": "bread rising #baking", "b": "my bread at last", "c": "goal! what a goal", "d": "that goal again"}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Four videos that ann and bob watched."""
    made = Workspace.create(tmp_path / "shop")
    videos = [
        Video(video_id=name, uri=f"{name}.mp4", content_hash=name, caption=caption, duration_seconds=10.0)
        for name, caption in CAPTIONS.items()
    ]
    Catalog(made.catalog_dir).upsert(videos, {})
    now = datetime(2025, 1, 1, tzinfo=UTC)
    with EventLog.open(made.events_dir) as log:
        log.append(
            [
                Event(
                    event_id=f"{viewer}{name}",
                    viewer_id=viewer,
                    video_id=name,
                    action=Action.VIEW,
                    at=now,
                    watch_seconds=5.0,
                )
                for viewer in ("ann", "bob")
                for name in CAPTIONS
            ]
        )
    return made


@pytest.fixture
def shifts(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Two shifts that the detector is made to find, and the odds it was asked for."""
    asked: list[float] = []

    def detect(self: ShiftDetector, log: BehaviorLog) -> list[Shift]:
        assert log.watch_ratio_I.tolist() == np.full(8, 0.5).tolist()
        asked.append(self.settings.odds)
        common = {"noticed_at": 3 * DAY, "odds": 12.345}
        return [
            Shift(viewer=0, at=DAY, opened=0, place=30, modality="text", left=(0, 1), joined=(2, 3), **common),
            Shift(viewer=1, at=2 * DAY, opened=0, place=7, modality="audio", left=(2, 0), joined=(), **common),
        ]

    monkeypatch.setattr(ShiftDetector, "detect", detect)
    return asked


def invoke(workspace: Workspace, *arguments: str) -> Result:
    return CliRunner().invoke(
        cli, ["behavior", "shifts", *arguments, "--workspace", str(workspace.root)], catch_exceptions=False
    )


def test_captions_are_named_by_words_and_sounds_by_videos(workspace: Workspace, shifts: list[float]) -> None:
    assert invoke(workspace).stdout.splitlines() == [
        "bob  1970-01-03 00:00  audio: like c a -> like nothing else  (92% sure, noticed at interaction 7)",
        "ann  1970-01-02 00:00  text: bread -> goal  (92% sure, noticed at interaction 30)",
        "2 shifts of 2 viewers found",
    ]


def test_json(workspace: Workspace, shifts: list[float]) -> None:
    latest, first = json.loads(invoke(workspace, "--json").stdout)
    assert latest["viewer_id"] == "bob"
    assert first == {
        "viewer_id": "ann",
        "at": "1970-01-02T00:00:00+00:00",
        "noticed_at": "1970-01-04T00:00:00+00:00",
        "interactions": 30,
        "odds": 12.3,
        "modality": "text",
        "from": {"words": ["bread"], "videos": ["a", "b"]},
        "to": {"words": ["goal"], "videos": ["c", "d"]},
    }


def test_one_viewer(workspace: Workspace, shifts: list[float]) -> None:
    lines = invoke(workspace, "--viewer", "ann").stdout.splitlines()
    assert lines[0].startswith("ann ")
    assert lines[1:] == ["1 shift of 1 viewer found"]
    with pytest.raises(UnknownIdError, match="no viewer 'eve' has a profile or has done anything"):
        invoke(workspace, "--viewer", "eve")


def test_a_limit_says_how_many_are_left_out(workspace: Workspace, shifts: list[float]) -> None:
    lines = invoke(workspace, "--limit", "1").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["bob", "2", "and"]
    assert lines[-1] == "and 1 more: --limit 0 shows all"
    assert len(json.loads(invoke(workspace, "--limit", "0", "--json").stdout)) == 2


def test_odds_reach_the_detector(workspace: Workspace, shifts: list[float]) -> None:
    invoke(workspace, "--odds", "40")
    assert shifts == [40.0]
    assert invoke(workspace, "--odds", "0").exit_code == 2


def test_too_little_behaviour(workspace: Workspace) -> None:
    with pytest.raises(DataError, match="8 interactions are too few to tell shifts of interest from chance"):
        invoke(workspace)
