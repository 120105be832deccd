"""Answered feeds are logged aside, expire, and are erased and exported with their viewer."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from swipewise.errors import StoreError
from swipewise.events import erase_viewer, export_viewer
from swipewise.events.answer_log import AnswerLog
from swipewise.events.answers import ANSWER_SCHEMA, Answer, Answers, read_answers
from swipewise.events.database import Database
from swipewise.workspace import Workspace
from tests.events.examples import TEN, answer, minute


@pytest.fixture
def answers(workspace: Workspace, live_store: str) -> Iterator[Answers]:
    database = Database(workspace.events_dir)
    yield Answers(database)
    database.close()


def requests(workspace: Workspace) -> list[str]:
    return read_answers(workspace.events_dir)["request_id"].to_list()


def test_what_is_stored_is_read(workspace: Workspace, answers: Answers) -> None:
    answers.put([answer("r2", at=minute(1)), answer("r1", "bob")])
    answers.put([])
    found = read_answers(workspace.events_dir)
    assert dict(found.schema) == ANSWER_SCHEMA
    assert found["request_id"].to_list() == ["r1", "r2"], "in order of time"
    assert found.row(1, named=True) == {
        "request_id": "r2",
        "viewer_id": "ann",
        "at": minute(1),
        "level": "model",
        "policy": "softmax@1 temperature=1",
        "places": [
            {"video_id": "v1", "position": 0, "source": "interest", "score": 1.5, "propensity": 1.0},
            {"video_id": "ü", "position": 1, "source": "explore", "score": 0.25, "propensity": 0.1 + 0.2},
        ],
        "pool": [{"video_id": "ü", "score": 0.25}, {"video_id": "v3", "score": -1.0}],
    }
    assert read_answers(workspace.events_dir, "bob")["request_id"].to_list() == ["r1"]


def test_without_a_store_there_is_none(workspace: Workspace) -> None:
    assert read_answers(workspace.events_dir).is_empty()
    assert not workspace.events_dir.exists(), "readers do not make it"


def test_old_ones_expire(workspace: Workspace, answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swipewise.events.answers._DELETED_AT_ONCE", 2)
    answers.put([answer(f"r{number}", at=minute(number)) for number in range(8)])
    assert answers.expire(minute(5)) == 5
    assert requests(workspace) == ["r5", "r6", "r7"]
    assert answers.expire(minute(5)) == 0


def test_an_erased_viewer_is_exported_before_and_gone_after(workspace: Workspace, answers: Answers) -> None:
    ahead = TEN + timedelta(days=2)
    answers.put([answer("r1"), answer("r2", at=ahead), answer("r3", "bob")])
    assert [(row["kind"], row["request_id"]) for row in export_viewer(workspace, "ann")] == [
        ("feed", "r1"),
        ("feed", "r2"),
    ]
    erase_viewer(workspace, "ann", now=TEN + timedelta(days=1))
    assert list(export_viewer(workspace, "ann")) == []
    answers.put([answer("waited", at=ahead), answer("later", at=ahead + timedelta(seconds=1))])
    assert requests(workspace) == ["r3", "later"], "what waited to be written does not come back"


class Slow(Answers):
    """Writes when it may, or fails."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.fails = False
        self.may_write = threading.Event()

    def put(self, answers: Sequence[Answer]) -> None:
        self.may_write.wait(10)
        if self.fails:
            raise StoreError("the disk is full")
        self.written += [each.request_id for each in answers]


def test_what_waits_is_bounded_and_the_oldest_are_given_up() -> None:
    slow = Slow()
    log = AnswerLog(slow, days=1, most=3)
    for number in range(5):
        log.put(answer(f"r{number}"))
    assert (slow.written, log.lost) == ([], 2), "nobody waited for the disk"
    slow.may_write.set()
    log.flush()
    log.flush()
    assert slow.written == ["r2", "r3", "r4"], "each once"


def test_a_store_that_fails_keeps_what_waits() -> None:
    slow = Slow()
    slow.may_write.set()
    slow.fails = True
    log = AnswerLog(slow, days=1)
    log.put(answer("r1"))
    with pytest.raises(StoreError, match="the disk is full"):
        log.flush()
    slow.fails = False
    log.put(answer("r2"))
    log.flush()
    assert slow.written == ["r1", "r2"]


def test_answers_that_come_while_others_are_written_are_kept() -> None:
    slow = Slow()
    log = AnswerLog(slow, days=1, most=2)
    log.put(answer("r1"))
    log.put(answer("r2"))
    writer = threading.Thread(target=log.flush)
    writer.start()
    log.put(answer("r3"))  # r1 is given up, though it may be written already
    slow.may_write.set()
    writer.join(10)
    log.flush()
    assert slow.written[-1] == "r3"
    assert slow.written.count("r3") == slow.written.count("r2") == 1


def test_stopping_writes_what_waits_and_0_days_log_nothing(workspace: Workspace) -> None:
    database = Database(workspace.events_dir)
    for days, expected in ((0.0, []), (30.0, ["r1"])):
        log = AnswerLog(Answers(database), days=days)
        log.start()
        log.put(answer("r1", at=datetime.now(UTC)))
        log.stop()
        assert requests(workspace) == expected
    database.close()
