"""What a fitted model learns at last: kinds of viewers, weights of what ranks beside the network, probabilities.

Legend of shape suffixes: I = exposures, A = actions, B = viewers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from swipewise.config import TrainingConfig
from swipewise.training.alternatives import ndcg_by_weights
from swipewise.training.calibration import Calibration
from swipewise.training.dataset import Dataset, told_actions
from swipewise.training.fitted import FittedModel
from swipewise.training.histories import latest_windows
from swipewise.training.inference import Projected
from swipewise.training.predicting import predict_logits
from swipewise.training.ranking import RankingTask
from swipewise.training.trends import Trends

_VIEWERS_FOR_KINDS = 500

NEIGHBOUR_WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0)
"""Weights of nearness that are tried."""

GROUP_WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.4)
"""Weights of what viewers of like profile watch that are tried."""

TASTE_WEIGHTS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
"""Weights of tastes that are tried."""


def with_best_weights(fitted: FittedModel, task: RankingTask) -> FittedModel:
    """The model with those weights of tastes, then of nearness, then of groups that rank the task best.

    Of equals the smallest; weights that the configuration gives stay as they are.
    """
    config = fitted.config
    parts: tuple[tuple[str, float, object, Sequence[float]], ...] = (
        ("taste", config.taste_weight, fitted.tastes, TASTE_WEIGHTS),
        ("neighbour", config.neighbour_weight, fitted.neighbourhood, NEIGHBOUR_WEIGHTS),
        ("group", config.group_weight, fitted.groups, GROUP_WEIGHTS),
    )
    for name, given, part, choices in parts:
        if part is None or given >= 0:
            continue
        tried = [replace(fitted.weights, **{name: choice}) for choice in choices]
        asking = Projected(replace(fitted, weights=replace(fitted.weights, **{name: 1.0})), task.history)
        best = int(ndcg_by_weights(asking, task, tried).argmax())
        fitted = replace(fitted, weights=tried[best])
    return fitted


def calibrated(
    fitted: FittedModel, train: Dataset, validation: Dataset, viewers_B: NDArray[np.int64] | None = None
) -> FittedModel:
    """The model with its probabilities fitted to the exposures of the validation period, of all viewers or of some."""
    whole = train.followed_by(validation)
    everybody = Projected(fitted, whole), Trends.of(whole.interactions, whole.uploaded_at_V)
    if viewers_B is not None:
        whole, validation = whole.of_viewers(viewers_B), validation.of_viewers(viewers_B)
    rows = validation.interactions
    logits_IA = predict_logits(fitted, whole, rows, *everybody)
    return replace(fitted, calibration=Calibration.fit(logits_IA, rows.actions_IF, told_actions(rows)))


def with_kinds(fitted: FittedModel, train: Dataset, settings: TrainingConfig) -> FittedModel:
    """The model with the kinds of viewers by which their tastes and shifts of interest are told.

    Args:
        fitted: Without them; stays as it is where it knows no tastes.
        train: What it was fitted on.
        settings: The seed is used.
    """
    reader, config = fitted.taste_reader(train), fitted.config
    if reader is None:
        return fitted
    offsets_U = train.viewer_offsets()
    viewers_W = np.flatnonzero(np.diff(offsets_U))
    if len(viewers_W) > _VIEWERS_FOR_KINDS:
        drawn = np.random.default_rng(settings.seed).choice(viewers_W, _VIEWERS_FOR_KINDS, replace=False)
        viewers_W = np.sort(drawn)
    windows = latest_windows(offsets_U, config.history, viewers_W, memory=config.memory)
    profile_WP = fitted.vocabulary.profile_codes(train.profile_values)[train.profile_UP[viewers_W]]
    return replace(
        fitted, kinds=reader.learn_kinds(train.interactions, windows, profile_WP, changes=config.ordered)
    )
