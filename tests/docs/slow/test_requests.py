"""The requests of the pages are answered to curl itself."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.docs.shell import PROGRAM
from tests.docs.slow.shells import give, with_programs
from tests.docs.test_commands import CURLS
from tests.docs.test_newcomer import served

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")]

SERVER = re.compile(r"https?://[\w.]+:\d+")


def test_every_request_is_answered_to_curl(here: Path) -> None:
    """By a server without TLS and keys, whatever its name."""
    with served((PROGRAM, "serve", "-w", "shop"), here) as address:
        for line in CURLS:
            words = [SERVER.sub(address, word) for word in line.words]
            assert address in " ".join(words)
            give([*words, "--fail-with-body", "--silent", "--show-error"], here, with_programs())
