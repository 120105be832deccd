from pathlib import Path

import pytest

from swipewise.workspace import Workspace
from tests.stores import live_store as live_store
from tests.stores import server as server


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "shop")
