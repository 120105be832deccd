"""How the command lines of the documentation run: what stands in for what, and what runs elsewhere."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from click.testing import CliRunner

from swipewise.cli import cli
from swipewise.training.runs import latest_run
from swipewise.workspace import CONFIG_NAME
from tests.docs.conftest import shorten
from tests.docs.shell import PROGRAM, Line

RUN_ELSEWHERE = {
    r"^demo$": "slow/test_demo.py, by make",
    r"^demo --quick\b": "the fixture of all of this, and slow/test_demo.py",
    r"^serve\b": "test_servers.py, and test_newcomer.py",
    r"^(train|feed export) .*--on ray\b": "slow/test_clusters.py",
    r"huggingface:": "slow/test_hub.py",
}
"""What runs the command lines that are not run in their place."""

LIGHTER = {
    r"^simulate\b": ("--videos", "10", "--viewers", "4", "--days", "2"),
    r"^evaluate\b.* --against\b": ("--settings", "tuned.json"),
    r"^ablate\b": ("--only", "text", "--epochs", "1", "--seeds", "1"),
    r"^transfer\b": ("--trials", "1"),
    r"^serve\b.* --workers 4\b": ("--workers", "2"),
    r"^(behavior )?shifts\b": ("-w", "little"),
    r"^behavior shifts\b.* --viewer\b": ("--viewer", "7"),
    r"^models (publish|rollback)\b": ("-w", "other"),
}
"""Options that are added to command lines which would take minutes; of one that is given twice the last counts.

Of the workspaces ``little`` has few viewers, and in ``other`` it is chosen by hand which model is served.
"""

STAND_INS = {
    "s3://bucket/clips": "memory://bucket/clips",
    "/backups/monday": "monday",
    "BACKUP": "monday",
    "NEWPLACE": "newplace",
    "FILE": "videos.npz",
    "dataset/ml-100k": "ml-100k",
    "lens": "other",
    "ann": "viewer00001",
    "VIEWER": "viewer00001",
    "ID": "clip00000",
    "v1": "clip00001",
    "v2": "clip00002",
    "0cd83d944a6ca782": "clip00003",
}
"""What is there in place of a service, a folder or an id that is not."""

DATA_SETS = {
    "generic": "tables",
    "kuairand": "KuaiRand-Pure",
    "microlens": "MicroLens-100k",
    "mmrec": "baby",
    "recbole": "ml-100k",
}
"""Layout -> the folder in that layout which stands where a help text says ``data``."""

RUN_ID = re.compile(r"RUN|20\d{6}-\S+")

MAKES_A_WORKSPACE = {"init": 1, "datasets": 3, "restore": 2}
"""Commands that make a workspace, and which of their words is its folder; it may not be there yet."""

ENDS_WITH = {r"^audit\b.*--strict\b": 1}
"""Exit codes by which commands say what they found; of a model that was trained for a moment an audit warns."""

_run: set[tuple[str, ...]] = set()
"""Commands as they were given, but for the workspace: the environment names ``shop``, and ``kuai`` is the same."""


def run_elsewhere(line: Line) -> bool:
    """Whether a command is only read here."""
    text = " ".join(line.words[1:])
    return any(re.search(pattern, text) for pattern in RUN_ELSEWHERE)


def as_run(line: Line, here: Path) -> list[str]:
    """The words that are given: with what the reader has in the place of names, and with what makes it light."""
    words = [STAND_INS.get(word, word) for word in line.words[1:]]
    if any(map(RUN_ID.fullmatch, words)):
        latest = latest_run(here / "shop" / "runs").name
        words = [RUN_ID.sub(latest, word) for word in words]
    if words[0] == "simulate":
        words[1] += "-again"  # other pages share what was simulated
    if words[0] == "datasets" and "data" in words:
        words[words.index("data")] = DATA_SETS[words[1]]
    text = " ".join(words)
    return words + [more for pattern, added in LIGHTER.items() if re.search(pattern, text) for more in added]


def run_lines(lines: Sequence[Line], here: Path, *, anew: bool = False) -> None:
    """Give those of the lines that call Swipewise and can be run, and of them what says something new.

    Args:
        lines: The commands, in order.
        here: The folder that they are given in.
        anew: Whether all are needed, as where a workspace is made from which the rest goes on.
    """
    for line in lines:
        if line.words[0] != PROGRAM or run_elsewhere(line):
            continue
        words = as_run(line, here)
        given = tuple(re.sub(r" (-w|--workspace) (shop|kuai)\b", "", " ".join(words)).split())
        if anew or given not in _run:
            run_command(line, words, here)
        if not makes_a_workspace(line):
            _run.add(given)


def makes_a_workspace(line: Line) -> bool:
    """Whether there is one more after a command."""
    return line.words[:1] == (PROGRAM,) and line.words[1] in MAKES_A_WORKSPACE


def run_command(line: Line, words: Sequence[str], here: Path) -> None:
    """Give words, say yes to what they ask; a workspace that they make is not there yet, and trains for a moment."""
    made = [here / word for word in words[MAKES_A_WORKSPACE.get(words[0], len(words)) :][:1]]
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)
    result = CliRunner().invoke(cli, words, input="y\n")
    text = " ".join(words)
    expected = next((code for pattern, code in ENDS_WITH.items() if re.search(pattern, text)), 0)
    assert result.exit_code == expected, f"{line}: {result.output}{result.exception!r}"
    for folder in made:
        if (config := folder / CONFIG_NAME).exists():
            shorten(config)
