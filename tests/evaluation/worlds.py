"""A small simulated world as a data set, without clips and stores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from swipewise.config import EventsConfig
from swipewise.events import fold
from swipewise.schema import Col
from swipewise.simulate.behave import behave
from swipewise.simulate.world import World, WorldConfig, draw_world
from swipewise.training.building import build_dataset
from swipewise.training.dataset import Dataset


def small_world(*, size: int = 200, seed: int = 0) -> tuple[World, Dataset]:
    world = draw_world(WorldConfig(videos=size, viewers=size, seed=seed))
    duration_V = np.full(size, 4.0)
    durations = pl.LazyFrame({Col.VIDEO_ID: world.video_ids, Col.DURATION: duration_V})
    interactions = fold(behave(world, duration_V).lazy(), durations).collect()
    uploaded = pl.Series(world.uploaded_at_V).cast(pl.Datetime("ms", "UTC"))
    videos = pl.DataFrame({Col.VIDEO_ID: world.video_ids, Col.UPLOADED_AT: uploaded})
    profiles = pl.DataFrame({Col.VIEWER_ID: world.viewer_ids})
    return world, build_dataset(videos, {}, [interactions], profiles, EventsConfig())


class WorldTruth:
    """The truth of a world in memory, asked by id."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.viewer = {viewer_id: row for row, viewer_id in enumerate(world.viewer_ids)}
        self.video = {video_id: row for row, video_id in enumerate(world.video_ids)}

    def utilities(
        self, viewer_ids: Sequence[str], video_ids: Sequence[str], at_B: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        viewers_B = np.array([self.viewer[viewer_id] for viewer_id in viewer_ids])
        return self.world.utility(viewers_B, at_B)[:, [self.video[video_id] for video_id in video_ids]]

    def weights(self, viewer_ids: Sequence[str]) -> NDArray[np.float64]:
        return self.world.weight_UM[[self.viewer[viewer_id] for viewer_id in viewer_ids]]
