"""What ``benchmarks/scaling.py`` measures at one point; each function runs in a process of its own.

Legend of shape suffixes: U = viewers, V = videos, M = modalities, T = themes, D = width of a vector, I = interactions.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import torch
from lengths import made_dataset
from memory import peak_memory
from training_runs import made_in_files

from swipewise.config import Config, EventsConfig, ModelConfig, SplitConfig, TrainingConfig
from swipewise.events import fold
from swipewise.schema import CONTENT_MODALITIES, Col
from swipewise.simulate.behave import behave
from swipewise.simulate.world import THEMES, World, WorldConfig, draw_world
from swipewise.training.building import build_dataset
from swipewise.training.dataset import Dataset
from swipewise.training.descent import Descent
from swipewise.training.fitted import FittedModel
from swipewise.training.inference import Projected
from swipewise.training.learner import InterestLearner
from swipewise.training.loop import seeded
from swipewise.training.ranking import mean_ndcg, ranking_task
from swipewise.training.recommender import InterestRecommender
from swipewise.training.split import split_by_time

_CPU = torch.device("cpu")
_SECONDS = 4.0
_NOISE = 0.7  # of a vector's every dimension, where the centre of its theme has 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A platform and a model.

    length: of every history, by default such lengths as KuaiRand's; tastes: whether the model of tastes is learnt too.
    """

    viewers: int
    videos: int
    history: int = 50
    width: int = 64
    length: int = 0
    steps: int = 8
    tastes: bool = False

    def data(self, folder: Path) -> Dataset:
        """Its log, drawn by chance, in files of a folder unless all histories have one length; and vectors."""
        if self.length:
            return made_dataset(np.full(self.viewers, self.length), self.videos, content=True)
        return made_in_files(self.viewers, folder, self.videos)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a point costs, in seconds of one processor and bytes.

    tastes: learning the model of tastes, 0 where it is not; prepare: all else before the first step; learn: of steps,
    for each interaction; project: for each video that is made ready for feeds; peak: own memory of vectors, model and
    training, not the pages of the log's files.
    """

    interactions: int
    videos: int
    tastes: float
    prepare: float
    learn: float
    project: float
    peak: float


def cost_of(point: Point) -> Cost:
    """Prepare a training of the full model, take some of its steps, and project the catalogue."""
    torch.set_num_threads(1)
    model = ModelConfig(width=point.width, history=point.history, memory=0)
    training = TrainingConfig(batch_events=4096, device="cpu")
    with tempfile.TemporaryDirectory(prefix="swipewise-scaling-") as folder, peak_memory() as peak, seeded(0):
        data = point.data(Path(folder))
        fitted, plain = _fitted(replace(model, themes=0), data)
        tastes = 0.0
        if point.tastes:
            fitted, both = _fitted(model, data)
            tastes = both - plain
        began = time.process_time()
        learner = InterestLearner(fitted, data, Config(model=fitted.config, training=training), _CPU)
        descent = Descent(learner.network, training)
        prepare = plain + time.process_time() - began
        learn = _learn(learner, descent, point.steps)
        most = peak.gigabytes * 2**30
        began = time.process_time()
        Projected(fitted, data)
        project = (time.process_time() - began) / point.videos
    return Cost(
        interactions=len(data.interactions),
        videos=point.videos,
        tastes=tastes,
        prepare=prepare,
        learn=learn,
        project=project,
        peak=most,
    )


def _fitted(model: ModelConfig, data: Dataset) -> tuple[FittedModel, float]:
    """A model before its first step, and the processor seconds it took."""
    began = time.process_time()
    return FittedModel.untrained(model, data, {}), time.process_time() - began


def _learn(learner: InterestLearner, descent: Descent, steps: int) -> float:
    """Processor seconds of each interaction learnt from, without the first two steps, which also set up memory."""
    learner.network.train()
    read, began = 0, time.process_time()
    for step, batch in zip(range(steps + 2), learner.batches(0, 0), strict=False):
        if step == 2:
            read, began = 0, time.process_time()
        assert batch is not None
        descent.begin()
        learner.loss(batch).loss.backward()  # type: ignore[no-untyped-call]
        descent.step()
        read += int(batch.learn_BL.sum())
    return (time.process_time() - began) / max(1, read)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam:
    """A simulated platform and a model that learns from so many of its viewers; the first ``asked`` are asked."""

    videos: int
    viewers: int
    learnt_from: int
    asked: int
    history: int = 50
    width: int = 64
    epochs: int = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """NDCG@10 on what viewers liked later, and that of an order by the planted truth."""

    interactions: int
    ndcg: float
    best: float


def quality_of(exam: Exam) -> Quality:
    """Train on a world whose truth is known."""
    torch.set_num_threads(1)
    world = draw_world(WorldConfig(videos=exam.videos, viewers=exam.viewers, sessions=6.0, days=20))
    split = split_by_time(_observed(world), SplitConfig())
    config = Config(
        model=ModelConfig(width=exam.width, history=exam.history, memory=0),
        training=TrainingConfig(epochs=exam.epochs, patience=3, batch_events=1024, device="cpu"),
    )
    learnt, validation = (_of_first(part, exam.learnt_from) for part in (split.train, split.validation))
    model = InterestRecommender(config, validation=validation).fit(learnt)
    history = _of_first(split.train.followed_by(split.validation), exam.learnt_from)
    task = ranking_task(history, _of_first(split.test, exam.asked))

    def by_truth(viewers_B: np.ndarray, videos_N: np.ndarray) -> np.ndarray:
        rows_B = np.array([int(history.viewer_ids[viewer].removeprefix("viewer")) for viewer in viewers_B])
        return world.utility(rows_B, np.full(len(rows_B), split.test_start))[:, videos_N].astype(np.float32)

    return Quality(
        interactions=len(learnt.interactions),
        ndcg=mean_ndcg(model.observe(history).score, task),
        best=mean_ndcg(by_truth, task),
    )


def _of_first(data: Dataset, viewers: int) -> Dataset:
    """What the first so many viewers did."""
    rows = data.interactions
    return replace(data, interactions=rows.where(rows.viewer_I < viewers))


def _observed(world: World) -> Dataset:
    """A world as a data set, with a noisy vector of each modality a video has."""
    durations = pl.LazyFrame(
        {Col.VIDEO_ID: world.video_ids, Col.DURATION: np.full(len(world.video_ids), _SECONDS)}
    )
    seconds_V = np.full(len(world.video_ids), _SECONDS)
    interactions = fold(behave(world, seconds_V).lazy(), durations).collect()
    uploaded = pl.Series(world.uploaded_at_V).cast(pl.Datetime("ms", "UTC"))
    creators = [f"c{creator}" for creator in world.creator_V]
    videos = pl.DataFrame({Col.VIDEO_ID: world.video_ids, Col.UPLOADED_AT: uploaded, Col.CREATOR: creators})
    rng = np.random.default_rng(world.config.seed)
    content = {}
    for column, modality in enumerate(CONTENT_MODALITIES):
        theme_V = world.theme_VM[:, column]
        centre_TD = rng.standard_normal((THEMES, 32), np.float32)
        vector_VD = centre_TD[theme_V] + _NOISE * rng.standard_normal((len(theme_V), 32), np.float32)
        has_V = np.flatnonzero(theme_V >= 0)
        content[str(modality)] = ([world.video_ids[video] for video in has_V], vector_VD[has_V])
    profiles = pl.DataFrame({Col.VIEWER_ID: world.viewer_ids})
    return build_dataset(videos, content, [interactions], profiles, EventsConfig())
