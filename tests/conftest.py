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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together what shares fixtures: all that takes the demo, and otherwise the tests of a file."""
    for item in items:
        shared = (
            "demo"
            if "quick_demo" in getattr(item, "fixturenames", ())
            else f"{item.path.parent.name}/{item.path.stem}"
        )
        item.add_marker(pytest.mark.xdist_group(shared))
