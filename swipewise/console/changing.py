"""What somebody changes from a page: allowed to administrators alone, and written down before it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from swipewise.console.shell import Visit
from swipewise.errors import DataError

T = TypeVar("T")


async def changing(visit: Visit, action: str, target: str, work: Callable[[], T]) -> T:
    """Do something in a thread, in the audit under the name of who does it.

    Args:
        visit: Of whom.
        action: What is done, in a word or two.
        target: To what; never a viewer's id.
        work: Does it.

    Raises:
        DataError: They may only look.
        StoreError: It cannot be written down, and was not done.
    """
    if not visit.session.may_change:
        raise DataError(f"key {visit.session.name!r} may only look: sign in with one of the scope admin")

    def audited() -> T:
        audit = visit.console.audit
        entry = audit.begin(
            who=visit.session.name,
            key_id=visit.session.key_id,
            action=f"console {action}",
            target=target,
            request_id="console",
        )
        status = 409
        try:
            done = work()
            status = 200
            return done
        finally:
            audit.end(entry, status)

    return await asyncio.to_thread(audited)
