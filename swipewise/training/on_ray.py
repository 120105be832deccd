"""A training by the workers of a Ray cluster, which Ray Train starts, and starts again where a machine is lost.

The command hands out the order and is told how it goes; what it is told of comes from the first worker, as JSON. All
workers open the workspace, whose folder their machines have to share, and the first one writes the run into it as any
training does: Ray keeps nothing that a training needs.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from threading import Thread
from typing import Any, Final
from uuid import uuid4

import swipewise
from swipewise import errors
from swipewise.cluster import ray_for, reach
from swipewise.errors import ClusterError, ConfigError, SwipewiseError
from swipewise.training.loop import Epoch, Step
from swipewise.training.post import Post
from swipewise.training.session import TrainingSummary, Watch, follow, lead, starting_from
from swipewise.training.workers import Workers, joined
from swipewise.workspace import Workspace

_MOST_LOSSES: Final = 3
"""Times that workers are started again after one was lost."""

_START_SECONDS: Final = 300
"""Time that the cluster has for making room for the workers."""

_START_VARIABLE: Final = "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"
_STOP_SECONDS: Final = 30.0
_PATIENCE_SECONDS: Final = 1.0
_STEP_SECONDS: Final = 0.2
"""Time between two steps of which the command is told."""


class _Over(Exception):
    """Nobody waits for this training any longer."""


class _Teller:
    """Writes to the command for a worker."""

    def __init__(self, post: Any) -> None:
        self._ray, self._post = ray_for("training.executor = 'ray'"), post
        self._stepped = 0.0

    def tell(self, kind: str, *what: Any) -> bool:
        """Leave a letter; whether the training had begun before.

        Raises:
            _Over: The training is over.
        """
        over, begun = self.leave(kind, *what)
        if over:
            raise _Over
        return begun

    def leave(self, kind: str, *what: Any) -> tuple[bool, bool]:
        """Leave a letter: whether the training is over, and whether it had begun before."""
        answer = json.loads(self._ray.get(self._post.put.remote(json.dumps([kind, *what]))))
        return answer["over"], answer["planned"]

    def step(self, step: Step) -> None:
        """Tell of a step, unless of one right before it."""
        if step.done == step.total or time.monotonic() - self._stepped >= _STEP_SECONDS:
            self.tell("step", asdict(step))
            self._stepped = time.monotonic()


def work(order: Mapping[str, Any]) -> None:
    """What each worker runs.

    A worker that cannot go on ends with an error, upon which Ray ends the others, which wait for it, and starts all
    again; where nobody waits for the training any longer they end at once.
    """
    teller = _Teller(order["post"])
    try:
        begun = teller.tell("worker", platform.node(), swipewise.__version__)
    except _Over:
        return
    try:
        workspace = _opened(order)
        with joined(workspace.config.training.device) as workers:
            if workers.leads:
                _lead(workspace, workers, teller, fresh=order["fresh"] and not begun, profile=order["profile"])
            else:
                follow(workspace, workers)
    except _Over:
        teller.leave("stopped")
        raise
    except ClusterError as error:
        teller.leave("lost", str(error))
        raise
    except SwipewiseError as error:
        teller.leave("failed", type(error).__name__, str(error))
        raise


def _lead(workspace: Workspace, workers: Workers, teller: _Teller, *, fresh: bool, profile: bool) -> None:
    def on_fold(done: int, of: int) -> None:
        teller.tell("fold", done, of)

    def on_plan(run_dir: Path, resumes: bool) -> None:
        teller.tell("plan", str(run_dir), resumes)

    def on_epoch(epoch: Epoch) -> None:
        teller.tell("epoch", asdict(epoch))

    watch = Watch(on_fold=on_fold, on_plan=on_plan, on_step=teller.step, on_epoch=on_epoch)
    summary = lead(workspace, workers, fresh=fresh, profile=profile, watch=watch)
    teller.leave("done", asdict(summary) | {"run_dir": str(summary.run_dir)})


def _opened(order: Mapping[str, Any]) -> Workspace:
    root = Path(order["root"])
    if not root.is_dir():
        raise ConfigError(
            f"{platform.node()}, a machine of the Ray cluster, has no {root}: put the workspace into a folder that all "
            "of its machines share, under the same path"
        )
    workspace = starting_from(Workspace.open(root), order["start"])
    if json.loads(json.dumps(workspace.config.as_record())) != json.loads(order["config"]):
        raise ConfigError(
            f"{platform.node()}, a machine of the Ray cluster, reads another configuration in {root} than this "
            "training has: write what it is to have into swipewise.toml"
        )
    return workspace


def train_on_ray(
    workspace: Workspace, workers: int, *, fresh: bool, profile: bool, watch: Watch
) -> TrainingSummary:
    """Have the workers of a cluster train; arguments and errors are those of ``train_workspace``.

    Raises:
        ConfigError: There is no such cluster, or no room in it.
        ClusterError: Workers were lost time and again.
    """
    settings = workspace.config.training
    ray = ray_for("training.executor = 'ray'")
    ray_for("training.executor = 'ray'", "ray.train.torch")
    mine = reach(ray, settings.ray_address, "training.ray_address")
    folder = workspace.root / f".ray-{uuid4().hex[:8]}"
    try:
        post = ray.remote(num_cpus=0)(Post).remote()
        order = {
            "post": post,
            "root": str(workspace.root.resolve()),
            "config": json.dumps(workspace.config.as_record()),
            "start": workspace.config.training.warm_start,
            "fresh": fresh,
            "profile": profile,
        }
        told: dict[str, Callable[..., None]] = {
            "fold": watch.on_fold,
            "plan": lambda run_dir, resumes: watch.on_plan(Path(run_dir), resumes),
            "step": lambda step: watch.on_step(Step(**step)),
            "epoch": lambda epoch: watch.on_epoch(Epoch(**epoch)),
        }
        return _Command(ray, post, _trainer(workspace, workers, order, folder)).run(told)
    finally:
        if mine:
            ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def _trainer(workspace: Workspace, workers: int, order: Mapping[str, Any], folder: Path) -> Any:
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    settings = workspace.config.training
    gpus = 0.0 if settings.device == "cpu" else settings.ray_gpus
    os.environ.setdefault(_START_VARIABLE, str(_START_SECONDS))
    return TorchTrainer(
        work,
        train_loop_config=dict(order),
        torch_config=TorchConfig(backend="nccl" if gpus else "gloo"),
        scaling_config=ScalingConfig(
            num_workers=workers,
            use_gpu=gpus > 0,
            resources_per_worker={"CPU": 1, **({"GPU": gpus} if gpus else {})},
        ),
        run_config=RunConfig(
            name="training",
            storage_path=str(folder.resolve()),
            failure_config=FailureConfig(max_failures=_MOST_LOSSES, controller_failure_limit=0),
        ),
    )


class _Command:
    """The side of the command: waits for what the workers tell while Ray Train has them run."""

    def __init__(self, ray: Any, post: Any, trainer: Any) -> None:
        self._ray, self._post, self._trainer = ray, post, trainer
        self._error: BaseException | None = None
        self._running = Thread(target=self._fit, name="ray train", daemon=True)
        self._machines: set[str] = set()
        self._lost = ""

    def run(self, told: Mapping[str, Callable[..., None]]) -> TrainingSummary:
        """Train to the end."""
        self._running.start()
        try:
            while True:
                running = self._running.is_alive()
                letters = self._letters()
                for kind, *what in letters:
                    if kind == "done":
                        self._running.join(_STOP_SECONDS)
                        return _summary(what[0])
                    self._hear(kind, what, told)
                if not running and not letters:
                    raise self._ended() from self._error
        except BaseException:
            self._stop()
            raise

    def _letters(self) -> list[Any]:
        return [json.loads(letter) for letter in self._ray.get(self._post.take.remote(_PATIENCE_SECONDS))]

    def _stop(self) -> None:
        """Have the workers stop, and wait until the first of them writes no more."""
        self._ray.get(self._post.end.remote())
        deadline = time.monotonic() + _STOP_SECONDS
        while self._machines and self._running.is_alive() and time.monotonic() < deadline:
            if any(kind in ("stopped", "done", "failed") for kind, *_ in self._letters()):
                return

    def _fit(self) -> None:
        try:
            self._trainer.fit()
        except BaseException as error:
            self._error = error

    def _hear(self, kind: str, what: list[Any], told: Mapping[str, Callable[..., None]]) -> None:
        if kind == "failed":
            self._machines.clear()  # none of them goes on
            raise getattr(errors, what[0])(what[1])
        if kind == "lost":
            self._lost = what[0]
        elif kind == "worker":
            machine, version = what
            self._machines.add(machine)
            if version != swipewise.__version__:
                raise ConfigError(
                    f"{machine}, a machine of the Ray cluster, runs Swipewise {version}, this is "
                    f"{swipewise.__version__}: install the same"
                )
        else:
            told[kind](*what)

    def _ended(self) -> SwipewiseError:
        """Why there is no model, where Ray has given up."""
        cause = self._lost or (str(self._error).strip().splitlines() or ["it ended"])[-1]
        if self._machines:
            return ClusterError(
                f"the Ray cluster lost workers of this training {_MOST_LOSSES + 1} times ({cause}): the same command "
                "goes on from the last checkpoint"
            )
        scaling = self._trainer.scaling_config
        return ConfigError(
            f"no {scaling.num_workers} Ray workers could start on {self._ray.cluster_resources()}, where each needs "
            f"{scaling.resources_per_worker} ({cause}): take fewer by --processes, or see training.ray_gpus"
        )


def _summary(told: Mapping[str, Any]) -> TrainingSummary:
    return TrainingSummary(
        **{**told, "run_dir": Path(told["run_dir"]), "modalities": tuple(told["modalities"])},
    )
