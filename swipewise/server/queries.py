"""Parameters of a request's query: one that its route does not know is told, where it would have no effect."""

from __future__ import annotations

from fastapi.requests import HTTPConnection

from swipewise.server.intake import invalid


async def known_queries(request: HTTPConnection) -> None:
    """A dependency of every route: refuses parameters that the description of the API does not have.

    Routes without parameters take any, as probes and links may carry what is meant for others.

    Raises:
        BadRequestError: One is not known (422).
    """
    if not request.query_params:
        return
    # What opens a WebSocket has no method, and is not described; HEAD is answered as GET.
    method = request.scope.get("method", "").lower()
    method = "get" if method == "head" else method
    operation = request.app.openapi()["paths"].get(request.scope["route"].path_format, {}).get(method, {})
    known = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
    unknown = [
        {"type": "extra_forbidden", "loc": ("query", name), "input": value}
        for name, value in request.query_params.multi_items()
        if name not in known
    ]
    if known and unknown:
        raise invalid(unknown, known)
