"""What the API's description says of keys, from the same table that the guard goes by."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI

from swipewise.server.access import ROUTES, Access
from swipewise.server.messages import Problem

_SCHEME = "key"
_REFUSALS = {
    "401": "No key, or one that is not to be used any more",
    "403": "The key lacks the scope; says which",
    "429": "Too many requests; try again after Retry-After",
}


def describe_keys(app: FastAPI) -> None:
    """Have the description of an app name the scope of each of its routes, and how a key is sent."""
    undescribed = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            description = undescribed()
            schemes = description.setdefault("components", {}).setdefault("securitySchemes", {})
            schemes[_SCHEME] = {
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
    if access.scope is None:
        return
    operation["security"] = [{_SCHEME: [access.scope.value]}]
    problem = {"application/json": {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}}
    for status, text in _REFUSALS.items():
        operation["responses"].setdefault(status, {"description": text, "content": problem})
