"""The audit of what is done on the command line."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swipewise.workspace import Workspace


def who() -> str:
    """Who sits at the command line, as the audit names them."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        # In a container the user may have no name.
        name = f"user {os.getuid()}"
    return f"command line ({name})"


def take_down(workspace: Workspace, action: str, target: str) -> None:
    """Write to the audit what is about to be done.

    Args:
        workspace: Whose audit.
        action: The command.
        target: What it is done to; never a viewer's id, as the audit outlives an erasure.

    Raises:
        StoreError: It cannot be written.
    """
    from swipewise.events.audit_log import record
    from swipewise.events.database import Database

    database = Database(workspace.events_dir)
    try:
        with database.write() as connection:
            record(connection, who=who(), action=action, target=target)
    finally:
        database.close()
