"""No acknowledged event is lost, and none counts twice, whatever dies: the server, or the database below it.

Clients post events to a real ``swipewise serve``. It is killed with SIGKILL at random moments, with its live log in
SQLite and in PostgreSQL, and the next one is sent what had gone unanswered; then PostgreSQL itself is killed, all its
processes at once, under a server that goes on: it answers 503 until the database is back. After each kill the stores
are read.

The limit is none at all, so the bars are 0.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from figures import Figures, Options, run
from posting import Posting

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from swipewise.events.address import DATABASE_VARIABLE
from swipewise.workspace import Workspace
from tests.postgres import shared_postgres

KILLS, QUICK_KILLS = 30, 3


def measure(figures: Figures, options: Options) -> None:
    kills = QUICK_KILLS if options.quick else KILLS
    with tempfile.TemporaryDirectory(prefix="swipewise-durability-") as name:
        folder = Path(name)
        os.environ.pop(DATABASE_VARIABLE, None)
        record(figures, "server on SQLite", killed_servers(folder / "sqlite", kills), kills)
        with shared_postgres().schema() as address:
            os.environ[DATABASE_VARIABLE] = address
            record(figures, "server on PostgreSQL", killed_servers(folder / "postgresql", kills), kills)
        with shared_postgres().schema() as address:
            os.environ[DATABASE_VARIABLE] = address
            posting = Posting(Workspace.create(folder / "database"), "database")
            posting.kill_database(shared_postgres(), kills)
            record(figures, "PostgreSQL itself", posting, kills)


def killed_servers(root: Path, kills: int) -> Posting:
    posting = Posting(Workspace.create(root), root.name)
    for _ in range(kills):
        posting.kill_server()
    return posting


def record(figures: Figures, name: str, posting: Posting, kills: int) -> None:
    figures.record(f"{name}: kills at work", posting.kills, at_least=kills)
    figures.record(f"{name}: events acknowledged", posting.acknowledged_events)
    figures.record(f"{name}: reruns that did not complete", posting.incomplete, at_most=0)
    figures.record(f"{name}: acknowledged events lost", posting.lost, at_most=0)
    figures.record(f"{name}: events doubled", posting.doubled, at_most=0)


if __name__ == "__main__":
    run(measure, __doc__)
