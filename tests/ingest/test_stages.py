"""Decoding and encoding in one worker: whatever goes wrong fails its own file, and together gives what alone gives."""

import hashlib
import queue
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swipewise.config import EncodersConfig, MediaConfig
from swipewise.encoders import Encoder, build_encoders
from swipewise.encoders.fake import FakeEncoder, FakeRecognizer
from swipewise.ingest import stages, tasks
from swipewise.ingest.stages import Inbox, Stages, Steps, Told
from swipewise.ingest.tasks import Decoded
from swipewise.schema import Clip, Modality, Words


class OddEncoder:
    """Gives what it was made with: a vector, or an exception to raise; clips named in ``ill`` make it fail."""

    name = "odd"
    version = "1"
    dim = 2

    def __init__(self, modality: Modality, outcome: Any, ill: str | None = None) -> None:
        self.modality = modality
        self.outcome = outcome
        self.ill = ill

    def encode(self, clips: Sequence[Clip]) -> list[Any]:
        if isinstance(self.outcome, Exception):
            if self.ill is None or self.ill in [clip.caption for clip in clips]:
                raise self.outcome
            return [None for _ in clips]
        return [self.outcome for _ in clips]


def steps(encoder: Encoder, told: list[Told]) -> Steps:
    return Steps(
        media=MediaConfig(frames=1), encoders={Modality.VISUAL: encoder}, recognizers={}, tell=told.append
    )


def task(path: Path, **changed: Any) -> dict[str, Any]:
    status = path.stat()
    whole = {
        "do": "encode",
        "path": str(path),
        "said": {"caption": None},
        "modalities": ["visual"],
        "recognize": [],
        "fingerprint": False,
        "decode": True,
        "stamp": [status.st_size, status.st_mtime_ns],
    }
    return whole | changed


def answers(told: list[Told]) -> dict[int, dict[str, Any]]:
    """The answers by task, without the times they took."""
    times = ("decode_seconds", "encode_seconds")
    return {
        message["task"]: {name: value for name, value in message["answer"].items() if name not in times}
        for message in told
        if "answer" in message
    }


def encode(path: Path, outcome: Any, **changed: Any) -> dict[str, Any]:
    told: list[Told] = []
    doing = steps(OddEncoder(Modality.VISUAL, outcome), told)
    decoded = doing.decode(7, task(path, **changed))
    if decoded is not None:
        doing.encode([decoded])
    return answers(told)[7]


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (np.array([1, np.nan], np.float32), "visual encoder odd@1 gave numbers that are not finite"),
        (ZeroDivisionError("by zero"), "encoding failed with ZeroDivisionError: by zero"),
        (
            MemoryError(),
            "it takes more memory to encode than media.max_memory_mb = 4096 allows: raise that, or add the clip in a "
            "smaller size",
        ),
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


def test_an_encoder_that_fails_on_one_clip_of_a_batch_rejects_that_clip_alone() -> None:
    told: list[Told] = []
    doing = steps(OddEncoder(Modality.VISUAL, ValueError("too odd"), ill="odd"), told)
    doing.encode(
        [
            Decoded(
                number=n,
                modalities=frozenset({Modality.VISUAL}),
                recognize=frozenset(),
                clip=Clip(caption=caption),
                facts={},
            )
            for n, caption in enumerate(["fine", "odd", "well"])
        ]
    )
    found = answers(told)
    assert found[1] == {"reason": "encoding failed with ValueError: too odd"}
    assert "reason" not in found[0] | found[2]
    # Whoever looks for a culprit is told which clip is being worked on.
    assert [message["tasks"] for message in told if message.get("stage") == "encode"] == [
        [0, 1, 2],
        [0],
        [1, 2],
        [1],
        [2],
    ]


def test_words_are_looked_for_once_though_an_encoder_fails_on_a_clip_of_the_batch() -> None:
    told: list[Told] = []
    heard: list[str | None] = []
    encoded: list[int] = []

    class Listening(FakeRecognizer):
        def recognize(self, clips: Sequence[Clip]) -> list[str | None]:
            heard.extend(clip.caption for clip in clips)
            return [f"words of {clip.caption}" for clip in clips]

    class Failing(FakeEncoder):
        def encode(self, clips: Sequence[Clip]) -> list[Any]:
            encoded.append(len(clips))
            assert all(clip.speech == f"words of {clip.caption}" for clip in clips)
            if "3" in [clip.caption for clip in clips]:
                raise ValueError("too odd")
            return super().encode(clips)

    doing = Steps(
        media=MediaConfig(),
        encoders={Modality.TEXT: Failing(Modality.TEXT)},
        recognizers={Words.SPEECH: Listening(Words.SPEECH)},
        tell=told.append,
    )
    doing.encode(
        [
            Decoded(
                number=number,
                modalities=frozenset({Modality.TEXT}),
                recognize=frozenset({Words.SPEECH}),
                clip=Clip(caption=str(number)),
                facts={},
            )
            for number in range(8)
        ]
    )
    assert heard == [str(number) for number in range(8)]
    assert encoded == [8, 4, 2, 2, 1, 1, 4]
    found = answers(told)
    assert found.pop(3) == {"reason": "encoding failed with ValueError: too odd"}
    assert {number: answer["words"]["speech"] for number, answer in found.items()} == {
        number: f"words of {number}" for number in range(8) if number != 3
    }


