"""``make bench`` runs every benchmark, whatever the first of them says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(
    ("failing", "code", "named"), [("b.py", 2, "missed a bar or failed: b\n"), ("none", 0, "")]
)
def test_a_missed_bar_does_not_keep_the_others_from_running(
    tmp_path: Path, failing: str, code: int, named: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "ran $1"\ncase "$1" in *{failing}) exit 1;; esac\n')
    python.chmod(0o755)
    # What is set up already is not set up anew.
    command = ["make", "-o", "setup", "bench", f"BIN={tmp_path}", "BENCHMARKS=a b c"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert [line for line in done.stdout.splitlines() if line.startswith("ran ")] == [
        f"ran benchmarks/{name}.py" for name in "abc"
    ]
    assert done.returncode == code
    assert named in done.stderr


def test_every_benchmark_that_it_names_is_there() -> None:
    line = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("BENCHMARKS"))
    names = line.partition("=")[2].split()
    # Those that need real clips and logs, which may be lacking.
    assert names[-2:] == ["corpus", "kuairand"]
    assert [name for name in names if not (ROOT / "benchmarks" / f"{name}.py").is_file()] == []
