"""Each page runs as it stands: its commands and its Python, in their order, in a folder with what they name."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from swipewise.cli import cli
from tests.docs.conftest import shorten
from tests.docs.pages import Block, blocks
from tests.docs.shell import PROGRAM, Line, lines_of
from tests.docs.test_newcomer import own_platform

READ_ONLY = {
    r"^demo\b": "the quick demo is what all of this runs on",
    r"^simulate\b": "so is its world",
    r"^serve\b": "runs until it is stopped",
    r"^videos watch\b": "runs until it is stopped",
    r"^ablate\b": "trains once a part",
    r"^transfer\b": "tunes baselines for minutes",
    r"--against": "tunes baselines for minutes",
    r"^datasets (kuairand|microlens)\b": "its data is not here",
    r"s3://|https://": "elsewhere",
    r"huggingface:": "weights are not here",
    r"^models (publish|rollback|export)\b": "needs server.publish = manual, or the extra [onnx]",
    r"RUN\b|\bID\b|BACKUP|NEWPLACE|VIEWER\b|--request-id|\$": "names what the reader has",
}
"""What of a command line keeps it from being run here, and why."""

MAKES_A_WORKSPACE = ("init", "restore", "datasets")
"""Commands whose last word is a folder that may not be there yet."""

ELSEWHERE = {"interchange.md": "run by tests/training/test_exported_videos.py, on the files that it reads"}
"""Pages whose Python runs in another test."""

RUN = {
    page: [block for block in blocks("sh", "python") if block.page == page]
    for page in dict.fromkeys(block.page for block in blocks("sh", "python"))
}
_run: set[tuple[str, ...]] = set()
NEWCOMER = frozenset(own_platform())
"""Run by test_newcomer.py, as a newcomer would."""


def kept_from_running(line: Line) -> str | None:
    """Why a command is only read, None where it is run."""
    text = " ".join(line.words[1:])
    return next((why for pattern, why in READ_ONLY.items() if re.search(pattern, text)), None)


@pytest.mark.parametrize("page", RUN)
def test_a_page_runs_as_it_stands(page: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours = [
        line for block in RUN[page] if block.language == "sh" for line in lines_of(block) if line not in NEWCOMER
    ]
    # What makes a workspace needs all of its commands; elsewhere one that has been run says nothing new.
    known = set() if any(line.words[1:2] and line.words[1] in MAKES_A_WORKSPACE for line in ours) else _run
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in RUN[page]:
        if block.language == "python":
            if page not in ELSEWHERE:
                run_python(block, names)
            continue
        for line in (line for line in lines_of(block) if line in ours):
            if line.words[0] == PROGRAM and not kept_from_running(line) and line.words not in known:
                run_command(line, here)
    _run.update(line.words for line in ours if line.words[1:2] and line.words[1] not in MAKES_A_WORKSPACE)


def run_command(line: Line, here: Path) -> None:
    """Give a command; a workspace that it makes is not there yet, and trains for a moment only."""
    words = line.words[1:]
    if words[0] in MAKES_A_WORKSPACE:
        shutil.rmtree(here / words[-1], ignore_errors=True)
    result = CliRunner().invoke(cli, list(words))
    assert result.exit_code == 0, f"{line}: {result.output}{result.exception!r}"
    if words[0] in MAKES_A_WORKSPACE and (config := here / words[-1] / "swipewise.toml").exists():
        shorten(config)


def run_python(block: Block, names: dict[str, Any]) -> None:
    """Run a block; errors name the page and its line."""
    exec(compile("\n" * block.line + block.text, block.page, "exec"), names)
