"""A newcomer gives the README's commands in an empty folder with clips and a log, and has a feed that says why."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from swipewise.cli import cli
from swipewise.workspace import CONFIG_NAME
from tests.docs.conftest import shorten
from tests.docs.pages import ROOT, blocks
from tests.docs.shell import PROGRAM, Line, lines_of

MOST_COMMANDS = 6
SWIPEWISE = [sys.executable, "-c", "from swipewise.cli import main; main()"]


def own_platform() -> list[Line]:
    """The commands that the README gives for data of one's own, the last of them serves."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    first = text[: text.index("## Your own platform")].count("\n")
    below = [block for block in blocks("sh") if block.page == "README.md" and block.line > first]
    ours = [line for block in below for line in lines_of(block)]
    served = next(place for place, line in enumerate(ours) if line.words[:2] == (PROGRAM, "serve"))
    return ours[: served + 1]


@pytest.fixture
def alone(provisions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where commands are given: a folder with nothing but clips, a manifest and a log, and no workspace is named."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("videos.csv", "log.csv"):
        shutil.copy(provisions / name, folder)
    shutil.copytree(provisions / "clips", folder / "clips")
    monkeypatch.chdir(folder)
    for name in [name for name in os.environ if name.startswith("SWIPEWISE_")]:
        monkeypatch.delenv(name)
    return folder


def give(words: tuple[str, ...]) -> str:
    """What a command prints that ends well."""
    assert words[0] == PROGRAM
    done = CliRunner().invoke(cli, words[1:])
    assert done.exit_code == 0, f"{words}: {done.output}{done.exception!r}"
    return done.stdout


def surroundings() -> dict[str, str]:
    """The environment with the package that is tested, and no workspace named."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SWIPEWISE_")}
    return kept | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


@contextmanager
def served(words: tuple[str, ...], folder: Path) -> Iterator[str]:
    """The address of a server that is started with a command, at a free port."""
    command = [*SWIPEWISE, *words[1:], "--port", "0"]
    with subprocess.Popen(
        command, cwd=folder, env=surroundings(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        try:
            greeting = next(line for line in server.stdout if line.startswith("serving "))
            address = re.search(r"https?://[\d.:]+", greeting)
            assert address is not None
            yield address[0]
        finally:
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=60)


def test_a_newcomer_gets_from_own_clips_to_a_served_feed(alone: Path) -> None:
    *commands, serve = own_platform()
    assert len(commands) + 1 <= MOST_COMMANDS
    seen = pl.read_csv(alone / "log.csv").group_by("user").len().sort("len", "user")
    viewer = str(seen["user"][len(seen) // 2])  # who has met some clips, but not all
    told = ""
    for line in commands:
        told = give(tuple(viewer if word == "ann" else word for word in line.words))
        if line.words[1] == "init":
            shorten(alone / line.words[2] / CONFIG_NAME)
    assert f"feed of {viewer} (level: model)" in told
    with served(serve.words, alone) as address:
        with urllib.request.urlopen(f"{address}/v1/feed?viewer_id={viewer}&limit=3") as answer:
            feed = json.load(answer)
        assert feed["level"] == "model"
        assert feed["recommendations"]
        for each in feed["recommendations"]:
            assert sum(each["modality_weights"].values()) == pytest.approx(1, abs=1e-3)
        with urllib.request.urlopen(f"{address}/") as page:
            assert b"Swipewise" in page.read()


def test_clips_alone_are_named_by_their_files_in_the_log(alone: Path) -> None:
    """Without a manifest nobody knows the ids that videos get."""
    (alone / "videos.csv").unlink()
    log = pl.read_csv(alone / "log.csv")
    log.with_columns(pl.format("{}.mp4", "item")).write_csv(alone / "log.csv")
    told = ""
    for line in own_platform()[:3]:
        told = give(tuple("clips/" if word == "videos.csv" else word for word in line.words))
    assert f"videos that are named by their files: {log['item'].n_unique()}" in told
    assert "not in the catalogue" not in told
