"""Batches that are made while the step before is still running."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from queue import Full, Queue
from threading import Event, Thread
from typing import Final, TypeVar

T = TypeVar("T")

_END: Final = object()
_PATIENCE_SECONDS = 0.1


def ahead(items: Iterable[T], room: int = 2) -> Iterator[T]:
    """The same items in the same order, made by a thread that is up to ``room`` of them ahead.

    An error of the thread is raised where its item would have come. The thread ends with the iterator.
    """
    made: Queue[object] = Queue(room)
    errors: list[BaseException] = []
    over = Event()

    def put(item: object) -> None:
        while not over.is_set():
            try:
                made.put(item, timeout=_PATIENCE_SECONDS)
            except Full:
                continue
            return

    def make() -> None:
        try:
            for item in items:
                put(item)
                if over.is_set():
                    return
        except BaseException as error:
            errors.append(error)
        put(_END)

    thread = Thread(target=make, name="batches", daemon=True)
    thread.start()
    try:
        while (item := made.get()) is not _END:
            yield item  # type: ignore[misc]
        if errors:
            raise errors[0]
    finally:
        over.set()
        thread.join()
