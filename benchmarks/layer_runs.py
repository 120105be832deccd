"""What ``benchmarks/train.py`` measures of layers in other numbers, compiled ones and other devices."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from lengths import lengths_like_kuairand, made_dataset
from training_runs import DROPOUT, HEADS, LAYERS, WIDTH, Network, learner_of, step

from swipewise.config import Config, ModelConfig, TrainingConfig
from swipewise.model.linear import linear
from swipewise.model.sequence import CausalTransformer
from swipewise.training.descent import Descent
from swipewise.training.layers import computed
from swipewise.training.learner import Learner
from swipewise.training.loop import seeded
from swipewise.training.ranking import mean_ndcg, ranking_task
from swipewise.training.recommender import InterestRecommender

WAYS: Final = {
    "float32": TrainingConfig(),
    "bfloat16": TrainingConfig(precision="bfloat16"),
    "float32, compiled": TrainingConfig(compile=True),
    "bfloat16, compiled": TrainingConfig(precision="bfloat16", compile=True),
}
"""How layers are computed, by name; the first one is how they are unless asked otherwise."""

_ROUNDS: Final = 5
_SQUARE: Final = {"cpu": 1_024, "cuda": 8_192}  # rows of matrices whose product shows the most that a device does


def sequences_a_second(network: Network, device_name: str, viewers: int) -> dict[str, float]:
    """How many histories a second the steps of a network read in each of the ways, taking turns; medians.

    Seconds are of the processor, or of the clock where another device does the work.
    """
    device = _begun(device_name)
    data = made_dataset(lengths_like_kuairand(viewers), 7_583, content=network == "content")
    epochs: dict[str, Callable[[], None]] = {}
    took: dict[str, list[float]] = {name: [] for name in WAYS}
    with ExitStack() as open_until:
        for name, way in WAYS.items():
            with seeded(0):
                learner, settings = learner_of(network, data, 50, 4096, 256, device)
            settings = replace(settings, precision=way.precision, compile=way.compile)
            open_until.enter_context(computed(learner.network, settings, device))
            descent = Descent(learner.network.train(), settings)
            epochs[name] = partial(_epoch, learner, descent, list(learner.batches(0, 0)))
            epochs[name]()  # compiles
        for _ in range(_ROUNDS):
            for name, epoch in epochs.items():
                took[name].append(_seconds(epoch, device))
    return {name: viewers / statistics.median(seconds) for name, seconds in took.items()}


def _epoch(learner: Learner[Any], descent: Descent, batches: Sequence[Any]) -> None:
    for batch in batches:
        step(learner, descent, batch)


def share_of_peak(width: int, device_name: str) -> dict[str, float]:
    """Of the matrix products a second that a device does at most, what a Transformer of a width gets in training.

    Products of attention that a causal mask leaves out are counted, as the reference does them. The peak is that of a
    large square product in the same numbers.
    """
    device = _begun(device_name)
    B, L = 128 if device.type == "cuda" else 32, 50
    transformer = CausalTransformer(width=width, layers=LAYERS, heads=HEADS, places=L, dropout=DROPOUT).to(device)
    x_BLD = torch.randn(B, L, width, device=device)
    products = 3 * LAYERS * B * L * (24 * width**2 + 4 * L * width)  # back takes twice what forth does

    def both_ways() -> None:
        transformer(x_BLD).sum().backward()

    found = {}
    for name, way in WAYS.items():
        with computed(transformer.train(), way, device):
            both_ways()
            seconds = min(_seconds(both_ways, device) for _ in range(_ROUNDS))
        dtype = torch.bfloat16 if way.precision == "bfloat16" else torch.float32
        found[name] = products / seconds / _peak(device, dtype)
    return found


def quality(workspace: Path, device_name: str, epochs: int) -> dict[str, float]:
    """NDCG@10 on two days of KuaiRand of the model on ids, by device and by way."""
    from kuairand import MAY_MS, VALIDATION_MS

    from swipewise.training.workspace_data import load_dataset
    from swipewise.workspace import Workspace

    _begun(device_name)
    dataset = load_dataset(Workspace.open(workspace))
    before = dataset.before(VALIDATION_MS)
    task = ranking_task(before, dataset.between(VALIDATION_MS, MAY_MS), all_candidates=True)
    model = ModelConfig(
        width=WIDTH,
        layers=LAYERS,
        heads=HEADS,
        history=50,
        modalities=("id",),
        trends=False,
        neighbours=0,
        themes=0,
    )
    found = {}
    for device in dict.fromkeys(("cpu", device_name)):
        for name in ("float32", "bfloat16"):
            training = replace(WAYS[name], epochs=epochs, batch_events=4096, negatives=1024, device=device)
            recommender = InterestRecommender(Config(model=model, training=training)).fit(before)
            found[f"{device}, {name}"] = mean_ndcg(recommender.score, task)
    return found


def _begun(name: str) -> torch.device:
    if name == "cpu":
        torch.set_num_threads(1)
        # What compiles is waited for here, and would take the other core from those who measure.
        os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
    return torch.device(name)


def _seconds(what: Callable[[], object], device: torch.device) -> float:
    on_cpu = device.type == "cpu"
    clock = time.process_time if on_cpu else time.perf_counter
    _wait(device)
    began = clock()
    what()
    _wait(device)
    return clock() - began


def _wait(device: torch.device) -> None:
    """Until all that was asked of a device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _peak(device: torch.device, dtype: torch.dtype) -> float:
    """Operations a second of a large matrix product, by torch or, where that is faster, as our linear layers do it."""
    rows = _SQUARE[device.type]
    one, other = (torch.randn(rows, rows, device=device).to(dtype) for _ in range(2))
    ways: list[Callable[[], object]] = [lambda: one @ other, lambda: linear(one, other)]
    with torch.no_grad():
        took = [_seconds(way, device) for way in ways for _ in range(1 + _ROUNDS)]
    return 2 * rows**3 / min(took)
