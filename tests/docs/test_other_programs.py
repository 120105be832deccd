"""What pages name beside the commands of Swipewise: recipes of make and scripts run, and what cannot run says why."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.docs.shell import Line
from tests.docs.test_commands import OTHERS

RUN_ELSEWHERE = {
    r"^curl ": "test_commands.py, and slow/test_requests.py by curl itself",
    r"^make setup$|^pip install |^source ": "slow/test_installing.py",
    r"^python examples/": "tests/test_examples.py",
    r"^python benchmarks/load\.py ": "tests/benchmarks/test_load.py",
    r"^python docs/screenshots\.py ": "slow/test_screenshots.py",
    r"^torchrun ": "slow/test_clusters.py",
    r"^python -m benchmarks\.peers$": "slow/test_benchmarks.py",
    r"^(kill -HUP|systemctl reload)": "slow/test_services.py",
}
"""What runs the command lines that are not run here."""

NOT_RUN = {
    r"^(\.venv/bin/)?python -m pytest |^\.ci/run$": "these tests themselves",
}
"""What of a command line cannot be run at all, and what comes nearest to it."""

PATTERNS = (*RUN_ELSEWHERE, *NOT_RUN)

MADE = [line for line in OTHERS if line.words[0] == "make" and "setup" not in line.words]
MEASURED = [line for line in OTHERS if re.match(r"python benchmarks/(?!load\.py)", " ".join(line.words))]
LINES_OF_PYTHON = [line for line in OTHERS if line.words[:2] == ("python", "-c")]


def text_of(line: Line) -> str:
    return " ".join(line.words)


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("line", MADE, ids=text_of)
def test_a_recipe_of_make_runs(line: Line, tmp_path: Path) -> None:
    """With stand-ins for the programs that it calls, which say what they are asked."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in re.findall(r"\$\(BIN\)/([\w-]+)", (ROOT / "Makefile").read_text(encoding="utf-8")):
        (programs / name).write_text(f'#!/bin/sh\necho "{name} $*"\n', encoding="utf-8")
        (programs / name).chmod(0o755)
    # What is set up already is not set up anew.
    command = ["make", "--silent", "-o", "setup", *line.words[1:], f"BIN={programs}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    told = done.stdout + "".join(path.read_text() for path in tmp_path.glob("constraints.txt"))
    assert told.split()[0] in {path.name for path in programs.iterdir()} | {"benchmarks/world.py"}


def test_recipes_run_for_real_each_time_a_change_is_tested() -> None:
    """Above they run with stand-ins for what they call.

    The demo, the wheel and one of the benchmarks of ``make bench``, which takes hours, are made by tests/docs/slow, the
    constraints by tests/test_packaging.py. Slow tests run where there is time for them.
    """
    given = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    for target in ("lint", "docs", "test", "test-slow"):
        assert any(line.split()[:2] == ["make", target] for line in given), target
    assert any(".ci/check_dist.py --light" in line for line in given), "check-dist, without a server"


@pytest.mark.parametrize("line", MEASURED, ids=text_of)
def test_a_benchmark_takes_its_options(
    line: Line, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is loaded, and asked what it measures; slow/test_benchmarks.py runs it small."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    monkeypatch.setattr(sys, "argv", [*line.words[1:], "--help"])
    before = set(sys.modules)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / line.words[1]), run_name="__main__")
    for name in set(sys.modules) - before:
        if (ROOT / "benchmarks" / f"{name}.py").exists():
            del sys.modules[name]
    assert ended.value.code == 0
    assert "--quick" in capsys.readouterr().out


@pytest.mark.parametrize("line", LINES_OF_PYTHON, ids=text_of)
def test_a_line_of_python_runs(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    exec(line.words[2], {})
    assert capsys.readouterr().out


def test_what_is_not_run_here_says_why() -> None:
    others = [text_of(line) for line in OTHERS if line not in (*MADE, *MEASURED, *LINES_OF_PYTHON)]
    for text in others:
        assert any(re.search(pattern, text) for pattern in PATTERNS), f"nothing runs {text!r}"
    for pattern in PATTERNS:
        assert any(re.search(pattern, text) for text in others), f"nothing is named that begins with {pattern}"
