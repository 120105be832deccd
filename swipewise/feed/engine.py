"""The feed of a workspace: opens its stores, answers requests, takes events."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Lock
from time import perf_counter
from types import TracebackType
from typing import Self

from swipewise.catalog import Catalog
from swipewise.config import FeedConfig
from swipewise.errors import ArtifactError, ConfigError
from swipewise.events import Appended, EventLog, read_events
from swipewise.feed.histories import ViewerHistories
from swipewise.feed.pipeline import Pipeline
from swipewise.feed.popularity import Popularity
from swipewise.feed.recipes import personal_pipeline, popular_pipeline
from swipewise.feed.similar import Similar, similar_videos
from swipewise.feed.stages import Feed, Level, Query, Step
from swipewise.feed.stock import Stock, load_stock, restocked
from swipewise.feed.trending import count_popularity
from swipewise.schema import Event, Interaction
from swipewise.workspace import Workspace

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Live:
    """Everything a request reads, replaced as one so that no request sees half a change."""

    stock: Stock
    popularity: Popularity
    popular: Pipeline
    personal: Pipeline | None

    @classmethod
    def of(cls, stock: Stock, popularity: Popularity, config: FeedConfig) -> _Live:
        personal = personal_pipeline(stock, popularity, config) if stock.scorer else None
        return cls(
            stock=stock,
            popularity=popularity,
            popular=popular_pipeline(stock, popularity, config),
            personal=personal,
        )


class FeedEngine:
    """Makes feeds and takes events; may be called from several threads.

    A viewer's history is read from the event log at every request, so an event counts from the moment ``observe``
    returns, also in other processes, and nothing is lost with this one. The catalogue, the model and what is
    popular are as of ``open`` or the last ``refresh``.
    """

    def __init__(self, workspace: Workspace, log: EventLog, histories: ViewerHistories, live: _Live) -> None:
        self.workspace = workspace
        self._log = log
        self._histories = histories
        self._live = live
        self._writing = Lock()
        self._refreshing = Lock()

    @classmethod
    def open(cls, workspace: Workspace) -> Self:
        """Open the stores and load the newest run; without a usable one feeds are made of what is popular.

        Raises:
            StoreError: A store cannot be read.
        """
        with ExitStack() as undo:
            log = undo.enter_context(EventLog.open(workspace.events_dir))
            histories = undo.enter_context(ViewerHistories(workspace.events_dir))
            stock = load_stock(workspace)
            live = _Live.of(stock, _popular_now(workspace, stock), workspace.config.feed)
            engine = cls(workspace, log, histories, live)
            undo.pop_all()
        return engine

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the stores."""
        self._histories.close()
        self._log.close()

    @property
    def run(self) -> str | None:
        """The run whose model ranks, None without one."""
        return self._live.stock.run

    @property
    def note(self) -> str | None:
        """Why no model ranks, None when one does."""
        return self._live.stock.note

    @property
    def videos(self) -> int:
        """How many videos can be shown."""
        return len(self._live.stock.shelf.row_of)

    def feed(self, viewer_id: str, *, size: int | None = None, now: datetime | None = None) -> Feed:
        """The viewer's feed.

        Args:
            viewer_id: Anybody; a viewer who is not known gets what is popular and fresh.
            size: Videos wanted, by default ``feed.size`` of the configuration; fewer are given when the viewer has
                seen all others.
            now: The moment the feed is for, timezone-aware, by default the present. The model does not look at
                later events, but what they show as seen is left out all the same.

        Raises:
            ConfigError: ``size`` is below 1.
            StoreError: The event log cannot be read.
        """
        size = self.workspace.config.feed.size if size is None else size
        if size < 1:
            raise ConfigError(f"a feed holds at least 1 video, not {size}")
        live, start = self._live, perf_counter()
        history = self._histories.read(viewer_id, live.stock.durations)
        met = frozenset(interaction.video_id for interaction in history)
        duplicates = live.stock.shelf.duplicates_of(met)
        query = Query(
            viewer_id=viewer_id,
            size=size,
            now=now or _present(history),
            seen=met | duplicates,
            duplicates=duplicates,
        )
        read = _step("read the history", len(history), start)
        try:
            feed = self._personal(live, query, history)
        except ArtifactError as error:
            _logger.warning("feed of %r without the model: %s", viewer_id, error)
            feed = replace(live.popular.run(query, Level.POPULAR), note=str(error))
        return replace(feed, trace=(read, *feed.trace))

    def similar(self, video_id: str, *, limit: int, modality: str | None = None) -> list[Similar]:
        """The videos most like one, best first; see ``similar_videos``.

        Raises:
            UnknownIdError: There is no such video, or it has no vector of this modality.
            DataError: There is no model whose vectors could be compared.
            StoreError: The catalogue cannot be read.
        """
        catalog = Catalog(self.workspace.catalog_dir)
        return similar_videos(self._live.stock, catalog, video_id, limit=limit, modality=modality)

    def observe(self, events: Sequence[Event]) -> Appended:
        """Write events to the log; they are on disk when this returns, each ``event_id`` once.

        Raises:
            StoreError: They cannot be written; none of them was.
        """
        with self._writing:
            return self._log.append(events)

    def unknown_videos(self, events: Sequence[Event]) -> tuple[str, ...]:
        """The videos named by ``events`` that are not in the catalogue, each once."""
        known = self._live.stock.shelf.row_of
        return tuple(dict.fromkeys(event.video_id for event in events if event.video_id not in known))

    def refresh(self) -> bool:
        """Count what is popular anew, and load the catalogue and the newest run if either has changed.

        A new run that cannot be used leaves the one in use in place.

        Returns:
            Whether the catalogue or the model was loaded.

        Raises:
            StoreError: A store cannot be read; everything stays as it was.
        """
        changed = self.look_for_videos()
        # Counted aside, so that new videos need not wait for it.
        popularity = _popular_now(self.workspace, self._live.stock)
        with self._refreshing:
            self._live = _Live.of(self._live.stock, popularity, self.workspace.config.feed)
        return changed

    def look_for_videos(self) -> bool:
        """Load what has changed of the catalogue and the newest run, and nothing else: of added videos just these.

        Removed videos are left out from now on.

        Returns:
            Whether anything had.

        Raises:
            StoreError: A store cannot be read; everything stays as it was.
        """
        with self._refreshing:
            live = self._live
            stock = restocked(live.stock, self.workspace)
            if stock is live.stock:
                return False
            if stock.broken and live.stock.scorer is not None:
                _logger.warning("keeping the model of run %s: %s", live.stock.run, stock.note)
                stock = replace(live.stock, version=stock.version, loaded_at=stock.loaded_at)
            self._live = _Live.of(stock, live.popularity, self.workspace.config.feed)
            return True

    def _personal(self, live: _Live, query: Query, history: list[Interaction]) -> Feed:
        """The feed at the highest level that what is known allows."""
        stock = live.stock
        if stock.scorer is None or live.personal is None:
            return replace(live.popular.run(query, Level.POPULAR), note=stock.note)
        start = perf_counter()
        profile = self._log.profile(query.viewer_id)
        known = any(interaction.video_id in stock.shelf.row_of for interaction in history)
        if not known and (profile is None or not profile.features):
            note = f"nothing is known of viewer {query.viewer_id!r} yet"
            return replace(live.popular.run(query, Level.POPULAR), note=note)
        state = stock.scorer.viewer(history, profile, query.now)
        encoded = _step("encode the viewer", len(history), start)
        feed = live.personal.run(replace(query, state=state), Level.MODEL if known else Level.PROFILE)
        profile_only = f"viewer {query.viewer_id!r} has no history yet: the profile speaks alone"
        return replace(feed, trace=(encoded, *feed.trace), note=None if known else profile_only)


def _present(history: Sequence[Interaction]) -> datetime:
    """Now, or the newest event where a client's clock is ahead: what was just done must count."""
    return max([datetime.now(UTC), *(interaction.at for interaction in history[-1:])])


def _step(stage: str, count: int, start: float) -> Step:
    return Step(stage=stage, count=count, milliseconds=1000 * (perf_counter() - start))


def _popular_now(workspace: Workspace, stock: Stock) -> Popularity:
    return count_popularity(
        read_events(workspace.events_dir),
        stock.durations.lazy(),
        now=datetime.now(UTC),
        days=workspace.config.feed.popular_days,
        positive=workspace.config.events,
    )
