"""``swipewise init``."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from swipewise.cli import cli
from swipewise.config import Config
from swipewise.errors import WorkspaceError
from swipewise.workspace import Workspace


def test_a_workspace_is_made_and_the_next_command_is_named(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    result = CliRunner().invoke(cli, ["init", str(shop)])
    assert result.exit_code == 0
    assert result.stdout == f"made {shop}/swipewise.toml\nnext: swipewise videos add PATH --workspace {shop}\n"
    assert Workspace.open(shop).config == Config()


def test_the_next_command_names_the_folder_as_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(cli, ["init", "shop"]).stdout.endswith("--workspace shop\n")


def test_a_workspace_is_not_made_twice(tmp_path: Path) -> None:
    CliRunner().invoke(cli, ["init", str(tmp_path)])
    result = CliRunner().invoke(cli, ["init", str(tmp_path)])
    assert isinstance(result.exception, WorkspaceError)
    assert "is a workspace already" in str(result.exception)


def test_a_folder_is_asked_for() -> None:
    result = CliRunner().invoke(cli, ["init"])
    assert result.exit_code == 2
    assert "Missing argument 'DIRECTORY'" in result.stderr
