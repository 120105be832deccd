"""The pictures of the console are taken by the line that the page gives."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.docs.shell import PROGRAM
from tests.docs.slow.shells import give, with_programs
from tests.docs.test_commands import OTHERS
from tests.docs.test_newcomer import served

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium"),
]

(LINE,) = (line for line in OTHERS if "docs/screenshots.py" in line.words)


SOME = ("overview", "video")
"""Pages that are taken, as all of them take minutes; each is opened by the tests of the console."""


def test_pages_are_taken_from_a_server(here: Path) -> None:
    """Into the pages of a copy, so that those of the documentation stay."""
    copy = here / "docs"
    copy.mkdir()
    shutil.copy(ROOT / "docs" / "screenshots.py", copy)
    with served((PROGRAM, "serve", "-w", "shop"), here) as address:
        words = [address if word.startswith("http") else word for word in LINE.words]
        give([*words, *SOME], here, with_programs())
    taken = {path.name: path.stat().st_size for path in (copy / "images").iterdir()}
    known = {path.name for name in SOME for path in (ROOT / "docs" / "images").glob(f"{name}-*-*.png")}
    assert set(taken) == known
    assert min(taken.values()) > 1000
