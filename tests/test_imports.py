"""Importing the package and asking for help stay light; the public names are there."""

from __future__ import annotations

import subprocess
import sys

import pytest

import swipewise

HEAVY = {"torch", "polars", "lance", "pyarrow", "numpy", "rich", "av"}


def loaded_after(code: str) -> set[str]:
    """The top-level modules of a fresh interpreter that ran some code."""
    whole = f"{code}\nimport sys; print(*sys.modules, file=sys.stderr)"
    result = subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in result.stderr.split()}


@pytest.mark.parametrize(
    "code",
    [
        "import swipewise",
        "from swipewise import Config, SwipewiseError, Workspace",
        "from swipewise.cli import cli; cli(['--help'], standalone_mode=False)",
        "from swipewise.cli import cli; cli(['--version'], standalone_mode=False)",
        "import swipewise.training.post",
    ],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    loaded = loaded_after(code)
    assert "swipewise" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("command", ["train", "simulate", "demo", "evaluate", "feed", "videos", "events", "serve"])
def test_the_help_of_a_command_loads_nothing_heavy(command: str) -> None:
    code = f"from swipewise.cli import cli; cli(['{command}', '--help'], standalone_mode=False)"
    assert not loaded_after(code) & HEAVY


def test_every_public_name_is_there() -> None:
    for name in swipewise.__all__:
        assert getattr(swipewise, name) is not None
    assert swipewise.Workspace.__module__ == "swipewise.api.workspace"


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'swipewise' has no attribute 'Workspaces'"):
        swipewise.Workspaces  # noqa: B018


@pytest.mark.parametrize(
    ("module", "spared"),
    [
        ("swipewise.evaluation.view", {"matplotlib"}),
        ("swipewise.training.runs", {"torch", "polars"}),
        ("swipewise.feed.engine", {"torch"}),
    ],
)
def test_what_is_slow_to_load_is_loaded_where_it_is_used(module: str, spared: set[str]) -> None:
    loaded = loaded_after(f"import {module}")
    assert "swipewise" in loaded
    assert not loaded & spared
