"""Requests are worked on by as many threads as are configured, or suit the cores; the others wait."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from swipewise.server import create_app
from swipewise.server.threads import LEAST, MOST, pool_size
from swipewise.workspace import Workspace


def test_the_pool_follows_the_cores_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, threads in ((1, LEAST), (2, 8), (4, 16), (64, MOST)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        assert pool_size(0) == threads
        assert pool_size(3) == 3


def test_no_more_requests_are_worked_on_than_there_are_threads(
    configured: Callable[..., Workspace], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "swipewise")
    app = create_app(configured(threads=2))
    inside, together, full, go_on = [], [], threading.Event(), threading.Event()

    def slow(viewer_id: str, **_: object) -> object:
        inside.append(viewer_id)
        together.append(len(inside))
        if len(inside) == 2:
            full.set()
        assert go_on.wait(30)
        inside.remove(viewer_id)
        raise KeyError("answered with an error, which is all that is needed here")

    monkeypatch.setattr(app.state.engine, "feed", slow)
    with TestClient(app, raise_server_exceptions=False) as client, ThreadPoolExecutor(5) as pool:
        asked = [pool.submit(client.get, f"/v1/feed?viewer_id=v{number}") for number in range(5)]
        assert full.wait(30)
        go_on.set()
        assert [each.result().status_code for each in asked] == [500] * 5
    assert len(together) == 5
    assert max(together) == 2
    assert "2 requests are worked on at a time" in caplog.text
