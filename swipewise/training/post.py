"""Where the workers of a training on Ray leave letters; without torch, which its process has no use for."""

from __future__ import annotations

import asyncio
import json


class Post:
    """An actor by which the workers tell the command, letter by letter, how the training goes."""

    def __init__(self) -> None:
        self._letters: list[str] = []
        self._come = asyncio.Event()
        self._planned = False
        self._over = False

    async def put(self, letter: str) -> str:
        """Leave a letter: whether the training is over, and whether it had begun before."""
        answer = json.dumps({"over": self._over, "planned": self._planned})
        kind = json.loads(letter)[0]
        self._planned |= kind == "plan"
        self._over |= kind in ("done", "failed")
        self._letters.append(letter)
        self._come.set()
        return answer

    async def take(self, seconds: float) -> list[str]:
        """The letters that have come, waited for so many seconds at most."""
        try:
            await asyncio.wait_for(self._come.wait(), seconds)
        except TimeoutError:
            return []
        self._come.clear()
        letters, self._letters = self._letters, []
        return letters

    async def end(self) -> None:
        """Have every worker stop that leaves a letter from now on."""
        self._over = True
