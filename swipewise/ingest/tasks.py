"""What is done with one file, step by step: hash it, or decode it and encode what was decoded.

A task is what its JSON says; an answer is what was asked for or ``{"reason": ...}``.
"""

from __future__ import annotations

import base64
import hashlib
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from swipewise.config import MediaConfig
from swipewise.encoders import Encoder, Recognizer, identity
from swipewise.errors import MediaError
from swipewise.ingest.executor import Answer
from swipewise.ingest.words import find_words, heard_and_seen
from swipewise.media import decode
from swipewise.media.fingerprint import fingerprint
from swipewise.media.memory import within_memory
from swipewise.media.thumbnail import thumbnail
from swipewise.schema import Clip, Fingerprint, Modality, Needs, Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A task whose clip is decoded and waits for the encoders.

    ``recognize`` are the kinds of words still to be looked for, ``words`` those that were found. ``facts`` is what the
    answer holds beside words and vectors, ``seconds`` the time that decoding took.
    """

    number: int
    modalities: frozenset[Modality]
    clip: Clip
    facts: Answer
    recognize: frozenset[Words] = frozenset()
    words: Mapping[str, str | None] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def size(self) -> int:
        """Bytes of its pictures and sound."""
        clip = self.clip
        parts = (clip.frames_FHWC, clip.fine_frames_FHWC, clip.waveform_S, clip.fine_waveform_S)
        return sum(part.nbytes for part in parts if part is not None)


def hash_file(path: Path) -> Answer:
    """SHA-256 of the file's bytes, and the stamp by which a later change shows."""
    stamp = _stamp(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return {"content_hash": digest.hexdigest(), "stamp": stamp}


def decode_file(number: int, task: Mapping[str, Any], media: MediaConfig, needs: Needs) -> Decoded:
    """The clip of a task, its thumbnail, and its fingerprint where asked for; the file is read only where needed.

    Raises:
        MediaError: It is no clip, or changed since it was hashed.
    """
    path = Path(task["path"])

    def looked_at() -> tuple[Clip, Answer]:
        clip = decode(path, media, needs) if task["decode"] else Clip()
        return clip, _facts(clip, task, media)

    clip, facts = within_memory(looked_at, media.max_memory_mb)
    if task["decode"] and _stamp(path) != task["stamp"]:
        raise MediaError("changed while it was being read: add it again when it is complete")
    modalities = frozenset(map(Modality, task["modalities"]))
    return Decoded(
        number=number,
        modalities=modalities,
        recognize=frozenset(map(Words, task["recognize"])),
        clip=replace(clip, **task["said"]),
        facts=facts,
    )


def _facts(clip: Clip, task: Mapping[str, Any], media: MediaConfig) -> Answer:
    facts: Answer = {
        "duration_seconds": clip.duration_seconds,
        "width": clip.width,
        "height": clip.height,
        "fingerprint": _texts(fingerprint(clip)) if task["fingerprint"] else None,
    }
    if task["decode"] and media.thumbnails:
        facts["thumbnail"] = None if clip.frames_FHWC is None else _text(thumbnail(clip.frames_FHWC))
    return facts


def recognize_clips(batch: Sequence[Decoded], recognizer: Recognizer) -> list[Decoded]:
    """The same tasks with one kind of words looked for, where that is asked for; the clips go there together."""
    rows = [row for row, each in enumerate(batch) if recognizer.kind in each.recognize]
    done = list(batch)
    found = find_words([batch[row].clip for row in rows], recognizer) if rows else []
    for row, words in zip(rows, found, strict=True):
        heard: dict[str, Any] = dict(heard_and_seen(words))
        done[row] = replace(
            batch[row],
            clip=replace(batch[row].clip, **heard),
            recognize=batch[row].recognize - {recognizer.kind},
            words={**batch[row].words, **words},
        )
    return done


def encode_clips(batch: Sequence[Decoded], encoders: Mapping[Modality, Encoder]) -> list[Answer]:
    """The answer of each task; a modality's clips go to its encoder together.

    A vector that is not finite fails its own task, whatever an encoder raises fails the call.
    """
    vectors: list[dict[str, str | None]] = [{} for _ in batch]
    reasons: dict[int, str] = {}
    for modality, encoder in encoders.items():
        rows = [row for row, each in enumerate(batch) if modality in each.modalities]
        for row, vector in zip(
            rows, encoder.encode([batch[row].clip for row in rows]) if rows else [], strict=True
        ):
            if vector is not None and not np.isfinite(vector).all():
                reasons.setdefault(row, f"{modality} encoder {identity(encoder)} gave numbers that are not finite")
            vectors[row][modality.value] = None if vector is None else _text(vector.astype("<f4").tobytes())
    return [
        {"reason": reasons[row]}
        if row in reasons
        else {"vectors": vectors[row], "words": dict(each.words), **each.facts}
        for row, each in enumerate(batch)
    ]


def reason_of(error: Exception) -> str:
    """Why a file cannot be taken, from what went wrong with it."""
    match error:
        case MediaError():
            return str(error)
        case FileNotFoundError():
            return "no such file"
        case OSError():
            return f"cannot be read: {error.strerror or error}"
        case MemoryError():
            return "too large for the memory of this machine"
        case _:
            return f"encoding failed with {type(error).__name__}: {error}"


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise MediaError("not a file")
    if status.st_size == 0:
        raise MediaError("the file is empty")
    return [status.st_size, status.st_mtime_ns]


def _texts(found: Fingerprint) -> dict[str, str | None]:
    return {
        name: None if part is None else _text(part)
        for name, part in (("visual", found.visual), ("motion", found.motion), ("audio", found.audio))
    }


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
