"""The demo's worlds, whose truth is known: the model against its peers, the oracle and the planted weights.

Runs 'swipewise demo' for three seeds, raw clips to report, and takes the figures from its reports: means over the
seeds. Every recommender ranks every video that existed for the same viewers; the baselines are tuned on the validation
period that stops the model's training. The model's own defaults were chosen on worlds of other seeds.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from figures import Figures, Options, run

SEEDS = (0, 1, 2)
PEERS = ("itemcf", "popularity")

_SWIPEWISE = "from swipewise.cli import main; main()"


def measure(figures: Figures, options: Options) -> None:
    reports = [_report(seed, quick=options.quick) for seed in (SEEDS[:1] if options.quick else SEEDS)]

    def mean(name: str, segment: str = "all") -> float:
        return float(np.mean([_ndcg(report, name, segment) for report in reports]))

    model, oracle = mean("swipewise"), mean("oracle")
    peer = max(PEERS, key=mean)
    figures.record("NDCG@10 of the model", model)
    for name in (*PEERS, "oracle"):
        figures.record(f"NDCG@10 of {name}", mean(name))
    figures.record(f"NDCG@10 against {peer}, the better peer", model / mean(peer), at_least=1.25, unit="x")
    figures.record("NDCG@10 against the oracle", model / oracle, at_least=0.5, unit="x")
    spearman = {
        name: float(np.mean([report["attention"]["agreement"]["spearman"][name] for report in reports]))
        for name in reports[0]["attention"]["agreement"]["spearman"]
    }
    for name, value in spearman.items():
        bar = {"at_least": 0.6} if name == "mean" else {}
        figures.record(f"Spearman of planted and learned weights, {name}", value, **bar)
    cold, popular = mean("swipewise", "cold videos"), mean("popularity", "cold videos")
    figures.record("NDCG@10 on cold videos", cold)
    # Popularity counts nothing of a video that nobody has met: twice that can be 0, which is not enough.
    figures.record("NDCG@10 on cold videos beyond twice popularity's", cold - 2 * popular, at_least=1e-6)
    figures.record("NDCG@10 of the oracle on cold videos", mean("oracle", "cold videos"))
    for segment in ("warm viewers", "cold viewers"):
        figures.record(f"NDCG@10 on {segment}", mean("swipewise", segment))
        figures.record(f"NDCG@10 of {peer} on {segment}", mean(peer, segment))


def _report(seed: int, *, quick: bool) -> dict[str, Any]:
    """Run the demo of one seed and read its report."""
    with TemporaryDirectory() as directory:
        size = ["--quick"] if quick else []
        command = [sys.executable, "-c", _SWIPEWISE, "demo", directory, "--seed", str(seed), *size]
        print(f"swipewise demo --seed {seed}", *size, file=sys.stderr, flush=True)
        subprocess.run(command, check=True, stdout=sys.stderr)
        report: dict[str, Any] = json.loads(
            (Path(directory) / "report" / "report.json").read_text(encoding="utf-8")
        )
    return report


def _ndcg(report: dict[str, Any], name: str, segment: str) -> float:
    value: float = report["segments"][segment]["figures"][name]["ndcg@10"]["value"]
    return value


if __name__ == "__main__":
    run(measure, __doc__)
