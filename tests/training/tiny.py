"""A simulated world small enough to train on within a second, with content, attributes and profiles of its own."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from swipewise.config import Config, ModelConfig, SplitConfig, TrainingConfig
from swipewise.simulate.world import THEMES, World
from swipewise.training.dataset import ContentFeature, Dataset
from swipewise.training.split import TimeSplit, split_by_time
from tests.evaluation.worlds import small_world

SIZE = 60
AGES = ("13-17", "18-24", "25-34", "35+")


@cache
def tiny_dataset(seed: int = 0) -> Dataset:
    """60 viewers and 60 videos with pictures, words (a fifth has none) and creators; no sound."""
    world, dataset = small_world(size=SIZE, seed=seed)
    creators = np.unique(world.creator_V)
    return replace(
        dataset,
        content={"visual": content_of(world, 0, width=8), "text": content_of(world, 1, width=5, missing=0.2)},
        attributes_VA=(np.searchsorted(creators, world.creator_V) + 1)[:, None],
        attribute_values=tuple(f"creator={creator}" for creator in creators),
        profile_UP=world.profile_UM[:, 2:] + 1,
        profile_values=tuple(f"age={age}" for age in AGES),
    )


def content_of(world: World, modality: int, *, width: int, missing: float = 0.0) -> ContentFeature:
    """Vectors that tell the planted theme of a video, with noise."""
    rng = np.random.default_rng(modality)
    theme_TD = rng.standard_normal((THEMES, width))
    values_VD = theme_TD[world.theme_VM[:, modality]] + 0.2 * rng.standard_normal((SIZE, width))
    present_V = (world.theme_VM[:, modality] >= 0) & (rng.random(SIZE) >= missing)
    return ContentFeature(values_VD=(values_VD * present_V[:, None]).astype(np.float32), present_V=present_V)


@cache
def tiny_split(seed: int = 0) -> TimeSplit:
    return split_by_time(tiny_dataset(seed), SplitConfig())


def tiny_config(**training: Any) -> Config:
    """A small network; three epochs unless told otherwise."""
    settings: dict[str, Any] = {"epochs": 3, "batch_events": 256, "negatives": 32, "checkpoint_seconds": 0.0}
    return Config(
        model=ModelConfig(width=16, layers=1, heads=2, history=12),
        training=TrainingConfig(**settings | {"device": "cpu"} | training),
    )
