"""Evaluating: all viewers, all videos, the best fifty, NDCG, recall and reciprocal rank, against RecTools' way.

Draws a log of 15,000 viewers and 7,600 videos (with --quick 600 and 500), about as long and as skewed as KuaiRand's,
and trains a SASRec of the same width, layers, heads and history on it for one epoch, ours and RecTools'. As theirs,
ours then has feed-forward layers that are no wider within; it is timed with four times as wide ones, its default, too.
Then, in turns, both rank all unseen videos for every viewer of the test and measure the rankings, in one thread:

- ours by ``evaluation.protocol.evaluate``, with the segments that it looks at besides,
- RecTools' by ``recommend`` and ``calc_metrics`` with the same metrics over all viewers, in an environment of its own.

Our rankings and figures are compared with those of sorting all scores and counting, a viewer at a time. The interest
model, which reads more than ids, is timed too, untrained.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
from figures import Figures, Options, run
from numpy.typing import NDArray

from swipewise.baselines.sasrec import SASRecRecommender
from swipewise.baselines.schedule import Schedule
from swipewise.config import EventsConfig, ModelConfig
from swipewise.evaluation.protocol import PLACES, Measured, Metric, Protocol, evaluate
from swipewise.evaluation.segments import Segment
from swipewise.schema import FLAG_ACTIONS, Action, Col, Modality
from swipewise.training.building import build_dataset
from swipewise.training.dataset import Dataset, Recommender
from swipewise.training.fitted import FittedModel
from swipewise.training.recommender import InterestRecommender

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.peers.environments import PeerError, environment

VIEWERS, VIDEOS, ROUNDS = 15_000, 7_600, 5
QUICK_VIEWERS, QUICK_VIDEOS, QUICK_ROUNDS = 600, 500, 1
WIDTH, LAYERS, HEADS, HISTORY = 64, 2, 2, 50
HOUR = 3_600_000
CUT = 1000 * HOUR
SCRIPT = Path(__file__).parent / "peers" / "examining.py"
RELATIVE = 1e-9
WIDER, WHOLE = "ours with wider layers", "the interest model"


def measure(figures: Figures, options: Options) -> None:
    dataset = draw(
        QUICK_VIEWERS if options.quick else VIEWERS,
        QUICK_VIDEOS if options.quick else VIDEOS,
        np.random.default_rng(0),
    )
    protocol = Protocol.at(dataset, CUT, all_candidates=True)
    figures.record("viewers", len(protocol.task.viewers_B))
    ours, wider = (_sasrec(feed).fit(dataset.before(CUT)) for feed in (1, 4))
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    seconds: dict[str, list[float]] = {name: [] for name in ("ours", WIDER, "RecTools'", WHOLE)}
    whole = _interest_model(dataset.before(CUT))
    measured = evaluate(ours, protocol)
    _compare(figures, ours, protocol, measured)
    with _rectools(dataset) as ask:
        for _ in range(rounds):
            seconds["ours"].append(_seconds(ours, protocol))
            seconds["RecTools'"].append(ask()["seconds"])
            seconds[WIDER].append(_seconds(wider, protocol))
            seconds[WHOLE].append(_seconds(whole, protocol))
    for name, taken in seconds.items():
        figures.record(f"seconds of {name}", statistics.median(taken), unit=" s")
    ratio = statistics.median(seconds["RecTools'"]) / statistics.median(seconds["ours"])
    figures.record("RecTools' recommend and metrics against ours", ratio, at_least=3.0, unit="x")


def draw(viewers: int, videos: int, rng: np.random.Generator) -> Dataset:
    """A log of 1,000 hours and 100 more to be tested on; every third interaction is a positive one."""
    length_U = np.clip(rng.lognormal(math.log(34), 0.6, viewers).round().astype(int), 2, 200)
    viewer_I = np.repeat(np.arange(viewers), length_U)
    weight_V = np.arange(1, videos + 1) ** -0.8
    total_V = np.cumsum(weight_V)
    video_I = np.searchsorted(total_V, rng.random(len(viewer_I)) * total_V[-1])
    at_I = rng.integers(0, CUT + 100 * HOUR, len(viewer_I))
    finish_I = rng.random(len(viewer_I)) < 1 / 3
    columns: dict[str, pl.Series | NDArray[Any]] = {
        Col.VIEWER_ID: pl.Series(viewer_I).cast(pl.String),
        Col.VIDEO_ID: pl.Series(video_I).cast(pl.String),
        Col.AT: pl.Series(at_I * 1000).cast(pl.Datetime("us", "UTC")),
        Col.WATCH_RATIO: np.where(finish_I, 1.0, 0.2),
        **{action: finish_I & (action == Action.FINISH) for action in FLAG_ACTIONS},
    }
    catalogue = pl.DataFrame({Col.VIDEO_ID: [str(number) for number in range(videos)]})
    nobody = pl.DataFrame(schema={Col.VIEWER_ID: pl.String})
    return build_dataset(catalogue, {}, [pl.DataFrame(columns)], nobody, EventsConfig())


def _sasrec(feed: int) -> SASRecRecommender:
    return SASRecRecommender(
        width=WIDTH, layers=LAYERS, heads=HEADS, feed=feed, history=HISTORY, schedule=Schedule(epochs=1)
    )


def _interest_model(dataset: Dataset) -> Recommender:
    model = ModelConfig(modalities=(Modality.ID,), width=WIDTH, layers=LAYERS, history=HISTORY)
    return InterestRecommender.of(FittedModel.untrained(model, dataset, {}), dataset)


def _seconds(recommender: Recommender, protocol: Protocol) -> float:
    began = time.process_time()
    evaluate(recommender, protocol)
    return time.process_time() - began


def _compare(figures: Figures, recommender: Recommender, protocol: Protocol, measured: Measured) -> None:
    """Sort everything and count, one viewer at a time."""
    task, videos = protocol.task, np.arange(len(protocol.history.video_ids))
    rows, offsets = protocol.history.interactions, protocol.history.viewer_offsets()
    relevant = np.split(task.relevant_R % len(videos), task.relevant_B.cumsum()[:-1])
    wrong, apart = 0, 0.0
    for row, viewer in enumerate(task.viewers_B):
        score_V = recommender.score(np.array([viewer]), videos)[0].astype(np.float64)
        unseen = np.setdiff1d(videos, rows.video_I[offsets[viewer] : offsets[viewer + 1]])
        found = measured.best_BK[row]
        # Of equal scores any may come first: the scores have to be the same.
        best = np.sort(score_V[unseen])[::-1][:PLACES]
        same = np.isin(found, unseen).all() and len(set(found)) == PLACES
        wrong += not (same and np.allclose(score_V[found], best, rtol=1e-5, atol=1e-6))
        gains = [1 / math.log2(place + 2) for place in range(10) if found[place] in relevant[row]]
        ideal = sum(1 / math.log2(place + 2) for place in range(min(10, len(relevant[row]))))
        apart = max(apart, abs(sum(gains) / ideal - measured.values[Segment.ALL][Metric.NDCG_10][row]))
    figures.record("viewers whose ranking is not that of sorting all scores", wrong, at_most=0)
    figures.record("largest difference of a viewer's NDCG@10 from counting", apart, at_most=RELATIVE)


@contextmanager
def _rectools(dataset: Dataset) -> Iterator[Callable[[], dict[str, float]]]:
    """Something that evaluates at every call and returns what RecTools printed.

    Raises:
        PeerError: It cannot be installed or does not run.
    """
    python = environment("rectools")
    settings = {
        "n_factors": WIDTH,
        "n_blocks": LAYERS,
        "n_heads": HEADS,
        "session_max_len": HISTORY,
        "batch_size": 128,
    }
    with TemporaryDirectory() as name:
        folder = Path(name)
        _tables(dataset, folder)
        command = [str(python), str(SCRIPT), str(folder), json.dumps(settings)]
        surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=surroundings,
        ) as process:
            questions, answers = process.stdin, process.stdout
            assert questions is not None
            assert answers is not None
            if answers.readline().strip() != "ready":
                raise PeerError(f"RecTools did not start: run {' '.join(command)} to see why")

            def ask() -> dict[str, float]:
                print("once more", file=questions, flush=True)
                answer: dict[str, float] = json.loads(answers.readline())
                return answer

            yield ask
            questions.close()


def _tables(dataset: Dataset, folder: Path) -> None:
    rows = dataset.interactions
    table = pl.DataFrame(
        {
            "user_id": rows.viewer_I,
            "item_id": rows.video_I,
            "weight": rows.positive_I.astype(float),
            "datetime": pl.Series(rows.at_I).cast(pl.Datetime("ms")),
        }
    )
    train = table.filter(pl.col("datetime") < pl.lit(CUT).cast(pl.Datetime("ms")))
    known = train.select("user_id").unique()
    later = table.join(train, on=["user_id", "item_id"], how="anti").join(known, on="user_id", how="semi")
    train.write_parquet(folder / "train.parquet")
    test = later.filter(
        (pl.col("datetime") >= pl.lit(CUT).cast(pl.Datetime("ms"))) & (pl.col("weight") > 0),
        pl.col("item_id").is_in(train["item_id"].unique().implode()),
    )
    test.unique(["user_id", "item_id"]).write_parquet(folder / "test.parquet")


if __name__ == "__main__":
    run(measure, __doc__, quick_bars=False)
