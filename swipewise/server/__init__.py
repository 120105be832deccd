"""The HTTP API."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swipewise.server.app import create_app as create_app
    from swipewise.server.serving import Server as Server

# The supervisor of several workers is a small process that loads neither.
_HOMES = {"Server": "swipewise.server.serving", "create_app": "swipewise.server.app"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'swipewise.server' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
