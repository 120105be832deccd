"""The feed of a workspace: opens its stores, answers requests, takes events."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
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
from swipewise.events import Appended, Controls, EventLog, read_events
from swipewise.events.history import History
from swipewise.feed.controls import barred, in_words
from swipewise.feed.histories import ViewerHistories
from swipewise.feed.pipeline import Pipeline
from swipewise.feed.popularity import Popularity
from swipewise.feed.recipes import personal_pipeline, popular_pipeline
from swipewise.feed.similar import Similar, similar_videos
from swipewise.feed.stages import Feed, Level, Query, Step
from swipewise.feed.standing import Outlook, Standing, level_of
from swipewise.feed.stock import Stock, load_stock, restocked
from swipewise.feed.trending import count_popularity
from swipewise.schema import Col, Event, Interaction, Profile
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

    def __init__(
        self,
        workspace: Workspace,
        log: EventLog,
        histories: ViewerHistories,
        live: _Live,
    ) -> None:
        self.workspace = workspace
        self._log = log
        self.controls = log.controls
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
    def encoders(self) -> Mapping[str, str]:
        """The encoder of each content modality that the model reads; none without a model."""
        return self._live.stock.scorer.encoders if self._live.stock.scorer else {}

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
        met, history, controls = self._read(viewer_id, live.stock)
        duplicates = live.stock.shelf.duplicates_of(met)
        query = Query(
            viewer_id=viewer_id,
            size=size,
            now=now or _present(history),
            seen=met | duplicates,
            duplicates=duplicates,
            controls=controls,
            barred=barred(controls, live.stock.shelf),
        )
        read = _step("read the history", len(history), start)
        try:
            feed = self._personal(live, query, history)
        except ArtifactError as error:
            _logger.warning("a feed without the model: %s", error)
            feed = replace(live.popular.run(query, Level.POPULAR), note=str(error))
        return replace(feed, trace=(read, *feed.trace), controls=in_words(controls))

    def standing(self, viewer_id: str, *, now: datetime | None = None) -> Standing:
        """What is known of a viewer, and what the model makes of it.

        Args:
            viewer_id: Anybody.
            now: As of when, timezone-aware, by default the present; what came later does not count.

        Raises:
            StoreError: A store cannot be read.
        """
        stock = self._live.stock
        _, history, controls = self._read(viewer_id, stock)
        if now is None:
            now = _present(history)
        else:
            history = [interaction for interaction in history if interaction.at <= now]
        profile = self._log.profile(viewer_id)
        level, note = level_of(viewer_id, stock, history, profile)
        beliefs = None
        if stock.scorer is not None and level is not Level.POPULAR:
            try:
                beliefs = stock.scorer.beliefs(history, profile, now)
            except ArtifactError as error:
                level, note = Level.POPULAR, str(error)
        return Standing(
            viewer_id=viewer_id,
            level=level,
            note=note,
            interactions=len(history),
            controls=in_words(controls),
            beliefs=beliefs,
            video_ids=stock.shelf.video_ids,
            removed=stock.shelf.removed,
        )

    def outlook(self, viewer_id: str, video_ids: Sequence[str]) -> dict[str, Outlook]:
        """What the model makes of videos for a viewer, seen ones too; nothing where it does not rank for this viewer.

        Raises:
            StoreError: A store cannot be read.
        """
        stock = self._live.stock
        _, history, _ = self._read(viewer_id, stock)
        profile = self._log.profile(viewer_id)
        known = [video_id for video_id in video_ids if video_id in stock.shelf.row_of]
        if stock.scorer is None or not known or level_of(viewer_id, stock, history, profile)[0] is Level.POPULAR:
            return {}
        state, rows_N = stock.scorer.viewer(history, profile, _present(history)), stock.shelf.rows_of(known)
        expected, weights_NM = stock.scorer.predict(state, rows_N), stock.scorer.score(state, rows_N).weights_NM
        return {
            video_id: Outlook(
                expected={name: float(values_N[place]) for name, values_N in expected.items()},
                weights=dict(zip(stock.scorer.modalities, weights_NM[place].tolist(), strict=True)),
            )
            for place, video_id in enumerate(known)
        }

    def put_profile(self, profile: Profile) -> None:
        """Store a viewer's profile in place of the earlier one; it counts in the next feed.

        Raises:
            DataError: The id or a feature is not as it should be.
            StoreError: It cannot be written.
        """
        with self._writing:
            self._log.put_profiles([profile], anew=True)

    def profile(self, viewer_id: str) -> Profile | None:
        """A viewer's profile, None where there is none.

        Raises:
            StoreError: The store cannot be read.
        """
        return self._log.profile(viewer_id)

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
        stock, start = live.stock, perf_counter()
        profile = None if stock.scorer is None else self._log.profile(query.viewer_id)
        level, note = level_of(query.viewer_id, stock, history, profile)
        if level is Level.POPULAR:
            return replace(live.popular.run(query, level), note=note)
        assert stock.scorer is not None, "the level says so"
        assert live.personal is not None, "a model comes with its pipeline"
        state = stock.scorer.viewer(history, profile, query.now)
        if query.controls is not None and query.controls.modalities:
            state = stock.scorer.weighed(state, query.controls.modalities)
        encoded = _step("encode the viewer", len(history), start)
        feed = live.personal.run(replace(query, state=state), level)
        return replace(feed, trace=(encoded, *feed.trace), note=note)

    def _read(self, viewer_id: str, stock: Stock) -> tuple[frozenset[str], list[Interaction], Controls | None]:
        """The videos a viewer has met, the interactions that count, and what the viewer asked for."""
        controls = self.controls.get(viewer_id)
        events = self._histories.events(viewer_id)
        counted = events if controls is None else controls.that_count(events)
        return frozenset(events[Col.VIDEO_ID]), self._histories.folded(counted, stock.durations), controls


def _present(history: Sequence[Interaction]) -> datetime:
    """Now, or the newest event where a client's clock is ahead: what was just done must count."""
    return max([datetime.now(UTC), *(interaction.at for interaction in history[-1:])])


def _step(stage: str, count: int, start: float) -> Step:
    return Step(stage=stage, count=count, milliseconds=1000 * (perf_counter() - start))


def _popular_now(workspace: Workspace, stock: Stock) -> Popularity:
    return History(workspace.events_dir).collected(
        lambda: count_popularity(
            read_events(workspace.events_dir),
            stock.durations.lazy(),
            now=datetime.now(UTC),
            days=workspace.config.feed.popular_days,
            positive=workspace.config.events,
        )
    )
