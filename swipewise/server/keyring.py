"""The keys as the server checks them: all in memory, read again every few seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from starlette.concurrency import run_in_threadpool

from swipewise.events.keys import ApiKey, KeyStore, parts_of

MAX_AGE: Final = 2.0
"""Seconds after which a key that was revoked is refused at the latest."""

_AGE_FOR_UNKNOWN: Final = 0.1
_GRAIN: Final = 0.005  # a timer may fire that much early


class KeyRing:
    """Finds keys without asking the store at each request.

    Args:
        store: Has the keys.
        clock: Seconds that only grow.
    """

    def __init__(self, store: KeyStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._keys: dict[str, ApiKey] = {}
        self._read_at = -float("inf")
        self._reading = asyncio.Lock()

    async def find(self, text: str) -> ApiKey | None:
        """The key that a client sent, also one that is not to be used any more; None where it is nobody's.

        Raises:
            StoreError: The store cannot be read; what was known before is not relied on.
        """
        parts = parts_of(text)
        if parts is None:
            return None
        await self._read(MAX_AGE)
        if parts[0] not in self._keys:
            # It may have been made a moment ago. Guesses wait, so that they cannot have the store read more often.
            await asyncio.sleep(max(0.0, self._read_at + _AGE_FOR_UNKNOWN + _GRAIN - self._clock()))
            await self._read(_AGE_FOR_UNKNOWN)
        key = self._keys.get(parts[0])
        return key if key is not None and key.matches(parts[1]) else None

    async def _read(self, max_age: float) -> None:
        if self._clock() - self._read_at < max_age:
            return
        async with self._reading:
            now = self._clock()
            if now - self._read_at >= max_age:
                keys = await run_in_threadpool(self._store.all)
                self._keys, self._read_at = {key.key_id: key for key in keys}, now
