"""The command line as a whole: help for every command, and what is said about mistakes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import swipewise
from docs.generate.commands import commands
from swipewise import cli as root
from swipewise.cli import cli, main
from swipewise.datasets.layouts import LAYOUTS
from swipewise.errors import DataError, WorkspaceError

EVERY = list(commands(cli))
LEAVES = [(path, command) for path, command in EVERY if not isinstance(command, click.Group)]
# These make a workspace or work beside one.
WITHOUT_WORKSPACE = {
    ("init",),
    ("doctor",),
    ("completion",),
    ("restore",),
    ("simulate",),
    ("demo",),
    ("datasets", "list"),
    *(("datasets", name) for name in LAYOUTS),
}


@pytest.mark.parametrize("path", [(), *(path for path, _ in EVERY)], ids=" ".join)
def test_every_command_explains_itself_with_examples(path: tuple[str, ...]) -> None:
    for option in ("--help", "-h"):
        result = CliRunner().invoke(cli, [*path, option])
        assert result.exit_code == 0
        assert result.stdout.startswith(f"Usage: cli {' '.join(path)}".rstrip())
        example = result.stdout.partition("\n  Example")[2]
        assert " ".join(["swipewise", *path]) in example
        # What keeps a block from being wrapped must not show.
        assert "\b" not in result.stdout
        assert "\\b" not in result.stdout


def test_the_help_lists_every_command() -> None:
    listed = CliRunner().invoke(cli, ["--help"]).stdout
    for (name, *rest), command in EVERY:
        if not rest:
            assert f"\n  {name} " in listed
            assert command.help


@pytest.mark.parametrize(("path", "command"), LEAVES, ids=[" ".join(path) for path, _ in LEAVES])
def test_every_command_takes_a_workspace_and_says_how_to_make_one(
    path: tuple[str, ...], command: click.Command, tmp_path: Path
) -> None:
    if path in WITHOUT_WORKSPACE:
        return
    given = ["x.csv" for each in command.params if isinstance(each, click.Argument)]
    for option in ("--workspace", "-w"):
        result = CliRunner().invoke(cli, [*path, *given, option, str(tmp_path / "gone")])
        assert isinstance(result.exception, WorkspaceError)
        assert f"'swipewise init {tmp_path}/gone'" in str(result.exception)
    result = CliRunner().invoke(cli, [*path, *given], env={"SWIPEWISE_WORKSPACE": str(tmp_path / "named")})
    assert f"'swipewise init {tmp_path}/named'" in str(result.exception)


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("trian", "no command 'trian': did you mean 'train'?"),
        ("simulat", "no command 'simulat': did you mean 'simulate'?"),
        ("qqq", "no command 'qqq': valid are init, simulate, videos, events,"),
    ],
)
def test_an_unknown_command_names_the_nearest(given: str, hint: str) -> None:
    result = CliRunner().invoke(cli, [given])
    assert result.exit_code == 2
    assert hint in " ".join(result.stderr.split())


def test_an_unknown_option_names_the_nearest() -> None:
    result = CliRunner().invoke(cli, ["train", "--fesh"])
    assert result.exit_code == 2
    assert "--fresh" in result.stderr


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("train --fesh", "no such option '--fesh'. Did you mean '--fresh'? (see 'swipewise train --help')"),
        ("trian", "no command 'trian': did you mean 'train'? (see 'swipewise --help')"),
        ("events import", "missing argument 'FILE...' (see 'swipewise events import --help')"),
    ],
)
def test_a_mistake_in_the_command_line_is_one_line_that_names_its_help(
    typed: str, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["swipewise", *typed.split()])
    with pytest.raises(SystemExit) as raised:
        main()
    assert raised.value.code == 2
    assert capsys.readouterr() == ("", f"error: {told}\n")


@pytest.mark.parametrize("typed", ["", "videos"])
def test_commands_that_are_not_named_are_listed(
    typed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["swipewise", *typed.split()])
    with pytest.raises(SystemExit) as raised:
        main()
    assert raised.value.code == 2
    assert "Commands:" in capsys.readouterr().err


def test_the_version() -> None:
    assert CliRunner().invoke(cli, ["--version"]).stdout == f"swipewise, version {swipewise.__version__}\n"


def run_main(monkeypatch: pytest.MonkeyPatch, body: object) -> int:
    monkeypatch.setattr(root, "cli", body)
    with pytest.raises(SystemExit) as raised:
        main()
    assert isinstance(raised.value.code, int)
    return raised.value.code


def test_an_error_that_can_be_mended_is_one_line_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def failing() -> None:
        click.echo("half a result")
        raise DataError("too few events (a library says:\n\tno): import more")

    monkeypatch.setattr(sys, "argv", ["swipewise"])
    assert run_main(monkeypatch, failing) == 1
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == (
        "half a result\n",
        "error: too few events (a library says: no): import more\n",
    )


def test_an_error_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(sys, "argv", ["swipewise"])
    monkeypatch.setattr(root, "cli", broken)
    with pytest.raises(ZeroDivisionError):
        main()


def test_the_installed_command_ends_with_a_line_and_an_exit_code(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from swipewise.cli import main; main()", "events", "count", "-w", "gone"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"error: no swipewise.toml in {tmp_path}/gone: ")
    assert result.stderr.count("\n") == 1


def test_ctrl_c_says_what_stays(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "invoke", interrupted)
    monkeypatch.setattr(sys, "argv", ["swipewise", "train"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 130
    assert capsys.readouterr().err.strip() == (
        "stopped: what was stored stays, and the same command can be given again"
    )
