"""How far a training has come, and the checkpoint that it goes on from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from torch import Tensor

from swipewise.errors import ArtifactError
from swipewise.training.checkpoint import load_tensors, save_tensors


@dataclass(slots=True, kw_only=True)
class Progress:
    """All of the loop's state that is not a tensor; goes through JSON.

    parts: in how many parts each batch is computed; ``step`` counts within the epoch, ``taken`` from the beginning.
    """

    parts: int = 1
    epoch: int = 0
    step: int = 0
    taken: int = 0
    loss_sum: float = 0.0
    targets: float = 0.0
    seconds: float = 0.0
    best: float = -1.0
    best_epoch: int = 0
    epochs: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """What was kept; facts that this version does not know are left out."""
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in facts.items() if name in known})


def save_progress(path: Path, progress: Progress, parts: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Write a checkpoint: the progress, and the tensors of each part of the state.

    Raises:
        ArtifactError: It cannot be written; what lay there before is kept.
    """
    tensors = {f"{part}/{name}": value for part, values in parts.items() for name, value in values.items()}
    save_tensors(path, tensors, asdict(progress))


def load_progress(path: Path, parts: Mapping[str, Mapping[str, Tensor]]) -> tuple[Progress, dict[str, Tensor]]:
    """Read a checkpoint into the tensors of each part of a state.

    Returns:
        The progress, and the best parameters so far, by name; none where no epoch was best.

    Raises:
        ArtifactError: It is damaged, or of another training; the tensors may then hold some of it.
    """
    tensors, facts = load_tensors(path)
    try:
        for part, values in parts.items():
            for name, value in values.items():
                value.copy_(_fitting(tensors.pop(f"{part}/{name}"), value))
        best = {name.removeprefix("best/"): value for name, value in tensors.items() if name.startswith("best/")}
        return Progress.of(facts), best
    except (KeyError, RuntimeError, TypeError) as error:
        cause = str(error).splitlines()[0]  # torch goes on with a line a tensor
        raise ArtifactError(
            f"{path} does not fit this training ({cause}): start anew with 'swipewise train --fresh'"
        ) from error


def _fitting(found: Tensor, wanted: Tensor) -> Tensor:
    if found.shape != wanted.shape:
        raise RuntimeError(f"a tensor of {tuple(found.shape)} for one of {tuple(wanted.shape)}")
    return found
