"""A worker process: takes tasks as lines of JSON, hashes or decodes and encodes files, tells of each step in a line.

A worker may crash or hang on a file; the pool that started it sees to that. It ends by itself when the other end of
its input closes, also while it is at work.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from swipewise.config import EncodersConfig, MediaConfig
from swipewise.encoders import Encoder, Recognizer, batch_of, build_encoders, build_recognizers, identity
from swipewise.errors import ConfigError, SwipewiseError
from swipewise.ingest.allocator import share_freed_memory
from swipewise.ingest.stages import Inbox, Stages, Steps, Told
from swipewise.media.memory import limit_memory
from swipewise.schema import Modality, Words


def main() -> None:
    """Serve tasks until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    share_freed_memory()
    tell = _teller()
    settings = json.loads(sys.stdin.buffer.readline() or "null") or sys.exit()
    tasks = _inbox()
    try:
        encoders, recognizers = open_encoders(settings)
    except SwipewiseError as error:
        tell({"failed": str(error)})
        return
    media = MediaConfig(**settings["media"])
    steps = Steps(media=media, encoders=encoders, recognizers=recognizers, tell=tell)
    names = {modality: identity(encoder) for modality, encoder in encoders.items()}
    words = {kind: identity(recognizer) for kind, recognizer in recognizers.items()}
    tell({"ready": names, "recognizers": words})
    limit_memory(media.max_memory_mb)
    # From here on the standard error would only carry the codecs' remarks on damaged files.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    batch = batch_of([*encoders.values(), *recognizers.values()], settings["encoders"]["batch"])
    Stages(steps, tasks, batch=batch, decoders=settings["decoders"]).work()


def open_encoders(settings: Mapping[str, Any]) -> tuple[dict[Modality, Encoder], dict[Words, Recognizer]]:
    """The configured encoders and recognisers, with their models read.

    Raises:
        ConfigError: They cannot be had.
    """
    chosen = EncodersConfig(**settings["encoders"])
    with _explained("[encoders]"):
        encoders, recognizers = build_encoders(chosen), build_recognizers(chosen)
    # So that a model that cannot be read fails here and not file by file.
    for modality, encoder in encoders.items():
        with _explained(f"encoders.{modality} = {getattr(chosen, modality)!r}"):
            encoder.encode([])
    for kind, recognizer in recognizers.items():
        with _explained(f"encoders.{kind} = {getattr(chosen, kind)!r}"):
            recognizer.recognize([])
    return encoders, recognizers


@contextmanager
def _explained(chosen: str) -> Iterator[None]:
    """Whatever a model's library raises is an error of the setting that chose it."""
    try:
        yield
    except SwipewiseError:
        raise
    except Exception as error:
        raise ConfigError(
            f"{chosen} cannot be had: {type(error).__name__}: {error}: see to its files, or choose another"
        ) from error


def _teller() -> Callable[[Told], None]:
    """Writes lines to what was the standard output, which then carries nothing else."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not mix with the answers
    one_at_a_time = threading.Lock()

    def tell(message: Told) -> None:
        line = json.dumps(message).encode() + b"\n"
        with one_at_a_time:
            answers.write(line)
            answers.flush()

    return tell


def _inbox() -> Inbox:
    """Tasks as they come in, read by a thread that ends the process when there can be no more."""
    tasks: Inbox = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin.buffer:
            tasks.put(tuple(json.loads(line)))
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return tasks


if __name__ == "__main__":
    main()
