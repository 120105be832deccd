"""Weights of modalities when one of them changes: how stable each normalisation keeps them, and what it costs.

A model a normalisation learns the demo's world of seed 0. Then sound vectors come out louder, four times as long and
off centre by half their usual spread: those of the whole catalogue, as after a change of the encoder, or only those of
the third that was uploaded last, as when another kind of video comes in. For every viewer the mean weights before and
after are compared, and so is NDCG@10 on the test period. "adaptive" standardises the vectors of a catalogue anew, which
undoes the first change exactly and the second in part; the others keep to the statistics of training.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from figures import Figures, Options, run
from numpy.typing import NDArray
from worlds import simulated, small

from swipewise.config import Config
from swipewise.evaluation.protocol import Metric, Protocol, evaluate
from swipewise.model.fusion import NORMS
from swipewise.schema import Modality
from swipewise.simulate.world import WorldConfig
from swipewise.training.dataset import ContentFeature, Dataset
from swipewise.training.recommender import InterestRecommender
from swipewise.training.split import split_by_time

LOUDER, OFF_CENTRE = 4.0, 0.5


def measure(figures: Figures, options: Options) -> None:
    dataset = simulated(small() if options.quick else WorldConfig())
    split = split_by_time(dataset, Config().split)
    protocol = Protocol.at(dataset, split.test_start)
    newest_V = dataset.uploaded_at_V >= np.quantile(dataset.uploaded_at_V, 2 / 3)
    changes = {"all videos": np.ones_like(newest_V), "the newest third": newest_V}
    changed = {name: Protocol.at(louder(dataset, which_V), split.test_start) for name, which_V in changes.items()}
    viewers_U = np.unique(protocol.history.interactions.viewer_I)
    for norm in NORMS:
        config = Config(model=replace(Config().model, norm=norm))
        if options.quick:
            config = replace(config, training=replace(config.training, epochs=2))
        model = InterestRecommender(config, validation=split.validation).fit(split.train)
        ndcg = evaluate(model, protocol).mean(Metric.NDCG_10)
        before_UM = model.modality_weights(viewers_U)
        figures.record(f"NDCG@10, {norm}", ndcg)
        for name, exam in changed.items():
            after = evaluate(model, exam).mean(Metric.NDCG_10)
            moved = float(np.abs(model.modality_weights(viewers_U) - before_UM).sum(axis=1).mean() / 2)
            figures.record(f"share of the weight that moves, {norm}, {name}", moved)
            figures.record(f"share of NDCG@10 lost, {norm}, {name}", (ndcg - after) / ndcg)


def louder(dataset: Dataset, which_V: NDArray[np.bool_]) -> Dataset:
    """The same videos, some of which have other sound vectors."""
    sound = dataset.content[Modality.AUDIO]
    spread_D = sound.values_VD[sound.present_V].std(axis=0)
    loud_VD = (LOUDER * sound.values_VD + OFF_CENTRE * spread_D) * sound.present_V[:, None]
    values_VD = np.where(which_V[:, None], loud_VD, sound.values_VD)
    changed = ContentFeature(values_VD=values_VD.astype(np.float32), present_V=sound.present_V)
    return replace(dataset, content={**dataset.content, Modality.AUDIO: changed})


if __name__ == "__main__":
    run(measure, __doc__)
