"""A workspace with what can be done in it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swipewise import workspace
from swipewise.api.behavior import Behavior
from swipewise.api.results import Explanation
from swipewise.errors import DataError, InputFileError
from swipewise.schema import LONGEST_ID

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from swipewise.evaluation.session import Evaluation, Opponent
    from swipewise.events import ImportSummary
    from swipewise.feed.engine import FeedEngine
    from swipewise.feed.pipeline import Pipeline
    from swipewise.ingest import IngestSummary
    from swipewise.training.loop import Epoch
    from swipewise.training.session import TrainingSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace(workspace.Workspace):
    """A directory with a configuration and the stores: fill it, fit the model, recommend, explain, evaluate.

    Every function of the package that takes a workspace takes this one.

    Example:
        ::

            from swipewise import Workspace

            shop = Workspace.open("shop")
            shop.fit()
            print(shop.recommend(["ann", "bob"], k=5))
            print(shop.explain("ann").videos)
            print(shop.evaluate().figures)
    """

    def add_videos(
        self, *sources: str | Path, captions: str | Path | None = None, again: bool = False
    ) -> IngestSummary:
        """Take clips into the catalogue, as ``swipewise videos add`` does.

        Args:
            sources: Files, folders and manifests, also elsewhere, such as ``s3://bucket/clips``.
            captions: A table of captions.
            again: Take back videos that were removed.

        Returns:
            What became of the files.

        Raises:
            InputFileError: A source does not exist, holds no videos, or cannot be read.
            ConfigError: The configured encoders cannot be had.
            WorkspaceError: Another ingestion is running here.
            StoreError: The catalogue cannot be read or written.
        """
        from swipewise.ingest import ingest_videos

        return ingest_videos(self, sources, captions=None if captions is None else Path(captions), again=again)

    @classmethod
    def from_dataset(cls, layout: str, source: str | Path, root: str | Path) -> Workspace:
        """Make a workspace of a data set, as ``swipewise datasets`` does.

        Args:
            layout: kuairand, microlens, mmrec, recbole, or generic: tables with Swipewise's own column names.
            source: The data set's folder; it is only read.
            root: A folder that is new or empty.

        Returns:
            The workspace that was made.

        Raises:
            UnknownIdError: There is no such layout.
            InputFileError: A file of the source is missing or cannot be read.
            DataError: What is in the source contradicts itself.
            WorkspaceError: The folder holds something.
        """
        from swipewise.datasets.convert import convert
        from swipewise.datasets.layouts import LAYOUTS
        from swipewise.errors import UnknownIdError

        if layout not in LAYOUTS:
            raise UnknownIdError(f"no layout {layout!r}: valid are {', '.join(LAYOUTS)}")
        convert(LAYOUTS[layout], Path(source), Path(root))
        return cls.open(root)

    def encode(self) -> IngestSummary:
        """Fill the columns of configured encoders that have not looked at every video yet.

        Returns:
            What became of the videos.

        Raises:
            ConfigError: The encoders cannot be had.
            WorkspaceError: Another ingestion is running here.
            StoreError: The catalogue cannot be read or written.
        """
        from swipewise.ingest import encode_videos

        return encode_videos(self, self.config.encoders)

    def import_events(
        self, *sources: str | Path | pl.DataFrame, columns: Mapping[str, str] | None = None
    ) -> ImportSummary:
        """Import behaviour, as ``swipewise events import`` does; the same event twice counts once.

        Args:
            sources: CSV, JSON Lines or Parquet files, or frames with the same columns.
            columns: For our names those of the sources, where they differ: ``{"viewer_id": "user"}``.

        Returns:
            What became of the rows.

        Raises:
            InputFileError: A source cannot be read, or lacks a column.
            WorkspaceError: Another import or compaction is running here.
            StoreError: A store cannot be read or written.
        """
        from swipewise.catalog import Catalog
        from swipewise.catalog.names import file_names
        from swipewise.events import import_events
        from swipewise.schema import Col

        videos = Catalog(self.catalog_dir).videos()
        with _as_files(sources) as files:
            return import_events(
                self,
                files,
                mapping=columns or {},
                known_videos=set(videos[Col.VIDEO_ID]),
                lengths=videos,
                file_names=lambda: file_names(videos),
            )

    def import_viewers(
        self, *sources: str | Path | pl.DataFrame, columns: Mapping[str, str] | None = None
    ) -> ImportSummary:
        """Import profiles, as ``swipewise viewers import`` does; a viewer's later row replaces the earlier one.

        Args:
            sources: CSV, JSON Lines or Parquet files, or frames; every column but ``viewer_id`` is a feature.
            columns: For our names those of the sources, where they differ.

        Returns:
            What became of the rows.

        Raises:
            InputFileError: A source cannot be read, or has no ``viewer_id``.
            StoreError: The store cannot be written.
        """
        from swipewise.events import import_viewers

        with _as_files(sources) as files:
            return import_viewers(self, files, mapping=columns or {})

    def videos(self) -> pl.DataFrame:
        """The catalogue: a row a video, with the fields of :class:`swipewise.schema.Video`."""
        from swipewise.catalog import Catalog

        return Catalog(self.catalog_dir).videos()

    def vectors(self, modality: str) -> tuple[list[str], NDArray[np.float32]]:
        """The vectors (N, D) that the configured encoder made of a content modality, and whose they are.

        Args:
            modality: visual, text or audio.

        Raises:
            UnknownIdError: The configured encoder has made none; the message names those that have.
        """
        from swipewise.training.workspace_data import configured_vectors

        return configured_vectors(self, modality)

    def events(self) -> pl.DataFrame:
        """The log in long form: event_id, viewer_id, video_id, action, at (UTC), watch_seconds, position."""
        from swipewise.events import read_events
        from swipewise.events.history import History

        return History(self.events_dir).collected(lambda: read_events(self.events_dir).collect())

    def interactions(self) -> pl.DataFrame:
        """The log folded: a row an exposure, with watch_seconds, watch_ratio, position and a flag an action."""
        from swipewise.events import read_interactions
        from swipewise.events.history import History
        from swipewise.schema import Col

        durations = self.videos().lazy().select(Col.VIDEO_ID, Col.DURATION)
        return History(self.events_dir).collected(lambda: read_interactions(self.events_dir, durations).collect())

    def fit(
        self, *, fresh: bool = False, start: str = "", on_epoch: Callable[[Epoch], None] = lambda _: None
    ) -> TrainingSummary:
        """Fit the model to the training period, as ``swipewise train`` does; an interrupted training is taken up.

        Args:
            fresh: Start anew even if an interrupted training could be resumed.
            start: A finished run whose weights to start from, or ``latest``; empty: ``training.warm_start``.
            on_epoch: Told after every epoch.

        Returns:
            What was trained on what, and how well it ranks the validation period.

        Raises:
            DataError: There is too little data.
            UnknownIdError: There is no such run to start from.
            WorkspaceError: Another training is running here.
        """
        from swipewise.training.session import Watch, train_workspace

        return train_workspace(self, fresh=fresh, start=start, watch=Watch(on_epoch=on_epoch))

    def engine(self, *, adapt: Callable[[Pipeline], Pipeline] | None = None) -> FeedEngine:
        """What makes feeds, with model and stores loaded once: for many calls, cursors, contexts, posted events.

        Args:
            adapt: Gives another pipeline in place of that of feeds with the model, such as one with a ranker of one's
                own: ``lambda pipeline: dataclasses.replace(pipeline, score=Mine())``.

        Returns:
            A context manager; feeds come from its ``feed``.

        Raises:
            StoreError: A store cannot be read.
        """
        from swipewise.feed.engine import FeedEngine

        return FeedEngine.open(self, adapt=adapt)

    def recommend(self, viewers: str | Sequence[str], k: int = 10) -> pl.DataFrame:
        """The feeds of viewers, as they would be served now; nobody is shown what they have seen.

        Model and stores are loaded at each call: ask for many viewers at once, or keep an :meth:`engine`.

        Args:
            viewers: Whose; one who is not known gets what is popular and new.
            k: Videos a viewer; fewer come where there are no more.

        Returns:
            viewer_id, position (from 0), video_id, score, source, propensity, level.

        Raises:
            ConfigError: ``k`` is below 1.
            DataError: A viewer's id is no text, or empty.
            StoreError: A store cannot be read.
        """
        import polars as pl

        from swipewise.feed.batch import feeds_in_blocks
        from swipewise.feed.frames import FEED_SCHEMA

        wanted = _ids([viewers] if isinstance(viewers, str) else viewers)
        with self.engine() as engine:
            return pl.concat([pl.DataFrame(schema=FEED_SCHEMA), *feeds_in_blocks(engine, wanted, size=k)])

    def explain(self, viewer: str, videos: Sequence[str] | None = None, *, k: int = 10) -> Explanation:
        """What is known of a viewer, and why videos are recommended or not.

        Args:
            viewer: Who.
            videos: Which videos, seen or not; None: the viewer's feed.
            k: Of so many videos.

        Raises:
            DataError: The viewer's id is no text, or empty.
            UnknownIdError: There is no such video.
            StoreError: A store cannot be read.
        """
        from swipewise.catalog import Catalog
        from swipewise.feed.explanation import describe

        _ids([viewer])
        if videos is not None:
            catalog = Catalog(self.catalog_dir)
            for video_id in videos:
                catalog.get(video_id)
        with self.engine() as engine:
            standing = engine.standing(viewer)
            feed = engine.feed(viewer, size=k)
            chosen = [each.video_id for each in feed.recommendations] if videos is None else list(videos)
            return Explanation(**describe(standing, feed, chosen, engine.outlook(viewer, chosen), self))

    def similar(self, video: str, k: int = 10, *, modality: str | None = None) -> pl.DataFrame:
        """The videos most like one, best first: video_id and similarity, a cosine.

        Args:
            video: Like which.
            k: How many at most.
            modality: By the vectors of which content modality; None: by the model's.

        Raises:
            UnknownIdError: There is no such video, or it has no vector of this modality.
            DataError: There is no model whose vectors could be compared.
        """
        import polars as pl

        from swipewise.schema import Col

        with self.engine() as engine:
            found = engine.similar(video, limit=k, modality=modality)
        rows = [(each.video_id, each.similarity) for each in found]
        return pl.DataFrame(rows, schema={Col.VIDEO_ID: pl.String, Col.SIMILARITY: pl.Float64}, orient="row")

    def evaluate(
        self,
        against: Sequence[Opponent] = ("itemcf", "recent", "popularity"),
        *,
        trials: int = 20,
        truth: str | Path | None = None,
        on_step: Callable[[str], None] = lambda _: None,
    ) -> Evaluation:
        """Measure the last run against baselines on what happened after it, and write the report.

        Args:
            against: Baselines by name (itemcf, sasrec, bert4rec, din, recent, popularity), and classes of one's own
                whose objects are a :class:`swipewise.training.dataset.Recommender`.
            trials: Settings that are tried for each baseline on the validation period.
            truth: The simulated world behind the data; adds the oracle.
            on_step: Told what is about to be done.

        Returns:
            The figures, their comparison, and where the page lies.

        Raises:
            UnknownIdError: There is no finished run, or no such baseline.
            DataError: Nobody likes anything new in the test period.
        """
        from swipewise.evaluation.exam import Search
        from swipewise.evaluation.session import evaluate_workspace

        return evaluate_workspace(
            self,
            truth_dir=None if truth is None else Path(truth),
            against=against,
            search_with=Search(trials=trials),
            on_step=on_step,
        )

    @property
    def behavior(self) -> Behavior:
        """What viewers do: ``behavior.funnel()``, ``retention()``, ``segments()``, ``shifts()``, ``activity()``."""
        return Behavior(self)

    def transfer_from(
        self, source: workspace.Workspace, *, trials: int = 20, on_step: Callable[[str], None] = lambda _: None
    ) -> pl.DataFrame:
        """Rank for the viewers of this workspace with the last model of another, for which all ids are new.

        Args:
            source: Whose model; its encoders must be those of this workspace.
            trials: Settings that are tried for each baseline.
            on_step: Told what is about to be done.

        Returns:
            recommender, segment, viewers, metric, value, low, high: of the transferred model, of this workspace's own
            where there is one, and of baselines.

        Raises:
            UnknownIdError: The source has no finished run.
            ArtifactError: The model's encoders are not those of this workspace.
            DataError: Nobody likes anything new in the test period.
        """
        from swipewise.evaluation.session import figures_of
        from swipewise.evaluation.transfer_session import transfer_workspace

        return figures_of(transfer_workspace(source, self, trials=trials, on_step=on_step))


@contextmanager
def _as_files(sources: Sequence[Any]) -> Iterator[list[Path]]:
    """Sources as files; frames are written to some that are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="swipewise-") as folder:
        files = []
        for number, source in enumerate(sources):
            if isinstance(source, str | Path):
                files.append(Path(source))
            elif hasattr(source, "write_parquet"):
                files.append(Path(folder) / f"frame{number}.parquet")
                source.write_parquet(files[-1])
            else:
                raise InputFileError(
                    f"a {type(source).__name__} is neither a path nor a frame of polars: polars.from_pandas makes one "
                    "of a frame of pandas, polars.DataFrame of a dict of columns"
                )
        yield files


def _ids(viewers: Sequence[Any]) -> list[str]:
    """Viewers as they are named.

    Raises:
        DataError: One is no text, or no id.
    """
    from swipewise.events.rules import id_fault

    for viewer in viewers:
        if not isinstance(viewer, str):
            raise DataError(f"viewer {viewer!r} is no text: ids are, so ask for {str(viewer)!r}")
        if fault := id_fault(viewer):
            raise DataError(f"viewer {viewer[:LONGEST_ID]!r}: the id {fault}")
    return list(viewers)
