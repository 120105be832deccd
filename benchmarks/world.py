"""The demo's worlds, whose truth is known: the model against its peers, the oracle and the planted weights.

Runs 'swipewise demo' for three seeds, raw clips to report, and takes the figures from its reports: means over the
seeds. Every recommender ranks every video that existed for the same viewers; the baselines are tuned on the validation
period that stops the model's training. The model's own defaults were chosen on worlds of other seeds.

Then each model is put to the test: histories out of order; sound taken from half of the videos, against what the oracle
loses when it cannot hear them either; videos that nobody had met against those that training knew; and the world of
the next seed, all of whose ids are new to it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from figures import Figures, Options, run
from numpy.typing import NDArray
from worlds import swipewise

from swipewise.evaluation.audit_ranking import LOST_SHARE, REPEATS, SHUFFLED, RankingEffects, ranking_effects
from swipewise.evaluation.oracle import OracleRecommender
from swipewise.evaluation.protocol import Measured, Metric, Protocol, evaluate
from swipewise.evaluation.segments import Segment
from swipewise.evaluation.shuffle import Alter, AlteredRecommender, shuffled, some_videos
from swipewise.evaluation.transfer import OWN, TRANSFERRED, transfer
from swipewise.schema import CONTENT_MODALITIES, Modality
from swipewise.simulate.truth import Truth
from swipewise.simulate.world import NO_SHIFT
from swipewise.training.dataset import Dataset
from swipewise.training.fitted import FittedModel
from swipewise.training.ranking import hits_of, ndcg_at_k
from swipewise.training.runs import MODEL_NAME, latest_run, read_record
from swipewise.training.workspace_data import load_dataset
from swipewise.workspace import Workspace

SEEDS = (0, 1, 2)
PEERS = ("itemcf", "popularity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What one demo left: its report, its data and its model."""

    report: dict[str, Any]
    dataset: Dataset
    fitted: FittedModel
    truth: Truth
    valid_start: int
    test_start: int

    @property
    def protocol(self) -> Protocol:
        """The exam of its report."""
        return Protocol.at(self.dataset, self.test_start)


def measure(figures: Figures, options: Options) -> None:
    with TemporaryDirectory() as directory:
        seeds = SEEDS[:2] if options.quick else SEEDS
        demos = [_demo(Path(directory) / str(seed), seed, quick=options.quick) for seed in seeds]
        _compare(figures, [demo.report for demo in demos])
        _test(figures, demos)


def _compare(figures: Figures, reports: Sequence[dict[str, Any]]) -> None:
    def mean(name: str, segment: str = "all") -> float:
        return float(np.mean([_ndcg(report, name, segment) for report in reports]))

    model, oracle = mean("swipewise"), mean("oracle")
    peer = max(PEERS, key=mean)
    figures.record("NDCG@10 of the model", model)
    for name in (*PEERS, "oracle"):
        figures.record(f"NDCG@10 of {name}", mean(name))
    figures.record(f"NDCG@10 against {peer}, the better peer", model / mean(peer), at_least=1.25, unit="x")
    figures.record("NDCG@10 against the oracle", model / oracle, at_least=0.7, unit="x")
    spearman = {
        name: float(np.mean([report["attention"]["agreement"]["spearman"][name] for report in reports]))
        for name in reports[0]["attention"]["agreement"]["spearman"]
    }
    for name, value in spearman.items():
        bar = 0.8 if name == "mean" else None
        figures.record(f"Spearman of planted and learned weights, {name}", value, at_least=bar)
    cold, popular = mean("swipewise", "cold videos"), mean("popularity", "cold videos")
    figures.record("NDCG@10 on cold videos", cold)
    # Popularity counts nothing of a video that nobody has met: twice that can be 0, which is not enough.
    figures.record("NDCG@10 on cold videos beyond twice popularity's", cold - 2 * popular, at_least=1e-6)
    figures.record("NDCG@10 of the oracle on cold videos", mean("oracle", "cold videos"))
    for segment in ("warm viewers", "cold viewers"):
        figures.record(f"NDCG@10 on {segment}", mean("swipewise", segment))
        figures.record(f"NDCG@10 of {peer} on {segment}", mean(peer, segment))


def _test(figures: Figures, demos: Sequence[Demo]) -> None:
    effects = [ranking_effects(demo.fitted, demo.protocol) for demo in demos]
    order = np.mean([effect.relative_loss(SHUFFLED) for effect in effects])
    figures.record("share of NDCG@10 lost when histories are shuffled", float(order), at_least=0.05)
    figures.record(
        "the same, of viewers whose interest shifts", float(np.mean([_order_of_shifting(demo) for demo in demos]))
    )
    figures.record(
        "the same, of an oracle that knows the tastes but not which came last",
        float(np.mean([_planted_order_lost(demo) for demo in demos])),
    )
    lost = np.mean([_sound_lost(effect) for effect in effects])
    planted = np.mean([_planted_sound_lost(demo) for demo in demos])
    figures.record("share of NDCG@10 lost without the sound of half the videos", float(lost))
    figures.record("the same, of the oracle", float(planted))
    figures.record("lost by the model against the oracle", float(lost / planted), at_most=1.0, unit="x")
    seen, cold = np.mean(
        [_by_acquaintance(demo.protocol, e.plain) for demo, e in zip(demos, effects, strict=True)], 0
    )
    figures.record("NDCG@10 on videos that training saw", float(seen))
    figures.record("NDCG@10 on cold videos against those seen", float(cold / seen), at_least=0.7, unit="x")
    moved = [_transferred(one, other) for one, other in zip(demos, [*demos[1:], demos[0]], strict=True)]
    figures.record("NDCG@10 on a world whose ids are all new", float(np.mean([there for there, _ in moved])))
    ratio = float(np.mean([there for there, _ in moved]) / np.mean([own for _, own in moved]))
    figures.record("the same, against a model trained there", ratio, at_least=0.7, unit="x")


