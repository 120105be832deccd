"""The same workspace as the feed's tests, behind the API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from swipewise.server import create_app
from swipewise.workspace import Workspace
from tests.feed.conftest import runs as runs
from tests.feed.conftest import workspace as workspace


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    """The API of a workspace with four videos and no run."""
    with TestClient(create_app(workspace), raise_server_exceptions=False) as opened:
        yield opened
