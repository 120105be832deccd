"""Folders and files that are whole or not there: made hidden beside their place, which they take by one rename."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from swipewise.errors import ArtifactError, StoreError, WorkspaceError


def refuse_what_is_there(target: Path, needs: str) -> None:
    """Refuse a target that is neither new nor empty; ``needs`` says what wants a folder of its own.

    Raises:
        WorkspaceError: It is a file, or holds something.
    """
    if target.is_dir() and (there := sorted(path.name for path in target.iterdir())):
        raise WorkspaceError(f"{target} holds {there[0]!r}: {needs}, so name a folder that is new or empty")
    if target.exists() and not target.is_dir():
        raise WorkspaceError(f"{target} is a file: name a folder that is new or empty")


@contextmanager
def staging(target: Path, doing: str, *, keep: bool = False) -> Iterator[Path]:
    """An empty hidden folder beside the target, ours alone; what was left in it by one that was killed is removed.

    Args:
        target: Where the folder is to be in the end.
        doing: What is done, such as ``converting``.
        keep: Whether what was left in it is still there, and stays where the block ends with an error.

    Raises:
        WorkspaceError: Another process is doing the same.
        StoreError: The folder cannot be made.
    """
    target = target.absolute()
    folder = target.with_name(f".{target.name}.{doing}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise StoreError(f"cannot write beside {target}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise WorkspaceError(f"another process is {doing} into {target}: wait for it to end") from error
        if not _is_at(descriptor, folder):
            raise WorkspaceError(f"another process has just made {target}: name another folder")
        if not keep:
            _empty(folder)
        done = False
        try:
            yield folder
            done = True
        finally:
            if (done or not keep) and _is_at(descriptor, folder):
                shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)


def put_in_place(folder: Path, target: Path) -> None:
    """Have the system write the finished folder to disk, then rename it to where it was asked for.

    Raises:
        StoreError: It cannot be put there.
    """
    try:
        for path in [*folder.rglob("*"), folder]:
            _sync(path)
        folder.rename(target.absolute())
        _sync(target.absolute().parent)
    except OSError as error:
        raise StoreError(f"cannot put the folder at {target}: {error.strerror}") from error


def write_durably(path: Path, payload: bytes | Iterable[bytes | memoryview]) -> None:
    """Replace a file in one step; when this returns the new content is on disk.

    Args:
        path: Of the file.
        payload: Its content, or the parts of it in order.

    Raises:
        ArtifactError: The folder cannot be written, or the disk is full.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        with draft.open("wb") as file:
            for chunk in [payload] if isinstance(payload, bytes) else payload:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync(path.parent)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise ArtifactError(f"cannot write {path}: {error.strerror}") from error


def _is_at(descriptor: int, folder: Path) -> bool:
    """Whether a path still leads to the folder that was opened, which is gone once it took the target's place."""
    return folder.exists() and os.path.samestat(os.fstat(descriptor), folder.stat())


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
