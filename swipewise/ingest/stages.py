"""The stages of one worker: threads decode ahead while the thread that owns the encoders encodes.

What was decoded waits in a buffer that is bounded in clips and in bytes, so memory stays flat however far decoding
could run ahead. An encoder gets the clips that wait together: one where decoding takes longer, many where encoding
does. PyAV, numpy and torch release the interpreter's lock where they do the work.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from swipewise.config import MediaConfig
from swipewise.encoders import Encoder, Recognizer, needs_of
from swipewise.ingest.tasks import Decoded, decode_file, encode_clips, hash_file, reason_of, recognize_clips
from swipewise.media.memory import within_memory
from swipewise.schema import Modality, Needs, Words

T = TypeVar("T")

Inbox = queue.SimpleQueue[tuple[int, Mapping[str, Any]]]

Told = dict[str, Any]
"""``{"stage": "decode" | "wait" | "encode", "tasks": [...]}`` as tasks reach it, ``{"task":, "answer":}`` at their end.

Those in other stages than ``wait`` are being worked on: whoever is told can blame them.
"""

WAITING_BYTES: Final = 64 << 20
"""Of decoded pictures and sound that wait for the encoders at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What the stages do with tasks.

    Attributes:
        media: How clips are decoded.
        encoders: By modality.
        recognizers: By the kind of words.
        tell: Is told of each step, by several threads.
    """

    media: MediaConfig
    encoders: Mapping[Modality, Encoder]
    recognizers: Mapping[Words, Recognizer]
    tell: Callable[[Told], None]

    def decode(self, number: int, task: Mapping[str, Any]) -> Decoded | None:
        """Decode a task's clip; None where that was all: it failed, or the file was only to be hashed."""
        self.tell({"stage": "decode", "tasks": [number]})
        started = time.perf_counter()
        decoded, answer = None, {}
        try:
            if task["do"] == "hash":
                answer = hash_file(Path(task["path"]))
            else:
                decoded = decode_file(number, task, self.media, self._needs(task))
        except Exception as error:
            answer = {"reason": reason_of(error)}
        seconds = time.perf_counter() - started
        if decoded is not None:
            self.tell({"stage": "wait", "tasks": [number]})
            return replace(decoded, seconds=seconds)
        times = {} if task["do"] == "hash" else {"decode_seconds": seconds}
        self.tell({"task": number, "answer": answer | times})
        return None

    def _needs(self, task: Mapping[str, Any]) -> Needs:
        models = [self.encoders[Modality(name)] for name in task["modalities"]]
        return needs_of([*models, *(self.recognizers[Words(kind)] for kind in task["recognize"])])

    def encode(self, batch: Sequence[Decoded]) -> None:
        """Encode clips together; if that fails, half of them and then the others, so that each fails alone.

        Words that were found are not looked for again.
        """
        self.tell({"stage": "encode", "tasks": [each.number for each in batch]})
        started = time.perf_counter()
        try:
            for recognizer in self.recognizers.values():
                batch = self._within_memory(partial(recognize_clips, batch, recognizer), batch)
            answers = self._within_memory(partial(encode_clips, batch, self.encoders), batch)
        except Exception as error:
            if len(batch) > 1:
                middle = len(batch) // 2
                self.encode(batch[:middle])
                self.encode(batch[middle:])
                return
            answers = [{"reason": reason_of(error)}]
        seconds = (time.perf_counter() - started) / len(batch)
        for each, answer in zip(batch, answers, strict=True):
            times = {"decode_seconds": each.seconds, "encode_seconds": seconds}
            self.tell({"task": each.number, "answer": answer | times})

    def _within_memory(self, work: Callable[[], T], batch: Sequence[Decoded]) -> T:
        """What the work returns; of several clips none is to blame, which come here again as fewer."""
        return work() if len(batch) > 1 else within_memory(work, self.media.max_memory_mb, "encode")


class Stages:
    """Decodes ahead in threads, encodes in the thread that calls ``work``.

    Args:
        steps: What is done.
        tasks: Where numbered tasks come from.
        batch: Clips that are encoded together at most, and that wait for it at most.
        decoders: Threads that decode.
    """

    def __init__(self, steps: Steps, tasks: Inbox, *, batch: int, decoders: int) -> None:
        self._steps = steps
        self._tasks = tasks
        self._batch = batch
        self._waiting = _Buffer(most=batch)
        for _ in range(decoders):
            threading.Thread(target=self._decode, daemon=True).start()

    def work(self) -> None:
        """Encode what is decoded, for ever."""
        while True:
            self._steps.encode(self._waiting.take(self._batch))

    def _decode(self) -> None:
        while True:
            decoded = self._steps.decode(*self._tasks.get())
            if decoded is not None:
                self._waiting.put(decoded)


class _Buffer:
    """Decoded clips in order; who puts one too many waits until there is room again."""

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._clips: deque[Decoded] = deque()
        self._size = 0
        self._changed = threading.Condition()

    def put(self, decoded: Decoded) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._has_room(decoded.size))
            self._clips.append(decoded)
            self._size += decoded.size
            self._changed.notify_all()

    def take(self, most: int) -> list[Decoded]:
        """The first clips, at least one."""
        with self._changed:
            self._changed.wait_for(lambda: self._clips)
            taken = [self._clips.popleft() for _ in range(min(most, len(self._clips)))]
            self._size -= sum(each.size for each in taken)
            self._changed.notify_all()
        return taken

    def _has_room(self, size: int) -> bool:
        # However large, one clip fits.
        return not self._clips or (len(self._clips) < self._most and self._size + size <= WAITING_BYTES)
