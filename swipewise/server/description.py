"""What the API's description says of keys, from the same table that the guard goes by."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI

from swipewise.server.access import ROUTES, Access
from swipewise.server.messages import Problem

_SCHEME = "key"
_INVALID = "422"
_REFUSALS = {
    "401": "No key, or one that is not to be used any more",
    "403": "The key lacks the scope; says which",
    "422": "Not as it should be; says what",
    "429": "Too many requests; try again after Retry-After",
    "503": "A store cannot be reached now; try again after Retry-After",
}
# FastAPI's own description of what it finds wrong, which is not how it is answered here.
_UNUSED = ("HTTPValidationError", "ValidationError")


def describe_refusals(app: FastAPI) -> None:
    """Have the description of an app name the scope of each of its routes, how a key is sent, and what is refused."""
    undescribed = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            description = undescribed()
            components = description.setdefault("components", {})
            for name in _UNUSED:
                components.get("schemas", {}).pop(name, None)
            components.setdefault("securitySchemes", {})[_SCHEME] = {
                "type": "http",
                "scheme": "bearer",
                "description": 'From `swipewise keys create`; asked for where `[server]` has `keys = "required"`.',
            }
            for (method, template), access in ROUTES.items():
                # The description drops what a parameter may look like: {video_id:path} is {video_id} there.
                path = description["paths"].get(re.sub(r":\w+}", "}", template), {})
                if method.lower() in path:
                    _describe(path[method.lower()], access)
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _describe(operation: dict[str, Any], access: Access) -> None:
    problem = {"application/json": {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}}
    if _INVALID in operation["responses"]:
        operation["responses"][_INVALID] = {
            "description": "Not as it should be; names the field",
            "content": problem,
        }
    if access.scope is None:
        return
    operation["security"] = [{_SCHEME: [access.scope.value]}]
    for status, text in _REFUSALS.items():
        operation["responses"].setdefault(status, {"description": text, "content": problem})
