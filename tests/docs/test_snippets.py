"""Snippets of configuration are read and those of Python run, as they stand."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from swipewise.config import Config
from tests.docs.pages import Block, blocks

PYTHON = {page: list(found) for page, found in groupby(blocks("python"), key=lambda block: block.page)}


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_every_configuration_is_read(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "swipewise.toml"
    path.write_text(block.text, encoding="utf-8")
    assert Config.load(path) != Config(), "it only says what holds anyway"


@pytest.mark.parametrize("page", PYTHON)
def test_the_python_of_a_page_runs(page: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in PYTHON[page]:
        # Errors name the page and its line.
        source = "\n" * block.line + block.text
        exec(compile(source, page, "exec"), names)
