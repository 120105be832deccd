"""What a log does not tell is nothing to learn from: whether a video was skipped whose watch time nobody noted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from swipewise.schema import FLAG_ACTIONS, Action
from swipewise.training.batches import Batches
from swipewise.training.calibration import Calibration
from swipewise.training.dataset import Interactions, told_actions
from swipewise.training.trends import Trends
from tests.training.tiny import tiny_config, tiny_dataset

SKIP = FLAG_ACTIONS.index(Action.SKIP)


def rows_with(ratios: list[float], skipped: list[bool]) -> Interactions:
    count = len(ratios)
    actions_IF = np.zeros((count, len(FLAG_ACTIONS)), bool)
    actions_IF[:, SKIP] = skipped
    return Interactions(
        viewer_I=np.zeros(count, np.int64),
        video_I=np.arange(count),
        at_I=np.arange(count),
        watch_ratio_I=np.array(ratios, np.float32),
        actions_IF=actions_IF,
        positive_I=np.zeros(count, bool),
    )


def test_a_skip_is_told_by_itself_or_by_a_watch_time_and_all_else_always() -> None:
    told_IF = told_actions(rows_with([0.5, np.nan, np.nan, 0.0], [False, False, True, True]))
    assert told_IF[:, SKIP].tolist() == [True, False, True, True]
    assert np.delete(told_IF, SKIP, axis=1).all()


def test_a_log_without_watch_times_tells_of_skips_by_naming_them() -> None:
    assert told_actions(rows_with([np.nan, np.nan], [False, True])).all()


def test_what_is_not_told_is_not_asked_in_training() -> None:
    dataset = tiny_dataset()
    rows = dataset.interactions
    silent_I = np.arange(len(rows)) % 2 == 0
    actions_IF = rows.actions_IF.copy()
    actions_IF[silent_I, SKIP] = False
    ratio_I = np.where(silent_I, np.nan, 0.5).astype(np.float32)
    dataset = replace(dataset, interactions=replace(rows, actions_IF=actions_IF, watch_ratio_I=ratio_I))
    config = tiny_config()
    trends = Trends.of(dataset.interactions, dataset.uploaded_at_V)
    batches = Batches(dataset, dataset.profile_UP, trends, config.model, config.training)
    asked = told = 0
    for batch in batches.steps(0):
        silent_BL = batch.history.recent.watch_ratio_BL.isnan()
        assert not bool((batch.told_BLF[..., SKIP] & silent_BL).any())
        others = [column for column in range(len(FLAG_ACTIONS)) if column != SKIP]
        assert torch.equal(batch.told_BLF[..., others[0]], batch.learn_BL)
        asked += int(batch.learn_BL.sum())
        told += int(batch.told_BLF[..., SKIP].sum())
    assert told == (~silent_I).sum() < asked == len(rows)


def test_calibration_heeds_only_what_is_told() -> None:
    rng = np.random.default_rng(0)
    logits_IA = rng.normal(0, 2, (4000, 1))
    happened_IA = rng.random((4000, 1)) < 1 / (1 + np.exp(-logits_IA))
    untold_IA = rng.random((4000, 1)) < 0.5
    heard_IA = happened_IA & ~untold_IA
    honest = Calibration.fit(logits_IA, heard_IA, ~untold_IA)
    fooled = Calibration.fit(logits_IA, heard_IA)
    assert abs(honest.shift_A[0]) < 0.2 < -fooled.shift_A[0]
