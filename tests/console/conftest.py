"""A server over a copy of a quick demo, and one browser, for all tests of the pages."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from click.testing import Result
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from swipewise.catalog import Catalog
from swipewise.events.answers import read_answers
from swipewise.events.database import Database
from swipewise.events.keys import KeyStore, Scope
from swipewise.feed.publishing import list_models, publish
from swipewise.workspace import CONFIG_NAME, Workspace
from tests.console.chromium import FLAGS


@dataclass(frozen=True, kw_only=True)
class Served:
    """A server that asks for keys, and the workspace it serves."""

    address: str
    workspace: Workspace
    keys: dict[str, str]
    world: Path
    runs: list[str]
    rejected: str


@dataclass
class Complaints:
    """All that went wrong in a page: console errors, failed requests, and requests to elsewhere."""

    server: str
    found: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        page.on("console", lambda m: m.type in ("error", "warning") and self.found.append(f"{m.type}: {m.text}"))
        page.on("pageerror", lambda error: self.found.append(f"error: {error}"))
        page.on("response", lambda r: r.status >= 400 and self.found.append(f"{r.status} {r.url}"))
        page.on("requestfailed", self._failed)
        page.on("request", self._asked)

    def _failed(self, request: Any) -> None:
        # A clip is not read to its end where the next one is put on, and nothing is where the page changes.
        if "/media/clips/" not in request.url and request.failure != "net::ERR_ABORTED":
            self.found.append(f"failed: {request.url} {request.failure}")

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.server, "data:", "blob:", self.server.replace("http", "ws", 1))):
            self.found.append(f"elsewhere: {request.url}")


@pytest.fixture(scope="session")
def served(quick_demo: tuple[Path, Result], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A copy of the demo, with a second run and a rejected file."""
    made, _ = quick_demo
    root = tmp_path_factory.mktemp("console") / "shop"
    shutil.copytree(made, root, ignore=shutil.ignore_patterns("world"))
    config = root / CONFIG_NAME
    asked = '[server]\nkeys = "required"\npublish = "manual"\n'
    config.write_text(config.read_text().replace("[server]\n", asked))
    workspace = Workspace.open(root)
    _add_another_run(workspace)
    runs = [model.run for model in list_models(workspace)]
    publish(workspace, runs[-1])
    rejected = _reject_a_sound_file(workspace, made / "world")
    database = Database(workspace.events_dir)
    keys = {
        scope: KeyStore(database).create([Scope(scope)], who="test", name=scope)[1] for scope in ("admin", "read")
    }
    database.close()
    with serving(root) as address:
        _ask_for_feeds(address, keys["admin"], workspace)
        yield Served(
            address=address, workspace=workspace, keys=keys, world=made / "world", runs=runs, rejected=rejected
        )


@contextmanager
def serving(root: Path, *options: str) -> Iterator[str]:
    """``swipewise serve`` on a workspace, in a process of its own; gives its address."""
    command = [sys.executable, "-c", "from swipewise.cli import main; main()", "serve", "--port", "0", *options]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with (
        (root / "log").open("w") as log,
        subprocess.Popen(
            [*command, "--workspace", str(root)], stdout=subprocess.PIPE, stderr=log, text=True, env=environment
        ) as process,
    ):
        try:
            assert process.stdout is not None
            found = re.search(r"at (http://\S+)", process.stdout.readline())
            assert found, (root / "log").read_text()
            yield found[1]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=20)


def _ask_for_feeds(address: str, key: str, workspace: Workspace) -> None:
    """One for a viewer whom the model knows and one for somebody new, before a page counts them and keeps that."""
    for viewer in ("viewer00000", "somebody%20new"):
        url = f"{address}/v1/feed?viewer_id={viewer}&limit=5"
        with urlopen(Request(url, headers={"Authorization": f"Bearer {key}"})) as answer:
            assert answer.status == 200
    # Answers are written a second or so later, perhaps one before the other.
    while len(read_answers(workspace.events_dir)) < 2:
        time.sleep(0.05)


def _add_another_run(workspace: Workspace) -> None:
    run = workspace.runs_dir / list_models(workspace)[0].run
    shutil.copytree(run, run.with_name("20991231-000000-000000-abcdef"))


def _reject_a_sound_file(workspace: Workspace, world: Path) -> str:
    """Of another content than all others, so that it is new once it is taken."""
    path = workspace.root / "late.mp4"
    path.write_bytes((world / "clips" / "clip00000.mp4").read_bytes() + b"\0")
    Catalog(workspace.catalog_dir).reject(str(path), None, "it was locked")
    return str(path)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium; a machine without it tests no page.

    It ends with the tests of this folder: its event loop would be in the way of others'.
    """
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("pages are tested in Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="package")
def states(served: Served, browser: Browser) -> dict[str, Any]:
    """The cookies of somebody who has signed in, by the scope of the key."""
    found = {}
    for scope, key in served.keys.items():
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{served.address}/console/sign-in")
        page.get_by_label("Key").fill(key)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Overview").wait_for()
        found[scope] = context.storage_state()
        context.close()
    return found


@pytest.fixture
def complaints(served: Served) -> Iterator[Complaints]:
    """What pages complain of; a test fails where there is anything at its end."""
    kept = Complaints(served.address)
    yield kept
    assert kept.found == []


@pytest.fixture(scope="package")
def window(browser: Browser, states: dict[str, Any]) -> Iterator[BrowserContext]:
    """A window of an administrator, which fetches the scripts of the pages once."""
    opened = browser.new_context(storage_state=states["admin"], viewport={"width": 1280, "height": 900})
    yield opened
    opened.close()


@pytest.fixture
def page(window: BrowserContext, complaints: Complaints) -> Iterator[Page]:
    """A page of theirs that is listened to; another window has to keep what a browser would keep of it."""
    opened = window.new_page()
    opened.set_default_timeout(15_000)
    complaints.listen(opened)
    yield opened
    opened.close()


def visit(page: Page, address: str) -> None:
    """Open a page, and wait until it is drawn and takes what is done in it."""
    page.goto(address)
    arrived(page)


def arrived(page: Page) -> None:
    """Wait until a page that is opened takes what is done in it."""
    page.get_by_role("heading", level=1).first.wait_for()
    page.wait_for_function("window.socket?.connected")
