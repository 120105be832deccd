from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.peers import environments
from benchmarks.peers.environments import PeerError, default_cache, environment, run_script


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """One set of requirements, and the commands that were run instead of being run."""
    run: list[list[str]] = []

    def record(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        run.append(command)
        if "venv" in command:
            Path(command[-1]).mkdir(parents=True, exist_ok=True)
        return subprocess.CompletedProcess(command, 0, "", "")

    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "tool.txt").write_text("tool==1\n")
    monkeypatch.setattr(environments, "_REQUIREMENTS", tmp_path / "requirements")
    monkeypatch.setattr(subprocess, "run", record)
    return run


def test_an_environment_is_made_once(commands: list[list[str]], tmp_path: Path) -> None:
    python = environment("tool", tmp_path / "cache")
    assert python.parent.parent.parent == tmp_path / "cache"
    assert [command[2] for command in commands] == ["venv", "pip"]
    assert commands[1][0] == str(python)
    assert commands[1][-1] == str(tmp_path / "requirements" / "tool.txt")
    assert environment("tool", tmp_path / "cache") == python
    assert len(commands) == 2


def test_other_requirements_are_another_environment(commands: list[list[str]], tmp_path: Path) -> None:
    before = environment("tool", tmp_path / "cache")
    (tmp_path / "requirements" / "tool.txt").write_text("tool==2\n")
    assert environment("tool", tmp_path / "cache") != before
    assert len(commands) == 4


def test_what_cannot_be_installed_says_why_and_is_tried_again(
    commands: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = subprocess.run

    def fails(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        if "pip" in command:
            return subprocess.CompletedProcess(command, 1, "", "No matching distribution found for tool==1\n")
        return works(command, **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(subprocess, "run", fails)
    with pytest.raises(
        PeerError, match=r"tool\.txt cannot be installed in .*\n.*No matching distribution(.|\n)*leave"
    ):
        environment("tool", tmp_path / "cache")
    monkeypatch.setattr(subprocess, "run", works)
    environment("tool", tmp_path / "cache")
    assert [command[2] for command in commands] == ["venv", "venv", "pip"]


def test_unknown_requirements_are_named(commands: list[list[str]], tmp_path: Path) -> None:
    with pytest.raises(PeerError, match="no requirements called 'tol': choose one of tool"):
        environment("tol", tmp_path)


def test_the_cache_lies_in_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "swipewise" / "peers"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert default_cache() == tmp_path / ".cache" / "swipewise" / "peers"


def test_a_script_runs_with_one_thread_and_leaves_a_log(tmp_path: Path) -> None:
    script = tmp_path / "peer.py"
    script.write_text(
        "import os, sys\nprint(sys.argv[1], os.environ['OMP_NUM_THREADS'], 'PYTHONPATH' in os.environ)\n"
    )
    log = tmp_path / "out" / "log.txt"
    run_script(Path(sys.executable), script, ["hello"], log=log)
    assert log.read_text() == "hello 1 False\n"


def test_a_script_that_fails_shows_its_last_words(tmp_path: Path) -> None:
    script = tmp_path / "peer.py"
    script.write_text("import sys\nprint('no memory left')\nsys.exit(3)\n")
    with pytest.raises(PeerError, match=r"peer\.py ended with exit code 3: .*log\.txt, at last\nno memory left"):
        run_script(Path(sys.executable), script, [], log=tmp_path / "log.txt")
