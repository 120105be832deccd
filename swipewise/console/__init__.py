"""The web pages: what is in a workspace, what its viewers do, and why a feed is as it is.

Pages only show; what they show is worked out in ``data/`` and in the folders below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swipewise.console.mounting import mount_console as mount_console

__all__ = ["mount_console"]


def __getattr__(name: str) -> Any:
    """Import what pages are made with when it is asked for."""
    if name != "mount_console":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from swipewise.console.mounting import mount_console

    return mount_console