def test_the_descriptors_give_the_same_bits_together_as_alone(clips: Path) -> None:
    told: list[Told] = []
    doing = Steps(media=MediaConfig(), encoders=build_encoders(EncodersConfig()), recognizers={}, tell=told.append)
    modalities = ["audio", "text", "visual"]
    decoded = []
    for number, path in enumerate(sorted(clips.glob("*.mp4"))):
        caption = None if number % 4 == 0 else f"clip {number} of many"
        clip = doing.decode(number, task(path, said={"caption": caption}, modalities=modalities, fingerprint=True))
        assert clip is not None
        decoded.append(clip)
    doing.encode(decoded)
    together = answers(told)
    for each in decoded:
        doing.encode([each])
    assert answers(told) == together
    assert len({answer["vectors"]["visual"] for answer in together.values()}) == 12


@pytest.mark.parametrize("step", ["decode", "fingerprint", "thumbnail"])
def test_a_file_is_tried_again_alone_whatever_of_it_met_the_bound_of_memory(
    clips: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    does, met = getattr(tasks, step), []

    def tight(*arguments: Any) -> Any:
        met.append(step)
        if len(met) == 1:
            raise MemoryError
        return does(*arguments)

    monkeypatch.setattr(tasks, step, tight)
    answer = encode(clips / "clip01.mp4", np.array([1, 2], np.float32), fingerprint=True)
    assert len(met) == 2
    assert answer["vectors"] == {"visual": "AACAPwAAAEA="}
    assert answer["thumbnail"]


def test_a_clip_is_encoded_again_alone_where_another_took_the_memory() -> None:
    class Tight(OddEncoder):
        tries = 0

        def encode(self, clips: Sequence[Clip]) -> list[Any]:
            self.tries += 1
            if self.tries == 1:
                raise MemoryError
            return super().encode(clips)

    told: list[Told] = []
    seen = Decoded(number=1, modalities=frozenset({Modality.VISUAL}), clip=Clip(), facts={})
    steps(Tight(Modality.VISUAL, np.array([1, 2], np.float32)), told).encode([seen])
    assert answers(told)[1]["vectors"] == {"visual": "AACAPwAAAEA="}


def test_the_size_of_what_waits_counts_all_pictures_and_sound() -> None:
    clip = Clip(
        frames_FHWC=np.zeros((2, 3, 4, 3), np.uint8),
        fine_frames_FHWC=np.zeros((2, 30, 40, 3), np.uint8),
        waveform_S=np.zeros(16, np.float32),
        fine_waveform_S=np.zeros(48, np.float32),
    )
    decoded = Decoded(number=1, modalities=frozenset(), clip=clip, facts={})
    assert decoded.size == 2 * 3 * 4 * 3 + 2 * 30 * 40 * 3 + 16 * 4 + 48 * 4
    assert Decoded(number=1, modalities=frozenset(), clip=Clip(), facts={}).size == 0


def test_decoding_runs_ahead_no_further_than_the_buffer_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead, encoding, let_go = [], threading.Event(), threading.Event()

    def decode(number: int, task: Any, *_: Any) -> Decoded:
        ahead.append(number)
        frames_FHWC = np.zeros((1, task["size"], 1, 3), np.uint8)
        return Decoded(
            number=number,
            modalities=frozenset(),
            recognize=frozenset(),
            clip=Clip(frames_FHWC=frames_FHWC),
            facts={},
        )

    def encode(batch: Sequence[Decoded], *_: Any) -> list[dict[str, Any]]:
        encoding.set()
        assert let_go.wait(60)
        return [{} for _ in batch]

    monkeypatch.setattr(stages, "decode_file", decode)
    monkeypatch.setattr(stages, "encode_clips", encode)
    tasks: Inbox = queue.SimpleQueue()
    done: queue.SimpleQueue[Told] = queue.SimpleQueue()
    working = Stages(
        Steps(media=MediaConfig(), encoders={}, recognizers={}, tell=done.put), tasks, batch=3, decoders=1
    )
    threading.Thread(target=working.work, daemon=True).start()
    idle = {"do": "encode", "modalities": [], "recognize": []}
    tasks.put((0, idle | {"size": 1}))
    assert encoding.wait(60)
    for number in range(1, 20):
        # The second large one does not fit beside the first, whatever the number of clips.
        tasks.put((number, idle | {"size": 11 << 20 if number < 10 else 1}))
    seen = {0}
    while len(seen) < 3:
        message = done.get(timeout=60)
        seen |= set(message["tasks"]) if message.get("stage") == "wait" else set()
    assert ahead == [0, 1, 2], "one is encoded, one waits, one is decoded and waits for room"
    let_go.set()
    numbers = set()
    while len(numbers) < 20:
        message = done.get(timeout=60)
        numbers |= {message["task"]} if "answer" in message else set()
    assert ahead == list(range(20))


def test_a_file_is_hashed_without_being_decoded(tmp_path: Path) -> None:
    told: list[Told] = []
    (tmp_path / "file").write_bytes(b"abc")
    assert (
        steps(OddEncoder(Modality.VISUAL, None), told).decode(1, {"do": "hash", "path": tmp_path / "file"}) is None
    )
    assert answers(told)[1]["content_hash"] == hashlib.sha256(b"abc").hexdigest()
