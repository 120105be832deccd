"""Each page runs as it stands: its commands and its Python, in their order, in a folder with what they name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import Block, blocks
from tests.docs.running import makes_a_workspace, run_lines
from tests.docs.shell import lines_of
from tests.docs.test_newcomer import own_platform

ELSEWHERE = {"interchange.md": "run by tests/training/test_exported_videos.py, on the files that it reads"}
"""Pages whose Python runs in another test."""

RUN = {
    page: [block for block in blocks("sh", "python") if block.page == page]
    for page in dict.fromkeys(block.page for block in blocks("sh", "python"))
}

NEWCOMER = frozenset(own_platform())
"""Run by test_newcomer.py, as a newcomer would."""


@pytest.mark.parametrize("page", RUN)
def test_a_page_runs_as_it_stands(page: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours = [
        line for block in RUN[page] if block.language == "sh" for line in lines_of(block) if line not in NEWCOMER
    ]
    # What makes a workspace needs all of its commands.
    anew = any(map(makes_a_workspace, ours))
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in RUN[page]:
        if block.language == "sh":
            run_lines([line for line in lines_of(block) if line in ours], here, anew=anew)
        elif page not in ELSEWHERE:
            run_python(block, names)


def run_python(block: Block, names: dict[str, Any]) -> None:
    """Run a block; errors name the page and its line."""
    exec(compile("\n" * block.line + block.text, block.page, "exec"), names)
