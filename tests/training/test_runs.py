"""Runs on disk: which one is taken up again, which one is the last, and what they say of themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swipewise.config import Config, TrainingConfig
from swipewise.errors import ArtifactError, UnknownIdError
from swipewise.training import runs
from swipewise.training.dataset import Dataset
from swipewise.training.runs import (
    CHECKPOINT_NAME,
    close_run,
    fingerprint,
    latest_run,
    make_plan,
    open_run,
    read_record,
)
from tests.training.tiny import tiny_dataset


def plan(**training: Any) -> dict[str, Any]:
    config = Config(training=TrainingConfig(**training))
    return make_plan(config, tiny_dataset(), valid_start=10, test_start=20)


def test_a_plan_says_what_is_trained_on_what() -> None:
    made = plan(seed=7)
    assert json.loads(json.dumps(made))["config"]["training"]["seed"] == 7
    assert made["seed"] == 7
    assert made["split"] == {"valid_start": 10, "test_start": 20}
    assert made["data_fingerprint"] == fingerprint(tiny_dataset())
    assert {"python", "swipewise", "torch"} <= made["versions"].keys()


def test_an_unfinished_run_of_the_same_plan_is_taken_up(tmp_path: Path) -> None:
    first = open_run(tmp_path, plan())
    assert open_run(tmp_path, plan()) == first
    assert [path.name for path in first.iterdir()] == ["plan.json"]
    assert first.name.endswith(f"-{plan()['data_fingerprint'][:6]}")


def test_the_newest_of_several_unfinished_runs_is_taken_up(tmp_path: Path) -> None:
    open_run(tmp_path, plan())
    newest = open_run(tmp_path, plan(), fresh=True)
    open_run(tmp_path, plan(seed=1))
    assert open_run(tmp_path, plan()) == newest


def test_fresh_leaves_an_unfinished_run_alone(tmp_path: Path) -> None:
    first = open_run(tmp_path, plan())
    assert open_run(tmp_path, plan(), fresh=True) != first
    assert first.exists()


@pytest.mark.parametrize(
    "other",
    [
        plan(seed=1),
        plan(learning_rate=1e-4),
        plan() | {"data_fingerprint": "0" * 32},
        plan() | {"split": {"valid_start": 11, "test_start": 20}},
        plan() | {"versions": {"python": "3.0"}},
    ],
    ids=["seed", "config", "data", "split", "versions"],
)
def test_another_plan_is_another_run(tmp_path: Path, other: dict[str, Any]) -> None:
    assert open_run(tmp_path, plan()) != open_run(tmp_path, other)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_finished_run_is_not_taken_up(tmp_path: Path) -> None:
    first = open_run(tmp_path, plan())
    (first / CHECKPOINT_NAME).touch()
    close_run(first, plan() | {"figures": {"epochs": []}})
    assert read_record(first)["figures"] == {"epochs": []}
    assert not (first / CHECKPOINT_NAME).exists()
    assert open_run(tmp_path, plan()) != first


@pytest.mark.parametrize("content", [b"", b'{"config": ', b"[]", b"\xff\xfe"])
def test_a_run_whose_plan_cannot_be_read_is_not_taken_up(tmp_path: Path, content: bytes) -> None:
    first = open_run(tmp_path, plan())
    (first / "plan.json").write_bytes(content)
    assert open_run(tmp_path, plan()) != first


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(ArtifactError, match=r"cannot make the run .*: Not a directory"):
        open_run(tmp_path / "runs", plan(), fresh=True)


def test_the_last_run_is_the_newest_finished_one(tmp_path: Path) -> None:
    first, second, _ = (open_run(tmp_path, plan(), fresh=True) for _ in range(3))
    for finished in (second, first):
        close_run(finished, {})
    assert latest_run(tmp_path) == second


def test_no_finished_run_is_an_error_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(UnknownIdError, match=f"no finished run in {tmp_path}: fit a model with 'swipewise train'"):
        latest_run(tmp_path)
    open_run(tmp_path, plan())
    with pytest.raises(UnknownIdError, match="'swipewise train' goes on with the one that was stopped"):
        latest_run(tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"{", b"[1, 2]"])
def test_a_missing_or_damaged_record_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"run.json is missing or damaged: train again with 'swipewise train'"):
        read_record(tmp_path)


def with_rows(name: str) -> Callable[[Dataset], Dataset]:
    """The data set with the last value of one column of the interactions changed."""

    def change(dataset: Dataset) -> Dataset:
        column = getattr(dataset.interactions, name).copy()
        column[-1] = ~column[-1] if column.dtype == bool else column[-1] + 1
        return replace(dataset, interactions=replace(dataset.interactions, **{name: column}))

    return change


def with_content(dataset: Dataset, **changes: Any) -> Dataset:
    return replace(dataset, content={**dataset.content, "visual": replace(dataset.content["visual"], **changes)})


@pytest.mark.parametrize(
    "change",
    [
        *(
            with_rows(name)
            for name in ("viewer_I", "video_I", "at_I", "watch_ratio_I", "actions_IF", "positive_I")
        ),
        lambda d: replace(d, interactions=d.interactions.where(np.arange(len(d.interactions)) > 0)),
        lambda d: replace(d, viewer_ids=(*d.viewer_ids[:-1], "new")),
        lambda d: replace(d, video_ids=(*d.video_ids[:-1], "new")),
        lambda d: replace(d, uploaded_at_V=d.uploaded_at_V + 1),
        lambda d: replace(d, attributes_VA=d.attributes_VA[:, ::-1] + 1),
        lambda d: replace(d, attribute_values=("creator=x", *d.attribute_values[1:])),
        lambda d: replace(d, profile_UP=d.profile_UP + 1),
        lambda d: replace(d, profile_values=("age=x", *d.profile_values[1:])),
        lambda d: with_content(d, values_VD=d.content["visual"].values_VD * 1.01),
        lambda d: with_content(d, present_V=~d.content["visual"].present_V),
        lambda d: replace(d, content={"visual": d.content["visual"]}),
        lambda d: replace(d, content={"audio": d.content["visual"], "text": d.content["text"]}),
    ],
)
def test_the_fingerprint_changes_with_all_that_is_learned_from(change: Callable[[Dataset], Dataset]) -> None:
    assert fingerprint(change(tiny_dataset())) != fingerprint(tiny_dataset())


def test_a_library_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "av":
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(runs, "version", version)
    assert "av" not in runs.versions()
    assert runs.versions()["torch"] == "1.0"
