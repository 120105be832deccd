import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from swipewise.config import EncodersConfig, MediaConfig
from swipewise.errors import ConfigError
from swipewise.ingest import pool as pool_module
from swipewise.ingest.pool import WorkerPool
from swipewise.schema import Modality

# A worker that does to itself what its task says, where a real one would meet a file that does it.
_ILL = """
import os, signal, threading, time
from swipewise.ingest import stages, worker
from swipewise.ingest.tasks import Decoded
from swipewise.schema import Clip
def suffer(task):
    time.sleep(task.get("sleep", 0))
    if "signal" in task:
        signal.pthread_kill(threading.get_ident(), task["signal"])  # as a fault would, which hits who caused it
    if "exit" in task:
        os._exit(task["exit"])
def decode_file(number, task, *settings):
    suffer(task)
    print("chatter of a library")
    facts = {"echo": task.get("text"), "pid": os.getpid(), "encoding": task.get("encoding", {})}
    return Decoded(number=number, modalities=frozenset(), recognize=frozenset(), clip=Clip(), facts=facts)
def encode_clips(batch, *models):
    for each in batch:
        suffer(each.facts["encoding"])
    return [each.facts | {"together": len(batch)} for each in batch]
stages.decode_file, stages.encode_clips = decode_file, encode_clips
worker.main()
"""


def make_pool(
    size: int = 1, timeout_seconds: float = 60, visual: str = "fake", batch: int = 1, decoders: int = 1
) -> WorkerPool:
    encoders = EncodersConfig(visual=visual, audio="none", text="fake", batch=batch)
    settings = {"media": asdict(MediaConfig()), "encoders": asdict(encoders), "decoders": decoders}
    return WorkerPool(size=size, settings=settings, timeout_seconds=timeout_seconds)


def run_all(pool: WorkerPool, tasks: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    answers: dict[int, dict[str, Any]] = {}
    waiting = list(enumerate(tasks))
    while waiting or pool.busy:
        while pool.free and waiting:
            number, task = waiting.pop(0)
            pool.submit(number, {"do": "encode", "modalities": [], "recognize": []} | task)
        answers |= dict(pool.wait())
    return answers


@pytest.mark.parametrize("batch", [1, 4])
def test_a_task_that_kills_or_hangs_its_worker_fails_alone(monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    monkeypatch.setattr(pool_module, "COMMAND", (sys.executable, "-c", _ILL))
    tasks = [
        {"text": "first"},
        {"signal": signal.SIGSEGV},
        {"exit": 3},
        {"sleep": 600},
        {"signal": signal.SIGKILL},
        {"text": "é" * 100_000},
    ]
    with make_pool(timeout_seconds=1, batch=batch) as pool:
        answers = run_all(pool, tasks)
    assert answers[0]["echo"] == "first"
    reasons = {number: answer["reason"] for number, answer in answers.items() if "reason" in answer}
    assert reasons == {
        1: "its worker process was ended by SIGSEGV",
        2: "its worker process ended with status 3",
        3: "took longer than 1 s (media.timeout_seconds): it was given up",
        4: "its worker process was ended by SIGKILL: probably out of memory",
    }
    assert answers[5]["echo"] == "é" * 100_000


def test_of_several_files_at_work_only_the_culprits_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "COMMAND", (sys.executable, "-c", _ILL))
    bad: dict[int, dict[str, Any]] = {
        3: {"signal": signal.SIGSEGV},
        9: {"encoding": {"signal": signal.SIGABRT}},
        10: {"encoding": {"sleep": 600}},
        17: {"sleep": 600},
    }
    good = {"sleep": 0.02, "encoding": {"sleep": 0.01}}
    tasks = [bad.get(number, good | {"text": str(number)}) for number in range(24)]
    with make_pool(timeout_seconds=1, batch=4, decoders=3) as pool:
        assert pool.free == 3 + 2 + 1
        answers = run_all(pool, tasks)
    reasons = {number: answer["reason"] for number, answer in answers.items() if "reason" in answer}
    given_up = "took longer than 1 s (media.timeout_seconds): it was given up"
    assert reasons == {
        3: "its worker process was ended by SIGSEGV",
        9: "its worker process was ended by SIGABRT",
        10: given_up,
        17: given_up,
    }
    assert all(answers[number]["echo"] == str(number) for number in range(24) if number not in bad)


def test_a_suspect_is_done_again_with_nothing_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "COMMAND", (sys.executable, "-c", _ILL))
    fault = {"sleep": 0.2, "signal": signal.SIGSEGV}
    with make_pool(decoders=2) as pool:
        for number in range(4):
            pool.submit(
                number,
                {
                    "do": "encode",
                    "modalities": [],
                    "recognize": [],
                    "text": str(number),
                    "encoding": {"sleep": 0.3},
                },
            )
        pool.submit("fault", {"do": "encode", "modalities": [], "recognize": []} | fault)
        (first,) = pool._workers
        answers, alone = dict[Any, Any](), list[tuple[int, int]]()
        while pool.busy:
            answers |= dict(pool.wait())
            (worker,) = pool._workers
            if worker is not first and worker.depth and "fault" not in answers:
                alone.append((pool.free, len(worker.held)))
    assert set(alone) == {(0, 1)}
    assert answers.pop("fault") == {"reason": "its worker process was ended by SIGSEGV"}
    assert {number: answer["echo"] for number, answer in answers.items()} == {n: str(n) for n in range(4)}


