"""Descending a loss: AdamW with warm-up and clipped gradients, row-wise for large tables, and a running average."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from swipewise.config import TrainingConfig
from swipewise.training.rows import RowAdam
from swipewise.training.sharding import ShardedTable
from swipewise.training.workers import ALONE, Workers

_WARMUP_STEPS = 50
_CLIP_NORM = 1.0
_MOMENTS = ("exp_avg", "exp_avg_sq")
_BLOCK = 1 << 24


class Descent:
    """The optimiser of a network and the running average of its parameters.

    Tables of embeddings of at least ``training.sparse_rows`` rows get gradients of the rows that a step reads, and are
    updated by those alone; every other parameter by AdamW.

    Args:
        network: What is trained, on its device.
        settings: learning_rate, weight_decay, average, sparse_rows and shard_rows are used.
        workers: Who descends; among several, tables of at least ``shard_rows`` rows of these are divided.
        divisible: Names of the tables that may be.
    """

    def __init__(
        self,
        network: nn.Module,
        settings: TrainingConfig,
        workers: Workers = ALONE,
        divisible: Collection[str] = (),
    ) -> None:
        self._settings = settings
        self.shards = {
            name: ShardedTable(network, name.removesuffix(".weight"), workers, settings)
            for name in _tables(network, max(settings.sparse_rows, settings.shard_rows))
            if name in divisible and workers.size > 1
        }
        self._shard_squares = torch.zeros((), dtype=torch.float64)
        self.average = {name: value.detach().clone() for name, value in network.state_dict().items()}
        self.taken = 0
        tables = _tables(network, settings.sparse_rows)
        self._named = dict(network.named_parameters())
        self._state = network.state_dict()  # shares its memory with the parameters
        self._rows = {
            name: RowAdam(
                self._named[name], self.average[name], decay=settings.weight_decay, keep=settings.average
            )
            for name in tables
        }
        self._dense = {name: each for name, each in self._named.items() if name not in self._rows}
        self._optimizer = torch.optim.AdamW(
            self._dense.values(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
        for parameter in self._dense.values():
            moments = {name: torch.zeros_like(parameter) for name in _MOMENTS}
            self._optimizer.state[parameter] = {"step": torch.zeros((), device=parameter.device), **moments}

    def begin(self) -> None:
        """Forget the gradients of the step before."""
        for parameter in self._named.values():
            parameter.grad = None

    def share(self, workers: Workers, figures: Tensor) -> Tensor:
        """Add up the gradients of all processes, and figures beside them, whose sums are given back."""
        if workers.size == 1:
            return figures
        for name in self._rows:
            parameter = self._named[name]
            gradient = parameter.grad
            rows, values = (
                (
                    torch.zeros(0, dtype=torch.int64, device=parameter.device),
                    parameter.new_zeros(0, parameter.shape[1]),
                )
                if gradient is None
                else _coalesced(gradient)
            )
            rows, values = workers.together(rows), workers.together(values)
            parameter.grad = torch.sparse_coo_tensor(
                rows.unsqueeze(0), values, parameter.shape, check_invariants=False
            )
        squares = [table.share().cpu().view(1) for table in self.shards.values()]
        summed = _summed(list(self._dense.values()), workers, torch.cat([figures, *squares]))
        self._shard_squares = summed[len(figures) :].double().sum()
        return summed[: len(figures)]

    def step(self) -> None:
        """Take a step down the gradients."""
        self.taken += 1
        rate = self._settings.learning_rate * min(1.0, self.taken / _WARMUP_STEPS)
        sparse = {
            name: _coalesced(gradient) for name in self._rows if (gradient := self._named[name].grad) is not None
        }
        dense = [each.grad for each in self._dense.values() if each.grad is not None]
        factor = _clip_factor([*dense, *(values for _, values in sparse.values())], self._shard_squares)
        torch._foreach_mul_(dense, factor)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        torch._foreach_lerp_(
            [self.average[name] for name in self._state if name not in self._rows],
            [value for name, value in self._state.items() if name not in self._rows],
            1 - self._settings.average,
        )
        for name, (rows, values) in sparse.items():
            self._rows[name].step(rows, values * factor, now=self.taken, rate=rate)
        for shard in self.shards.values():
            shard.step(factor, now=self.taken, rate=rate)

    def settle(self) -> None:
        """Bring the average up to the step that was taken last, also of rows that have not been read for long."""
        for table in self._rows.values():
            table.settle(self.taken)
        for shard in self.shards.values():
            shard.settle(self.taken)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Have the network rank with the average within the block; all workers enter it together."""
        self.exchange()
        for table in self.shards.values():
            table.stand_whole(table.average_SD)
        yield
        for table in self.shards.values():
            table.stand_aside()
        self.exchange()

    def gather(self, rows: Mapping[str, Tensor]) -> None:
        """Have those rows of divided tables at hand that the next step reads here; all workers call it together."""
        for name, table in self.shards.items():
            table.gather(rows[name])

    def exchange(self) -> None:
        """Put the average in the network's place, and what was in the network in the average's."""
        for name, value in self._state.items():
            _swap(value.view(-1), self.average[name].view(-1))

    def state(self) -> dict[str, Tensor]:
        """Everything that a training goes on from beside its parameters and their average, on the CPU or not."""
        found = {
            f"{moment}/{name}": self._optimizer.state[parameter][moment]
            for name, parameter in self._dense.items()
            for moment in ("step", *_MOMENTS)
        }
        for name, table in self._rows.items():
            found |= {f"{key}/{name}": value for key, value in table.state().items()}
        return found

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the state of another descent.

        Raises:
            KeyError: Part of it is missing.
            RuntimeError: It is of another network.
        """
        for name, value in self.state().items():
            value.copy_(tensors[name])


def _tables(network: nn.Module, rows: int) -> list[str]:
    """The weights of the large tables of embeddings, which from now on get sparse gradients."""
    found = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Embedding) and module.num_embeddings >= rows:
            module.sparse = True
            found.append(f"{name}.weight")
    return found


def _coalesced(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """The rows of a gradient, each once, and what stands in them; all of them where the whole table was read."""
    if gradient.layout == torch.strided:
        return torch.arange(len(gradient), device=gradient.device), gradient
    once = gradient.coalesce()
    return once.indices()[0], once.values()


def _clip_factor(gradients: list[Tensor], squares: Tensor) -> Tensor:
    """What to multiply gradients by, so that all together are no longer than the limit.

    Args:
        gradients: Those that are here.
        squares: Sum over those that are divided among the workers.
    """
    norms = torch.stack(torch._foreach_norm(gradients))
    total = torch.linalg.vector_norm(torch.cat([norms, squares.sqrt().to(norms).view(1)]))
    factor: Tensor = (_CLIP_NORM / (total + 1e-6)).clamp(max=1.0)
    return factor


def _summed(parameters: list[nn.Parameter], workers: Workers, figures: Tensor) -> Tensor:
    """Add up dense gradients in one message, with which parameters have one and with the figures."""
    device = parameters[0].device
    there = torch.tensor([float(each.grad is not None) for each in parameters], device=device)
    gradients = [torch.zeros_like(each) if each.grad is None else each.grad for each in parameters]
    message = torch.cat([figures.to(there), there, *(gradient.flatten() for gradient in gradients)])
    workers.add(message)
    sizes = [len(figures), len(there), *(each.numel() for each in parameters)]
    figures, there, *summed = torch.split(message, sizes)
    for parameter, any_there, gradient in zip(parameters, there.tolist(), summed, strict=True):
        parameter.grad = gradient.view_as(parameter) if any_there else None
    return figures


def _swap(one: Tensor, other: Tensor) -> None:
    """Exchange flat tensors block by block, without a third of their size."""
    for start in range(0, len(one), _BLOCK):
        here = slice(start, start + _BLOCK)
        kept = one[here].clone()
        one[here] = other[here]
        other[here] = kept
