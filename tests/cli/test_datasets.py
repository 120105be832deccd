from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from swipewise.cli import cli
from swipewise.datasets.layouts import LAYOUTS
from swipewise.errors import WorkspaceError
from tests.datasets.folders import array, kuairand, log_row, write
from tests.test_imports import HEAVY, loaded_after


def datasets(*arguments: object) -> Result:
    result = CliRunner().invoke(cli, ["datasets", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_conversion_says_what_it_made_and_what_it_left_out(tmp_path: Path) -> None:
    source = kuairand(tmp_path / "kuai", log_row(flags="1000001"), log_row(play=10**9))
    result = datasets("kuairand", source, tmp_path / "shop")
    first, *lines = result.stdout.splitlines()
    assert first.startswith(f"made {tmp_path / 'shop'} in ")
    assert [" ".join(line.split()) for line in lines[:3]] == [
        "videos 3",
        "viewers 3 (2 with a profile)",
        "interactions 4 (1 positive, 25.0%)",
    ]
    assert "taken: data/user_features_pure.csv as viewers' profiles" in lines
    assert "left out: 1 watch times of more than a day" in lines
    assert any(line.startswith("note: data/video_features_statistic_pure.csv was left out") for line in lines)
    assert (
        lines[-1] == f"next: swipewise train -w {tmp_path / 'shop'} && swipewise evaluate -w {tmp_path / 'shop'}"
    )
    assert result.stderr == ""


def test_a_conversion_as_json(tmp_path: Path) -> None:
    write(tmp_path / "baby/baby.inter", "userID\titemID", "0\t1", "0\t0")
    array(tmp_path / "baby/image_feat.npy", [[1.0, 0.0], [0.0, 1.0]])
    summary = json.loads(datasets("mmrec", tmp_path / "baby", tmp_path / "shop", "--json").stdout)
    assert summary.pop("seconds") > 0
    assert len(summary.pop("notes")) == 2
    assert summary == {
        "workspace": str(tmp_path / "shop"),
        "videos": 2,
        "viewers": 1,
        "profiles": 0,
        "interactions": 2,
        "positives": 2,
        "vectors": {"visual": 2},
        "files": {"baby.inter": "interactions", "image_feat.npy": "visual vectors"},
        "left_out": {},
    }
    again = CliRunner().invoke(cli, ["datasets", "mmrec", str(tmp_path / "baby"), str(tmp_path / "shop")])
    assert isinstance(again.exception, WorkspaceError)


def test_the_list_names_every_layout_and_its_files() -> None:
    text = datasets("list").stdout
    listed = json.loads(datasets("list", "--json").stdout)
    assert [layout["name"] for layout in listed] == list(LAYOUTS)
    for layout in LAYOUTS.values():
        assert f"{layout.name:<10} {layout.title}" in text
        assert all(file in text for file, _ in layout.files)


@pytest.mark.parametrize("name", list(LAYOUTS))
def test_help_tells_every_file_and_column_and_has_examples(name: str) -> None:
    told = " ".join(datasets(name, "--help").stdout.split())
    for file, what in LAYOUTS[name].files:
        assert f"{file}: {what}" in told
    assert all(note in told for note in LAYOUTS[name].notes)
    assert f"swipewise datasets {name} data shop --json" in told


def test_help_loads_nothing_heavy() -> None:
    code = "from swipewise.cli import cli; cli(['datasets', 'kuairand', '--help'], standalone_mode=False)"
    assert not loaded_after(code) & HEAVY
