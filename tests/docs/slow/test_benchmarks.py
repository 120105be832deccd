"""Every benchmark that a page names runs small, by the line of the page.

Those that are done within seconds run with the other slow command lines, all others by `make test-benchmarks`, which
takes an hour.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest
import torch

from tests.docs.pages import ROOT
from tests.docs.shell import Line
from tests.docs.slow.shells import with_programs
from tests.docs.test_other_programs import MEASURED, text_of

SHORT = ("guard.py", "pipeline.py --only cost", "sequences.py")
"""Lines of ``benchmarks/`` that with --quick take less than twenty seconds."""

WITHOUT_FIGURES = ("train.py --only quality",)
"""Lines that have nothing to measure unless they are told more, which the page that names them says."""

REAL = {"corpus.py": "clips", "kuairand.py": "kuairand"}
"""Benchmarks of real clips and logs, and the folder of them in ``DATA``."""

DATA = Path(os.environ.get("SWIPEWISE_DATA", ROOT.parent / "shared" / "data"))


def _of(line: Line) -> str:
    return text_of(line).removeprefix("python benchmarks/")


def _lacking(line: Line) -> str | None:
    """What is said to mend where what a line measures is not on this machine; None where it is."""
    if "cuda" in line.words and not torch.cuda.is_available():
        return "torch finds no GPU here: leave --device cuda out"
    folder = REAL.get(_of(line).split()[0])
    return None if folder is None or (DATA / folder).is_dir() else "set SWIPEWISE_DATA to the folder that holds"


def _marked(line: Line) -> object:
    mark = pytest.mark.slow if _of(line) in SHORT or _lacking(line) else pytest.mark.benchmark
    return pytest.param(line, id=text_of(line), marks=mark)


@pytest.mark.parametrize("line", [_marked(line) for line in MEASURED])
def test_a_benchmark_measures(line: Line, tmp_path: Path) -> None:
    """It comes to its end with figures; whether they meet their bars is nothing that a small run can tell.

    Where what it measures is not on this machine, it says so and what to do.
    """
    words = [*line.words, "--quick", "--json", str(tmp_path / "figures.json")]
    way_out = _lacking(line)
    # What an earlier run made of data that are gone is kept at home.
    home = {} if way_out is None else {"HOME": str(tmp_path)}
    done = subprocess.run(
        ["bash", "-c", shlex.join(words)],
        cwd=ROOT,
        env=with_programs(SWIPEWISE_DATA=str(DATA), **home),
        capture_output=True,
        text=True,
        check=False,
    )
    if way_out is not None:
        assert (done.returncode, way_out in done.stderr, "Traceback" in done.stderr) == (1, True, False), (
            done.stderr
        )
        return
    assert done.returncode in (0, 1), done.stdout + done.stderr
    told = json.loads((tmp_path / "figures.json").read_text())
    assert told["quick"] is True
    assert bool(told["figures"]) is (_of(line) not in WITHOUT_FIGURES), done.stdout + done.stderr
    for figure in told["figures"]:
        assert figure["figure"] in done.stdout


@pytest.mark.slow
def test_what_is_said_of_lines_is_said_of_lines_that_there_are() -> None:
    texts = [_of(line) for line in MEASURED]
    assert not {*SHORT, *WITHOUT_FIGURES} - {*texts}
    assert not {*REAL} - {text.split()[0] for text in texts}
