"""What each modality is worth, learned against planted, on the demo's world of seed 0.

The model is trained again without pictures, words, sound or attributes, and with uniform weights. What NDCG@10 loses is
held against what the oracle loses when it is denied the same: a modality's themes, or what makes a creator's videos
appeal to everybody. As planted, every content modality is worth more than the attributes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from figures import Figures, Options, run
from worlds import simulated, small

from swipewise.config import Config
from swipewise.evaluation.ablation import ablate
from swipewise.evaluation.oracle import OracleRecommender
from swipewise.evaluation.protocol import Metric, Protocol, evaluate
from swipewise.evaluation.segments import Segment
from swipewise.schema import CONTENT_MODALITIES, Modality
from swipewise.simulate.truth import Truth
from swipewise.simulate.world import World, WorldConfig, draw_world
from swipewise.training.split import split_by_time

PARTS = (*map(str, CONTENT_MODALITIES), str(Modality.ATTRIBUTES), "attention")


def measure(figures: Figures, options: Options) -> None:
    planted_in = small() if options.quick else WorldConfig()
    dataset, world, config = simulated(planted_in), draw_world(planted_in), Config()
    if options.quick:
        config = replace(config, training=replace(config.training, epochs=2))
    split = split_by_time(dataset, config.split)
    protocol = Protocol.at(dataset, split.test_start)
    found = ablate(dataset, split, config, parts=PARTS)
    lost = {}
    for part in PARTS:
        change = found.find(part, Metric.NDCG_10, Segment.ALL)
        assert change is not None
        lost[part] = -(change.share or 0.0)
        figures.record(f"share of NDCG@10 lost without {part}", lost[part])
    whole = _oracle(world, protocol)
    for part in PARTS[:-1]:
        figures.record(f"the same, of the oracle, {part}", 1 - _oracle(_denied(world, part), protocol) / whole)
    least = min(lost[name] for name in map(str, CONTENT_MODALITIES))
    figures.record(
        "least of the content modalities above the attributes", least - lost["attributes"], at_least=0.0
    )


def _oracle(world: World, protocol: Protocol) -> float:
    return evaluate(OracleRecommender.of_truth(Truth(world), protocol), protocol).mean(Metric.NDCG_10)


def _denied(world: World, part: str) -> World:
    """The world to somebody who does not know of one part of it."""
    if part == Modality.ATTRIBUTES:
        return replace(world, appeal_V=np.zeros_like(world.appeal_V))
    theme_VM = world.theme_VM.copy()
    theme_VM[:, CONTENT_MODALITIES.index(Modality(part))] = -1
    return replace(world, theme_VM=theme_VM)


if __name__ == "__main__":
    run(measure, __doc__)
