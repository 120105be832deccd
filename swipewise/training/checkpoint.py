"""Tensors and facts in one safetensors file, replaced in one step: nothing in it is ever executed.

The facts are JSON in the file's metadata, so that a process killed at any moment leaves tensors and facts that
belong together. The file is written as it comes, without a second copy of the tensors in memory.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import safetensors
import torch
from safetensors import SafetensorError
from torch import Tensor

from swipewise.errors import ArtifactError
from swipewise.staging import write_durably

_FACTS = "facts"
_DTYPES: Final = {
    torch.float64: "F64",
    torch.int64: "I64",
    torch.float32: "F32",
    torch.int32: "I32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


class InBlocks(Protocol):
    """A tensor that comes in blocks of rows, one after the other."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """Of the whole."""
        ...

    def blocks(self) -> Iterator[Tensor]:
        """The blocks."""
        ...


def save_tensors(path: Path, tensors: Mapping[str, Tensor | InBlocks], facts: Mapping[str, Any]) -> None:
    """Write tensors and JSON-able facts durably.

    Raises:
        ArtifactError: The file cannot be written; what lay there before is kept.
    """
    write_durably(path, _chunks(tensors, facts))


def go_along(tensors: Mapping[str, Tensor | InBlocks]) -> None:
    """Go through the blocks as :func:`save_tensors` does, where another process writes them."""
    for _, tensor in _ordered(tensors):
        if not isinstance(tensor, Tensor):
            for _ in tensor.blocks():
                pass


def load_tensors(path: Path, without: Collection[str] = ()) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`save_tensors` wrote.

    Args:
        path: Of the file.
        without: Names of tensors that are not read.

    Raises:
        ArtifactError: The file is missing or damaged.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if name not in without]  # noqa: SIM118 (not a dict)
            tensors = {name: file.get_tensor(name) for name in names}
            return tensors, json.loads((file.metadata() or {})[_FACTS])
    except FileNotFoundError as error:
        if path.exists():  # the library says the same of a file that may not be read
            raise ArtifactError(f"{path} cannot be read: see that this user may read it") from error
        raise ArtifactError(f"there is no {path}: train again with 'swipewise train --fresh'") from error
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ArtifactError(f"{path} is damaged ({error}): train again with 'swipewise train --fresh'") from error


def read_blocks(path: Path, name: str, rows: Iterable[slice]) -> Iterator[Tensor]:
    """Read some rows after the other of a tensor in a file that :func:`load_tensors` can read.

    Raises:
        KeyError: There is no such tensor.
    """
    with safetensors.safe_open(path, framework="pt") as file:
        if name not in file.keys():  # noqa: SIM118 (not a dict)
            raise KeyError(name)
        tensor = file.get_slice(name)
        for here in rows:
            yield tensor[here]


def _ordered(tensors: Mapping[str, Tensor | InBlocks]) -> list[tuple[str, Tensor | InBlocks]]:
    return sorted(tensors.items(), key=lambda item: -item[1].dtype.itemsize)


def _chunks(tensors: Mapping[str, Tensor | InBlocks], facts: Mapping[str, Any]) -> Iterator[bytes | memoryview]:
    """The safetensors format: the length of the header, the header, and the tensors, the widest numbers first."""
    ordered = _ordered(tensors)
    header: dict[str, Any] = {"__metadata__": {_FACTS: json.dumps(facts)}}
    end = 0
    for name, tensor in ordered:
        start, end = end, end + math.prod(tensor.shape) * tensor.dtype.itemsize
        shape = list(tensor.shape)
        header[name] = {"dtype": _DTYPES[tensor.dtype], "shape": shape, "data_offsets": [start, end]}
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    yield len(encoded).to_bytes(8, "little")
    yield encoded
    for _, tensor in ordered:
        for block in [tensor] if isinstance(tensor, Tensor) else tensor.blocks():
            yield block.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data
