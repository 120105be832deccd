"""What a new user is likely to get wrong, and how a test tells it: typed, then told in one line."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from swipewise import cli as root

LOG = "viewer_id,video_id,action,at\nann,a,like,2026-01-01T10:00:00Z\nbob,b,view,2026-01-02T10:00:00Z\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """What is typed, what lies there, the exit code, and a pattern of the line that tells."""

    typed: str
    told: str
    code: int = 1
    before: Callable[[], object] = lambda: None


def check(mistake: Mistake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Make a mistake and see that one line names the value and the way out, with the exit code."""
    mistake.before()
    capsys.readouterr()
    code, told = main(mistake.typed, monkeypatch, capsys)
    assert code == mistake.code
    # Where commands count what became of files, the reason stands below the count.
    found = [line for line in told if re.search(mistake.told, line)]
    assert len(found) == 1, told
    [line] = found
    assert len(line) < 600
    assert not any("Traceback" in line for line in told)
    if not mistake.typed.startswith("videos add"):
        assert told[-1] == line
        assert line.startswith("error: ")


def main(typed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """The exit code of a command as the shell sees it, and what it printed."""
    monkeypatch.setattr(sys, "argv", ["swipewise", *shlex.split(typed)])
    with pytest.raises(SystemExit) as ended:
        root.main()
    printed = capsys.readouterr()
    return int(ended.value.code or 0), [*printed.out.splitlines(), *printed.err.splitlines()]


def main_quietly(typed: str) -> None:
    root.cli.main(typed.split(), standalone_mode=False)


def write_tables(folder: Path, *, viewers: int, videos: int, liked: int = 3, rows: int = 8) -> None:
    """Behaviour over ten days, in which every ``liked``-th pair is a like; 0: none."""
    folder.mkdir(parents=True)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    lines = ["viewer_id,video_id,at,like,watch_seconds"]
    for viewer in range(viewers):
        for row in range(rows):
            at = start + timedelta(days=10 * row / rows, minutes=viewer)
            video = (3 * viewer + row) % videos
            like = int(liked > 0 and (viewer + video) % liked == 0)
            lines.append(f"u{viewer},v{video},{at.isoformat()},{like},2")
    (folder / "interactions.csv").write_text("\n".join(lines) + "\n")
    captions = "".join(f"v{video},words {video}\n" for video in range(videos))
    (folder / "videos.csv").write_text("video_id,caption\n" + captions)


def converted(name: str, **size: int) -> None:
    """A workspace of behaviour that is too little."""
    from swipewise.datasets.convert import convert
    from swipewise.datasets.layouts import LAYOUTS

    write_tables(Path(f"{name}-tables"), **size)
    convert(LAYOUTS["generic"], Path(f"{name}-tables"), Path(name))


def file(name: str, content: str | bytes) -> Callable[[], object]:
    def write() -> None:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content.encode() if isinstance(content, str) else content)

    return write


def config(text: str) -> Callable[[], object]:
    return file("empty/swipewise.toml", text)
