"""A table of embeddings that is divided among the workers of a training: each keeps every n-th row of it.

Before a step the workers send one another the rows that they read, and after it the gradients of these; each updates
its own rows, whose optimiser state and running average lie beside them and nowhere else.

Legend of shape suffixes: V = rows of the table, S = rows of a shard, K = rows that a step reads, D = width.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from swipewise.config import TrainingConfig
from swipewise.training.rows import RowAdam
from swipewise.training.workers import Workers

_BLOCK_ROWS = 1 << 16


class GatheredRows(nn.Module):
    """Stands in a network for a table of embeddings of which only the rows that are read are at hand, or all.

    It has no parameters: ``weight_KD`` is a leaf that gathers gradients, and ``row_K`` says which rows it holds,
    ascending; None: all of them.
    """

    def __init__(self, weight_KD: Tensor) -> None:
        super().__init__()
        self.row_K: Tensor | None = None
        self.weight_KD = weight_KD

    def forward(self, row_X: Tensor) -> Tensor:
        """Look up rows: (...,) to (..., D)."""
        place_X = row_X if self.row_K is None else torch.searchsorted(self.row_K, row_X)
        return functional.embedding(place_X, self.weight_KD)


class ShardedTable:
    """One worker's share of a table, and the way to the others'.

    Args:
        network: Whose table; :class:`GatheredRows` takes its place.
        path: Of the ``nn.Embedding`` in it.
        workers: Among whom it is divided; row r is kept by worker r modulo their number.
        settings: weight_decay and average are used.
    """

    def __init__(self, network: nn.Module, path: str, workers: Workers, settings: TrainingConfig) -> None:
        self._workers = workers
        self._parent = network.get_submodule(path.rpartition(".")[0])
        self._name = path.rpartition(".")[2]
        self.rows = int(getattr(self._parent, self._name).num_embeddings)
        self.weight = nn.Parameter(self._own_rows(getattr(self._parent, self._name)))
        self._gathered = GatheredRows(self.weight.data[:0])
        setattr(self._parent, self._name, self._gathered)  # by which the table's memory is free
        self.average_SD = self.weight.detach().clone()
        self._adam = RowAdam(self.weight, self.average_SD, decay=settings.weight_decay, keep=settings.average)
        self._asked: list[Tensor] = []
        self._owner_K = torch.zeros(0, dtype=torch.int64)
        self._row_K, self._gradient_KD = self._owner_K, self.weight.data[:0]

    def _own_rows(self, table: nn.Embedding) -> Tensor:
        """Those of this worker, padded to as many as any has: (S, D)."""
        weight_SD = table.weight.data.new_zeros(-(-self.rows // self._workers.size), table.embedding_dim)
        own_SD = table.weight.data[self._workers.rank :: self._workers.size]
        weight_SD[: len(own_SD)] = own_SD
        return weight_SD

    def gather(self, row_X: Tensor) -> None:
        """Have the rows at hand that this worker reads in the next step; all workers call it together."""
        row_K = torch.unique(row_X).to(self.weight.device)
        self._owner_K = row_K % self._workers.size
        wanted = [row_K[self._owner_K == worker] // self._workers.size for worker in range(self._workers.size)]
        self._asked = self._workers.exchange(wanted)
        found = self._workers.exchange([self.weight.data[asked] for asked in self._asked])
        weight_KD = self.weight.data.new_empty(len(row_K), self.weight.shape[1])
        for worker, rows in enumerate(found):
            weight_KD[self._owner_K == worker] = rows
        self._gathered.row_K, self._gathered.weight_KD = row_K, weight_KD.requires_grad_()

    def share(self) -> Tensor:
        """Send the gradients to whom the rows are; the sum of the squares of those of this worker's rows."""
        weight_KD = self._gathered.weight_KD
        gradient_KD = torch.zeros_like(weight_KD) if weight_KD.grad is None else weight_KD.grad
        parts = [gradient_KD[self._owner_K == worker] for worker in range(self._workers.size)]
        found = torch.cat(self._workers.exchange(parts))
        self._row_K, place = torch.unique(torch.cat(self._asked), return_inverse=True)
        self._gradient_KD = found.new_zeros(len(self._row_K), found.shape[1]).index_add_(0, place, found)
        squares: Tensor = self._gradient_KD.double().square().sum()
        return squares

    def step(self, factor: Tensor, *, now: int, rate: float) -> None:
        """Update the rows of this worker that anybody read.

        Args:
            factor: What the gradients are multiplied by.
            now: Which step this is, from 1.
            rate: Step size.
        """
        self._adam.step(self._row_K, self._gradient_KD * factor, now=now, rate=rate)

    def settle(self, now: int) -> None:
        """Bring the average of all own rows up to a step."""
        self._adam.settle(now)

    def stand_whole(self, shard_SD: Tensor) -> None:
        """Have all rows at hand, as for ranking; all workers call it together, each with its shard of them."""
        self._gathered.row_K = None
        self._gathered.weight_KD = torch.cat(list(self.part(shard_SD).blocks()))

    def stand_aside(self) -> None:
        """Have no rows at hand, and the memory free for the next step."""
        self._gathered.weight_KD = self.weight.data[:0]

    def restore(self, shard_SD: Tensor) -> None:
        """Put a table back into the network, whole at the first worker; all call it together."""
        kept = [block for block in self.part(shard_SD).blocks() if self._workers.leads]
        if kept:
            whole_VD = torch.cat(kept)
            table = nn.Embedding(self.rows, whole_VD.shape[1], device="meta")
            table.weight = nn.Parameter(whole_VD)
            setattr(self._parent, self._name, table)

    def part(self, shard: Tensor) -> Shard:
        """This worker's part of a tensor that is divided as the table is."""
        return Shard(own=shard, rows=self.rows, workers=self._workers)

    def state(self) -> dict[str, Tensor]:
        """What the optimiser keeps of this worker's rows."""
        return self._adam.state()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A worker's part of a tensor of so many rows, of which each keeps every n-th; the last may be padded."""

    own: Tensor
    rows: int
    workers: Workers

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole."""
        return (self.rows, *self.own.shape[1:])

    @property
    def dtype(self) -> torch.dtype:
        """Of the whole."""
        return self.own.dtype

    def blocks(self) -> Iterator[Tensor]:
        """The whole, block by block in order; all workers go through it together."""
        left = self.rows
        for start in range(0, len(self.own), _BLOCK_ROWS):
            parts = self.workers.gathered(self.own[start : start + _BLOCK_ROWS])
            block = torch.stack(parts, dim=1).flatten(0, 1)[:left]
            left -= len(block)
            yield block

    def take(self, blocks: Iterable[Tensor]) -> None:
        """Read the whole, block by block as :meth:`blocks` has it, from the first worker; all call it together.

        Args:
            blocks: The whole, at the first worker; the others need none.
        """
        given = iter(blocks)
        for start in range(0, len(self.own), _BLOCK_ROWS):
            here = self.own[start : start + _BLOCK_ROWS]
            first = start * self.workers.size
            count = min(self.rows - first, len(here) * self.workers.size)
            block = next(given).to(here) if self.workers.leads else here.new_empty(count, *here.shape[1:])
            self.workers.follow(block)
            mine = block[self.workers.rank :: self.workers.size]
            here[: len(mine)] = mine

    def bounds(self) -> Iterator[slice]:
        """The rows of the blocks."""
        step = _BLOCK_ROWS * self.workers.size
        for start in range(0, self.rows, step):
            yield slice(start, min(start + step, self.rows))
