"""A workspace with real stores, small enough to train in a second."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from swipewise.catalog import Catalog
from swipewise.events import import_events, import_viewers
from swipewise.schema import Modality, Video
from swipewise.simulate.behave import behave
from swipewise.workspace import CONFIG_NAME, Workspace
from tests.evaluation.worlds import small_world
from tests.training.tiny import AGES, SIZE

CONFIG = """
[encoders]
visual = "fake"
audio = "none"
text = "fake"
[model]
width = 16
layers = 1
heads = 2
history = 12
memory = 8
[training]
epochs = 3
batch_events = 256
negatives = 32
places = 6
ahead = 3
half_life_days = 20.0
shown_weight = 0.2
alignment_weight = 0.1
checkpoint_seconds = 0.0
device = "cpu"
"""


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Sums are the same to the last bit only when they are split among the same number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def _filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("filled")
    (root / CONFIG_NAME).write_text(CONFIG)
    workspace = Workspace.open(root)
    world, _ = small_world(size=SIZE)
    seconds_V = np.full(SIZE, 4.0)
    videos = [
        Video(
            video_id=video_id,
            uri=f"{video_id}.mp4",
            content_hash=video_id,
            creator=f"c{row % 7}",
            duration_seconds=4.0,
        )
        for row, video_id in enumerate(world.video_ids)
    ]
    rng = np.random.default_rng(0)
    vectors = [rng.standard_normal(8).astype(np.float32) for _ in videos]
    some = [vector if row % 5 else None for row, vector in enumerate(vectors)]
    Catalog(workspace.catalog_dir).upsert(
        videos, {(Modality.VISUAL, "fake@1"): vectors, (Modality.TEXT, "fake@1"): some}
    )
    behave(world, seconds_V).write_parquet(root / "events.parquet")
    import_events(workspace, [root / "events.parquet"], mapping={}, known_videos=world.video_ids)
    ages = [AGES[group] for group in world.profile_UM[:, 2]]
    pl.DataFrame({"viewer_id": world.viewer_ids, "age": ages}).write_parquet(root / "viewers.parquet")
    import_viewers(workspace, [root / "viewers.parquet"], mapping={})
    return root


@pytest.fixture
def shop(_filled: Path, tmp_path: Path) -> Workspace:
    """Sixty videos and what sixty viewers did, never trained on."""
    shutil.copytree(_filled, tmp_path / "shop")
    return Workspace.open(tmp_path / "shop")
