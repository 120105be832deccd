"""A virtual environment for each set of requirements, made once and kept outside the tree."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

_REQUIREMENTS = Path(__file__).parent / "requirements"
_READY = "ready"
_SHOWN_LINES = 15


class PeerError(RuntimeError):
    """A peer cannot be installed or does not run; the message says why and what to do."""


def default_cache() -> Path:
    """Where environments are kept: ``swipewise/peers`` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "swipewise" / "peers"


def environment(name: str, cache: Path | None = None) -> Path:
    """The Python of the environment with ``requirements/NAME.txt``; it is made when it is not there yet.

    An environment belongs to the text of its requirements and to this Python: when one of them changes, a new one
    is made beside it. What an interrupted installation has left is gone on from, as some of them take long.

    Args:
        name: Of a file in ``requirements``, without its suffix.
        cache: Where environments are kept; None: :func:`default_cache`.

    Raises:
        PeerError: There are no such requirements, or they cannot be installed.
    """
    requirements = _REQUIREMENTS / f"{name}.txt"
    if not requirements.exists():
        known = ", ".join(sorted(file.stem for file in _REQUIREMENTS.glob("*.txt")))
        raise PeerError(f"there are no requirements called {name!r}: choose one of {known}")
    folder = (cache or default_cache()) / f"{name}-{_fingerprint(requirements)}"
    python = folder / "bin" / "python"
    if not (folder / _READY).exists():
        print(f"installing {name} in {folder}", file=sys.stderr, flush=True)
        _make(folder, python, requirements)
        (folder / _READY).touch()
    return python


def run_script(python: Path, script: Path, arguments: list[str], *, log: Path) -> None:
    """Run a peer's script with one thread, its output in ``log``.

    Raises:
        PeerError: It ended with an error; the message has the last lines of the log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    surroundings.pop("PYTHONPATH", None)  # nothing of ours, and nothing of the caller's
    with log.open("w", encoding="utf-8") as output:
        ended = subprocess.run(
            [str(python), str(script), *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=surroundings,
            check=False,
        )
    if ended.returncode:
        raise PeerError(
            f"{script.name} ended with exit code {ended.returncode}: all it said is in {log}, at last\n"
            f"{_last_lines(log.read_text(encoding='utf-8', errors='replace'))}"
        )


def _make(folder: Path, python: Path, requirements: Path) -> None:
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    made = [] if python.with_name("pip").exists() else [[sys.executable, "-m", "venv", "--clear", str(folder)]]
    for command in (*made, [*pip, "--requirement", str(requirements)]):
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise PeerError(
                f"{requirements.name} cannot be installed in {folder}: '{' '.join(command)}' says\n"
                f"{_last_lines(ended.stderr or ended.stdout)}\n"
                "Check that this machine reaches a package index, or leave this peer out."
            )


def _fingerprint(requirements: Path) -> str:
    text = f"{requirements.read_text(encoding='utf-8')}{sys.version_info[:2]}{sys.executable}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _last_lines(text: str) -> str:
    return "\n".join(text.rstrip().splitlines()[-_SHOWN_LINES:])
