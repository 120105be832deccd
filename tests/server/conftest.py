"""The same workspace as the feed's tests, behind the API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from swipewise.events.database import Database
from swipewise.events.keys import KeyStore, Scope
from swipewise.server import create_app
from swipewise.workspace import Workspace
from tests.feed.conftest import runs as runs
from tests.feed.conftest import workspace as workspace
from tests.stores import server as server


@pytest.fixture
def anyio_backend() -> str:
    """What uvicorn runs on."""
    return "asyncio"


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    """The API of a workspace with four videos and no run."""
    with TestClient(create_app(workspace), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def configured(workspace: Workspace) -> Callable[..., Workspace]:
    """The workspace with other values under [server]."""

    def with_server(**values: Any) -> Workspace:
        server = replace(workspace.config.server, **values)
        return replace(workspace, config=replace(workspace.config, server=server))

    return with_server


@pytest.fixture
def new_key(workspace: Workspace) -> Iterator[Callable[..., dict[str, str]]]:
    """Make a key, and the header that sends it: ``new_key("feed", name="app")``."""
    database = Database(workspace.events_dir)

    def make(*scopes: str, **options: Any) -> dict[str, str]:
        _, text = KeyStore(database).create([Scope(scope) for scope in scopes], who="test", **options)
        return {"Authorization": f"Bearer {text}"}

    yield make
    database.close()
