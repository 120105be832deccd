"""The demo as the README has it run, whole: what it prints is what stands there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks
from tests.docs.shell import PROGRAM, Line
from tests.docs.slow.shells import PROGRAMS, give, with_programs
from tests.docs.test_other_programs import MADE, text_of

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("make") is None, reason="needs make")]

DEMOS = [line for line in MADE if line.words[1] == "demo"]
WIDTH = "81"
"""Columns of the window that the README shows."""
NUMBER = r"\d+\.\d+"
NDCG = rf"({NUMBER})"
INTERVAL = rf"({NUMBER}) to ({NUMBER})"


def made(line: Line, folder: Path) -> str:
    """What a recipe prints, in a folder with the Makefile alone and without setting up what is set up."""
    shutil.copy(ROOT / "Makefile", folder)
    return give([*line.words, "--silent", "-o", "setup", f"BIN={PROGRAMS}"], folder, with_programs(COLUMNS=WIDTH))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def printed(folder: Path) -> list[str]:
    """The lines of ``make demo``, which gives ``swipewise demo demo``."""
    (line,) = (line for line in DEMOS if len(line.words) == 2)
    return [" ".join(line.split()) for line in made(line, folder).splitlines()]


@pytest.fixture(scope="module")
def shown() -> list[str]:
    """The lines that the README shows of it."""
    (block,) = (block for block in blocks("") if block.page == "README.md" and "All viewers" in block.text)
    return [" ".join(line.split()) for line in block.text.splitlines()]


def test_it_prints_the_lines_of_the_readme(printed: list[str], shown: list[str]) -> None:
    """In their order and with other figures, if any; what the README leaves out may stand where it has an ellipsis."""
    said = iter(without_figures(printed))
    for line in without_figures(shown):
        assert line in {"…", ""} or line in said, f"{line!r} is not printed, or not there"


def without_figures(lines: list[str]) -> list[str]:
    return [re.sub(r"<?\d+(\.\d+)?", "#", line) for line in lines]


def test_its_figures_are_within_the_intervals_of_the_readme(printed: list[str], shown: list[str]) -> None:
    row = re.compile(rf"^(.*?) {NDCG} {INTERVAL} ")
    documented = {told[1]: told for told in map(row.match, shown) if told}
    measured = {told[1]: told for told in map(row.match, printed) if told}
    assert len(documented) == 5
    for name, told in documented.items():
        assert float(told[3]) <= float(measured[name][2]) <= float(told[4]), name


def test_it_leaves_what_the_readme_points_to(printed: list[str], folder: Path) -> None:
    (place,) = re.findall(r"`(\w+/report/index\.html)`", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert "Oracle" in (folder / place).read_text(encoding="utf-8")
    assert len(list((folder / "demo" / "world").rglob("*.mp4"))) == 1000


@pytest.mark.parametrize("line", [line for line in DEMOS if len(line.words) > 2], ids=text_of)
def test_a_smaller_one_lies_where_it_is_told(line: Line, tmp_path: Path) -> None:
    (place,) = (word.partition("=")[2] for word in line.words if word.startswith("DEMO="))
    made(line, tmp_path)
    told = give([PROGRAM, "feed", "viewer00000", "-w", place], tmp_path, with_programs())
    assert "feed of viewer00000" in told
