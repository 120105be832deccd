"""Benchmarks that are small within seconds run so, by the lines of the pages; the others take minutes even then."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.docs.shell import Line
from tests.docs.slow.shells import with_programs
from tests.docs.test_other_programs import MEASURED, text_of

pytestmark = pytest.mark.slow

SECONDS = ("guard.py", "pipeline.py --only cost", "sequences.py")
"""Lines of ``benchmarks/`` that with --quick take less than twenty seconds."""

LINES = [line for line in MEASURED if text_of(line).removeprefix("python benchmarks/") in SECONDS]
assert len(LINES) == len(SECONDS)


@pytest.mark.parametrize("line", LINES, ids=text_of)
def test_a_benchmark_measures(line: Line, tmp_path: Path) -> None:
    """It comes to its end with figures; whether they meet their bars is nothing that a busy machine can tell."""
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
    assert told["figures"], done.stdout + done.stderr
    for figure in told["figures"]:
        assert figure["figure"] in done.stdout
