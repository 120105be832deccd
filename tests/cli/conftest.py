"""A platform to make mistakes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from swipewise.workspace import Workspace
from tests.cli.mistakes import write_tables


@pytest.fixture(scope="session")
def _platform(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of captions and behaviour, in which nothing was trained."""
    folder = tmp_path_factory.mktemp("mistakes")
    write_tables(folder / "tables", viewers=12, videos=10)
    from swipewise.datasets.convert import convert
    from swipewise.datasets.layouts import LAYOUTS

    convert(LAYOUTS["generic"], folder / "tables", folder / "shop")
    return folder / "shop"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _platform: Path) -> Path:
    """The folder that commands run in: shop is a platform, empty a workspace without anything."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(_platform, tmp_path / "shop")
    Workspace.create(tmp_path / "empty")
    return tmp_path
