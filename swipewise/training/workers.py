"""Processes that train together: each takes its parts of every batch, and all of them take the same steps.

They find one another as ``torchrun`` arranges it, by RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, on one machine or
on several; or :func:`leading` starts the others on this machine. Tensors go by gloo, or by nccl where there are GPUs;
nothing is pickled.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import ParamSpec, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from swipewise.errors import ClusterError

P = ParamSpec("P")
R = TypeVar("R")

_CPU = torch.device("cpu")
_TIMEOUT = timedelta(minutes=30)
_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """The processes of a training as one of them sees them; a single one has nobody to wait for.

    rank: which of them this is, from 0, the one that writes and tells; size: how many there are; device: where what
    they send one another has to lie.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = _CPU

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and tells."""
        return self.rank == 0

    def add(self, tensor: Tensor) -> None:
        """Put the sum over all processes in a tensor's place.

        Raises:
            ClusterError: Another process is gone.
        """
        if self.size > 1:
            self._ask(dist.all_reduce, tensor)

    def follow(self, tensor: Tensor) -> None:
        """Put what the first process has in a tensor's place.

        Raises:
            ClusterError: Another process is gone.
        """
        if self.size > 1:
            self._ask(dist.broadcast, tensor, 0)

    def together(self, tensor: Tensor) -> Tensor:
        """The tensors of all processes, of any lengths, one after the other.

        Raises:
            ClusterError: Another process is gone.
        """
        if self.size == 1:
            return tensor
        lengths = [torch.zeros(1, dtype=torch.int64, device=tensor.device) for _ in range(self.size)]
        self._ask(dist.all_gather, lengths, torch.tensor([len(tensor)], device=tensor.device))
        counts = [int(length) for length in lengths]
        padded = tensor.new_zeros(max(counts), *tensor.shape[1:])
        padded[: len(tensor)] = tensor
        return torch.cat([part[:count] for part, count in zip(self.gathered(padded), counts, strict=True)])

    def gathered(self, tensor: Tensor) -> list[Tensor]:
        """The tensors of all processes, which have one shape.

        Raises:
            ClusterError: Another process is gone.
        """
        parts = [torch.empty_like(tensor) for _ in range(self.size)]
        self._ask(dist.all_gather, parts, tensor.contiguous())
        return parts

    def exchange(self, parts: Sequence[Tensor]) -> list[Tensor]:
        """Give each process its part, and get the part that each has for this one; lengths may differ.

        Raises:
            ClusterError: Another process is gone.
        """
        counts = torch.tensor([len(part) for part in parts], device=self.device)
        coming = torch.empty_like(counts)
        self._ask(dist.all_to_all_single, coming, counts)
        given, lengths = torch.cat(list(parts)), coming.tolist()
        got = given.new_empty(sum(lengths), *given.shape[1:])
        self._ask(dist.all_to_all_single, got, given, lengths, counts.tolist())
        return list(torch.split(got, lengths))

    def tell(self, text: str) -> str:
        """What the first process says.

        Raises:
            ClusterError: Another process is gone.
        """
        if self.size == 1:
            return text
        said = torch.tensor(list(text.encode()) if self.leads else [], dtype=torch.uint8, device=self.device)
        return bytes(self.together(said).tolist()).decode()

    def _ask(self, what: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return what(*args, **kwargs)
        except RuntimeError as error:
            cause = str(error).splitlines()[0]
            raise ClusterError(
                f"process {self.rank + 1} of {self.size} has lost the others ({cause}): "
                "the same command goes on from the last checkpoint"
            ) from error


ALONE = Workers()


def launched() -> bool:
    """Whether ``torchrun`` or :func:`leading` started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def follows() -> bool:
    """Whether this process is one of several and not the first."""
    return launched() and int(os.environ.get("RANK", "0")) > 0


@contextmanager
def joined(device: str) -> Iterator[Workers]:
    """Join the processes that ``torchrun``, Ray Train or :func:`leading` started with this one, if any.

    Args:
        device: auto, cpu or cuda.

    Raises:
        ClusterError: They cannot be reached.
    """
    if dist.is_initialized():  # as Ray Train has it
        with _group() as workers:
            yield workers
        return
    if not launched():
        yield ALONE
        return
    try:
        _take_gpu(device)
        _meet("env://", device)
    except (RuntimeError, ValueError) as error:
        raise ClusterError(
            f"cannot join the {os.environ['WORLD_SIZE']} processes of this training ({error}): start it by torchrun, "
            "or by 'swipewise train --processes N', or unset WORLD_SIZE"
        ) from error
    with _group() as workers:
        yield workers


@contextmanager
def leading(command: Sequence[str], processes: int, device: str) -> Iterator[Workers]:
    """Start all but the first of some processes on this machine, and be the first.

    Args:
        command: Starts one; it calls :func:`joined`.
        processes: How many there are, this one among them.
        device: auto, cpu or cuda.

    Raises:
        ClusterError: One cannot be started, or ended before its time.
    """
    if processes == 1:
        yield ALONE
        return
    port = _free_port()
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(processes)}
    started = [
        subprocess.Popen(
            command,
            env={**os.environ, **place, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        for rank in range(1, processes)
    ]
    try:
        _take_gpu(device)
        _meet(f"tcp://127.0.0.1:{port}", device, rank=0, size=processes)
        with _group() as workers:
            yield workers
        for process in started:
            process.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    finally:
        for process in started:
            process.kill()
            process.wait()


def _meet(address: str, device: str, *, rank: int = -1, size: int = -1) -> None:
    """Form a group with the processes that come to an address."""
    # Groups are numbered where they begin, also those to which nobody came, and of another number no process is met:
    # after an address that was of no use the next group would wait for ever.
    store, rank, size = next(rendezvous(address, rank, size, timeout=_TIMEOUT))
    store.set_timeout(_TIMEOUT)
    dist.init_process_group(_backend(device), store=store, rank=rank, world_size=size, timeout=_TIMEOUT)


@contextmanager
def _group() -> Iterator[Workers]:
    try:
        device = torch.device("cuda", torch.cuda.current_device()) if dist.get_backend() == "nccl" else _CPU
        yield Workers(rank=dist.get_rank(), size=dist.get_world_size(), device=device)
    finally:
        with suppress(RuntimeError):
            dist.destroy_process_group()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _take_gpu(device: str) -> None:
    """Have each process of a machine work on a GPU of its own, where there are any."""
    if _backend(device) == "nccl":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))


def _backend(device: str) -> str:
    return "nccl" if device != "cpu" and torch.cuda.is_available() else "gloo"
