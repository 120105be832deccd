"""Clients that post events to a real server while it, or its database, is killed; what became of the events."""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from swipewise.events.history import History
from swipewise.events.reading import live_events
from swipewise.schema import Col
from swipewise.workspace import Workspace
from tests.killing import await_work, kill
from tests.postgres import Postgres
from tests.server.test_crash import Poster, an_event, served

POSTERS, POSTING_SECONDS = 3, 0.5


class Posting:
    """One workspace whose servers are killed under load, over and over; counts in events.

    Attributes:
        kills: Kills that met a server at work.
        incomplete: Kills after which the events that had gone unanswered were not taken, or not at all taken up again.
        lost: Acknowledged events that the stores did not have, summed over the looks after each kill.
        doubled: Events that the stores had more than once, or that nobody had posted, summed likewise.
    """

    def __init__(self, workspace: Workspace, seed: str) -> None:
        self.kills = self.incomplete = self.lost = self.doubled = 0
        self._workspace = workspace
        self._chance = random.Random(seed)
        self._posted: list[list[str]] = [[] for _ in range(POSTERS)]
        self._acknowledged: list[str] = []

    @property
    def acknowledged_events(self) -> int:
        """How many events were acknowledged so far."""
        return len(self._acknowledged)

    def kill_server(self) -> None:
        """Kill the server some time after its first answer; the next one is sent what went unanswered."""
        already = len(self._acknowledged)
        with served(self._workspace) as (process, address):
            posters = self._posters(address)
            await_work(process, partial(self._acknowledged_more_than, already))
            time.sleep(self._chance.uniform(0, POSTING_SECONDS))
            assert all(poster.is_alive() for poster in posters), "a client was answered with an error"
            assert kill(process).was_killed
            for poster in posters:
                poster.join()
        self.kills += 1
        self._judge()
        self._send_unanswered()

    def kill_database(self, server: Postgres, kills: int) -> None:
        """Kill the database under one server at random moments, and start it again while clients go on posting."""
        with served(self._workspace) as (process, address):
            posters = self._posters(address)
            for _ in range(kills):
                already = len(self._acknowledged)
                await_work(process, partial(self._acknowledged_more_than, already))
                time.sleep(self._chance.uniform(0, POSTING_SECONDS))
                server.kill()
                turned_away = [poster.turned_away for poster in posters]
                while any(
                    poster.turned_away == before for poster, before in zip(posters, turned_away, strict=True)
                ):
                    assert all(poster.is_alive() for poster in posters), "a client was answered with an error"
                    time.sleep(0.002)
                before = len(self._acknowledged)
                server.start()
                self._judge()
                await_work(process, partial(self._acknowledged_more_than, before))
                self.kills += 1
            assert kill(process).was_killed
            for poster in posters:
                poster.join()
        self._judge()
        self._send_unanswered()

    def _acknowledged_more_than(self, events: int) -> bool:
        return len(self._acknowledged) > events

    def _posters(self, address: str) -> list[Poster]:
        posters = [
            Poster(address, f"p{number}", events, self._acknowledged) for number, events in enumerate(self._posted)
        ]
        for poster in posters:
            poster.start()
        return posters

    def _send_unanswered(self) -> None:
        unanswered = sorted({each for events in self._posted for each in events} - set(self._acknowledged))
        with served(self._workspace) as (_, address):
            answer = httpx.post(f"{address}/v1/events", json=[an_event(event_id) for event_id in unanswered])
        self.incomplete += answer.status_code != 200
        self._acknowledged += unanswered
        self._judge()

    def _judge(self) -> None:
        acknowledged = set(self._acknowledged)
        live = live_events(self._workspace.events_dir)[Col.EVENT_ID]
        history = History(self._workspace.events_dir).scan().select(Col.EVENT_ID).collect()[Col.EVENT_ID]
        posted = {event_id for events in self._posted for event_id in events}
        # Counted in the stores themselves, before readers drop what is there twice.
        stored = Counter([*live, *history])
        self.lost += len(acknowledged - stored.keys())
        self.doubled += stored.total() - len(stored)
        self.doubled += len(stored.keys() - posted)
