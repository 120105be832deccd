"""Small data sets in which what comes next is a rule that a sequence model can find."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from swipewise.schema import FLAG_ACTIONS, Action
from swipewise.training.dataset import Dataset
from tests.training.hand_made import dataset_of

VIDEOS, VIEWERS, EVENTS = 8, 30, 9


def walks(*, viewers: int = VIEWERS, events: int = EVENTS, seed: int = 0) -> Dataset:
    """Everybody goes round the videos: after v comes v + 1, and every third event shows something that is skipped.

    Viewers have between two thirds of ``events`` and all of them.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for viewer in range(viewers):
        video = int(rng.integers(VIDEOS))
        for at in range(int(rng.integers(2 * events // 3, events + 1))):
            if at % 3 == 2:
                rows.append((viewer, int(rng.integers(VIDEOS)), at, False))
            else:
                rows.append((viewer, video, at, True))
                video = (video + 1) % VIDEOS
    return dataset_of(rows, viewers=viewers, uploaded=[0] * VIDEOS)


def tastes(*, viewers: int = VIEWERS, events: int = EVENTS, seed: int = 0) -> Dataset:
    """Even viewers finish even videos and skip odd ones, odd viewers the other way round; creators tell them apart."""
    rng = np.random.default_rng(seed)
    rows = []
    for viewer in range(viewers):
        for at in range(events):
            video = int(rng.integers(VIDEOS))
            rows.append((viewer, video, at, video % 2 == viewer % 2))
    dataset = dataset_of(rows, viewers=viewers, uploaded=[0] * VIDEOS)
    actions_IF = np.zeros((len(rows), len(FLAG_ACTIONS)), bool)
    actions_IF[:, FLAG_ACTIONS.index(Action.FINISH)] = dataset.interactions.positive_I
    actions_IF[:, FLAG_ACTIONS.index(Action.SKIP)] = ~dataset.interactions.positive_I
    return replace(
        dataset,
        interactions=replace(dataset.interactions, actions_IF=actions_IF),
        attributes_VA=(np.arange(VIDEOS)[:, None] % 2) + 1,
        attribute_values=("creator=even", "creator=odd"),
        profile_UP=(np.arange(viewers)[:, None] % 3) + 1,
        profile_values=("age=young", "age=grown", "age=old"),
    )
