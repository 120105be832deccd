"""``swipewise simulate``; what it writes is held by tests/simulate/test_platform.py."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from swipewise.cli import cli
from swipewise.errors import InputFileError
from swipewise.simulate.platform import Written
from swipewise.simulate.truth import Truth
from swipewise.simulate.world import WorldConfig


def simulate(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["simulate", *map(str, arguments)])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[WorldConfig]:
    """The worlds that were asked for; none is written."""
    worlds: list[WorldConfig] = []

    def write(directory: Path, config: WorldConfig, **_: Any) -> Written:
        worlds.append(config)
        return Written(directory=directory, videos=1000, viewers=2000, exposures=12345, events=67890)

    monkeypatch.setattr("swipewise.simulate.platform.write_world", write)
    return worlds


def test_a_world_is_written_where_it_was_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    result = simulate(folder, "--videos", 10, "--viewers", 5, "--days", 3, "--seed", 4, "--json")
    assert result.exit_code == 0
    summary = json.loads(result.stdout)
    assert result.stderr == ""
    assert summary.pop("events") > summary.pop("exposures") > 0
    assert summary == {"directory": str(folder), "videos": 10, "viewers": 5}
    assert Truth.load(folder).world.config == WorldConfig(videos=10, viewers=5, days=3, seed=4)
    assert len(list((folder / "clips").glob("*.mp4"))) == 10


def test_the_summary_counts_and_names_the_next_command(tmp_path: Path, asked: list[WorldConfig]) -> None:
    counted, after = simulate(tmp_path / "w").stdout.splitlines()
    assert counted == (
        f"wrote 1,000 clips and 12,345 exposures of 2,000 viewers (67,890 events) to {tmp_path / 'w'}"
    )
    assert after == f"next: swipewise init shop && swipewise videos add {tmp_path / 'w' / 'videos.jsonl'} -w shop"


def test_the_defaults_that_help_tells_are_those_of_a_world(tmp_path: Path, asked: list[WorldConfig]) -> None:
    simulate(tmp_path / "w")
    assert asked == [WorldConfig()]
    told = re.findall(r"--(\w+) INTEGER RANGE [^\[]*\[default: (\d+)", simulate("--help").stdout)
    assert told == [(name, str(getattr(asked[0], name))) for name in ("videos", "viewers", "days", "seed")]


@pytest.mark.parametrize(
    ("option", "value"), [("--videos", 9), ("--viewers", 1), ("--days", 1), ("--seed", -1), ("--videos", "many")]
)
def test_sizes_have_bounds(tmp_path: Path, option: str, value: object, asked: list[WorldConfig]) -> None:
    result = simulate(tmp_path / "w", option, value)
    assert result.exit_code == 2
    assert option in result.stderr
    assert asked == []


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    result = simulate(tmp_path)
    assert isinstance(result.exception, InputFileError)
    assert "holds 'notes.txt', no part of a world" in str(result.exception)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    result = simulate(tmp_path / "file")
    assert result.exit_code == 2
    assert "is a file" in result.stderr
