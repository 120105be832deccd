"""A simulated world without clips as a behaviour log: vectors tell the planted themes, with noise."""

from __future__ import annotations

import numpy as np
import polars as pl

from swipewise.behavior.log import BehaviorLog, Vectors
from swipewise.behavior.taste_model import TasteModel
from swipewise.events import fold
from swipewise.schema import CONTENT_MODALITIES, Col
from swipewise.simulate.behave import behave
from swipewise.simulate.world import THEMES, World, WorldConfig, draw_world


def planted(config: WorldConfig) -> tuple[World, BehaviorLog]:
    world, seconds_V = draw_world(config), np.full(config.videos, 4.0)
    durations = pl.LazyFrame({Col.VIDEO_ID: world.video_ids, Col.DURATION: seconds_V})
    rows = fold(behave(world, seconds_V).lazy(), durations).collect()
    viewer = {viewer_id: row for row, viewer_id in enumerate(world.viewer_ids)}
    video = {video_id: row for row, video_id in enumerate(world.video_ids)}
    rng = np.random.default_rng([config.seed, 9])
    content = {}
    for column, modality in enumerate(CONTENT_MODALITIES):
        theme_V, theme_TD = world.theme_VM[:, column], rng.standard_normal((THEMES, 24))
        values_VD = theme_TD[np.maximum(theme_V, 0)] + 0.5 * rng.standard_normal((len(theme_V), 24))
        content[str(modality)] = Vectors(values_VD=values_VD, present_V=theme_V >= 0)
    return world, BehaviorLog(
        viewer_I=np.array([viewer[viewer_id] for viewer_id in rows[Col.VIEWER_ID]]),
        video_I=np.array([video[video_id] for video_id in rows[Col.VIDEO_ID]]),
        at_I=rows[Col.AT].dt.epoch("ms").to_numpy(),
        watch_ratio_I=rows[Col.WATCH_RATIO].to_numpy(),
        uploaded_at_V=world.uploaded_at_V,
        content=content,
        profile_UP=np.zeros((config.viewers, 0), np.int64),
    )


def learned_tastes(log: BehaviorLog) -> tuple[TasteModel, np.ndarray]:
    """A model of the log's tastes, and those of its viewers now: (U, T)."""
    model = TasteModel.learn(log, count=THEMES, until=int(log.at_I.max()) + 1, profile_values=0)
    signals = model.shelf(log.content, log.uploaded_at_V).signals(log, model.scale, model.appeal_V)
    return model, model.tastes_now(log, signals, log.profile_UP).taste_UT
