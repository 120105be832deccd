"""Work that costs less for several at once, done for whoever is waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Generic, TypeVar

A = TypeVar("A")
R = TypeVar("R")


@dataclass(slots=True, eq=False)
class _Ticket(Generic[A, R]):
    """One caller's place in the queue: woken when it is served, or when it is its turn to lead."""

    item: A
    woken: Event = field(default_factory=Event)
    served: bool = False
    found: list[R] = field(default_factory=list)
    error: BaseException | None = None

    def answer(self) -> R:
        if self.error is not None:
            raise self.error
        return self.found[0]


class Together(Generic[A, R]):
    """Calls a function with what several threads ask for at the same time.

    Whoever comes while nobody works is served at once, alone: nothing waits for company. Who comes meanwhile queues,
    and the first of them then works for all that queue. Where a batch fails, each of it is tried alone, so that an
    error is the one's whose it is.

    Args:
        work: Gives a result for each item, in order.
        most: Items in a batch.
        waiting: Callers that queue; the next one works for itself alone.
    """

    def __init__(self, work: Callable[[Sequence[A]], Sequence[R]], *, most: int, waiting: int) -> None:
        self._work = work
        self._most = most
        self._waiting = waiting
        self._lock = Lock()
        self._queue: deque[_Ticket[A, R]] = deque()
        self._busy = False

    def __call__(self, item: A) -> R:
        """The result of one item; raises what the work raises of it."""
        ticket: _Ticket[A, R] = _Ticket(item)
        with self._lock:
            leads, self._busy = not self._busy, True
            queues = leads or len(self._queue) < self._waiting
            if queues:
                self._queue.append(ticket)
        if not queues:
            return self._work([item])[0]
        if not leads:
            ticket.woken.wait()
        if not ticket.served:
            self._lead()
        return ticket.answer()

    def _lead(self) -> None:
        """Serve the first of the queue, one of which is the caller, and hand over to the next."""
        with self._lock:
            batch = [self._queue.popleft() for _ in range(min(self._most, len(self._queue)))]
        try:
            self._serve(batch)
        finally:
            for ticket in batch:
                ticket.served = True
                ticket.woken.set()
            with self._lock:
                self._busy = bool(self._queue)
                if self._busy:
                    self._queue[0].woken.set()

    def _serve(self, batch: Sequence[_Ticket[A, R]]) -> None:
        try:
            found = self._work([ticket.item for ticket in batch])
            for ticket, each in zip(batch, found, strict=True):
                ticket.found.append(each)
        except BaseException as error:
            for ticket in batch:
                ticket.found.clear()
                ticket.error = error
            if len(batch) == 1 or not isinstance(error, Exception):
                return
            for ticket in batch:
                ticket.error = None
                self._serve([ticket])
