"""The feed of a workspace: opens its stores, answers requests, takes events."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from threading import Lock
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Self

from swipewise.catalog import Catalog
from swipewise.errors import ArtifactError, ConfigError
from swipewise.events import Appended, EventLog, LiveRow
from swipewise.feed.bundles import Bundle
from swipewise.feed.controls import in_words
from swipewise.feed.histories import ViewerHistories
from swipewise.feed.live import Live, popular_now
from swipewise.feed.pipeline import Pipeline
from swipewise.feed.publishing import Publication, published, rolled_back
from swipewise.feed.requests import Request, present, query_of
from swipewise.feed.similar import Similar, similar_videos
from swipewise.feed.stages import Feed, Level, Query, Step
from swipewise.feed.standing import Outlook, Standing, level_of
from swipewise.feed.stock import Version, load_stock, restocked, stock_of
from swipewise.feed.supposing import Supposition, supposed
from swipewise.schema import Event, Interaction, Profile
from swipewise.training.together import Together
from swipewise.workspace import Workspace

if TYPE_CHECKING:
    from swipewise.training.beliefs import Beliefs, InterestShift
    from swipewise.training.scorer import ViewerState

_logger = logging.getLogger(__name__)

_WRITTEN_TOGETHER = 16  # lists of events, of which each may hold a thousand
_WAITING = 256


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
        live: Live,
    ) -> None:
        self.workspace = workspace
        self._log = log
        self.controls = log.controls
        self._histories = histories
        self._live = live
        self._writing = Lock()
        self._append_together = Together(self._append_all, most=_WRITTEN_TOGETHER, waiting=_WAITING)
        self._refreshing = Lock()

    @classmethod
    def open(cls, workspace: Workspace, *, adapt: Callable[[Pipeline], Pipeline] | None = None) -> Self:
        """Open the stores and load the newest run; without a usable one feeds are made of what is popular.

        Args:
            workspace: Whose.
            adapt: Gives another pipeline in place of that of feeds with the model, such as one with another ``score``;
                asked again whenever what it is made over has changed.

        Returns:
            The engine, which is closed at the end of a ``with``.

        Raises:
            StoreError: A store cannot be read.
        """
        with ExitStack() as undo:
            log = undo.enter_context(EventLog.open(workspace.events_dir))
            histories = undo.enter_context(ViewerHistories(workspace.events_dir))
            stock = load_stock(workspace)
            live = Live.of(stock, popular_now(workspace, stock), workspace.config.feed, adapt=adapt)
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
    def version(self) -> Version:
        """What identifies the catalogue and the model that feeds are made from."""
        return self._live.stock.version

    @property
    def encoders(self) -> Mapping[str, str]:
        """The encoder of each content modality that the model reads; none without a model."""
        return self._live.stock.scorer.encoders if self._live.stock.scorer else {}

    @property
    def inference(self) -> str | None:
        """What reads histories, and why it is not what was asked for; None without a model."""
        return self._live.stock.scorer.inference if self._live.stock.scorer else None

    @property
    def note(self) -> str | None:
        """Why no model ranks, None when one does."""
        return self._live.stock.note

    @property
    def videos(self) -> int:
        """How many videos can be shown."""
        return len(self._live.stock.shelf.row_of)

    def feed(self, viewer_id: str, *, size: int | None = None, request: Request | None = None) -> Feed:
        """The viewer's feed.

        Args:
            viewer_id: Anybody; a viewer who is not known gets what is popular and fresh.
            size: Videos wanted, by default ``feed.size`` of the configuration; fewer are given when the viewer has
                seen all others.
            request: What else is asked, such as the page after a cursor.

        Raises:
            ConfigError: ``size`` is below 1.
            DataError: The cursor is damaged or another viewer's.
            StoreError: The event log cannot be read.
        """
        size = self.workspace.config.feed.size if size is None else size
        if size < 1:
            raise ConfigError(f"a feed holds at least 1 video, not {size}")
        live, start, request = self._live, perf_counter(), request or Request()
        cursor = request.session(viewer_id)
        known = self._histories.known(viewer_id)
        history = known.history(live.stock.shelf.seconds_of)
        query = query_of(viewer_id, size, request, cursor, known, history, live)
        read = _step("read the history", len(history), start)
        try:
            feed = self._personal(live, query, history, known.profile)
        except ArtifactError as error:
            _logger.warning("a feed without the model: %s", error)
            feed = replace(live.popular.run(query, Level.POPULAR), note=str(error))
        return replace(
            feed,
            trace=(read, *feed.trace),
            controls=in_words(known.controls),
            cursor=cursor.after([each.video_id for each in feed.recommendations]).text,
        )

    def standing(self, viewer_id: str, *, now: datetime | None = None, shifts: bool = False) -> Standing:
        """What is known of a viewer, and what the model makes of it.

        Args:
            viewer_id: Anybody.
            now: As of when, timezone-aware, by default the present; what came later does not count.
            shifts: Whether shifts of interest are looked for, which takes far longer than the rest.

        Raises:
            StoreError: A store cannot be read.
        """
        stock = self._live.stock
        known = self._histories.known(viewer_id)
        history, profile = known.history(stock.shelf.seconds_of), known.profile
        if now is None:
            now = present(history)
        else:
            history = [interaction for interaction in history if interaction.at <= now]
        level, note = level_of(viewer_id, stock, history, profile)
        beliefs: Beliefs | None = None
        shifted: tuple[InterestShift, ...] = ()
        if stock.scorer is not None and level is not Level.POPULAR:
            try:
                beliefs = stock.scorer.beliefs(history, profile, now)
                shifted = stock.scorer.shifts(history, profile, now) if shifts else ()
            except ArtifactError as error:
                level, note = Level.POPULAR, str(error)
        return Standing(
            viewer_id=viewer_id,
            level=level,
            note=note,
            interactions=len(history),
            controls=in_words(known.controls),
            beliefs=beliefs,
            shifts=shifted,
            video_ids=stock.shelf.video_ids,
            removed=stock.shelf.removed,
        )

    def supposed(self, viewer_id: str, suppositions: Sequence[Supposition], *, size: int) -> list[Feed]:
        """The feeds that a viewer would get, one a supposition; nothing is written, and nothing of it counts later.

        Args:
            viewer_id: Whose.
            suppositions: What to take for granted, one a feed.
            size: Videos a feed.

        Raises:
            ArtifactError: The model gives scores that are not numbers.
            StoreError: The event log cannot be read.
        """
        live, known = self._live, self._histories.known(viewer_id)
        history = known.history(live.stock.shelf.seconds_of)
        feeds: list[Feed] = []
        states: dict[Hashable, ViewerState] = {}
        for each in suppositions:
            query, mine = supposed(each, known, history, live, size)
            if live.stock.scorer is not None and each.learned not in states:
                states[each.learned] = live.stock.scorer.viewer(mine, known.profile, query.now)
            feeds.append(self._personal(live, query, mine, known.profile, states.get(each.learned)))
        return feeds

    def outlook(self, viewer_id: str, video_ids: Sequence[str]) -> dict[str, Outlook]:
        """What the model makes of videos for a viewer, seen ones too; nothing where it does not rank for this viewer.

        Args:
            viewer_id: For whom.
            video_ids: Which videos; those that are not in the catalogue are left out.

        Raises:
            StoreError: A store cannot be read.
        """
        stock = self._live.stock
        viewer = self._histories.known(viewer_id)
        history, profile = viewer.history(stock.shelf.seconds_of), viewer.profile
        known = [video_id for video_id in video_ids if video_id in stock.shelf.row_of]
        if stock.scorer is None or not known or level_of(viewer_id, stock, history, profile)[0] is Level.POPULAR:
            return {}
        state, rows_N = stock.scorer.viewer(history, profile, present(history)), stock.shelf.rows_of(known)
        expected, weights_NM = stock.scorer.predict(state, rows_N), stock.scorer.weights(state, rows_N)
        return {
            video_id: Outlook(
                expected={name: float(values_N[place]) for name, values_N in expected.items()},
                weights=dict(zip(stock.scorer.modalities, weights_NM[place].tolist(), strict=True)),
            )
            for place, video_id in enumerate(known)
        }

    def weights(self, video_id: str, viewer_ids: Sequence[str]) -> dict[str, dict[str, float]]:
        """By which modality weights the model judges a video, by viewer; without those it does not rank for.

        Args:
            video_id: Which video; one that is not in the catalogue is judged for nobody.
            viewer_ids: For whom.

        Raises:
            StoreError: A store cannot be read.
        """
        stock = self._live.stock
        if stock.scorer is None or video_id not in stock.shelf.row_of:
            return {}
        viewers = {}
        for viewer_id in viewer_ids:
            known = self._histories.known(viewer_id)
            history = known.history(stock.shelf.seconds_of)
            if level_of(viewer_id, stock, history, known.profile)[0] is not Level.POPULAR:
                viewers[viewer_id] = history, known.profile
        if not viewers:
            return {}
        now = max(present(history) for history, _ in viewers.values())
        alpha_BNM = stock.scorer.weights_of(list(viewers.values()), stock.shelf.rows_of([video_id]), now)
        return {
            viewer_id: dict(zip(stock.scorer.modalities, alpha_M, strict=True))
            for viewer_id, alpha_M in zip(viewers, alpha_BNM[:, 0].tolist(), strict=True)
        }

    def put_profile(self, profile: Profile) -> None:
        """Store a viewer's profile in place of the earlier one; it counts in the next feed.

        Args:
            profile: What is known of a viewer, all of it.

        Raises:
            DataError: The id or a feature is not as it should be.
            StoreError: It cannot be written.
        """
        with self._writing:
            self._log.put_profiles([profile], anew=True)

    def profile(self, viewer_id: str) -> Profile | None:
        """A viewer's profile, None where there is none.

        Args:
            viewer_id: Whose.

        Raises:
            StoreError: The store cannot be read.
        """
        return self._log.profile(viewer_id)

    def similar(self, video_id: str, *, limit: int, modality: str | None = None) -> list[Similar]:
        """The videos most like one, best first; see ``similar_videos``.

        Args:
            video_id: Like which one.
            limit: How many.
            modality: By the vectors of this content modality alone; None: by what the model makes of all.

        Raises:
            UnknownIdError: There is no such video, or it has no vector of this modality.
            DataError: There is no model whose vectors could be compared.
            StoreError: The catalogue cannot be read.
        """
        catalog = Catalog(self.workspace.catalog_dir)
        return similar_videos(self._live.stock, catalog, video_id, limit=limit, modality=modality)

    def observe(self, events: Sequence[Event]) -> Appended:
        """Write events to the log; they are on disk when this returns, each ``event_id`` once.

        Args:
            events: What happened; the log has its rules, see ``schema.Event``.

        Returns:
            How many were new, and how many known already.

        Raises:
            DataError: An event breaks a rule of the log; none is written.
            StoreError: They cannot be written; none of them was.
        """
        with self._writing:
            return self._log.append(events)

    def observe_rows(self, rows: Sequence[LiveRow]) -> Appended:
        """Write events that are known to break no rule of the log, as :meth:`observe` does.

        What several threads write at the same time goes to the disk together.

        Args:
            rows: As the live log holds them.

        Returns:
            How many were new, and how many known already.

        Raises:
            StoreError: They cannot be written; none of them was.
        """
        return self._append_together(rows)

    def _append_all(self, batches: Sequence[Sequence[LiveRow]]) -> list[Appended]:
        with self._writing:
            return self._log.append_batches(batches)

    def unknown_videos(self, video_ids: Iterable[str]) -> list[str]:
        """Those videos that are not in the catalogue, each once.

        Args:
            video_ids: Which to look for.
        """
        known = self._live.stock.shelf.row_of
        return [video_id for video_id in dict.fromkeys(video_ids) if video_id not in known]

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
        popularity = popular_now(self.workspace, self._live.stock)
        with self._refreshing:
            self._live = Live.of(self._live.stock, popularity, self.workspace.config.feed, before=self._live)
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
            self._live = Live.of(stock, live.popularity, self.workspace.config.feed, before=live)
            return True

    def publish(self, run_name: str) -> Bundle:
        """Make a run the one that is served, and serve what was loaded for that; see ``publishing.publish``.

        Args:
            run_name: Of a finished run.

        Returns:
            What is served now.
        """
        return self._take_up(published(self.workspace, run_name))

    def rollback(self) -> Bundle:
        """Go back to the bundle before, and serve what was loaded for that; see ``publishing.rollback``.

        Returns:
            What is served now.
        """
        return self._take_up(rolled_back(self.workspace))

    def _take_up(self, publication: Publication) -> Bundle:
        with self._refreshing:
            stock = stock_of(publication.shown, self.workspace, publication.model)
            self._live = Live.of(stock, self._live.popularity, self.workspace.config.feed, before=self._live)
        return publication.bundle

    @staticmethod
    def _personal(
        live: Live,
        query: Query,
        history: list[Interaction],
        profile: Profile | None,
        state: ViewerState | None = None,
    ) -> Feed:
        """The feed at the highest level that what is known allows; ``state`` where the history was read before."""
        stock, start = live.stock, perf_counter()
        level, note = level_of(query.viewer_id, stock, history, profile)
        if level is Level.POPULAR:
            return replace(live.popular.run(query, level), note=note)
        assert stock.scorer is not None, "the level says so"
        assert live.personal is not None, "a model comes with its pipeline"
        state = state or stock.scorer.viewer(history, profile, query.now)
        if query.controls is not None and query.controls.modalities:
            state = stock.scorer.weighed(state, query.controls.modalities)
        encoded = _step("encode the viewer", len(history), start)
        feed = live.personal.run(replace(query, state=state), level)
        return replace(feed, trace=(encoded, *feed.trace), note=note)


def _step(stage: str, count: int, start: float) -> Step:
    return Step(stage=stage, count=count, milliseconds=1000 * (perf_counter() - start))
