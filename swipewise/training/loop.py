"""The training loop: epochs, early stopping, a running average of the parameters, and resuming to the same losses.

It trains any :class:`~swipewise.training.learner.Learner`: the interest model, and the networks among the baselines.
Everything random is a function of seed, epoch and step, so that a run that was killed and resumed takes the very
steps that an unbroken one would have taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Generic

import numpy as np
import torch
from torch import Tensor

from swipewise.config import Config, TrainingConfig
from swipewise.errors import ArtifactError, DataError
from swipewise.training.alignment import align_modalities
from swipewise.training.checkpoint import load_tensors, save_tensors
from swipewise.training.dataset import Dataset
from swipewise.training.fitted import FittedModel
from swipewise.training.inference import calibrated, with_best_weights
from swipewise.training.learner import B, InterestLearner, Learner
from swipewise.training.ranking import RankingTask, mean_ndcg, ranking_task

_WARMUP_STEPS = 50
_CLIP_NORM = 1.0


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
    """How a training went; ``best_epoch`` is the one whose parameters were kept."""

    epochs: tuple[Epoch, ...]
    best_epoch: int
    resumed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A fitted model and how it got there; ``best_epoch`` is the one whose parameters were kept."""

    fitted: FittedModel
    epochs: tuple[Epoch, ...]
    best_epoch: int
    resumed: bool


@dataclass(slots=True, kw_only=True)
class _Progress:
    """All of the loop's state that is not a tensor; goes through JSON."""

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    targets: int = 0
    seconds: float = 0.0
    best: float = -1.0
    best_epoch: int = 0
    epochs: list[dict[str, Any]] = field(default_factory=list)


