"""Arrays as long as the log, in files that are mapped into memory, so that no process has to hold them.

A file has no name: it lies in the folder that is given, and its space is free again when the array is gone, also after
a kill. The system keeps in memory what it has room for, and takes it away where something else needs the room.

Legend of shape suffixes: I = interactions, U = viewers, B = stretches.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Final
from weakref import finalize

import numpy as np
from numpy.typing import DTypeLike, NDArray

from swipewise.errors import StoreError

BLOCK_ROWS: Final = 1 << 18
"""Rows that are worked on at a time; what that takes is all the memory it takes."""


def folder_for_arrays(folder: Path) -> Path | None:
    """The folder, where files can be made in it; None, which stands for memory, where not."""
    return folder if os.access(folder, os.W_OK) else None


class Growing:
    """An array that comes block by block.

    Args:
        folder: Where its file is made; None keeps it in memory.
        dtype: Of its entries.
        shape: Of one entry.
    """

    def __init__(self, folder: Path | None, dtype: DTypeLike, shape: tuple[int, ...] = ()) -> None:
        self._dtype, self._shape = np.dtype(dtype), shape
        self._blocks: list[NDArray[Any]] = []
        self._file = None if folder is None else _File(folder)
        self._count = 0

    def add(self, block: NDArray[Any]) -> None:
        """Put a block behind what there is.

        Raises:
            StoreError: The file cannot be written.
        """
        self._count += len(block)
        if self._file is None:
            self._blocks.append(block)
        elif len(block):
            self._file.write(np.ascontiguousarray(block, self._dtype))

    def done(self) -> NDArray[Any]:
        """All of it.

        Raises:
            StoreError: The file cannot be written.
        """
        shape = (self._count, *self._shape)
        if self._file is None:
            blocks, self._blocks = self._blocks, []
            return np.concatenate([np.zeros((0, *self._shape), self._dtype), *blocks], dtype=self._dtype)
        return self._file.mapped(self._dtype, shape)


def zeros(folder: Path | None, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Zeros that may be written to in any order.

    Args:
        folder: Where their file is made; None: in memory.
        shape: Of the array.
        dtype: Of its entries.

    Raises:
        StoreError: The file cannot be written.
    """
    if folder is None:
        return np.zeros(shape, dtype)
    file = _File(folder)
    # Written rather than left out: a hole that finds no room on the disk later would kill the process.
    for here in stretches(shape[0]):
        file.write(np.zeros((here.stop - here.start, *shape[1:]), dtype))
    return file.mapped(np.dtype(dtype), shape)


def stretches(rows: int) -> Iterator[slice]:
    """Rows in blocks of ``BLOCK_ROWS``."""
    for start in range(0, rows, BLOCK_ROWS):
        yield slice(start, min(start + BLOCK_ROWS, rows))


def viewer_stretches(viewer_I: NDArray[np.int64]) -> Iterator[slice]:
    """Rows, sorted by viewer, in blocks of about ``BLOCK_ROWS`` that hold whole viewers."""
    start = 0
    while start < len(viewer_I):
        last = viewer_I[min(start + BLOCK_ROWS, len(viewer_I)) - 1]
        end = int(np.searchsorted(viewer_I, last, side="right"))
        yield slice(start, end)
        start = end


def viewer_blocks(offsets_U: NDArray[np.int64]) -> Iterator[slice]:
    """Viewers in blocks that have about ``BLOCK_ROWS`` rows; those of viewer u end at ``offsets_U[u + 1]``."""
    first, viewers = 0, len(offsets_U) - 1
    while first < viewers:
        end = int(np.searchsorted(offsets_U, offsets_U[first] + BLOCK_ROWS, side="right")) - 1
        end = min(max(end, first + 1), viewers)
        yield slice(first, end)
        first = end


def rows_within(start_B: NDArray[np.int64], end_B: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows of stretches from start to end, one stretch after the other.

    >>> rows_within(np.array([3, 7]), np.array([5, 8])).tolist()
    [3, 4, 7]
    """
    length_B = end_B - start_B
    before_B = np.cumsum(length_B) - length_B
    rows: NDArray[np.int64] = np.arange(length_B.sum()) + np.repeat(start_B - before_B, length_B)
    return rows


def _close(file: IO[bytes]) -> None:
    """Close a file, whether or not a full disk took what was still to be written: nobody will read it."""
    with suppress(OSError):
        file.close()


class _File:
    """A file without a name, which is closed once it is mapped, or when nobody has it any more."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self._file: IO[bytes] = TemporaryFile(dir=folder)  # noqa: SIM115 (its mapping keeps it)
        except OSError as error:
            raise self._trouble(error) from error
        self._close = finalize(self, _close, self._file)

    def write(self, block: NDArray[Any]) -> None:
        try:
            self._file.write(block.data)
        except OSError as error:
            raise self._trouble(error) from error

    def mapped(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        try:
            self._file.flush()
            if not np.prod(shape):
                return np.zeros(shape, dtype)
            # Shared: of a private map the system would have to have all the memory.
            return np.asarray(np.memmap(self._file, dtype, "r+", shape=shape))
        except OSError as error:
            raise self._trouble(error) from error
        finally:
            self._close()

    def _trouble(self, error: OSError) -> StoreError:
        return StoreError(
            f"cannot keep the log's columns in {self._folder}: {error.strerror} (training takes up to 200 bytes of "
            "disk an interaction there: make room, or put the workspace on a larger disk)"
        )
