"""How far a training has come, and the checkpoint that it goes on from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from torch import Tensor

from swipewise.errors import ArtifactError
from swipewise.training.checkpoint import InBlocks, go_along, load_tensors, read_blocks, save_tensors
from swipewise.training.sharding import Shard


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


def save_progress(path: Path, progress: Progress, parts: Mapping[str, Mapping[str, Tensor | Shard]]) -> None:
    """Write a checkpoint: the progress, and the tensors of each part of the state.

    Raises:
        ArtifactError: It cannot be written; what lay there before is kept.
    """
    save_tensors(path, _flat(parts), asdict(progress))


def help_save(parts: Mapping[str, Mapping[str, Tensor | Shard]]) -> None:
    """Give the first worker what it writes of this one's shards."""
    go_along(_flat(parts))


def load_progress(
    path: Path, parts: Mapping[str, Mapping[str, Tensor]], without: Collection[str] = ()
) -> tuple[Progress, dict[str, Tensor]]:
    """Read a checkpoint into the tensors of each part of a state.

    Args:
        path: Of the file.
        parts: The parts.
        without: Names of tensors that are divided among workers, see :func:`load_shards`.

    Returns:
        The progress, and the best parameters so far, by name; none where no epoch was best.

    Raises:
        ArtifactError: It is damaged, or of another training; the tensors may then hold some of it.
    """
    tensors, facts = load_tensors(path, [f"{part}/{name}" for part in (*parts, "best") for name in without])
    try:
        for part, values in parts.items():
            for name, value in values.items():
                value.copy_(_fitting(tensors.pop(f"{part}/{name}"), value))
        best = {name.removeprefix("best/"): value for name, value in tensors.items() if name.startswith("best/")}
        return Progress.of(facts), best
    except (KeyError, RuntimeError, TypeError) as error:
        raise _unfit(path, error) from error


def load_shards(path: Path | None, parts: Mapping[str, Mapping[str, Shard]]) -> None:
    """Read shards, each worker its own, from the file that the first of them has; all call it together.

    Raises:
        ArtifactError: It is of another training.
    """
    for part, shards in parts.items():
        for name, shard in shards.items():
            try:
                shard.take(() if path is None else read_blocks(path, f"{part}/{name}", shard.bounds()))
            except (KeyError, RuntimeError, StopIteration) as error:
                assert path is not None
                raise _unfit(path, error) from error


def _flat(parts: Mapping[str, Mapping[str, Tensor | Shard]]) -> dict[str, Tensor | InBlocks]:
    return {f"{part}/{name}": value for part, values in parts.items() for name, value in values.items()}


def _unfit(path: Path, error: Exception) -> ArtifactError:
    cause = (str(error) or "it ends early").splitlines()[0]  # torch goes on with a line a tensor
    return ArtifactError(f"{path} does not fit this training ({cause}): start anew with 'swipewise train --fresh'")


def _fitting(found: Tensor, wanted: Tensor) -> Tensor:
    if found.shape != wanted.shape:
        raise RuntimeError(f"a tensor of {tuple(found.shape)} for one of {tuple(wanted.shape)}")
    return found
