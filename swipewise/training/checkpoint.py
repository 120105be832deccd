"""Tensors and facts in one safetensors file, replaced in one step: nothing in it is ever executed.

The facts are JSON in the file's metadata, so that a process killed at any moment leaves tensors and facts that
belong together.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from swipewise.errors import ArtifactError

_FACTS = "facts"


def save_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors and JSON-able facts durably.

    Raises:
        ArtifactError: The file cannot be written; what lay there before is kept.
    """
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_durably(path, safetensors.torch.save(contiguous, {_FACTS: json.dumps(facts)}))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`save_tensors` wrote.

    Raises:
        ArtifactError: The file is missing or damaged.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            return tensors, json.loads((file.metadata() or {})[_FACTS])
    except FileNotFoundError as error:
        raise ArtifactError(f"there is no {path}: train again with 'swipewise train --fresh'") from error
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ArtifactError(f"{path} is damaged ({error}): train again with 'swipewise train --fresh'") from error


def write_durably(path: Path, payload: bytes) -> None:
    """Replace a file in one step; when this returns the new content is on disk.

    Raises:
        ArtifactError: The folder cannot be written, or the disk is full.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        with draft.open("wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise ArtifactError(f"cannot write {path}: {error.strerror}") from error
