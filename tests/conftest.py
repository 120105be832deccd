"""What takes long to make, once for all tests, and how these are divided among processes."""

from __future__ import annotations

import fcntl
import gc
import json
import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from swipewise.cli import cli
from swipewise.events import database

_FSYNC, _SQLITE_ENGINE = os.fsync, database._sqlite_engine


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep Python's collector from looking through thousands of modules and tests, which stay, time and again."""
    gc.disable()
    result = yield
    gc.freeze()
    gc.enable()
    return result


@pytest.fixture(scope="session", autouse=True)
def _nothing_waits_for_the_disk() -> Iterator[None]:
    """What a process has written outlives it even in the system's memory, and no test cuts the power."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda _: None)
        patched.setattr(database, "_sqlite_engine", _hasty_engine)
        yield


def _hasty_engine(url: sa.URL) -> sa.Engine:
    engine = _SQLITE_ENGINE(url)
    sa.event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    return engine


@pytest.fixture
def written_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for the disk, as a workspace does."""
    monkeypatch.setattr(os, "fsync", _FSYNC)
    monkeypatch.setattr(database, "_sqlite_engine", _SQLITE_ENGINE)


@pytest.fixture(scope="session")
def made_demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """The folder of a quick demo, and what it printed; the tests of the demo itself may run it again."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # one demo for the processes of a run
    folder, told = root / "demo" / "try", root / "demo" / "told.json"
    folder.parent.mkdir(exist_ok=True)
    with (root / "demo" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            made = CliRunner().invoke(cli, ["demo", "--quick", str(folder)])
            assert made.exit_code == 0, made.output
            kept, world = folder.with_name("kept"), shutil.ignore_patterns("world")
            shutil.copytree(folder, kept, ignore=world, dirs_exist_ok=True)
            told.write_text(json.dumps([made.stdout, made.stderr]))
    return folder, _told(*json.loads(told.read_text()))


@pytest.fixture(scope="session")
def quick_demo(made_demo: tuple[Path, Result], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """The folder of a quick demo as it was made, and what was printed. Take a copy of it to change what it holds."""
    made, result = made_demo
    folder = shutil.copytree(made.with_name("kept"), tmp_path_factory.mktemp("demo") / "try")
    (folder / "world").symlink_to(made / "world")
    return folder, result


def _told(out: str, err: str) -> Result:
    """The result of a command that told this."""

    @click.command()
    def command() -> None:
        click.echo(out, nl=False)
        click.echo(err, nl=False, err=True)

    return CliRunner().invoke(command)


TOGETHER = ("tests/console/",)
"""Folders that go to one process as a whole, for a server and a browser that are started once."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give whole files to the processes of a run, and some whole folders."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return next((folder for folder in TOGETHER if nodeid.startswith(folder)), super()._split_scope(nodeid))

    return Scheduling(config, log)


LONG = (
    "slow/test_demo",
    "docs/test_named",
    # Meanwhile the demo is made for those below.
    "fuzz/test_description",
    "training/test_on_ray",
    "docs",
    "console",
    "demo",
    "training/test_workers",
    "server/test_workers",
    "server/test_crash",
    "server/test_videos_crash",
    "training",
)
"""What takes longest: it begins first, so that no process is left alone with it at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes long first; files stay whole."""
    place = {name: number for number, name in enumerate(LONG)}
    first = {item.path: len(LONG) for item in items}
    for item in items:
        first[item.path] = min(first[item.path], *(place.get(name, len(LONG)) for name in _names(item)))
    items.sort(key=lambda item: first[item.path])


def _names(item: pytest.Item) -> list[str]:
    """What a test goes by there."""
    folder = item.path.parent.name
    names = [folder, f"{folder}/{item.path.stem}"]
    if "made_demo" in getattr(item, "fixturenames", ()):
        names.append("demo")
    return names
