"""What ``benchmarks/train.py`` measures of our own trainings; each function runs in a process of its own."""

from __future__ import annotations

import os
import resource
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from lengths import lengths_like_kuairand, made_dataset
from memory import peak_memory
from torch import Tensor

from swipewise.baselines.encoder import SequenceEncoder
from swipewise.baselines.sasrec import SASRecRecommender
from swipewise.baselines.schedule import Schedule
from swipewise.config import Config, ModelConfig, SplitConfig, TrainingConfig
from swipewise.model.linear import linear
from swipewise.model.sequence import Block
from swipewise.training.dataset import Dataset, GrowingInteractions
from swipewise.training.descent import Descent
from swipewise.training.finishing import calibrated, with_best_weights
from swipewise.training.fitted import FittedModel
from swipewise.training.learner import InterestLearner, Learner
from swipewise.training.loop import Epoch, seeded, train, validation_task
from swipewise.training.profiling import Clock
from swipewise.training.ranking import mean_ndcg, ranking_task
from swipewise.training.sampling import length_buckets
from swipewise.training.split import split_by_time
from swipewise.training.workers import joined

Network = Literal["sasrec", "ids", "content"]

WIDTH, LAYERS, HEADS, DROPOUT = 64, 2, 4, 0.2
FILED_LENGTH = 34  # the median of lengths like KuaiRand's
_CPU = torch.device("cpu")
_BLOCK_VIEWERS = 5_000


def epoch_seconds(
    networks: Sequence[Network], data: Dataset, history: int, batch: int, negatives: int
) -> dict[str, float]:
    """Processor seconds of an epoch of each network through the loop, the last of two."""
    torch.set_num_threads(1)
    events = batch_events(np.diff(data.viewer_offsets()), history, batch)
    return {network: _epoch_seconds(network, data, history, events, negatives) for network in networks}


def _epoch_seconds(network: Network, data: Dataset, history: int, events: int, negatives: int) -> float:
    ends = [time.process_time()]

    def ended(_: Epoch) -> None:
        ends.append(time.process_time())

    with seeded(0):
        learner, settings = learner_of(network, data, history, events, negatives)
        train(learner, settings, None, on_epoch=ended)
    return ends[-1] - ends[-2]


def batch_events(length_U: np.ndarray, history: int, batch: int) -> int:
    """Places of a batch so that one holds so many sequences in the mean."""
    read_U = np.minimum(length_U, history)
    low, high = batch, batch * (history + 1)
    while high - low > batch // 8:
        middle = (low + high) // 2
        batches = length_buckets(read_U, middle, np.random.default_rng(0))
        low, high = (middle, high) if len(read_U) / len(batches) < batch else (low, middle)
    return high