def _order_of_shifting(demo: Demo) -> float:
    """What shuffling costs those for whom the order of a history was planted to matter, a quarter of the viewers."""
    protocol, truth = demo.protocol, demo.truth
    rows_B = _planted_rows(demo)[protocol.task.viewers_B]
    shifts_B = truth.world.shift_at_U[rows_B] < NO_SHIFT

    def mean(alter: Alter) -> float:
        measured = evaluate(AlteredRecommender(demo.fitted, alter, name="altered"), protocol)
        return float(measured.values[Segment.ALL][Metric.NDCG_10][shifts_B].mean())

    whole = mean(lambda dataset: dataset)
    return 1 - float(np.mean([mean(partial(shuffled, seed=seed)) for seed in range(REPEATS)])) / whole


def _planted_order_lost(demo: Demo) -> float:
    """What the oracle loses when it knows how often each taste was acted on, but not which came last."""
    protocol, world = demo.protocol, demo.truth.world
    rows, planted_U = protocol.history.interactions, _planted_rows(demo)
    later_I = rows.at_I >= world.shift_at_U[planted_U[rows.viewer_I]]
    count_U = np.bincount(rows.viewer_I, minlength=len(planted_U))
    later_U = np.bincount(rows.viewer_I, later_I, len(planted_U)) / np.maximum(count_U, 1)
    blended = world.taste_UMT.copy()
    gained = world.shifted_taste_UMT[planted_U] - world.taste_UMT[planted_U]
    blended[planted_U] += later_U[:, None, None] * gained
    unordered = replace(world, taste_UMT=blended, shifted_taste_UMT=blended)
    whole, without = (
        evaluate(OracleRecommender.of_truth(truth, protocol), protocol).mean(Metric.NDCG_10)
        for truth in (demo.truth, Truth(unordered))
    )
    return (whole - without) / whole


def _planted_rows(demo: Demo) -> NDArray[np.int64]:
    """The number that each viewer of the data set has in the world: (U,)."""
    place = {viewer_id: row for row, viewer_id in enumerate(demo.truth.world.viewer_ids)}
    return np.array([place[viewer_id] for viewer_id in demo.protocol.history.viewer_ids])


def _sound_lost(effects: RankingEffects) -> float:
    [lost] = [one for one in effects.lost if one.modality == Modality.AUDIO]
    return effects.relative_loss(lost.name)


def _planted_sound_lost(demo: Demo) -> float:
    """What the oracle loses when it cannot hear the very videos that lost their sound for the model."""
    protocol, world = demo.protocol, demo.truth.world
    place = {video_id: row for row, video_id in enumerate(world.video_ids)}
    lost_V = some_videos(protocol.history, LOST_SHARE)
    rows = [place[protocol.history.video_ids[video]] for video in np.flatnonzero(lost_V)]
    deaf_VM = world.theme_VM.copy()
    deaf_VM[rows, CONTENT_MODALITIES.index(Modality.AUDIO)] = -1
    whole, deaf = (
        evaluate(OracleRecommender.of_truth(truth, protocol), protocol).mean(Metric.NDCG_10)
        for truth in (demo.truth, Truth(replace(world, theme_VM=deaf_VM)))
    )
    return (whole - deaf) / whole


def _by_acquaintance(protocol: Protocol, measured: Measured) -> NDArray[np.float64]:
    """NDCG@10 where only the videos that training saw are relevant, and where only the others are."""
    task, videos = protocol.task, len(protocol.history.video_ids)
    seen_V = np.bincount(protocol.history.interactions.video_I, minlength=videos) > 0
    found = []
    for counts_V in (seen_V, ~seen_V):
        relevant_R = task.relevant_R[counts_V[task.relevant_R % videos]]
        relevant_B = np.bincount(relevant_R // videos, minlength=len(task.viewers_B))
        hits_BK = hits_of(measured.best_BK, relevant_R, videos)
        found.append(ndcg_at_k(hits_BK, relevant_B, 10)[relevant_B > 0].mean())
    return np.array(found)


def _transferred(there: Demo, here: Demo) -> tuple[float, float]:
    """NDCG@10 on ``here`` of the model of ``there``, and of its own."""
    outcome = transfer(
        there.fitted,
        here.dataset,
        valid_start=here.valid_start,
        test_start=here.test_start,
        own=here.fitted,
        against=(),
    )
    by_name = {one.name: one.mean(Metric.NDCG_10) for one in outcome.measured}
    return by_name[TRANSFERRED], by_name[OWN]


def _demo(directory: Path, seed: int, *, quick: bool) -> Demo:
    """Run the demo of one seed and read what it left."""
    size = ["--quick"] if quick else []
    swipewise("demo", str(directory), "--seed", str(seed), *size)
    workspace = Workspace.open(directory)
    run_dir = latest_run(workspace.runs_dir)
    record = read_record(run_dir)
    report: dict[str, Any] = json.loads((directory / "report" / "report.json").read_text(encoding="utf-8"))
    return Demo(
        report=report,
        dataset=load_dataset(workspace),
        fitted=FittedModel.load(run_dir / MODEL_NAME),
        truth=Truth.load(directory / "world"),
        valid_start=record["split"]["valid_start"],
        test_start=record["split"]["test_start"],
    )


def _ndcg(report: dict[str, Any], name: str, segment: str) -> float:
    value: float = report["segments"][segment]["figures"][name]["ndcg@10"]["value"]
    return value


if __name__ == "__main__":
    run(measure, __doc__)
