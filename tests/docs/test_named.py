"""What sentences name and the help of commands gives as examples runs too, in one folder for all of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.conftest import copied, entered
from tests.docs.named import named
from tests.docs.running import ENDS_WITH, LIGHTER, MAKES_A_WORKSPACE, RUN_ELSEWHERE, STAND_INS, run_lines
from tests.docs.test_commands import OURS

TOGETHER = {"restore": "backup"}
"""Commands that need what another one makes."""

REPLACING = {*MAKES_A_WORKSPACE, *TOGETHER.values()}
"""Commands that put another workspace in the place of one, and so come after the rest."""

LAST = ("remove", "erase")
"""Commands that take away what others of their kind are asked for."""

NAMED = {
    name: sorted(lines, key=lambda line: any(word in LAST for word in line.words))
    for name, lines in named().items()
}


@pytest.fixture(scope="module")
def shared(provisions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the folder, as most of these commands only read."""
    return copied(provisions, tmp_path_factory.mktemp("named") / "here")


@pytest.fixture
def here(shared: Path, monkeypatch: pytest.MonkeyPatch, bucket: None, shortly: None) -> Path:
    """The place where commands are given."""
    return entered(shared, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(NAMED) - set(TOGETHER), key=lambda name: (name in REPLACING, name)))
def test_what_is_named_runs(name: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for each in (name, *(later for later, earlier in TOGETHER.items() if earlier == name)):
        run_lines(NAMED[each], here)


def test_every_rule_is_of_use() -> None:
    lines = [*OURS, *(line for lines in named().values() for line in lines)]
    texts = [" ".join(line.words[1:]) for line in lines]
    for pattern in (*RUN_ELSEWHERE, *LIGHTER, *ENDS_WITH):
        assert any(re.search(pattern, text) for text in texts), f"nothing is named that matches {pattern}"
    for name in STAND_INS:
        assert any(name in line.words for line in lines), f"nothing names {name}"
