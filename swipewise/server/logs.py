"""The server's log: one JSON object a line, on stderr."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from swipewise.server.exchange import Exchange, request_id

REQUESTS: Final = logging.getLogger("swipewise.requests")
"""Gets a line a request. Neither query nor path is in it, as they name viewers and may hold secrets."""

SUPERVISOR: Final = logging.getLogger("swipewise.supervisor")
"""Gets a line for each worker that starts, is replaced or dies."""

_FACTS: Final = "facts"


def log_request(exchange: Exchange, seconds: float) -> None:
    """Write the line of a request that was answered."""
    if REQUESTS.isEnabledFor(logging.INFO):
        facts = {
            "method": exchange.method,
            "route": exchange.route,
            "status": exchange.status,
            "milliseconds": round(1000 * seconds, 3),
            "key": exchange.key,
        }
        if exchange.trace_id is not None:
            facts["trace_id"] = exchange.trace_id
        REQUESTS.info("request", extra={_FACTS: facts})


class JsonFormatter(logging.Formatter):
    """A record as one JSON object: time, level, logger, message, the request it belongs to, and an error's trace.

    Args:
        worker: Which of several workers logs; None where there is one.
    """

    def __init__(self, worker: int | None = None) -> None:
        super().__init__()
        self._worker = worker

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if self._worker is not None:
            line["worker"] = self._worker
        if (named := request_id.get()) is not None:
            line["request_id"] = named
        line.update(getattr(record, _FACTS, {}))
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


def log_facts(logger: logging.Logger, level: int, message: str, **facts: object) -> None:
    """Write a line that holds some facts of its own beside the message."""
    logger.log(level, message, extra={_FACTS: facts})


def log_config(worker: int | None = None) -> dict[str, Any]:
    """The configuration of Python's ``logging`` for a served process, uvicorn's own lines included.

    Args:
        worker: Which of several workers it is; None where there is one.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter, "worker": worker}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {name: {"level": "INFO"} for name in (REQUESTS.name, SUPERVISOR.name)},
    }
