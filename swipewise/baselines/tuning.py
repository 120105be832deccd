"""A fair chance for everybody: one search for the settings of every recommender, on the validation period alone.

Legend of shape suffixes: U = viewers, I = interactions.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from swipewise.errors import DataError, InputFileError
from swipewise.staging import write_durably
from swipewise.training.dataset import Dataset, Recommender
from swipewise.training.loop import Epoch
from swipewise.training.ranking import RankingTask, mean_ndcg, ranking_task

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import BaseTrial, Trial

EPOCHS: Final = "epochs"
"""The setting that says how long to train; found by early stopping, never searched over."""

FILE_VERSION: Final = 1

Space = Callable[["BaseTrial"], dict[str, Any]]
"""The settings of one trial, each suggested under its own name; beside every recommender lies its own."""

_WARMUP_EPOCHS = 3
_STARTUP_TRIALS = 3


class Build(Protocol):
    """How a recommender is made from settings; those that stop early look at ``validation`` and tell every epoch."""

    def __call__(
        self, settings: Mapping[str, Any], *, validation: Dataset | None, on_epoch: Callable[[Epoch], None]
    ) -> Recommender:
        """A recommender that is not fitted yet."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """The best settings that were found; all of it goes through JSON.

    ``settings`` include ``epochs`` for a recommender that is trained by epochs. ``validation`` is their NDCG@10 on the
    validation period, ``tried`` counts the settings that were compared.
    """

    settings: Mapping[str, Any]
    validation: float
    tried: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What became of one trial.

    ``figure`` is None where it did not come to its end; ``failed`` says that this was an error, not a choice.
    """

    number: int
    settings: Mapping[str, Any]
    figure: float | None
    note: str = ""
    failed: bool = False

    def __str__(self) -> str:
        result = self.note if self.figure is None else f"{self.figure:.4f}"
        return f"trial {self.number} {json.dumps(dict(self.settings))}: {result}"


class _Pruned(Exception):
    """A trial that is not worth going on with."""


