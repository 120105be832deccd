"""What takes long to make, once for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from swipewise.cli import cli


@pytest.fixture(scope="session")
def quick_demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """The folder of a quick demo, and what it printed. Take a copy of it to change what it holds."""
    folder = tmp_path_factory.mktemp("demo") / "try"
    return folder, CliRunner().invoke(cli, ["demo", "--quick", str(folder)])


LONG = (
    "docs",
    "demo",
    "fuzz/test_description",
    "training/test_workers",
    "server/test_workers",
    "training/test_on_ray",
)
"""What takes longest: it begins first, so that no process is left alone with it at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes long first; files stay whole, as each goes to one process."""
    place = {name: number for number, name in enumerate(LONG)}
    first = {item.path: len(LONG) for item in items}
    for item in items:
        first[item.path] = min(first[item.path], place.get(_kind(item), len(LONG)))
    items.sort(key=lambda item: first[item.path])


def _kind(item: pytest.Item) -> str:
    folder = item.path.parent.name
    if "quick_demo" in getattr(item, "fixturenames", ()):
        return "docs" if folder == "docs" else "demo"
    return f"{folder}/{item.path.stem}"
