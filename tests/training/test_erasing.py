"""What training leaves behind names no viewer, and the next model is trained without those erased."""

from __future__ import annotations

from dataclasses import replace

from swipewise.events import erase_viewer
from swipewise.training.loop import Step
from swipewise.training.session import Watch, train_workspace
from swipewise.training.workspace_data import load_dataset
from swipewise.workspace import Workspace
from tests.events.traces import holders


def test_runs_and_their_checkpoints_hold_no_viewer(shop: Workspace) -> None:
    config = replace(shop.config, training=replace(shop.config.training, epochs=1))
    seen: list[bool] = []

    def look(_step: Step) -> None:
        seen.append(any(holders(shop.runs_dir, viewer_id) for viewer_id in viewers[:5]))

    viewers = load_dataset(shop).viewer_ids
    train_workspace(replace(shop, config=config), watch=Watch(on_step=look))
    assert seen
    assert not any(seen), "also while a checkpoint lies there"
    assert not any(holders(shop.runs_dir, viewer_id) for viewer_id in viewers)
    erase_viewer(shop, viewers[0])
    assert viewers[0] not in load_dataset(shop).viewer_ids
    inputs = {"events.parquet", "viewers.parquet"}
    assert set(holders(shop.root, viewers[0])) <= inputs, "nothing but the files that were imported"
