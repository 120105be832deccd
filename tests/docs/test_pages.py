"""Each page runs as it stands: its commands and its Python, in their order, in a folder with what they name."""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import fsspec
import pytest
from click.testing import CliRunner

from swipewise import ingest
from swipewise.cli import cli
from swipewise.training.runs import latest_run
from swipewise.workspace import CONFIG_NAME
from tests.docs.conftest import shorten
from tests.docs.pages import Block, blocks
from tests.docs.shell import PROGRAM, Line, lines_of
from tests.docs.test_newcomer import own_platform, served

READ_ONLY = {
    r"^demo --quick\b": "the fixture of all of this runs it",
    r"^serve\b": "run by test_every_server_that_a_page_starts_answers, and by test_newcomer.py",
}
"""What of a command line keeps it from being run in its place, and what runs it instead."""

LIGHTER = {
    r"^simulate\b": ("--videos", "10", "--viewers", "4", "--days", "2"),
    r"^evaluate\b.* --against\b": ("--settings", "tuned.json"),
    r"^ablate\b": ("--only", "text", "--epochs", "1", "--seeds", "1"),
    r"^transfer\b": ("--trials", "1"),
    r"^serve\b.* --workers 4\b": ("--workers", "2"),
}
"""Options that are added to command lines which would take minutes; of one that is given twice the last counts."""

STAND_INS = {"s3://bucket/clips": "memory://bucket/clips"}
"""What is asked in place of a service that is not here."""

MAKES_A_WORKSPACE = ("init", "restore", "datasets")
"""Commands whose last word is a folder that may not be there yet."""

ELSEWHERE = {"interchange.md": "run by tests/training/test_exported_videos.py, on the files that it reads"}
"""Pages whose Python runs in another test."""

RUN = {
    page: [block for block in blocks("sh", "python") if block.page == page]
    for page in dict.fromkeys(block.page for block in blocks("sh", "python"))
}
_run: set[tuple[str, ...]] = set()


def served_lines(page: str) -> Iterator[Line]:
    """The command lines of a page that start a server."""
    for block in RUN[page]:
        if block.language == "sh":
            yield from (line for line in lines_of(block) if line.words[:2] == (PROGRAM, "serve"))


NEWCOMER = frozenset(own_platform())
"""Run by test_newcomer.py, as a newcomer would."""


def kept_from_running(line: Line) -> str | None:
    """Why a command is only read, None where it is run."""
    text = " ".join(line.words[1:])
    return next((why for pattern, why in READ_ONLY.items() if re.search(pattern, text)), None)


def as_run(line: Line, here: Path) -> list[str]:
    """The words that are given: with what the reader has in the place of names, and with what makes it light."""
    names = {**STAND_INS, "ID": "clip00000"}
    if "RUN" in line.words:
        names["RUN"] = latest_run(here / "shop" / "runs").name
    words = [names.get(word, word) for word in line.words[1:]]
    if words[0] == "simulate":
        words[1] += "-again"  # other pages share what was simulated
    text = " ".join(words)
    return words + [more for pattern, added in LIGHTER.items() if re.search(pattern, text) for more in added]


@pytest.mark.parametrize("page", RUN)
def test_a_page_runs_as_it_stands(page: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours = [
        line for block in RUN[page] if block.language == "sh" for line in lines_of(block) if line not in NEWCOMER
    ]
    # What makes a workspace needs all of its commands; elsewhere one that has been run says nothing new.
    known = set() if any(line.words[1:2] and line.words[1] in MAKES_A_WORKSPACE for line in ours) else _run
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in RUN[page]:
        if block.language == "python":
            if page not in ELSEWHERE:
                run_python(block, names)
            continue
        for line in (line for line in lines_of(block) if line in ours):
            if line.words[0] == PROGRAM and not kept_from_running(line) and line.words not in known:
                run_command(line, here)
    _run.update(line.words for line in ours if line.words[1:2] and line.words[1] not in MAKES_A_WORKSPACE)


def run_command(line: Line, here: Path) -> None:
    """Give a command; a workspace that it makes is not there yet, and trains for a moment only."""
    words = as_run(line, here)
    if words[0] in MAKES_A_WORKSPACE:
        shutil.rmtree(here / words[-1], ignore_errors=True)
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, f"{line}: {result.output}{result.exception!r}"
    if words[0] in MAKES_A_WORKSPACE and (config := here / words[-1] / "swipewise.toml").exists():
        shorten(config)


@pytest.fixture(autouse=True)
def _a_bucket(provisions: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An object store in memory with a clip."""
    store = fsspec.filesystem("memory")
    store.pipe_file("/bucket/clips/a.mp4", (provisions / "clip.mp4").read_bytes())
    ordinary = type(store).open

    # Unlike any real store's, its files have one position that all their readers share.
    def opened(self: Any, path: str, mode: str = "rb", **options: Any) -> Any:
        return BytesIO(self.cat_file(path)) if mode == "rb" else ordinary(self, path, mode, **options)

    monkeypatch.setattr(type(store), "open", opened)
    yield
    store.rm("/bucket", recursive=True)


@pytest.fixture(autouse=True)
def _a_short_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch ends after its second look, which is when it takes what has settled."""
    watch = ingest.watch_videos

    def briefly(*given: Any, wait: object, **more: Any) -> None:
        looks = iter([True])
        watch(*given, wait=lambda: next(looks, False), **more)

    monkeypatch.setattr(ingest, "watch_videos", briefly)


SERVERS = list(dict.fromkeys(line.words for page in RUN for line in served_lines(page)))


@pytest.mark.parametrize("words", SERVERS, ids=" ".join)
def test_every_server_that_a_page_starts_answers(words: tuple[str, ...], here: Path) -> None:
    told = as_run(Line("", words), here) + ([] if "-w" in words else ["-w", "shop"])
    if "--tls-cert" in told:
        make_certificate(here)
        config = here / "shop" / CONFIG_NAME
        text = config.read_text(encoding="utf-8")
        assert '# keys = "off"' in text
        config.write_text(text.replace('# keys = "off"', 'keys = "required"'), encoding="utf-8")
    with served((PROGRAM, *told), here) as address:
        unchecked = ssl.create_default_context()
        unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
        assert address.startswith("https" if "--tls-cert" in told else "http:")
        with urllib.request.urlopen(
            f"{address}/healthz".replace("0.0.0.0", "127.0.0.1"), context=unchecked
        ) as answer:
            assert answer.status == 200


def make_certificate(folder: Path) -> None:
    """A certificate and its key, under the names that the page gives."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    made = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost")
    files = ("-keyout", "server.key", "-out", "server.pem")
    subprocess.run([openssl, "req", "-x509", *made, *files], cwd=folder, check=True, capture_output=True)


def run_python(block: Block, names: dict[str, Any]) -> None:
    """Run a block; errors name the page and its line."""
    exec(compile("\n" * block.line + block.text, block.page, "exec"), names)
