"""The whole API of a small workspace, as it describes itself, for schemathesis to try."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
import schemathesis
from fastapi import FastAPI
from schemathesis.schemas import BaseSchema

from swipewise.server import create_app
from swipewise.workspace import Workspace
from tests.server.conftest import configured as configured
from tests.server.conftest import new_key as new_key

EXAMPLES = int(os.environ.get("SWIPEWISE_FUZZ_EXAMPLES", "12"))
"""Random requests an operation, beside those that its description suggests."""

CHECKS = {
    "negative_data_rejection": {
        # More than is taken at once is too large.
        "expected-statuses": [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429]
    }
}


@schemathesis.serializer("video/*")
def send_clip(_context: schemathesis.SerializationContext, value: object) -> bytes:
    """Send bytes in place of a clip."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@pytest.fixture
def app(
    workspace: Workspace,
    runs: Callable[[str, str], None],
    configured: Callable[..., Workspace],
    monkeypatch: pytest.MonkeyPatch,
) -> FastAPI:
    """An API that has a model and asks for keys; posted videos are queued, and nobody works on them."""
    runs("r1", "sound")
    monkeypatch.setattr("swipewise.events.jobs.JobQueue.take", lambda *_, **__: [])
    return create_app(configured(keys="required", rate_events=0.0, rate_feed=0.0, rate_admin=0.0))


@pytest.fixture
def examples() -> int:
    """Random requests an operation; a test may ask for others."""
    return EXAMPLES


@pytest.fixture
def schema(app: FastAPI, new_key: Callable[..., dict[str, str]], examples: int) -> BaseSchema:
    """What schemathesis goes by, with a key of an administrator."""
    key = new_key("admin", name="fuzz")["Authorization"].removeprefix("Bearer ")
    config = schemathesis.Config.from_dict(
        {
            "seed": int(os.environ.get("SWIPEWISE_FUZZ_SEED", "1")),
            "generation": {
                "deterministic": True,
                "max-examples": examples,
                "with-security-parameters": False,
            },
            "phases": {
                "coverage": {"generate-duplicate-query-parameters": True},
                # It sends a request twice more, without a key and with a wrong one; those of the coverage suffice.
                "fuzzing": {"checks": {"ignored_auth": {"enabled": False}}},
            },
            "auth": {"openapi": {"key": {"bearer": key}}},
            "checks": CHECKS,
            "operations": [
                # It takes long, as it writes the stores anew.
                {
                    "include-name": "DELETE /v1/viewers/{viewer_id}",
                    "generation": {"max-examples": max(20, examples // 5)},
                }
            ],
            "dictionaries": {"videos": {"values": list("abcd")}, "viewers": {"values": ["ann", "bob"]}},
            "parameters": {
                name: {"dictionary": values, "probability": 0.4}
                for name, values in (
                    ("path.video_id", "videos"),
                    ("body.video_id", "videos"),
                    ("path.viewer_id", "viewers"),
                    ("query.viewer_id", "viewers"),
                    ("body.viewer_id", "viewers"),
                )
            },
            # What is tried must not change with every line of the server's code.
            "analysis": {"constants": {"enabled": False}},
        }
    )
    return schemathesis.openapi.from_asgi("/openapi.json", app, config=config)
