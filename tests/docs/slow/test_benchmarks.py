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

REAL = ("corpus.py", "kuairand.py")
"""Benchmarks of real clips and logs, which lie where ``SWIPEWISE_DATA`` points."""


def _of(line: Line) -> str:
    return text_of(line).removeprefix("python benchmarks/")


def _is_possible(line: Line) -> bool:
    here = Path(os.environ.get("SWIPEWISE_DATA", ROOT.parent / "shared" / "data")).exists()
    return (torch.cuda.is_available() or "cuda" not in line.words) and (here or not _of(line).startswith(REAL))


def _marked(line: Line) -> object:
    marks = [pytest.mark.slow if _of(line) in SHORT else pytest.mark.benchmark]
    if not _is_possible(line):
        marks.append(pytest.mark.skip(reason="needs a GPU, or real logs or clips"))
    return pytest.param(line, id=text_of(line), marks=marks)


@pytest.mark.parametrize("line", [_marked(line) for line in MEASURED])
def test_a_benchmark_measures(line: Line, tmp_path: Path) -> None:
    """It comes to its end with figures; whether they meet their bars is nothing that a small run can tell."""
    words = [*line.words, "--quick", "--json", str(tmp_path / "figures.json")]
    done = subprocess.run(
        ["bash", "-c", shlex.join(words)],
        cwd=ROOT,
        env=with_programs(),
        capture_output=True,
        text=True,
        check=False,
    )
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
