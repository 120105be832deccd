"""Items come in order, are made ahead, and their thread ends with whoever takes them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from threading import Event

import pytest

from swipewise.training.prefetch import ahead


def running() -> bool:
    return any(thread.name == "batches" for thread in threading.enumerate())


def test_all_items_come_in_order() -> None:
    assert list(ahead(range(100))) == list(range(100))
    assert list(ahead([])) == []
    assert not running()


def test_the_next_items_are_made_before_they_are_asked_for_but_not_all() -> None:
    made: list[int] = []
    third = Event()

    def items() -> Iterator[int]:
        for item in range(50):
            made.append(item)
            if item == 3:
                third.set()
            yield item

    taken = ahead(items(), room=2)
    assert next(taken) == 0
    assert third.wait(10)  # one taken, two in the queue, one in hand
    assert made == [0, 1, 2, 3]
    taken.close()  # type: ignore[attr-defined]
    assert not running()


def test_an_error_comes_where_its_item_would_have() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyError("broken")

    taken = ahead(items())
    assert next(taken) == 1
    with pytest.raises(KeyError, match="broken"):
        next(taken)
    assert not running()
