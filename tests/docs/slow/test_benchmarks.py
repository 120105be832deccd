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

import numpy as np
import pytest
import torch

from benchmarks.peers.exchange import write_exchange
from tests.docs.pages import ROOT
from tests.docs.shell import Line
from tests.docs.slow.shells import give, with_programs
from tests.docs.test_other_programs import MEASURED, text_of
from tests.training.hand_made import dataset_of

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


@pytest.mark.benchmark
def test_an_outside_implementation_ranks_an_exchange_folder(tmp_path: Path) -> None:
    """One of those that ``python -m benchmarks.peers`` runs, in an environment with its packages."""
    rng = np.random.default_rng(0)
    viewers, videos, shown = 60, 40, 12
    # Everybody is shown other videos, one a moment, and likes half of them.
    rows = [
        (viewer, int(video), moment, bool(rng.random() < 0.5))
        for viewer in range(viewers)
        for moment, video in enumerate(rng.choice(videos, shown, replace=False))
    ]
    dataset = dataset_of(rows, viewers=viewers, uploaded=[0] * videos)
    write_exchange(tmp_path, dataset, name="tiny", validation_from=shown // 3, test_from=shown // 2)
    words = ["python", "-m", "benchmarks.peers", str(tmp_path), "itemknn"]
    asked = dataset.between(shown // 2, shown).interactions
    liked = len(np.unique(asked.viewer_I[asked.positive_I]))
    assert f"itemknn  NDCG@10 of {liked} viewers  0." in give(words, ROOT, with_programs())


@pytest.mark.slow
def test_all_benchmarks_end_with_one_page_of_their_figures(tmp_path: Path) -> None:
    words = ["make", "-o", "setup", "bench", "BENCHMARKS=guard", "FLAGS=--quick", f"BENCH={tmp_path}"]
    assert f"all figures are in {tmp_path}/figures.md" in give(words, ROOT, with_programs())
    page = (tmp_path / "figures.md").read_text(encoding="utf-8")
    told = json.loads((tmp_path / "guard.json").read_text(encoding="utf-8"))
    assert "## guard, run small" in page
    for figure in told["figures"]:
        assert f"| {figure['figure']} | " in page


@pytest.mark.slow
def test_what_is_said_of_lines_is_said_of_lines_that_there_are() -> None:
    texts = [_of(line) for line in MEASURED]
    assert not {*SHORT, *WITHOUT_FIGURES} - {*texts}
    assert not {*REAL} - {text.split()[0] for text in texts}
