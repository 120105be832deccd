"""A command that a message advises names the workspace that was typed, so that it can be given as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from swipewise.cli import cli
from swipewise.workspace import VARIABLE

ADVISED = [
    (("train",), "add some with 'swipewise videos add PATH{}'"),
    (("audit",), "fit a model with 'swipewise train{}'"),
    (("feed", "ann"), "add videos with 'swipewise videos add PATH{}'"),
    (("models", "list"), "no finished run yet: 'swipewise train{}'"),
    (("keys", "list"), "make one with 'swipewise keys create --scope feed{}'"),
    (("behavior", "funnel"), "with 'swipewise events import FILE{}', or post events to 'swipewise serve{}'"),
]


def told(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments)
    return f"{result.output}{result.exception or ''}"


@pytest.mark.parametrize(("command", "advice"), ADVISED, ids=lambda value: str(value))
def test_it_names_the_workspace_if_that_was_typed(here: Path, command: tuple[str, ...], advice: str) -> None:
    assert advice.format(*[" -w empty"] * 2) in " ".join(told(*command, "-w", "empty").split())


@pytest.mark.parametrize(("command", "advice"), ADVISED, ids=lambda value: str(value))
def test_it_names_none_where_none_was_typed(
    here: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], advice: str
) -> None:
    monkeypatch.setenv(VARIABLE, str(here / "empty"))
    assert advice.format("", "") in " ".join(told(*command).split())


def test_what_makes_a_workspace_needs_none(here: Path) -> None:
    assert "make a workspace with 'swipewise init nowhere'" in told("train", "-w", "nowhere")


def test_a_place_that_has_to_be_quoted_is_left_out(here: Path) -> None:
    (here / "empty").rename(here / "my shop")
    assert "add some with 'swipewise videos add PATH'" in told("train", "-w", "my shop")
