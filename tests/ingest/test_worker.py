from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swipewise.config import MediaConfig
from swipewise.ingest.worker import perform
from swipewise.schema import Clip, Modality


class Encoder:
    """Gives what it was made with: a vector, or an exception to raise."""

    name = "odd"
    version = "1"
    dim = 2

    def __init__(self, modality: Modality, outcome: Any) -> None:
        self.modality = modality
        self.outcome = outcome

    def encode(self, clips: Sequence[Clip]) -> list[Any]:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return [self.outcome for _ in clips]


def encode(path: Path, outcome: Any, *, stamp: list[int] | None = None) -> dict[str, Any]:
    status = path.stat()
    task = {
        "do": "encode",
        "path": str(path),
        "said": {"caption": None},
        "modalities": ["visual"],
        "recognize": [],
        "fingerprint": False,
        "decode": True,
        "stamp": stamp or [status.st_size, status.st_mtime_ns],
    }
    return perform(task, MediaConfig(frames=1), {Modality.VISUAL: Encoder(Modality.VISUAL, outcome)}, {})


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (np.array([1, np.nan], np.float32), "visual encoder odd@1 gave numbers that are not finite"),
        (ZeroDivisionError("by zero"), "encoding failed with ZeroDivisionError: by zero"),
        (MemoryError(), "too large for the memory of this machine"),
        (PermissionError(13, "Permission denied"), "cannot be read: Permission denied"),
    ],
)
def test_whatever_goes_wrong_with_a_file_is_its_reason(clips: Path, outcome: Any, reason: str) -> None:
    assert encode(clips / "clip01.mp4", outcome) == {"reason": reason}


def test_a_vector_travels_unharmed_with_the_facts_of_the_file(clips: Path) -> None:
    answer = encode(clips / "clip01.mp4", np.array([1, 2], np.float32))
    assert answer["vectors"] == {"visual": "AACAPwAAAEA="}
    assert (answer["width"], answer["height"]) == (96, 160)


def test_a_file_that_changes_under_the_decoder_is_not_taken(clips: Path) -> None:
    path = clips / "clip01.mp4"
    stamp = [path.stat().st_size - 1, path.stat().st_mtime_ns]
    assert encode(path, None, stamp=stamp) == {
        "reason": "changed while it was being read: add it again when it is complete"
    }
