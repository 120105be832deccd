"""What a worker keeps of a table; ``test_workers`` trains with several."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from swipewise.config import TrainingConfig
from swipewise.errors import ArtifactError
from swipewise.training.checkpoint import load_tensors, save_tensors
from swipewise.training.descent import Descent
from swipewise.training.progress import load_shards
from swipewise.training.sharding import Shard, ShardedTable
from swipewise.training.workers import Workers

ROWS, WIDTH = 7, 2
SETTINGS = TrainingConfig(sparse_rows=1, shard_rows=1)


class Pair(Workers):
    """The second of two workers; the other has the rows of even numbers."""

    other: Tensor

    def gathered(self, tensor: Tensor) -> list[Tensor]:
        return [self.other, tensor]


def network() -> nn.Sequential:
    made = nn.Sequential(nn.Embedding(ROWS, WIDTH), nn.Linear(WIDTH, 1))
    made[0].weight.data = torch.arange(ROWS * WIDTH, dtype=torch.float32).view(ROWS, WIDTH)
    return made


def second() -> Pair:
    workers = Pair(rank=1, size=2)
    object.__setattr__(workers, "other", network()[0].weight.data[0::2])
    return workers


def test_a_worker_keeps_every_other_row_and_nothing_of_the_rest() -> None:
    whole, made = network(), network()
    table = ShardedTable(made, "0", second(), SETTINGS)
    assert torch.equal(table.weight[:3], whole[0].weight[1::2])
    assert [tuple(value.shape) for value in (table.weight, table.average_SD)] == [(4, WIDTH), (4, WIDTH)]
    assert {tuple(value.shape) for value in table.state().values()} == {(4,)}
    assert [name for name, _ in made.named_parameters()] == ["1.weight", "1.bias"]
    assert list(made.state_dict()) == ["1.weight", "1.bias"]


def test_the_whole_table_stands_in_the_network_to_rank_with() -> None:
    whole, made = network(), network()
    table = ShardedTable(made, "0", second(), SETTINGS)
    table.stand_whole(table.weight.data)
    every = torch.arange(ROWS)
    assert torch.equal(made[0](every), whole[0](every))
    table.stand_aside()
    assert made[0].weight_KD.numel() == 0


def test_a_part_comes_as_the_whole_it_is_a_part_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, workers = network()[0].weight.data, second()
    shard = Shard(own=torch.cat([whole[1::2], torch.zeros(1, WIDTH)]), rows=ROWS, workers=workers)
    save_tensors(tmp_path / "state", {"live/table": shard}, {})
    assert torch.equal(load_tensors(tmp_path / "state")[0]["live/table"], whole)
    monkeypatch.setattr("swipewise.training.sharding._BLOCK_ROWS", 2)
    assert list(shard.bounds()) == [slice(0, 4), slice(4, 7)]


def test_a_worker_alone_divides_nothing() -> None:
    assert not Descent(network(), SETTINGS, Workers(), ["0.weight"]).shards


def test_what_may_not_be_divided_stays_whole() -> None:
    assert not Descent(network(), SETTINGS, second(), []).shards
    large = TrainingConfig(sparse_rows=1, shard_rows=ROWS + 1)
    assert not Descent(network(), large, second(), ["0.weight"]).shards
    assert list(Descent(network(), SETTINGS, second(), ["0.weight"]).shards) == ["0.weight"]


def test_a_checkpoint_without_the_table_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "state"
    save_tensors(path, {"live/other": torch.zeros(ROWS, WIDTH)}, {})
    shard = Shard(own=torch.zeros(ROWS, WIDTH), rows=ROWS, workers=Workers())
    with pytest.raises(ArtifactError, match=r"does not fit this training \('live/table'\): start anew with"):
        load_shards(path, {"live": {"table": shard}})
    load_shards(path, {"live": {"other": shard}})
