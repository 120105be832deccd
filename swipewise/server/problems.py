"""Errors as they are answered."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi.responses import JSONResponse

from swipewise.server.messages import Problem

RETRY_SECONDS = 5


def problem(status: int, answer: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An error's response."""
    return JSONResponse(answer.model_dump(exclude_none=True), status, headers)


def store_problem(error: Exception) -> JSONResponse:
    """The response where a store cannot be used now."""
    return problem(503, Problem(error=str(error)), {"Retry-After": str(RETRY_SECONDS)})
