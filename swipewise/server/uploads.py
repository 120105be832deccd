"""Clips that are sent to the server: streamed to its disk within limits, there under a name of their content."""

from __future__ import annotations

import hashlib
import mimetypes
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

from starlette.concurrency import run_in_threadpool

from swipewise.errors import MediaError, StoreError
from swipewise.ingest.remote import check_size, check_space
from swipewise.server.intake import BadRequestError

_BLOCK: Final = 1 << 20
_PART: Final = ".part-"
_FORGOTTEN_SECONDS: Final = 3600.0


class Upload:
    """One clip on its way to the disk.

    Args:
        folder: Where it goes; made if needed.
        max_bytes: How large it may be.
        content_type: What the client says it is, which only decides how the file's name ends.
    """

    def __init__(self, folder: Path, max_bytes: int, content_type: str | None) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        kind = (content_type or "").partition(";")[0].strip().lower()
        self._suffix = mimetypes.guess_extension(kind) or ".video" if kind.startswith("video/") else ".video"
        self._part = folder / f"{_PART}{uuid4().hex}"
        self._digest = ""

    async def receive(self, stream: AsyncIterator[bytes], announced: int | None) -> None:
        """Write a request's body; it is on disk when this returns.

        Args:
            stream: The body.
            announced: Its length, where the client has told it.

        Raises:
            BadRequestError: It is empty or too large (422, 413), or the disk has no room (507).
            StoreError: The folder cannot be written.
        """
        digest = hashlib.sha256()
        with self._named_errors():
            await run_in_threadpool(self._prepare, announced or 0)
            with self._part.open("wb") as file:
                taken = 0
                async for block in _blocks(stream):
                    taken += len(block)
                    self._check(taken)
                    digest.update(block)
                    await run_in_threadpool(file.write, block)
                if not taken:
                    raise BadRequestError(422, "the body is empty: send the bytes of a video file")
                file.flush()
                await run_in_threadpool(os.fsync, file.fileno())
        self._digest = digest.hexdigest()

    def keep(self) -> Path:
        """Give what was received its final name: that of its content, so that the same clip sent twice is one file.

        Raises:
            StoreError: The folder cannot be written.
        """
        final = self._folder / f"{self._digest[:32]}{self._suffix}"
        with self._named_errors():
            self._part.replace(final)
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        return final

    def discard(self) -> None:
        """Remove what was not kept."""
        self._part.unlink(missing_ok=True)

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(f"cannot write to {self._folder}: {error.strerror or error}") from error

    def _prepare(self, announced: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._check(announced)
        try:
            check_space(self._folder, announced)
        except MediaError as error:
            raise BadRequestError(507, str(error)) from error

    def _check(self, size: int) -> None:
        try:
            check_size(size, self._max_bytes)
        except MediaError as error:
            raise BadRequestError(413, f"the clip is {error}") from error


async def _blocks(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A body in parts large enough to be worth a thread's while."""
    block = bytearray()
    async for chunk in stream:
        block += chunk
        if len(block) >= _BLOCK:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)


def clear_parts(folder: Path) -> None:
    """Remove what uploads that were broken off by a kill have left, unless it may still be written to."""
    for part in folder.glob(f"{_PART}*"):
        try:
            if time.time() - part.stat().st_mtime > _FORGOTTEN_SECONDS:
                part.unlink()
        except OSError:
            continue
