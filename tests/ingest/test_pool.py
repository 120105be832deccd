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
import os, time
from swipewise.ingest import worker
def perform(task, *settings):
    if "signal" in task:
        os.kill(os.getpid(), task["signal"])
    if "exit" in task:
        os._exit(task["exit"])
    time.sleep(task.get("sleep", 0))
    print("chatter of a library")
    return {"echo": task["text"], "pid": os.getpid()}
worker.perform = perform
worker.main()
"""


def make_pool(size: int = 1, timeout_seconds: float = 60, visual: str = "fake") -> WorkerPool:
    encoders = EncodersConfig(visual=visual, audio="none", text="fake")
    settings = {"media": asdict(MediaConfig()), "encoders": asdict(encoders)}
    return WorkerPool(size=size, settings=settings, timeout_seconds=timeout_seconds)


def run_all(pool: WorkerPool, tasks: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    answers: dict[int, dict[str, Any]] = {}
    waiting = list(enumerate(tasks))
    while waiting or pool.busy:
        while pool.free and waiting:
            pool.submit(*waiting.pop(0))
        answers |= dict(pool.wait())
    return answers


def test_a_task_that_kills_or_hangs_its_worker_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "COMMAND", (sys.executable, "-c", _ILL))
    tasks = [
        {"text": "first"},
        {"signal": signal.SIGSEGV},
        {"exit": 3},
        {"sleep": 600},
        {"signal": signal.SIGKILL},
        {"text": "é" * 100_000},
    ]
    with make_pool(timeout_seconds=1) as pool:
        answers = run_all(pool, tasks)
    assert answers[0]["echo"] == "first"
    assert answers[1] == {"reason": "its worker process was ended by SIGSEGV"}
    assert answers[2] == {"reason": "its worker process ended with status 3"}
    assert answers[3] == {"reason": "took longer than 1 s (media.timeout_seconds): it was given up"}
    assert answers[4] == {"reason": "its worker process was ended by SIGKILL: probably out of memory"}
    assert answers[5]["echo"] == "é" * 100_000


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
        pool.submit("hanging", {"sleep": 600})
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