class _OutOfTime(Exception):
    """A trial that has had its share; what it reached counts."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    figure: float
    epochs: int | None


def search(
    build: Build,
    space: Space,
    train: Dataset,
    validation: Dataset,
    *,
    defaults: Mapping[str, Any],
    trials: int,
    seed: int = 0,
    viewers: int | None = None,
    all_candidates: bool = False,
    seconds: float | None = None,
    on_trial: Callable[[Tried], None] = lambda _: None,
) -> Tuned:
    """Look for the settings whose recommender, fitted on ``train``, ranks ``validation`` best.

    Trials are chosen by a tree of Parzen estimators; one whose NDCG@10 after an epoch lies below the median of the
    earlier ones ends there. A trial that runs out of memory or diverges is set aside, with a line that says so.

    Args:
        build: Makes a recommender.
        space: What may be chosen.
        train: The interactions to learn from.
        validation: Those that follow.
        defaults: A choice of everything in ``space``, which is tried first.
        trials: How many settings to look at; settings that come up again are not fitted again.
        seed: Of the choices.
        viewers: Search on this many viewers, drawn once and the same for every recommender of one seed; the best
            settings are then fitted to everybody. None: search on everybody.
        all_candidates: Whether videos that are uploaded later are candidates as well.
        seconds: Processor time after which a trial that is trained by epochs counts as it then is; None: no limit.
        on_trial: Told what became of every trial.

    Raises:
        DataError: Nobody likes anything new in the validation period, or no trial came to an end.
    """
    sampled = viewers is not None and viewers < len(np.unique(train.interactions.viewer_I))
    parts = [_some_viewers(train, validation, viewers or 0, seed), (train, validation)] if sampled else []
    trial_train, trial_validation = parts[0] if parts else (train, validation)
    task = ranking_task(trial_train, trial_validation, all_candidates=all_candidates)
    study = _study(seed)
    study.enqueue_trial(dict(defaults))
    seen: dict[str, _Outcome | None] = {}
    best: tuple[dict[str, Any], _Outcome] | None = None
    for _ in range(trials):
        trial = study.ask()
        settings = space(trial)
        key = json.dumps(settings, sort_keys=True)
        if key in seen:
            _tell(study, trial, seen[key])
            continue
        tried, outcome = _attempt(build, settings, trial_train, trial_validation, task, trial, seconds)
        seen[key] = outcome
        _tell(study, trial, outcome)
        on_trial(tried)
        if outcome is not None and (best is None or outcome.figure > best[1].figure):
            best = settings, outcome
    if best is None:
        raise DataError(f"none of the {trials} trials came to an end: give the search more trials or more memory")
    settings, outcome = best
    if sampled:
        whole = ranking_task(train, validation, all_candidates=all_candidates)
        outcome = _fit(build, settings, train, validation, whole)
    epochs = {} if outcome.epochs is None else {EPOCHS: outcome.epochs}
    return Tuned(settings=MappingProxyType({**settings, **epochs}), validation=outcome.figure, tried=len(seen))


def _study(seed: int) -> Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=5),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTUP_TRIALS, n_warmup_steps=_WARMUP_EPOCHS),
    )


def _tell(study: Study, trial: Trial, outcome: _Outcome | None) -> None:
    from optuna.trial import TrialState

    if outcome is None:
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, outcome.figure)


def _attempt(
    build: Build,
    settings: Mapping[str, Any],
    train: Dataset,
    validation: Dataset,
    task: RankingTask,
    trial: Trial,
    seconds: float | None,
) -> tuple[Tried, _Outcome | None]:
    """One trial; no outcome where it was ended for being behind or failed."""
    began, best = time.process_time(), _Outcome(-1.0, None)

    def watch(epoch: Epoch) -> None:
        nonlocal best
        if epoch.validation_ndcg is not None:
            trial.report(epoch.validation_ndcg, epoch.number)
            if trial.should_prune():
                raise _Pruned
            if epoch.validation_ndcg > best.figure:
                best = _Outcome(epoch.validation_ndcg, epoch.number)
            if seconds is not None and time.process_time() - began > seconds:
                raise _OutOfTime

    tried = Tried(number=trial.number + 1, settings=settings, figure=None)
    try:
        outcome = _fit(build, settings, train, validation, task, watch)
    except _Pruned:
        return replace(tried, note="ended early, behind the median"), None
    except _OutOfTime:
        outcome = best
    except (DataError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _is_out_of_memory(error):
            raise
        cause = str(error).splitlines()[0] if str(error) else "out of memory"
        return replace(tried, note=f"set aside, {cause}", failed=True), None
    return replace(tried, figure=outcome.figure), outcome


def _is_out_of_memory(error: RuntimeError) -> bool:
    """Torch says so by a class of its own on a GPU and by words alone on a CPU."""
    return "out of memory" in str(error).lower() or "allocate memory" in str(error)


def _fit(
    build: Build,
    settings: Mapping[str, Any],
    train: Dataset,
    validation: Dataset,
    task: RankingTask,
    watch: Callable[[Epoch], None] = lambda _: None,
) -> _Outcome:
    epochs: list[Epoch] = []

    def on_epoch(epoch: Epoch) -> None:
        epochs.append(epoch)
        watch(epoch)

    recommender = build(settings, validation=validation, on_epoch=on_epoch).fit(train)
    told = [(epoch.validation_ndcg, -epoch.number) for epoch in epochs if epoch.validation_ndcg is not None]
    figure = mean_ndcg(recommender.score, task)
    if not math.isfinite(figure):
        raise DataError(f"the NDCG@10 became {figure}")
    return _Outcome(figure, -max(told)[1] if told else None)


def _some_viewers(train: Dataset, validation: Dataset, count: int, seed: int) -> tuple[Dataset, Dataset]:
    """Only the interactions of ``count`` of the viewers whom training knows."""
    known = np.unique(train.interactions.viewer_I)
    kept_U = np.zeros(len(train.viewer_ids), bool)
    kept_U[np.random.default_rng(seed).choice(known, count, replace=False)] = True
    first, second = (
        replace(part, interactions=part.interactions.where(kept_U[part.interactions.viewer_I]))
        for part in (train, validation)
    )
    return first, second


def save_settings(path: Path, found: Mapping[str, Tuned]) -> None:
    """Keep what searches found, by recommender, so that a rerun only fits the winners.

    Raises:
        ArtifactError: The file cannot be written.
    """
    entries = {name: asdict(replace(tuned, settings=dict(tuned.settings))) for name, tuned in found.items()}
    write_durably(path, json.dumps({"version": FILE_VERSION, "found": entries}, indent=2).encode() + b"\n")


def load_settings(path: Path) -> dict[str, Tuned]:
    """Read what :func:`save_settings` wrote; nothing where there is no such file.

    Raises:
        InputFileError: It is not such a file, or was written by a newer version.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputFileError(f"{path} cannot be read as settings ({error}): remove it to search anew") from error
    version = content.get("version") if isinstance(content, dict) else None
    if version != FILE_VERSION:
        raise InputFileError(
            f"{path} has version {version!r}, this reads {FILE_VERSION}: remove it to search anew"
        )
    try:
        return {name: Tuned(**entry) for name, entry in content["found"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise InputFileError(f"{path} is no file of settings ({error}): remove it to search anew") from error
