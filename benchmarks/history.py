"""How much of a long history pays: the summary of older events against a fixed window of 50.

On a world whose viewers watch six times as much as the demo's, the model is trained with the latest 50 events alone,
with summaries of ever more events before them, and with windows that read more of those one by one. Every model has the
same settings, seed and budget otherwise; the curve is NDCG@10 on the test period, over viewers with more than 50 events
and over all.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from figures import Figures, Options, run
from worlds import simulated, small

from swipewise.config import Config
from swipewise.evaluation.intervals import bootstrap_means
from swipewise.evaluation.protocol import Metric, Protocol, evaluate
from swipewise.evaluation.segments import Segment
from swipewise.simulate.world import WorldConfig
from swipewise.training.recommender import InterestRecommender
from swipewise.training.split import split_by_time

WINDOW = 50
MEMORIES = (0, 50, 150, 450)
WINDOWS = (100, 200)


def measure(figures: Figures, options: Options) -> None:
    config = replace(small(), sessions=60.0) if options.quick else WorldConfig(seed=0, viewers=400, sessions=60.0)
    dataset = simulated(config)
    split = split_by_time(dataset, Config().split)
    protocol = Protocol.at(dataset, split.test_start)
    events_U = np.diff(protocol.history.viewer_offsets())
    long_B = events_U[protocol.task.viewers_B] > WINDOW
    figures.record("viewers with more than 50 events", float(long_B.sum()))
    figures.record("their median events", float(np.median(events_U[protocol.task.viewers_B][long_B])))
    reached = {}
    for history, memory in [*((WINDOW, memory) for memory in MEMORIES), *((window, 0) for window in WINDOWS)]:
        own = replace(Config(), model=replace(Config().model, history=history, memory=memory))
        if options.quick:
            own = replace(own, training=replace(own.training, epochs=2))
        began = time.process_time()
        model = InterestRecommender(own, validation=split.validation).fit(split.train)
        seconds = time.process_time() - began
        ndcg_B = evaluate(model, protocol).values[Segment.ALL][Metric.NDCG_10]
        reached[history, memory] = ndcg_B[long_B]
        name = f"latest {history}, summary of {memory} before them"
        figures.record(f"NDCG@10 on long histories, {name}", float(ndcg_B[long_B].mean()))
        figures.record(f"NDCG@10 on all, {name}", float(ndcg_B.mean()))
        figures.record(f"CPU seconds of training, {name}", seconds)
    fixed, summed = reached[WINDOW, 0], reached[WINDOW, MEMORIES[-1]]
    drawn_S2 = bootstrap_means(np.stack([summed, fixed], axis=1))
    figures.record(
        "summary against a fixed window of 50", float(summed.mean() / fixed.mean()), at_least=1.0, unit="x"
    )
    low = float(np.quantile(drawn_S2[:, 0] / drawn_S2[:, 1], 0.025))
    figures.record("lower end of its 95% interval", low, unit="x")


if __name__ == "__main__":
    run(measure, __doc__)
