"""``swipewise demo``: the whole job once for real, then what an earlier run spares and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from swipewise.cli import cli, train
from swipewise.cli.demo import _shortened
from swipewise.errors import InputFileError, WorkspaceError
from swipewise.simulate import platform
from swipewise.simulate.truth import WORLD_NAME
from swipewise.workspace import Workspace


def demo(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["demo", "--quick", *map(str, arguments)])


class GotFurther(Exception):
    """Stands for what comes next."""


def steps(output: str) -> dict[str, str]:
    """What was printed under each title."""
    parts = re.split(r"^== (\d)\. .*\n", output, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_raw_clips_become_a_measured_feed_with_reasons(made_demo: tuple[Path, Result]) -> None:
    folder, result = made_demo
    assert result.exit_code == 0, result.output
    told = steps(result.stdout)
    assert list(told) == list("123456")
    assert re.match(r"120 clips, [\d,]+ exposures of 150 viewers\n", told["1"])
    assert told["2"].startswith("added 120, updated 0, unchanged 0, rejected 0 in ")
    assert re.match(r"added [\d,]+ events, 0 known already.*\nadded 150 profiles, 0 known already", told["3"])
    assert "videos, from visual, text, audio, attributes, id\n" in told["4"]
    for name in ("NDCG@10", "Swipewise", "ItemCF", "Popularity", "Oracle", "cold viewers", "cold videos"):
        assert name in told["5"]
    assert "feed of viewer00000 (level: model)" in told["6"]
    places = re.findall(r"^│ +(\d) │ clip\d{5}  .*│ +-?\d\.\d\d │ \w+ .*│ (.*)│$", told["6"], re.MULTILINE)
    assert [place for place, _ in places] == list("12345")
    assert all(re.match(r"\w+ \d+%", why) for _, why in places)
    assert f"open {folder}/report/index.html" in told["6"]
    assert f"swipewise serve -w {folder}" in told["6"]


def test_the_report_is_one_page_that_asks_for_nothing(made_demo: tuple[Path, Result]) -> None:
    page = (made_demo[0] / "report" / "index.html").read_text(encoding="utf-8")
    assert "Swipewise" in page
    assert "Oracle" in page
    assert not re.findall(r"<link|<script[^>]+src|@import|url\(\s*['\"]?https?:", page)
    sources = re.findall(r"\bsrc=[\"']?([^\"'\s>]+)", page)
    assert [source for source in sources if not source.startswith("data:")] == []


def test_the_workspace_it_leaves_serves_anybody(made_demo: tuple[Path, Result]) -> None:
    result = CliRunner().invoke(cli, ["feed", "somebody-new", "-w", str(made_demo[0])])
    assert result.exit_code == 0
    assert "feed of somebody-new" in result.stdout


def test_another_run_neither_renders_nor_encodes_nor_imports_again(
    made_demo: tuple[Path, Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("rendered again")

    def go_on(workspace: Workspace, *_: object, **__: object) -> None:
        raise GotFurther(workspace.root)

    folder, _ = made_demo
    events = len(list((folder / "events" / "history").rglob("*.parquet")))
    monkeypatch.setattr(platform, "write_world", refuse)
    # What comes after is what the first run did; others go by its model.
    monkeypatch.setattr(train, "train_with_progress", go_on)
    result = demo(folder)
    assert isinstance(result.exception, GotFurther), result.output
    told = steps(result.stdout)
    assert told["1"] == "kept from an earlier run: 120 clips, 150 viewers\n\n"
    assert told["2"].startswith("added 0, updated 0, unchanged 120, rejected 0 in ")
    assert re.match(r"added 0 events, [\d,]+ known already.*\nadded 0 profiles, 150 known already", told["3"])
    assert len(list((folder / "events" / "history").rglob("*.parquet"))) == events


@pytest.mark.parametrize(
    ("options", "made"), [(["--quick", "--seed", "1"], "seed 0"), ([], "videos 120, viewers 150")]
)
def test_an_earlier_run_with_other_options_is_not_taken_for_this_one(
    made_demo: tuple[Path, Result], options: list[str], made: str
) -> None:
    result = CliRunner().invoke(cli, ["demo", str(made_demo[0]), *options])
    assert isinstance(result.exception, WorkspaceError)
    assert f"world was made with other settings ({made}): give the options of the earlier" in str(result.exception)


def test_a_workspace_of_somebody_is_left_alone(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path)
    workspace.catalog_dir.mkdir()
    result = demo(tmp_path)
    assert isinstance(result.exception, WorkspaceError)
    assert "is a workspace with data of its own: choose another for the demo" in str(result.exception)
    assert not (tmp_path / "world").exists()


def test_a_demo_stopped_while_rendering_is_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(_directory: Path, *_: object, **__: object) -> None:
        (tmp_path / "world" / "clips").mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(platform, "write_world", stop)
    stopped = demo(tmp_path)
    assert (stopped.exit_code, stopped.stderr.strip()) == (1, "Aborted!")

    def go_on(directory: Path, *_: object, **__: object) -> None:
        raise GotFurther(directory)

    monkeypatch.setattr(platform, "write_world", go_on)
    again = demo(tmp_path)
    assert isinstance(again.exception, GotFurther)
    assert again.exception.args == (tmp_path / "world",)


def test_a_damaged_world_is_told_before_anything_is_taken_from_it(tmp_path: Path) -> None:
    Workspace.create(tmp_path)
    (tmp_path / "world").mkdir()
    (tmp_path / "world" / WORLD_NAME).write_text("{")
    result = demo(tmp_path)
    assert isinstance(result.exception, InputFileError)
    assert f"'swipewise simulate {tmp_path}/world'" in str(result.exception)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    result = demo(tmp_path / "file" / "demo")
    assert isinstance(result.exception, WorkspaceError)
    assert f"cannot make a workspace at {tmp_path}/file/demo: Not a directory" in str(result.exception)


def test_quick_shortens_the_training_of_the_same_workspace(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path)
    short = _shortened(workspace)
    assert short.config.training.epochs < workspace.config.training.epochs
    assert short.root == workspace.root
