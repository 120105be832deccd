"""Large tables are updated by the rows that a step reads, and their average is what it would be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from swipewise.config import TrainingConfig
from swipewise.training.descent import Descent
from swipewise.training.loop import fit_network
from tests.training.tiny import tiny_config, tiny_split

SETTINGS = TrainingConfig(learning_rate=0.01, weight_decay=0.1, average=0.9, sparse_rows=10)


class Network(nn.Module):
    """A large table, a small one, and something that is no table."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.large = nn.Embedding(12, 4)
        self.small = nn.Embedding(3, 4)
        self.out = nn.Linear(4, 1)

    def forward(self, row_K: Tensor) -> Tensor:
        loss: Tensor = self.out(self.large(row_K) + self.small(row_K % 3)).square().sum()
        return loss


def descend(network: Network, descent: Descent, *rows: int) -> None:
    descent.begin()
    network(torch.tensor(rows)).backward()
    descent.step()


def test_a_step_changes_the_rows_it_read_and_no_others() -> None:
    network = Network()
    descent = Descent(network, SETTINGS)
    before = network.large.weight.detach().clone()
    descend(network, descent, 3, 5, 3)
    moved_V = (network.large.weight != before).any(dim=1)
    assert moved_V.nonzero().flatten().tolist() == [3, 5]
    assert network.small.weight.grad is not None
    assert not network.small.weight.grad.is_sparse


def test_state_is_a_number_a_row_and_not_two_of_every_parameter() -> None:
    network = Network()
    descent = Descent(network, SETTINGS)
    descend(network, descent, 1)
    sizes = {name: value.numel() for name, value in descent.state().items() if name.endswith("large.weight")}
    assert set(sizes.values()) == {12}


def test_the_first_step_of_a_row_is_as_long_as_the_learning_rate_allows() -> None:
    """Adam divides a gradient by its own size: the root mean square of a row's first step is the step size."""
    network = Network()
    descent = Descent(network, replace(SETTINGS, weight_decay=0.0))
    before = network.large.weight.detach().clone()
    descend(network, descent, 7)
    moved_D = (network.large.weight - before)[7]
    assert moved_D.square().mean().sqrt().item() == pytest.approx(
        0.01 / 50, rel=1e-4
    )  # the first of 50 of warm-up


def test_the_average_is_what_a_running_average_of_the_whole_table_would_be() -> None:
    network = Network()
    descent = Descent(network, SETTINGS)
    expected = network.large.weight.detach().clone()
    for rows in [(0, 1), (2,), (2, 3), (0,), (5,), (5,), (11, 2)]:
        descend(network, descent, *rows)
        expected.lerp_(network.large.weight.detach(), 0.1)
        if rows == (2, 3):
            descent.settle()  # at any time, and again later
    descent.settle()
    # A row that sleeps decays only when it is read; what that leaves out here is a few millionths.
    assert torch.allclose(descent.average["large.weight"], expected, atol=1e-4)
    descent.settle()
    assert torch.allclose(descent.average["large.weight"], expected, atol=1e-4)


def test_weights_decay_for_the_steps_they_slept_through() -> None:
    network = Network()
    descent = Descent(network, SETTINGS)
    table = descent._rows["large.weight"]
    row = torch.tensor([4])
    before = network.large.weight.detach()[4].clone()
    table.step(row, torch.zeros(1, 4), now=10, rate=0.01)
    assert torch.allclose(network.large.weight[4], before * (1 - 0.01 * 0.1) ** 10)


def test_average_and_network_change_places_and_back_without_a_trace() -> None:
    network = Network()
    descent = Descent(network, SETTINGS)
    for _ in range(3):
        descend(network, descent, 1, 2)
    live = {name: value.clone() for name, value in network.state_dict().items()}
    average = {name: value.clone() for name, value in descent.average.items()}
    descent.exchange()
    assert all(torch.equal(value, average[name]) for name, value in network.state_dict().items())
    descent.exchange()
    assert all(torch.equal(value, live[name]) for name, value in network.state_dict().items())
    assert all(torch.equal(value, average[name]) for name, value in descent.average.items())


def test_a_training_by_rows_ranks_about_as_well_as_one_of_whole_tables() -> None:
    split = tiny_split()
    found = {
        rows: fit_network(
            split.train,
            split.validation,
            tiny_config(epochs=6, patience=6, learning_rate=0.01, average=0.5, sparse_rows=rows),
        )
        for rows in (1, 100_000)
    }
    best = {rows: max(epoch.validation_ndcg or 0 for epoch in each.epochs) for rows, each in found.items()}
    assert best[1] > 0.8 * best[100_000]
    losses = {rows: [epoch.loss for epoch in each.epochs] for rows, each in found.items()}
    assert np.diff(losses[1])[0] < 0
