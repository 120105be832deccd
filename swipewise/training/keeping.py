"""When a training writes its state, and how it goes on from what was written, by however many processes."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from swipewise.training.descent import Descent
from swipewise.training.progress import Progress, help_save, load_progress, load_shards, save_progress
from swipewise.training.sharding import Shard
from swipewise.training.workers import Workers

State = Mapping[str, Mapping[str, Tensor]]
Shards = dict[str, dict[str, Shard]]


class Keeper:
    """Keeps the state of a training in a file, which the first process reads and writes; all have to call it together.

    The file says nothing of how many they are: what is divided among them is whole in it.

    Args:
        path: Of the file, at the first process; None: nothing is kept.
        network: What is trained.
        descent: Its optimiser and average.
        workers: Who trains.
        interval: Seconds between two checkpoints within an epoch.
    """

    def __init__(
        self, path: Path | None, network: nn.Module, descent: Descent, workers: Workers, interval: float
    ) -> None:
        self._path = path if workers.leads else None
        self._network, self._descent, self._workers = network, descent, workers
        self._interval = interval
        self._keeps = path is not None
        self._saved_at, self._saving_took = time.monotonic(), 0.0

    def is_due(self) -> bool:
        """Whether to save now; at most a tenth of the time goes into it, however large the state is.

        The first process says it; the others never do.
        """
        if self._path is None:
            return False
        interval = self._interval and max(self._interval, 10 * self._saving_took)
        return time.monotonic() - self._saved_at >= interval

    def save(self, progress: Progress, best: Mapping[str, Tensor]) -> None:
        """Write the state.

        Args:
            progress: How far the training is.
            best: The best parameters so far, by name, as far as this process keeps them.

        Raises:
            ArtifactError: It cannot be written; what lay there before is kept.
        """
        if not self._keeps:
            return
        began = time.monotonic()
        shards = self._shards(best)
        if self._path is None:
            help_save(shards)
            return
        rest = {name: value for name, value in best.items() if name not in self._descent.shards}
        whole = {**self._state(), "best": rest}
        save_progress(self._path, progress, {part: {**whole[part], **shards.get(part, {})} for part in whole})
        self._saved_at = time.monotonic()
        self._saving_took = self._saved_at - began

    def resume(self) -> tuple[bool, Progress, dict[str, Tensor]]:
        """Take the state of an earlier, interrupted training.

        Returns:
            Whether there was one, how far it is, and the best parameters so far as :meth:`save` takes them.

        Raises:
            ArtifactError: The file is damaged, or of another training.
        """
        progress, best = Progress(), {}
        found = self._path is not None and self._path.exists()
        if self._path is not None and found:
            divided = [name for shards in self._shards({}).values() for name in shards]
            progress, kept = load_progress(self._path, self._state(), divided)
            device = next(self._network.parameters()).device
            best = {name: value.to(device) for name, value in kept.items()}
        told = json.loads(self._workers.tell(json.dumps([found, asdict(progress), self._path is not None])))
        found, progress, self._keeps = bool(told[0]), Progress.of(told[1]), bool(told[2])
        self._descent.taken = progress.taken
        for values in self._state().values():
            for value in values.values():
                self._workers.follow(value)
        if found:
            if progress.best >= 0:
                shards = self._descent.shards.items()
                best |= {name: torch.empty_like(table.average_SD) for name, table in shards}
            load_shards(self._path, self._shards(best))
        return found, progress, best

    def _state(self) -> State:
        """All that every process has."""
        return {
            "live": self._network.state_dict(),
            "average": self._descent.average,
            "optimizer": self._descent.state(),
        }

    def _shards(self, best: Mapping[str, Tensor]) -> Shards:
        """The part of the state that is divided, named as the rest of it is."""
        tables = self._descent.shards
        return {
            "live": {name: table.part(table.weight.data) for name, table in tables.items()},
            "average": {name: table.part(table.average_SD) for name, table in tables.items()},
            "optimizer": {
                f"{key}/{name}": table.part(value)
                for name, table in tables.items()
                for key, value in table.state().items()
            },
            "best": {name: table.part(best[name]) for name, table in tables.items() if name in best},
        }
