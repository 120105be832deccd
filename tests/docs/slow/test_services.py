"""What the pages say to a service runs on one: a server that was started by the line of its unit."""

from __future__ import annotations

import configparser
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from swipewise.workspace import Workspace
from tests.docs.pages import ROOT
from tests.docs.shell import Line
from tests.docs.slow.shells import give, with_programs
from tests.docs.test_commands import OTHERS
from tests.docs.test_other_programs import text_of
from tests.server.test_crash import served
from tests.server.test_workers import PATIENCE, until, workers_of

pytestmark = pytest.mark.slow

SYSTEMCTL = """#!/bin/sh
# Does to the one service that runs here what its unit says.
set -eu
test "$1" = reload
test -f "$UNITS/$2.service"
eval "$(sed -n 's/^ExecReload=//p' "$UNITS/$2.service")"
"""
UNITS = ROOT / "deploy"
RELOADS = [line for line in OTHERS if line.words[:2] in (("kill", "-HUP"), ("systemctl", "reload"))]


@pytest.fixture(scope="module")
def service(
    provisions: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server and its address."""
    unit = configparser.RawConfigParser(strict=False)
    unit.read(UNITS / "swipewise.service")
    program, command, *options = shlex.split(unit["Service"]["ExecStart"])
    assert (Path(program).name, command) == ("swipewise", "serve")
    shop = Workspace.open(provisions / "shop")
    log = tmp_path_factory.mktemp("service") / "log"
    with log.open("w") as file, served(shop, *options, log=file) as (process, address):
        yield process, address
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("line", RELOADS, ids=text_of)
def test_workers_are_replaced_and_the_server_answers(
    line: Line, service: tuple[subprocess.Popen[str], str], tmp_path: Path
) -> None:
    process, address = service
    stand_in = tmp_path / "systemctl"
    stand_in.write_text(SYSTEMCTL, encoding="utf-8")
    stand_in.chmod(0o755)
    before = {worker.pid for worker in workers_of(process)}
    # A sentence names no process, and of the service at most the name.
    rest = {"kill": (str(process.pid),), "systemctl": ("swipewise",)}[line.words[0]]
    words = line.words if len(line.words) > 2 else (*line.words, *rest)
    give(words, tmp_path, with_programs(tmp_path, UNITS=str(UNITS), MAINPID=str(process.pid)))
    until(lambda: len(now := {worker.pid for worker in workers_of(process)}) == len(before) and not now & before)
    assert httpx.get(f"{address}/healthz", timeout=PATIENCE).status_code == 200
