"""Snippets of configuration are what the reader takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from swipewise.config import Config
from tests.docs.pages import Block, blocks


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_every_configuration_is_read(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "swipewise.toml"
    path.write_text(block.text, encoding="utf-8")
    assert Config.load(path) != Config(), "it only says what holds anyway"