def learner_of(
    network: Network,
    data: Dataset,
    history: int,
    events: int,
    negatives: int,
    device: torch.device = _CPU,
) -> tuple[Learner[Any], TrainingConfig]:
    """Something that learns on a data set, as all parts measure it, and its settings."""
    if network == "sasrec":
        recommender = SASRecRecommender(
            width=WIDTH,
            layers=LAYERS,
            heads=HEADS,
            dropout=DROPOUT,
            history=history,
            ahead=1,
            negatives=negatives,
            schedule=Schedule(epochs=2, batch_events=events),
        )
        made = recommender._untrained(data).to(device)
        return recommender._learner(made, data), recommender.schedule.training(1e-3)
    model = ModelConfig(width=WIDTH, layers=LAYERS, heads=HEADS, dropout=DROPOUT, history=history)
    if network == "ids":
        model = replace(model, modalities=("id",), trends=False, neighbours=0, themes=0)
    config = Config(
        model=model,
        training=TrainingConfig(epochs=2, batch_events=events, negatives=negatives, device="cpu"),
    )
    fitted = FittedModel.untrained(config.model, data, {})
    return InterestLearner(fitted, data, config, device), config.training


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A training of SASRec on KuaiRand: its settings, the processor seconds it took, and the NDCG@10 it led to.

    negatives: drawn for a batch and shared by its targets in ours, for each target in RecTools'.
    """

    epochs: int
    negatives: int
    seconds: float
    ndcg: float


def courses_on_kuairand(
    workspace: Path,
    rectools: dict[str, Any],
    *,
    ours: Sequence[tuple[int, int]],
    theirs: Sequence[int],
) -> tuple[list[Course], list[Course]]:
    """Our trainings, by epochs and negatives, and RecTools', by epochs, judged by the two days after what they read."""
    from kuairand import MAY_MS, VALIDATION_MS

    from benchmarks.peers.contest import attempt
    from benchmarks.peers.exchange import write_exchange
    from benchmarks.peers.trials import PEERS
    from swipewise.training.workspace_data import load_dataset
    from swipewise.workspace import Workspace

    torch.set_num_threads(1)
    dataset = load_dataset(Workspace.open(workspace))
    before, after = dataset.before(VALIDATION_MS), dataset.between(VALIDATION_MS, MAY_MS)
    task = ranking_task(before, after, all_candidates=True)
    own, other = [], []
    for epochs, negatives in ours:
        recommender = SASRecRecommender(
            width=WIDTH,
            layers=LAYERS,
            heads=HEADS,
            dropout=DROPOUT,
            history=50,
            ahead=1,
            negatives=negatives,
            learning_rate=rectools["model"]["lr"],
            schedule=Schedule(epochs=epochs, batch_events=128 * FILED_LENGTH),
        )
        began = time.process_time()
        recommender.fit(before)
        seconds = time.process_time() - began
        ndcg = mean_ndcg(recommender.score, task)
        own.append(_told("ours", Course(epochs=epochs, negatives=negatives, seconds=seconds, ndcg=ndcg)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_exchange(folder, dataset, name="KuaiRand, part", validation_from=VALIDATION_MS, test_from=MAY_MS)
        for epochs in theirs:
            model = {**rectools["model"], "epochs": epochs}
            settings = {**rectools, "history": "exposures", "model": model}
            answer = attempt(PEERS["sasrec"], folder, settings, "validation", out=folder / "out")
            seconds, ndcg = answer.facts["seconds"]["fit"], answer.value("ndcg@10")
            course = Course(epochs=epochs, negatives=model["n_negatives"], seconds=seconds, ndcg=ndcg)
            other.append(_told("RecTools", course))
    return own, other


def _told(name: str, course: Course) -> Course:
    print(f"{name} {course}", file=sys.stderr, flush=True)
    return course


def matmul_share(steps: int) -> tuple[float, float]:
    """What the products of a step of SASRec take alone, against attention and linear layers, and against all of it."""
    torch.set_num_threads(1)
    data = made_dataset(lengths_like_kuairand(3_000), 7_583)
    with seeded(0):
        learner, settings = learner_of("sasrec", data, 50, 4096, 256)
        descent = Descent(learner.network, settings)
        batches = [batch for batch, _ in zip(learner.batches(0, 0), range(steps + 2), strict=False)]
        encoder = learner.network.encoder
        assert isinstance(encoder, SequenceEncoder)
        learner.network.train()
        parts, wholes, alone = [], [], []
        for batch in batches[2:]:
            assert batch is not None
            wholes.append(_seconds(partial(step, learner, descent, batch)))
            B, L = len(batch.last_B), batch.tokens.video_BL.shape[1] + 1
            x_BLD = torch.randn(B, L, WIDTH, requires_grad=True)
            parts.append(_seconds(partial(_inside, encoder, x_BLD)))
            alone.append(_seconds(partial(_products, B, L)))
    inside, whole, bare = (statistics.median(each) for each in (parts, wholes, alone))
    return bare / inside, bare / whole


def step(learner: Learner[Any], descent: Any, batch: Any) -> None:
    """A step down the loss of a batch."""
    descent.begin()
    learner.loss(batch).loss.backward()  # type: ignore[no-untyped-call]
    descent.step()


def _inside(encoder: SequenceEncoder, x_BLD: Tensor) -> None:
    """Attention and the linear layers of all blocks, forward and backward."""
    for block in encoder.blocks:
        assert isinstance(block, Block)
        x_BLD = block.attention(x_BLD)
        x_BLD = block.feed[3](block.feed[0](x_BLD))
    x_BLD.sum().backward()  # type: ignore[no-untyped-call]


def _products(B: int, L: int) -> None:
    """The matrix products of these alone, forward and backward, on contiguous matrices."""
    for _ in range(LAYERS):
        for inputs, outputs in ((WIDTH, 3 * WIDTH), (WIDTH, WIDTH), (WIDTH, 4 * WIDTH), (4 * WIDTH, WIDTH)):
            linear(_given(B * L, inputs), _given(outputs, inputs))
            linear(_given(B * L, outputs), _given(inputs, outputs))
            linear(_given(outputs, B * L), _given(inputs, B * L))
        q, scores = _given(B * HEADS, L, WIDTH // HEADS), _given(B * HEADS, L, L)
        for _ in range(2):  # scores and their mix, of which each has two gradients
            torch.bmm(q, q.transpose(1, 2))
            torch.bmm(scores, q)
            torch.bmm(scores.transpose(1, 2), q)


_KEPT: dict[tuple[int, ...], Tensor] = {}


def _given(*shape: int) -> Tensor:
    """A matrix that is there already, so that making it is not measured."""
    if shape not in _KEPT:
        _KEPT[shape] = torch.randn(*shape)
    return _KEPT[shape]


def _seconds(what: Callable[[], None]) -> float:
    what()
    took = []
    for _ in range(3):
        began = time.process_time()
        what()
        took.append(time.process_time() - began)
    return min(took)


def peak_from_files(viewers: int) -> float:
    """Gigabytes of its own at the most while the whole model is trained for some steps on histories in files.

    With all that comes before and after: the split, tastes, nearness, trends, the weights and the calibration.
    """
    torch.set_num_threads(1)
    model = ModelConfig(width=WIDTH, layers=LAYERS, heads=HEADS, history=50, themes=2)
    training = TrainingConfig(batch_events=4096, device="cpu", sample_interactions=10_000)
    with tempfile.TemporaryDirectory(prefix="swipewise-train-") as folder:
        data = made_in_files(viewers, Path(folder), length=FILED_LENGTH)
        with peak_memory() as peak, seeded(0):
            split = split_by_time(data, SplitConfig())
            some = split.train.some_viewers(training.sample_interactions, training.seed)
            fitted = FittedModel.untrained(model, split.train, {}, sample=split.train.of_viewers(some))
            task = validation_task(split.train, split.validation.of_viewers(some))
            assert task is not None, "nobody likes anything new"
            config = Config(model=model, training=training)
            _begin(InterestLearner(fitted, split.train, config, _CPU), training, steps=20)
            fitted = with_best_weights(fitted, task)
            calibrated(fitted, split.train, split.validation, some)
        return peak.gigabytes


def made_in_files(viewers: int, folder: Path, videos: int = 7_583, *, length: int | None = None) -> Dataset:
    """As ``made_dataset`` with content, its interactions in files and never all in memory.

    Where a length is given all histories have it, so that however many there are, batches have the same shape.
    """
    rows = GrowingInteractions(folder)
    for first in range(0, viewers, _BLOCK_VIEWERS):
        here = min(_BLOCK_VIEWERS, viewers - first)
        length_U = lengths_like_kuairand(here, seed=first) if length is None else np.full(here, length)
        part = made_dataset(length_U, videos, content=not first, seed=first)
        rows.add(replace(part.interactions, viewer_I=part.interactions.viewer_I + first))
        if not first:
            catalogue = part
    return replace(
        catalogue,
        viewer_ids=tuple(f"u{viewer}" for viewer in range(viewers)),
        interactions=rows.done(),
        profile_UP=np.zeros((viewers, 0), np.int64),
        folder=folder,
    )


def peak_of_ids(videos: int) -> float:
    """Megabytes at the most while the model trains with so many ids of 64 numbers for some steps."""
    torch.set_num_threads(1)
    data = every_video_once(videos)
    _some_steps(data, "ids", steps=20)
    return _peak_mb()


def every_video_once(videos: int) -> Dataset:
    """Histories of 100 events, so that every video is in one of them."""
    data = made_dataset(np.full(videos // 100, 100), 10)
    rows = data.interactions
    return replace(
        data,
        video_ids=tuple(map(str, range(videos))),
        uploaded_at_V=np.zeros(videos, np.int64),
        attributes_VA=np.zeros((videos, 0), np.int64),
        interactions=replace(rows, video_I=np.random.default_rng(0).permutation(videos)[: len(rows)]),
    )


class _Enough(Exception):
    """Ends a training after some steps."""


def _some_steps(data: Dataset, network: Network, *, steps: int) -> None:
    with seeded(0):
        learner, settings = learner_of(network, data, 100, 4096, 256)
        _begin(learner, settings, steps=steps)


def _begin(learner: Learner[Any], settings: TrainingConfig, *, steps: int) -> None:
    def count(step: Any) -> None:
        if step.done == steps:
            raise _Enough

    with suppress(_Enough):
        train(learner, settings, None, on_step=count)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a process tells of a training.

    wall, processor: seconds of its last epoch; steps: processor seconds of each step of that epoch, before it meets the
    other and in the meeting; losses: of each epoch.
    """

    wall: float
    processor: float
    steps: tuple[tuple[float, float], ...]
    losses: tuple[float, ...]


def two_processes(viewers: int, rounds: int) -> dict[str, float]:
    """The model on all modalities, by one process and by two that share each batch.

    Returns:
        Medians of: ``speed``, wall seconds of one against two; ``cores``, how many two had; ``processor``, processor
        seconds of one against those that two would take side by side, the slower of them at every step; ``extra``,
        processor seconds of both against those of one; and ``apart``, how far the losses of an epoch lie apart, at the
        most and relatively, when one process computes the same two parts.
    """
    ones, twos = [], []
    for _ in range(rounds):
        ones.append(_trained(viewers, processes=1, parts=1)[0])
        twos.append(_trained(viewers, processes=2, parts=2))
    same = _trained(viewers, processes=1, parts=2)[0]
    wall = statistics.median(each.wall for each in ones)
    processor = statistics.median(each.processor for each in ones)
    pairs = zip(same.losses, twos[-1][0].losses, strict=True)
    return {
        "speed": wall / statistics.median(max(told.wall for told in pair) for pair in twos),
        "cores": statistics.median(sum(told.processor for told in pair) / pair[0].wall for pair in twos),
        "processor": processor / statistics.median(_side_by_side(pair) for pair in twos),
        "extra": statistics.median(sum(told.processor for told in pair) for pair in twos) / processor,
        "apart": max(abs(one / other - 1) for one, other in pairs),
    }


def _side_by_side(pair: Sequence[Told]) -> float:
    """Seconds of an epoch by two processes that never wait for a core: at each step both wait for the slower one."""
    steps = zip(*(told.steps for told in pair), strict=True)
    inside: float = sum(max(apart) for step in steps for apart in zip(*step, strict=True))
    outside = max(told.processor - sum(map(sum, told.steps)) for told in pair)
    return inside + outside


def _trained(viewers: int, *, processes: int, parts: int) -> list[Told]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        asked = [pool.submit(_share, viewers, rank, processes, parts, port) for rank in range(processes)]
        return [each.result() for each in asked]


def _share(viewers: int, rank: int, processes: int, parts: int, port: int) -> Told:
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(processes)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    data = made_dataset(lengths_like_kuairand(viewers), 7_583, content=True)
    watch = _Watch()
    with joined("cpu") as workers, seeded(0):
        learner, settings = learner_of("content", data, 50, 8192, 256)
        found = train(learner, settings, None, workers=workers, parts=parts, clock=watch)
    return Told(
        wall=watch.wall,
        processor=watch.processor,
        steps=tuple(watch.steps),
        losses=tuple(epoch.loss for epoch in found.epochs),
    )


class _Watch(Clock):
    """Clocks the last epoch in every process, where the loop tells the first one alone of epochs."""

    def __init__(self) -> None:
        super().__init__()
        self.wall = self.processor = 0.0
        self.steps: list[tuple[float, float]] = []
        self._parted = 0.0

    def each(self, batches: Iterable[Any], part: str = "data") -> Iterator[Any]:
        self.steps = []
        wall, processor = time.monotonic(), time.process_time()
        self._parted = processor
        yield from super().each(batches, part)
        self.wall, self.processor = time.monotonic() - wall, time.process_time() - processor

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        met = time.process_time()
        with super().part(name):
            yield
        if name == "waiting":
            left = time.process_time()
            self.steps.append((met - self._parted, left - met))
            self._parted = left
