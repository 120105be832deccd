"""A shell that is given a command line as a reader gives it, with the programs of this installation."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.docs.test_newcomer import surroundings

PROGRAMS = Path(sys.executable).parent
"""Where ``swipewise``, ``python`` and ``torchrun`` are installed."""

MAKES = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "MAKE_TERMERR", "MAKE_TERMOUT")


def with_programs(first: Path | None = None, **variables: str) -> dict[str, str]:
    """The environment in which the programs of this installation are found, after those of a folder of stand-ins."""
    # A reader's shell is not one of make's, which `make test-slow` runs in.
    there = {name: value for name, value in surroundings().items() if name not in MAKES}
    path = [*([str(first)] if first else []), str(PROGRAMS), there.get("PATH", os.defpath)]
    return there | {"PATH": os.pathsep.join(path)} | variables


def give(words: Sequence[str], folder: Path, surroundings: dict[str, str]) -> str:
    """What a command line prints that ends well, both streams together."""
    done = subprocess.run(
        ["bash", "-c", shlex.join(words)],
        cwd=folder,
        env=surroundings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{shlex.join(words)} ended with {done.returncode}: {done.stdout}"
    return done.stdout
