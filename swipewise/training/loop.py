"""The training loop: epochs, early stopping, a running average of the parameters, and resuming to the same losses.

It trains any :class:`~swipewise.training.learner.Learner`: the interest model, and the networks among the baselines.
Everything random is a function of seed, epoch, step and the part of the batch, so that a run that was killed and
resumed takes the very steps that an unbroken one would have taken, by however many processes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Generic

import numpy as np
import torch
from torch import Tensor

from swipewise.config import Config, TrainingConfig
from swipewise.errors import DataError
from swipewise.training.alignment import align_modalities
from swipewise.training.allocation import keep_freed_memory
from swipewise.training.dataset import Dataset
from swipewise.training.descent import Descent
from swipewise.training.finishing import calibrated, with_best_weights, with_kinds
from swipewise.training.fitted import FittedModel
from swipewise.training.keeping import Keeper
from swipewise.training.layers import computed
from swipewise.training.learner import B, InterestLearner, Learner, TellsRows
from swipewise.training.prefetch import ahead
from swipewise.training.profiling import STEP, Clock, Profile
from swipewise.training.progress import Progress
from swipewise.training.ranking import RankingTask, ScoreFn, mean_ndcg, ranking_task
from swipewise.training.sampling import Part
from swipewise.training.warm import started_from
from swipewise.training.workers import ALONE, Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """What one pass over the data came to; ``loss`` is the mean over its targets of the ranking part."""

    number: int
    loss: float
    validation_ndcg: float | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Where the loop is: ``done`` of ``total`` batches of an epoch."""

    epoch: int
    done: int
    total: int
    best_ndcg: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """How a training went; ``best_epoch`` is the one whose parameters were kept; profile: see ``Clock.found``."""

    epochs: tuple[Epoch, ...]
    best_epoch: int
    resumed: bool
    profile: dict[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit(Trained):
    """A fitted model and how it got there."""

    fitted: FittedModel


def fit_network(
    dataset: Dataset,
    validation: Dataset | None,
    config: Config,
    *,
    encoders: dict[str, str] | None = None,
    earlier: FittedModel | None = None,
    checkpoint: Path | None = None,
    workers: Workers = ALONE,
    parts: int = 1,
    profile: bool = False,
    on_step: Callable[[Step], None] = lambda _: None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> Fit:
    """Train the network.

    Args:
        dataset: What to learn from.
        validation: The interactions that follow; NDCG@10 on them decides when to stop and what to keep. None, or one
            in which nobody likes anything new: the last epoch is kept.
        config: Its ``model`` and ``training`` sections.
        encoders: The encoder behind each content modality, for the record.
        earlier: A model whose weights to start from; None: from scratch.
        checkpoint: A file to keep the state in, and to resume from if it exists.
        workers: Who trains; what all but the first of them get is not finished.
        parts: See :func:`train`.
        profile: Whether to find out where the time goes.
        on_step: Told after every batch.
        on_epoch: Told after every epoch.

    Raises:
        DataError: Nothing is positive, the loss is not a number, torch cannot compile here and is asked to, or it is
            asked to and for a profile.
        ArtifactError: The checkpoint is damaged or cannot be written, or ``earlier`` is built differently.
        ClusterError: Another process is gone.
    """
    settings = config.training
    if profile and settings.compile:
        raise DataError(
            "a profile looks into layers, and compiled ones would be compiled anew for it: "
            "set training.compile = false, or train without --profile"
        )
    with seeded(settings.seed):
        some = dataset.some_viewers(settings.sample_interactions, settings.seed)
        asked = None if validation is None else validation.of_viewers(some)
        fitted = FittedModel.untrained(config.model, dataset, encoders or {}, sample=dataset.of_viewers(some))
        task = validation_task(dataset, asked)
        if earlier is None:
            align_modalities(fitted, dataset, settings)
        else:
            fitted = started_from(earlier, fitted)
        learner = InterestLearner(fitted, dataset, config, choose_device(settings.device, workers))
        trained = train(
            learner,
            settings,
            task,
            checkpoint=checkpoint,
            workers=workers,
            parts=parts,
            clock=Profile(learner.network) if profile else None,
            on_step=on_step,
            on_epoch=on_epoch,
        )
    if workers.leads:
        fitted = with_kinds(fitted, dataset, settings)
    if task is not None and workers.leads:
        fitted = with_best_weights(fitted, task)
    if validation is not None and len(validation.interactions) and workers.leads:
        fitted = calibrated(fitted, dataset, validation, some)
    return Fit(fitted=fitted, **{each.name: getattr(trained, each.name) for each in fields(trained)})


def train(
    learner: Learner[B],
    settings: TrainingConfig,
    task: RankingTask | None,
    *,
    checkpoint: Path | None = None,
    workers: Workers = ALONE,
    parts: int = 1,
    clock: Clock | None = None,
    on_step: Callable[[Step], None] = lambda _: None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> Trained:
    """Train a network to the end and leave the best parameters in it, in eval mode.

    Call it within :func:`seeded`: torch's generator is seeded anew at every step.

    Args:
        learner: The network, its batches and its loss.
        settings: Seed, epochs, patience, learning_rate, weight_decay, average, sparse_rows, checkpoint_seconds,
            precision and compile are used.
        task: NDCG@10 on it decides when to stop and what to keep. None: the last epoch is kept.
        checkpoint: A file to keep the state in, and to resume from if it exists.
        workers: Who trains. Only the first of them reads and writes the checkpoint, is told of steps and epochs, and
            is left with the best parameters.
        parts: In how many parts each batch is computed, at least one a process; the steps depend on the parts, not on
            who computes them. A training that is resumed keeps its own, or takes more where there are more processes.
        clock: Told where time goes.
        on_step: Told after every batch.
        on_epoch: Told after every epoch.

    Raises:
        DataError: The loss is not a number, or torch cannot compile here and is asked to.
        ArtifactError: The checkpoint is damaged or cannot be written.
        ClusterError: Another process is gone.
    """
    keep_freed_memory()
    loop = _Loop(learner, settings, task, checkpoint, workers, clock or Clock(), on_step, on_epoch)
    return loop.run(parts)


def validation_task(dataset: Dataset, validation: Dataset | None) -> RankingTask | None:
    """What early stopping looks at; None where nobody likes anything new in ``validation``."""
    if validation is None or not len(validation.interactions):
        return None
    try:
        return ranking_task(dataset, validation)
    except DataError:
        return None


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch here and give the caller's generator back afterwards."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


class _Loop(Generic[B]):
    def __init__(
        self,
        learner: Learner[B],
        settings: TrainingConfig,
        task: RankingTask | None,
        checkpoint: Path | None,
        workers: Workers,
        clock: Clock,
        on_step: Callable[[Step], None],
        on_epoch: Callable[[Epoch], None],
    ) -> None:
        self._learner, self._settings, self._task = learner, settings, task
        self._workers, self._clock = workers, clock
        self._on_step, self._on_epoch = on_step, on_epoch
        self._network = learner.network
        self._device = next(self._network.parameters()).device
        tables = learner.tables if isinstance(learner, TellsRows) else ()
        self._descent = Descent(self._network, settings, workers, tables)
        self._best: dict[str, Tensor] = {}
        self._progress = Progress()
        self._keeper = Keeper(checkpoint, self._network, self._descent, workers, settings.checkpoint_seconds)

    def run(self, parts: int) -> Trained:
        """Train to the end and leave the best parameters in the network."""
        resumed, self._progress, self._best = self._keeper.resume()
        self._progress.parts = max(self._progress.parts, parts, self._workers.size)
        with computed(self._network, self._settings, self._device):
            while self._progress.epoch < self._settings.epochs and not self._exhausted():
                self._one_epoch()
        self._leave_the_best()
        self._network.eval()
        return Trained(
            epochs=tuple(Epoch(**epoch) for epoch in self._progress.epochs),
            best_epoch=self._progress.best_epoch,
            resumed=resumed,
            profile=self._clock.found(),
        )

    def _leave_the_best(self) -> None:
        """Put the best parameters into the network, or their average where none were best."""
        for name, table in self._descent.shards.items():
            table.restore(self._best.get(name, table.average_SD))
        if self._progress.best >= 0:
            if self._workers.leads:
                whole = {name: value for name, value in self._best.items() if name not in self._descent.shards}
                self._network.load_state_dict(whole, strict=not self._descent.shards)
        else:
            self._descent.exchange()

    def _exhausted(self) -> bool:
        return self._task is not None and self._progress.epoch >= (
            self._progress.best_epoch + self._settings.patience
        )

    def _one_epoch(self) -> None:
        progress, workers = self._progress, self._workers
        total = self._learner.steps(progress.epoch)
        before, started = progress.seconds, time.monotonic()
        numbers = range(workers.rank, progress.parts, workers.size)
        own = [Part(number=number, of=progress.parts) for number in numbers]
        streams = [self._learner.batches(progress.epoch, progress.step, part) for part in own]
        made = self._clock.each(zip(*streams, strict=True))
        if self._device.type != "cpu":  # where a step leaves the processor idle
            made = self._clock.each(ahead(made), "waiting")
        for batches in made:
            is_due = self._one_step(own, batches)
            progress.step += 1
            progress.seconds = before + time.monotonic() - started
            if workers.leads:
                best = progress.best if progress.best >= 0 else None
                self._on_step(Step(epoch=progress.epoch, done=progress.step, total=total, best_ndcg=best))
            if is_due:
                self._save()
        self._close_epoch()

    def _one_step(self, parts: Sequence[Part], batches: Sequence[B | None]) -> bool:
        """Take a step; whether a checkpoint is due after it, which is the first process's to say."""
        progress = self._progress
        self._network.train()
        self._descent.begin()
        if self._descent.shards:
            with self._clock.part("waiting"):
                self._gather(batches)
        with self._clock.part(STEP):
            figures = torch.zeros(3, dtype=torch.float64)
            for part, batch in zip(parts, batches, strict=True):
                if batch is not None:
                    torch.manual_seed(_step_seed(part.seeds(self._settings.seed, progress.epoch, progress.step)))
                    figures += self._descend(batch)
        due = torch.tensor([float(self._keeper.is_due())], dtype=torch.float64)
        with self._clock.part("waiting"):
            loss, shown, targets, is_due = self._descent.share(self._workers, torch.cat([figures, due])).tolist()
        if not math.isfinite(loss):
            raise DataError(
                f"the loss became {loss} in epoch {progress.epoch + 1}: "
                f"make training.learning_rate = {self._settings.learning_rate} smaller"
            )
        with self._clock.part("optimiser"):
            self._descent.step()
        progress.taken = self._descent.taken
        progress.loss_sum += shown
        progress.targets += targets
        return bool(is_due)

    def _gather(self, batches: Sequence[B | None]) -> None:
        """Have the rows of divided tables at hand that the batches read."""
        learner = self._learner
        assert isinstance(learner, TellsRows)
        read = [learner.rows(batch) for batch in batches if batch is not None]
        nothing = torch.zeros(0, dtype=torch.int64, device=self._device)
        self._descent.gather(
            {name: torch.cat([nothing, *(rows[name] for rows in read)]) for name in self._descent.shards}
        )

    def _descend(self, batch: B) -> Tensor:
        """Add the gradients of a part of a batch; its loss, the sum of what is shown, and the number of its targets."""
        found = self._learner.loss(batch)
        loss = found.loss / self._progress.parts
        loss.backward()  # type: ignore[no-untyped-call]
        return torch.tensor([float(loss.detach()), found.shown * found.weight, found.weight], dtype=torch.float64)

    def _close_epoch(self) -> None:
        progress = self._progress
        started = time.monotonic()
        self._descent.settle()
        with self._clock.part("validation"):
            ndcg = self._validate()
        progress.epochs.append(
            asdict(
                Epoch(
                    number=progress.epoch + 1,
                    loss=progress.loss_sum / max(1, progress.targets),
                    validation_ndcg=ndcg,
                    seconds=round(progress.seconds + time.monotonic() - started, 3),
                )
            )
        )
        progress.epoch += 1
        if ndcg is None or ndcg > progress.best:
            progress.best, progress.best_epoch = ndcg if ndcg is not None else -1.0, progress.epoch
            if ndcg is not None:
                self._best = self._best_now()
        progress.step, progress.loss_sum, progress.targets, progress.seconds = 0, 0.0, 0.0, 0.0
        self._save()
        if self._workers.leads:
            self._on_epoch(Epoch(**progress.epochs[-1]))

    def _best_now(self) -> dict[str, Tensor]:
        """What this process keeps of the best parameters: the first all of them, but of shards each its own."""
        shards = {name: table.average_SD for name, table in self._descent.shards.items()}
        kept = {**self._descent.average, **shards} if self._workers.leads else shards
        return {name: value.clone() for name, value in kept.items()}

    def _save(self) -> None:
        with self._clock.part("checkpoint"):
            self._keeper.save(self._progress, self._best)

    def _validate(self) -> float | None:
        """NDCG@10 of the averaged parameters on the validation period, each process ranking for its own viewers."""
        if self._task is None:
            return None
        with self._descent.averaged():
            self._network.eval()
            return shared_ndcg(self._learner.scorer(self._task.history), self._task, self._workers)


def shared_ndcg(score: ScoreFn, task: RankingTask, workers: Workers) -> float:
    """Mean NDCG@10 over the viewers of a task, each process ranking for its share of them."""
    if workers.size == 1:
        return mean_ndcg(score, task)
    count = len(task.viewers_B)
    mine = task.part(slice(count * workers.rank // workers.size, count * (workers.rank + 1) // workers.size))
    viewers = len(mine.viewers_B)
    ndcg = mean_ndcg(score, mine) if viewers else 0.0
    gained = torch.tensor([ndcg * viewers], dtype=torch.float64, device=workers.device)
    workers.add(gained)
    return float(gained) / count


def choose_device(name: str, workers: Workers = ALONE) -> torch.device:
    """``auto`` takes a GPU where there is one, of several processes each its own.

    Raises:
        DataError: cuda was asked for and there is none.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise DataError("training.device = 'cuda', but torch finds no GPU: set it to 'auto' or 'cpu'")
    if not available or name == "cpu":
        return torch.device("cpu")
    return torch.device("cuda") if workers.size == 1 else workers.device


def _step_seed(seeds: Sequence[int]) -> int:
    return int(np.random.SeedSequence(seeds).generate_state(1)[0])