def fit_network(
    dataset: Dataset,
    validation: Dataset | None,
    config: Config,
    *,
    encoders: dict[str, str] | None = None,
    checkpoint: Path | None = None,
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
        checkpoint: A file to keep the state in, and to resume from if it exists.
        on_step: Told after every batch.
        on_epoch: Told after every epoch.

    Raises:
        DataError: Nothing is positive, or the loss is not a number.
        ArtifactError: The checkpoint is damaged or cannot be written.
    """
    settings = config.training
    with seeded(settings.seed):
        fitted = FittedModel.untrained(config.model, dataset, encoders or {})
        task = validation_task(dataset, validation)
        align_modalities(fitted, dataset, settings)
        trained = train(
            InterestLearner(fitted, dataset, config, choose_device(settings.device)),
            settings,
            task,
            checkpoint=checkpoint,
            on_step=on_step,
            on_epoch=on_epoch,
        )
    if task is not None:
        fitted = with_best_weights(fitted, task)
    if validation is not None and len(validation.interactions):
        fitted = calibrated(fitted, dataset, validation)
    return Fit(fitted=fitted, epochs=trained.epochs, best_epoch=trained.best_epoch, resumed=trained.resumed)


def train(
    learner: Learner[B],
    settings: TrainingConfig,
    task: RankingTask | None,
    *,
    checkpoint: Path | None = None,
    on_step: Callable[[Step], None] = lambda _: None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> Trained:
    """Train a network to the end and leave the best parameters in it, in eval mode.

    Call it within :func:`seeded`: torch's generator is seeded anew at every step.

    Args:
        learner: The network, its batches and its loss.
        settings: Seed, epochs, patience, learning_rate, weight_decay, average and checkpoint_seconds are used.
        task: NDCG@10 on it decides when to stop and what to keep. None: the last epoch is kept.
        checkpoint: A file to keep the state in, and to resume from if it exists.
        on_step: Told after every batch.
        on_epoch: Told after every epoch.

    Raises:
        DataError: The loss is not a number.
        ArtifactError: The checkpoint is damaged or cannot be written.
    """
    return _Loop(learner, settings, task, checkpoint, on_step, on_epoch).run()


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
        on_step: Callable[[Step], None],
        on_epoch: Callable[[Epoch], None],
    ) -> None:
        self._learner, self._settings, self._task = learner, settings, task
        self._checkpoint, self._on_step, self._on_epoch = checkpoint, on_step, on_epoch
        self._network = learner.network
        self._device = next(self._network.parameters()).device
        self._optimizer = torch.optim.AdamW(
            self._network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self._average = self._copy()
        self._best = self._copy()
        self._progress = _Progress()
        self._resumed = self._resume()

    def run(self) -> Trained:
        """Train to the end and leave the best parameters in the network."""
        while self._progress.epoch < self._settings.epochs and not self._exhausted():
            self._one_epoch()
        self._network.load_state_dict(self._best)
        self._network.eval()
        return Trained(
            epochs=tuple(Epoch(**epoch) for epoch in self._progress.epochs),
            best_epoch=self._progress.best_epoch,
            resumed=self._resumed,
        )

    def _exhausted(self) -> bool:
        return self._task is not None and self._progress.epoch >= (
            self._progress.best_epoch + self._settings.patience
        )

    def _one_epoch(self) -> None:
        progress = self._progress
        total = self._learner.steps(progress.epoch)
        before, started = progress.seconds, time.monotonic()
        saved = started
        for batch in self._learner.batches(progress.epoch, progress.step):
            self._one_step(batch)
            progress.step += 1
            now = time.monotonic()
            progress.seconds = before + now - started
            self._on_step(Step(epoch=progress.epoch, done=progress.step, total=total, best_ndcg=self._best_ndcg()))
            if now - saved >= self._settings.checkpoint_seconds:
                self._save()
                saved = now
        self._close_epoch()

    def _one_step(self, batch: B) -> None:
        progress, settings = self._progress, self._settings
        torch.manual_seed(_step_seed(settings.seed, progress.epoch, progress.step))
        self._network.train()
        warm = min(1.0, (self._steps_taken() + 1) / _WARMUP_STEPS)
        for group in self._optimizer.param_groups:
            group["lr"] = settings.learning_rate * warm
        found = self._learner.loss(batch)
        if not torch.isfinite(found.loss):
            raise DataError(
                f"the loss became {found.loss.item()} in epoch {progress.epoch + 1}: "
                f"make training.learning_rate = {settings.learning_rate} smaller"
            )
        self._optimizer.zero_grad()
        found.loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), _CLIP_NORM)
        self._optimizer.step()
        for name, value in self._network.state_dict().items():
            self._average[name].lerp_(value, 1 - settings.average)
        progress.loss_sum += found.shown * found.weight
        progress.targets += found.weight

    def _steps_taken(self) -> int:
        """Of any one parameter, as the optimiser counts them."""
        states = self._optimizer.state.values()
        return int(max((state["step"].item() for state in states), default=0))

    def _close_epoch(self) -> None:
        progress = self._progress
        started = time.monotonic()
        ndcg = self._validate()
        improved = ndcg is None or ndcg > progress.best
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
        if improved:
            self._best = {name: value.clone() for name, value in self._average.items()}
            progress.best, progress.best_epoch = ndcg if ndcg is not None else -1.0, progress.epoch
        progress.step, progress.loss_sum, progress.targets, progress.seconds = 0, 0.0, 0, 0.0
        self._save()
        self._on_epoch(Epoch(**progress.epochs[-1]))

    def _validate(self) -> float | None:
        """NDCG@10 of the averaged parameters on the validation period."""
        if self._task is None:
            return None
        live = self._copy()
        self._network.load_state_dict(self._average)
        self._network.eval()
        ndcg = mean_ndcg(self._learner.scorer(self._task.history), self._task)
        self._network.load_state_dict(live)
        return ndcg

    def _best_ndcg(self) -> float | None:
        return self._progress.best if self._progress.best >= 0 else None

    def _copy(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self._network.state_dict().items()}

    def _save(self) -> None:
        if self._checkpoint is None:
            return
        parts = {"live": self._network.state_dict(), "average": self._average, "best": self._best}
        tensors = {f"{part}/{name}": value for part, values in parts.items() for name, value in values.items()}
        for name, parameter in self._network.named_parameters():
            for key, value in self._optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer/{key}/{name}"] = value
        save_tensors(self._checkpoint, tensors, asdict(self._progress))

    def _resume(self) -> bool:
        """Take the state of an earlier, interrupted run; False where there is none."""
        if self._checkpoint is None or not self._checkpoint.exists():
            return False
        tensors, facts = load_tensors(self._checkpoint)
        known = {f.name for f in fields(_Progress)}
        try:
            progress = _Progress(**{name: value for name, value in facts.items() if name in known})
            self._network.load_state_dict(self._part(tensors, "live"))
            self._average = self._part(tensors, "average")
            self._best = self._part(tensors, "best")
            for name, parameter in self._network.named_parameters():
                state = {
                    key: tensors[f"optimizer/{key}/{name}"].to(self._device if key != "step" else "cpu")
                    for key in ("step", "exp_avg", "exp_avg_sq")
                    if f"optimizer/{key}/{name}" in tensors
                }
                if state:
                    self._optimizer.state[parameter] = state
        except (KeyError, RuntimeError, TypeError) as error:
            cause = str(error).splitlines()[0]  # torch goes on with a line a tensor
            raise ArtifactError(
                f"{self._checkpoint} does not fit this training ({cause}): start anew with 'swipewise train --fresh'"
            ) from error
        self._progress = progress
        return True

    def _part(self, tensors: dict[str, Tensor], part: str) -> dict[str, Tensor]:
        prefix = f"{part}/"
        return {
            name.removeprefix(prefix): value.to(self._device)
            for name, value in tensors.items()
            if name.startswith(prefix)
        }


def choose_device(name: str) -> torch.device:
    """``auto`` takes a GPU where there is one.

    Raises:
        DataError: cuda was asked for and there is none.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise DataError("training.device = 'cuda', but torch finds no GPU: set it to 'auto' or 'cpu'")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def _step_seed(seed: int, epoch: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, epoch, step]).generate_state(1)[0])