def test_clips_that_wait_are_encoded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "COMMAND", (sys.executable, "-c", _ILL))
    with make_pool(batch=4) as pool:
        answers = run_all(pool, [{"encoding": {"sleep": 0.5}}, *({"text": "fast"} for _ in range(8))])
    together = [answers[number]["together"] for number in range(1, 9)]
    assert max(together) > 1
    assert max(together) <= 4


def test_a_clip_of_a_batch_that_was_taken_apart_is_to_blame_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    apart = _ILL.replace("    for each in batch:\n", "    assert len(batch) == 1\n    for each in batch:\n")
    monkeypatch.setattr(pool_module, "COMMAND", (sys.executable, "-c", apart))
    started = []
    start = WorkerPool._start
    monkeypatch.setattr(WorkerPool, "_start", lambda pool: started.append(1) or start(pool))
    tasks: list[dict[str, Any]] = [{"text": str(number)} for number in range(5)]
    tasks[0]["encoding"] = {"sleep": 0.5}  # meanwhile the others wait and make a batch
    tasks[2]["encoding"] = {"sleep": 600}
    with make_pool(timeout_seconds=1, batch=4) as pool:
        answers = run_all(pool, tasks)
    assert answers.pop(2) == {"reason": "took longer than 1 s (media.timeout_seconds): it was given up"}
    assert {number: answer["echo"] for number, answer in answers.items()} == {n: str(n) for n in (0, 1, 3, 4)}
    assert len(started) == 2, "nobody else was suspected, so it was not done again to make sure"


def test_who_writes_to_a_worker_that_hangs_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    # Hangs as native code does that keeps the interpreter's lock: nobody reads its tasks any more.
    hangs = _ILL.replace(
        "time.sleep(task",
        "signal.pthread_kill(threading.get_ident(), signal.SIGSTOP) if 'stop' in task else time.sleep(task",
    )
    monkeypatch.setattr(pool_module, "COMMAND", (sys.executable, "-c", hangs))
    with make_pool(timeout_seconds=1, batch=4) as pool:
        answers = run_all(pool, [{"stop": True}, *({"text": "x" * 100_000} for _ in range(8))])
    assert answers.pop(0) == {"reason": "took longer than 1 s (media.timeout_seconds): it was given up"}
    assert all(answer["echo"] == "x" * 100_000 for answer in answers.values())


def test_the_pool_says_which_encoders_stand_for_the_modalities(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    with make_pool(size=2) as pool:
        assert pool.encoders == {Modality.VISUAL: "fake@1", Modality.TEXT: "fake@1"}
        tasks = [{"do": "hash", "path": str(tmp_path / name)} for name in ("file", "missing")]
        answers = run_all(pool, [*tasks, {"do": "hash", "path": str(tmp_path)}])
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert answers[0]["content_hash"] == abc
    assert answers[1] == {"reason": "no such file"}
    assert answers[2] == {"reason": "not a file"}


def test_encoders_that_cannot_be_had_stop_the_run() -> None:
    with pytest.raises(
        ConfigError, match=r"the encoders cannot start: encoders\.visual names an unknown encoder 'fale'"
    ):
        make_pool(visual="fale").__enter__()


def test_a_worker_that_cannot_start_stops_the_run_with_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "COMMAND", (sys.executable, "-c", "import no_such_module"))
    with pytest.raises(ConfigError, match=r"(?s)could not start: .*status 1\n.*No module named 'no_such_module'"):
        make_pool().__enter__()


def test_no_worker_outlives_its_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "COMMAND", (sys.executable, "-c", _ILL))
    with make_pool() as pool:
        pid = run_all(pool, [{"text": ""}])[0]["pid"]
        pool.submit("hanging", {"do": "encode", "modalities": [], "recognize": [], "sleep": 600})
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
