"""Runs on disk: ``plan.json`` opens one, ``run.json`` closes it; what lies between may be a killed training.

::

    runs/<time>-<data>/plan.json                what was to be trained on what
                       checkpoint.safetensors   the state of an unfinished training
                       model.safetensors        the fitted model
                       run.json                 the record: config, data, seed, figures, versions
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from swipewise.config import Config
from swipewise.errors import ArtifactError, UnknownIdError
from swipewise.staging import write_durably
from swipewise.training.dataset import Dataset

PLAN_NAME = "plan.json"
RECORD_NAME = "run.json"
MODEL_NAME = "model.safetensors"
CHECKPOINT_NAME = "checkpoint.safetensors"

_LIBRARIES = ("swipewise", "torch", "numpy", "polars", "safetensors", "av", "pylance", "deltalake")


def latest_run(runs_dir: Path) -> Path:
    """The newest finished run.

    Raises:
        UnknownIdError: There is none.
    """
    finished = [path.parent for path in runs_dir.glob(f"*/{RECORD_NAME}")]
    if not finished:
        stopped = any(runs_dir.glob(f"*/{PLAN_NAME}"))
        way_out = (
            "'swipewise train' goes on with the one that was stopped"
            if stopped
            else "fit a model with 'swipewise train'"
        )
        raise UnknownIdError(f"no finished run in {runs_dir}: {way_out}")
    return max(finished, key=lambda path: path.name)


def open_run(runs_dir: Path, plan: Mapping[str, Any], *, fresh: bool = False) -> Path:
    """The unfinished run of this very plan, to resume, or a new one.

    Raises:
        ArtifactError: The folder cannot be written.
    """
    if not fresh:
        # As it reads when it comes back from its file, where tuples have become lists.
        wanted = json.loads(_as_json(plan))
        for path in sorted(runs_dir.glob(f"*/{PLAN_NAME}"), reverse=True):
            if not (path.parent / RECORD_NAME).exists() and _read(path) == wanted:
                return path.parent
    now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    run_dir = runs_dir / f"{now}-{plan['data_fingerprint'][:6]}"
    try:
        run_dir.mkdir(parents=True)
    except OSError as error:
        raise ArtifactError(f"cannot make the run {run_dir}: {error.strerror}") from error
    write_durably(run_dir / PLAN_NAME, _as_json(plan))
    return run_dir


def close_run(run_dir: Path, record: Mapping[str, Any]) -> None:
    """Write the record, which makes the run a finished one, and drop its checkpoint."""
    write_durably(run_dir / RECORD_NAME, _as_json(record))
    (run_dir / CHECKPOINT_NAME).unlink(missing_ok=True)


def read_record(run_dir: Path) -> dict[str, Any]:
    """The record of a finished run.

    Raises:
        ArtifactError: It is missing or damaged.
    """
    record = _read(run_dir / RECORD_NAME)
    if record is None:
        raise ArtifactError(f"{run_dir / RECORD_NAME} is missing or damaged: train again with 'swipewise train'")
    return record


def make_plan(config: Config, dataset: Dataset, *, valid_start: int, test_start: int) -> dict[str, Any]:
    """What a run is about; two runs of the same plan take the same steps."""
    return {
        "config": config.as_record(),
        "data_fingerprint": fingerprint(dataset),
        "seed": config.training.seed,
        "split": {"valid_start": valid_start, "test_start": test_start},
        "versions": versions(),
    }


def fingerprint(dataset: Dataset) -> str:
    """A digest of everything a training may learn from."""
    digest = hashlib.blake2b(digest_size=16)
    names = [dataset.viewer_ids, dataset.video_ids, dataset.attribute_values, dataset.profile_values]
    digest.update(json.dumps(names).encode())
    rows = dataset.interactions
    arrays = [getattr(rows, name) for name in rows.__slots__]
    arrays += [dataset.uploaded_at_V, dataset.attributes_VA, dataset.profile_UP]
    for name in sorted(dataset.content):
        digest.update(name.encode())
        arrays += [dataset.content[name].values_VD, dataset.content[name].present_V]
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries whose change may change a figure."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _as_json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, indent=2).encode()


def _read(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
