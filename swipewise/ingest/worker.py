"""A worker process: takes tasks as lines of JSON, hashes or decodes and encodes a file, answers a line each.

The answer is what was asked for or ``{"reason": ...}``. A worker may crash or hang on a file; the pool that
started it sees to that. It ends by itself when the other end of its input closes, also while it is at work.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import queue
import signal
import stat
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from swipewise.config import EncodersConfig, MediaConfig
from swipewise.encoders import Encoder, Recognizer, build_encoders, build_recognizers, identity, needs_of
from swipewise.errors import MediaError, SwipewiseError
from swipewise.ingest.words import find_words, heard_and_seen
from swipewise.media import decode
from swipewise.media.fingerprint import fingerprint
from swipewise.media.memory import limit_memory, within_memory
from swipewise.media.thumbnail import thumbnail
from swipewise.schema import Clip, Fingerprint, Modality, Words

_CHUNK = 1 << 20


def main() -> None:
    """Serve tasks until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # whatever a library prints must not mix with the answers

    def answer(message: Mapping[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    tasks = _inbox()
    settings = tasks.get()
    media = MediaConfig(**settings["media"])
    try:
        chosen = EncodersConfig(**settings["encoders"])
        encoders, recognizers = build_encoders(chosen), build_recognizers(chosen)
        # So that a model that cannot be read fails here and not file by file.
        for encoder in encoders.values():
            encoder.encode([])
        for recognizer in recognizers.values():
            recognizer.recognize([])
    except Exception as error:
        answer({"failed": str(error) if isinstance(error, SwipewiseError) else repr(error)})
        return
    names = {modality: identity(encoder) for modality, encoder in encoders.items()}
    words = {kind: identity(recognizer) for kind, recognizer in recognizers.items()}
    answer({"ready": names, "recognizers": words})
    limit_memory(media.max_memory_mb)
    # From here on the standard error would only carry the codecs' remarks on damaged files.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    while True:
        answer(perform(tasks.get(), media, encoders, recognizers))


def perform(
    task: Mapping[str, Any],
    media: MediaConfig,
    encoders: Mapping[Modality, Encoder],
    recognizers: Mapping[Words, Recognizer],
) -> dict[str, Any]:
    """Do one task; whatever goes wrong with the file is the answer's ``reason``."""
    path = Path(task["path"])
    try:
        if task["do"] == "hash":
            return _hash(path)
        return _encode(path, task, media, encoders, recognizers)
    except MediaError as error:
        return {"reason": str(error)}
    except FileNotFoundError:
        return {"reason": "no such file"}
    except OSError as error:
        return {"reason": f"cannot be read: {error.strerror or error}"}
    except MemoryError:
        return {"reason": "too large for the memory of this machine"}
    except Exception as error:
        return {"reason": f"encoding failed with {type(error).__name__}: {error}"}


def _inbox() -> queue.SimpleQueue[Any]:
    """Tasks as they come in, read by a thread that ends the process when there can be no more."""
    tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin.buffer:
            tasks.put(json.loads(line))
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return tasks


def _hash(path: Path) -> dict[str, Any]:
    """SHA-256 of the file's bytes, and the stamp by which a later change shows."""
    stamp = _stamp(path)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return {"content_hash": digest.hexdigest(), "stamp": stamp}


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise MediaError("not a file")
    if status.st_size == 0:
        raise MediaError("the file is empty")
    return [status.st_size, status.st_mtime_ns]


def _encode(
    path: Path,
    task: Mapping[str, Any],
    media: MediaConfig,
    encoders: Mapping[Modality, Encoder],
    recognizers: Mapping[Words, Recognizer],
) -> dict[str, Any]:
    """Vectors, words and the fingerprint, as far as they are asked for; the file is read only where needed."""
    modalities, kinds = (
        [Modality(name) for name in task["modalities"]],
        [Words(name) for name in task["recognize"]],
    )
    began = time.perf_counter()
    needs = needs_of([*(encoders[each] for each in modalities), *(recognizers[kind] for kind in kinds)])
    clip = within_memory(lambda: decode(path, media, needs), media.max_memory_mb) if task["decode"] else Clip()
    decoded = time.perf_counter()
    if task["decode"] and _stamp(path) != task["stamp"]:
        raise MediaError("changed while it was being read: add it again when it is complete")
    (words,) = find_words([clip], recognizers, kinds)
    clip = replace(clip, **task["said"] | heard_and_seen(words))
    vectors = {}
    for modality in modalities:
        vector = encoders[modality].encode([clip])[0]
        if vector is not None and not np.isfinite(vector).all():
            raise MediaError(f"{modality} encoder {identity(encoders[modality])} gave numbers that are not finite")
        vectors[modality] = None if vector is None else _text(vector.astype("<f4").tobytes())
    facts: dict[str, Any] = {
        "duration_seconds": clip.duration_seconds,
        "width": clip.width,
        "height": clip.height,
    }
    if task["decode"] and media.thumbnails:
        facts["thumbnail"] = None if clip.frames_FHWC is None else _text(thumbnail(clip.frames_FHWC))
    found = _texts(fingerprint(clip)) if task["fingerprint"] else None
    seconds = {"decode_seconds": decoded - began, "encode_seconds": time.perf_counter() - decoded}
    return {"vectors": vectors, "words": words, "fingerprint": found, **seconds, **facts}


def _texts(found: Fingerprint) -> dict[str, str | None]:
    return {
        name: None if part is None else _text(part)
        for name, part in (("visual", found.visual), ("motion", found.motion), ("audio", found.audio))
    }


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


if __name__ == "__main__":
    main()
