"""The workers of a Ray cluster train as processes of this machine do."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import swipewise
from swipewise.errors import ClusterError, ConfigError, DataError, MissingExtraError, SwipewiseError
from swipewise.training.loop import Epoch
from swipewise.training.on_ray import _Command, _opened
from swipewise.training.post import Post
from swipewise.training.session import Watch, train_workspace
from swipewise.workspace import Workspace
from tests.clusters import ray_cluster
from tests.training.test_workers import by_one, curve, stopped

# Settings of Ray Data that Ray itself still reads.
pytestmark = pytest.mark.filterwarnings("ignore:`use_.*` is deprecated:DeprecationWarning")


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A Ray cluster on this machine, as one that was there before."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.1")
        patched.setenv("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "120")
        with ray_cluster():
            yield


def kill_a_worker() -> None:
    """End a process of the cluster that trains, as when its machine is lost."""
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if process.name.isdigit() and (process / "cmdline").read_bytes().startswith(b"ray::RayTrainWorker"):
                os.kill(int(process.name), signal.SIGKILL)
                return
    pytest.fail("no worker is training")


@pytest.mark.slow
def test_two_workers_go_on_where_others_ended_with_the_losses_of_one_process(
    shop: Workspace, cluster: None
) -> None:
    settings = shop.root / "swipewise.toml"
    settings.write_text(settings.read_text().replace("epochs = 3", "epochs = 6"))  # time to be killed in
    shop = Workspace.open(shop.root)
    stopped(shop, processes=2, steps=5)
    epochs: list[Epoch] = []
    plans: list[tuple[Path, bool]] = []

    def on_epoch(epoch: Epoch) -> None:
        epochs.append(epoch)
        if len(epochs) == 1:
            kill_a_worker()

    summary = train_workspace(
        shop,
        executor="ray",
        processes=2,
        watch=Watch(on_epoch=on_epoch, on_plan=lambda *plan: plans.append(plan)),
    )
    assert summary.resumed
    assert plans == [(summary.run_dir, True)] * 2
    assert curve(summary) == pytest.approx(by_one(shop), rel=1e-4)
    assert epochs[-1].number == summary.epochs > 3
    assert not list(shop.root.glob(".ray*"))


class StandIn:
    """A cluster whose workers leave given letters; ``over``: whether they were told to stop."""

    def __init__(self, *letters: list[Any], ends: Exception | None = None) -> None:
        self._letters = [json.dumps(letter) for letter in letters]
        self._ends = ends
        self.over = False
        self.scaling_config = SimpleNamespace(num_workers=2, resources_per_worker={"CPU": 1})

    def command(self) -> _Command:
        take, end = SimpleNamespace(remote=self._take), SimpleNamespace(remote=self._end)
        return _Command(self, SimpleNamespace(take=take, end=end), self)

    def get(self, value: Any) -> Any:
        return value

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 1.0}

    def fit(self) -> None:
        if self._ends is not None:
            raise self._ends

    def _take(self, _: float) -> list[str]:
        letters, self._letters = self._letters, []
        return letters

    def _end(self) -> None:
        self.over = True


WORKER = ["worker", "node7", swipewise.__version__]


@pytest.mark.parametrize(
    ("letters", "error", "says"),
    [
        ([WORKER, ["failed", "DataError", "too little data"]], DataError, "^too little data$"),
        (
            [["worker", "node7", "0.0.1"]],
            ConfigError,
            r"node7, .* runs Swipewise 0\.0\.1, this is .*: install the",
        ),
        (
            [WORKER, ["lost", "peer gone"]],
            ClusterError,
            r"lost workers .* 4 times \(peer gone\): the same command",
        ),
        (
            [],
            ConfigError,
            r"no 2 Ray workers could start on \{'CPU': 1.0\}.*\(no room\): take fewer by --processes",
        ),
    ],
)
def test_what_a_cluster_can_do_wrong_is_an_error_of_the_command(
    letters: list[Any], error: type[SwipewiseError], says: str
) -> None:
    cluster = StandIn(*letters, ends=RuntimeError("it failed:\nno room"))
    with pytest.raises(error, match=says):
        cluster.command().run({})
    assert cluster.over


def test_workers_learn_that_a_training_has_begun_and_that_it_is_over() -> None:
    async def told() -> list[dict[str, bool]]:
        post = Post()
        answers = [json.loads(await post.put(json.dumps([kind]))) for kind in ("worker", "plan", "worker")]
        assert await post.take(1.0) == ['["worker"]', '["plan"]', '["worker"]']
        assert await post.take(0.0) == []
        await post.end()
        return [*answers, json.loads(await post.put('["step"]'))]

    answers = asyncio.run(told())
    assert [answer["planned"] for answer in answers] == [False, False, True, True]
    assert [answer["over"] for answer in answers] == [False, False, False, True]


def test_a_machine_without_the_workspace_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"a machine of the Ray cluster, has no .*nowhere: put the workspace into"
    ):
        _opened({"root": str(tmp_path / "nowhere"), "start": "", "config": "{}"})


def test_a_machine_that_reads_another_configuration_is_an_error(shop: Workspace) -> None:
    record = shop.config.as_record()
    assert _opened({"root": str(shop.root), "start": "", "config": json.dumps(record)}) == shop
    record["training"]["seed"] = 7
    with pytest.raises(ConfigError, match=r"reads another configuration in .*shop than this training has: write"):
        _opened({"root": str(shop.root), "start": "", "config": json.dumps(record)})


def test_ray_that_is_not_installed_says_how_to_have_it(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"training.executor = 'ray' .* pip install 'swipewise\[ray\]'"):
        train_workspace(shop, executor="ray")
