"""Threads that ask at the same time are served together, each as if alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from swipewise.training.together import Together


class Work:
    """Doubles numbers, notes its batches, and waits in the first one until it is let go; fails on 13."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.started, self.go_on = threading.Event(), threading.Event()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        self.started.set()
        assert self.go_on.wait(30)
        if 13 in items:
            raise ValueError(f"13 of {list(items)}")
        return [2 * item for item in items]


def asked(work: Work, together: Together[int, int], items: Sequence[int]) -> list[Future[int]]:
    """The first is at work while the others come, one after the other."""
    pool = ThreadPoolExecutor(len(items))
    futures = [pool.submit(together, items[0])]
    assert work.started.wait(30)
    for place, item in enumerate(items[1:], 1):
        futures.append(pool.submit(together, item))
        until(lambda place=place: len(together._queue) + len(work.batches) - 1 >= min(place, together._waiting))
    work.go_on.set()
    pool.shutdown()
    return futures


def until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(3000):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it never came true")


def test_whoever_comes_first_is_served_at_once_and_the_others_together() -> None:
    work = Work()
    futures = asked(work, Together(work, most=3, waiting=100), [1, 2, 3, 4, 5])
    assert [future.result() for future in futures] == [2, 4, 6, 8, 10]
    assert work.batches == [[1], [2, 3, 4], [5]]


def test_nothing_waits_for_company() -> None:
    work = Work()
    work.go_on.set()
    together = Together(work, most=3, waiting=100)
    assert [together(item) for item in (1, 2)] == [2, 4]
    assert work.batches == [[1], [2]]


def test_an_error_is_the_one_s_whose_it_is() -> None:
    work = Work()
    together = Together(work, most=8, waiting=100)
    first, second, unlucky, last = asked(work, together, [1, 2, 13, 4])
    assert [future.result() for future in (first, second, last)] == [2, 4, 8]
    with pytest.raises(ValueError, match=r"13 of \[13\]"):
        unlucky.result()
    assert together(5) == 10, "and it goes on"


def test_where_the_queue_is_full_callers_work_for_themselves() -> None:
    work = Work()
    futures = asked(work, Together(work, most=8, waiting=1), [1, 2, 3])
    assert [future.result() for future in futures] == [2, 4, 6]
    assert sorted(map(tuple, work.batches)) == [(1,), (2,), (3,)]


def test_many_threads_for_a_while() -> None:
    together: Together[int, int] = Together(lambda items: [item + 1 for item in items], most=4, waiting=3)
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(together, range(2000))) == list(range(1, 2001))
