"""Training: sequences a second against RecTools' and RecBole's SASRec, memory, two processes, and what bounds it all.

Every peer runs in an environment of its own, with the same width (64), layers (2), heads (4), length, number of
negatives for each target (256), dropout and batch (128 sequences), in single precision on one thread; RecBole,
which has no sampled softmax, takes its full one. A sequence is a viewer's history, which an epoch reads once: as one
sequence here and in RecTools, as one for every event in RecBole. Seconds are of processor time, which what else runs on
the machine changes least; ratios are of medians, measured in alternation.

- On lengths like those of KuaiRand (median 34, at most 50 read) and on short ones (median 6, at most 20): our SASRec,
  which does what theirs does; the whole model on ids alone; and on pictures, words, sound, creators and ids.
- How much sooner than RecTools' our SASRec is as good in NDCG@10 on real logs, where they are there (see
  benchmarks/kuairand.py): theirs after three and six epochs, ours after six and twelve, with as many negatives in a
  batch as theirs has for each target, and with four times as many.
- Steps of the model, and a Transformer alone against the most that the device does, with layers in single precision,
  in bfloat16, and compiled; with --kuairand also the NDCG@10 that these lead to. With --device cuda all this on a GPU.
- The steps of SASRec against the matrix products in it alone, as fast as this machine does them at these shapes.
- Peak memory of the whole model at four times the interactions, which lie in files, whose pages are not counted, and
  with 10 million ids.
- Two processes against one: by processor time, the slower of the two at each step; and by wall time, which has a bar
  only where they had two cores.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from figures import Figures, Options, run
from layer_runs import WAYS, quality, sequences_a_second, share_of_peak
from lengths import HOUR_MS, lengths_like_kuairand, made_dataset, short_lengths
from training_runs import (
    FILED_LENGTH,
    Course,
    Network,
    courses_on_kuairand,
    epoch_seconds,
    matmul_share,
    peak_from_files,
    peak_of_ids,
    two_processes,
)

from swipewise.training.dataset import Dataset

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.peers.contest import attempt
from benchmarks.peers.environments import PeerError
from benchmarks.peers.exchange import write_exchange
from benchmarks.peers.trials import Peer

VIDEOS = 7_583
BATCH, NEGATIVES, EPOCHS, ROUNDS = 128, 256, 2, 3
MODEL = {"n_factors": 64, "n_blocks": 2, "n_heads": 4, "dropout_rate": 0.2, "lr": 1e-3, "epochs": EPOCHS}
RATE = 3e-3  # of the two that were tried, 0.001 and 0.003, the better one for RecTools and for us
_ON_REAL_LOGS = "quality is measured on real logs: give --kuairand the workspace that benchmarks/kuairand.py made"
RECTOOLS = Peer(name="rectools", script="rectools_epoch.py", requirements="rectools", trials=())
RECBOLE = Peer(name="recbole", script="recbole_sasrec.py", requirements="recbole", trials=())


def measure(figures: Figures, options: Options) -> None:
    parts: dict[str, Callable[[Figures, Options], None]] = {
        "long": record_long,
        "recbole": record_recbole,
        "short": record_short,
        "quality": record_quality,
        "layers": record_layers,
        "matmul": record_matmul,
        "memory": record_memory,
        "ids": record_ids,
        "processes": record_processes,
    }
    if "quality" in (options.own.only or ()) and options.own.kuairand is None and not options.quick:
        sys.exit(_ON_REAL_LOGS)  # before anything is measured that would be lost
    for name in options.own.only or parts:
        parts[name](figures, options)


def record_long(figures: Figures, options: Options) -> None:
    """Lengths like KuaiRand's."""
    viewers = 300 if options.quick else 800
    length_U = lengths_like_kuairand(viewers)
    data = made_dataset(length_U, VIDEOS, content=True)
    rounds = 1 if options.quick else ROUNDS
    took = _alternated(
        {
            "rectools": lambda: {"rectools": _peer_seconds(RECTOOLS, data, _rectools(50))},
            "ours": lambda: _ours(("sasrec", "ids", "content"), data, 50),
        },
        rounds,
    )
    figures.record("median length like KuaiRand's", float(np.median(length_U)))
    for name, seconds in took.items():
        figures.record(f"sequences a processor second, {name}, long", viewers / seconds)
    against = took["rectools"]
    what = "sequences a second against RecTools' SASRec, lengths like KuaiRand's"
    figures.record(f"{what}: our SASRec", against / took["sasrec"], at_least=3, unit="x")
    figures.record(f"{what}: the model on ids", against / took["ids"], at_least=3, unit="x")
    figures.record(
        f"{what}: the model on three modalities and ids", against / took["content"], at_least=1.5, unit="x"
    )


def record_recbole(figures: Figures, options: Options) -> None:
    """RecBole, on few sequences: it reads each once for every event."""
    viewers = 60 if options.quick else 150
    data = made_dataset(lengths_like_kuairand(viewers), VIDEOS)
    try:
        took = _alternated(
            {
                "recbole": lambda: {"recbole": _peer_seconds(RECBOLE, data, _recbole(50))},
                "ours": lambda: _ours(("sasrec",), data, 50),
            },
            1,
        )
    except PeerError as error:
        print(error, file=sys.stderr)
        return
    what = "sequences a second against RecBole's SASRec, lengths like KuaiRand's"
    figures.record(what, took["recbole"] / took["sasrec"], at_least=10, unit="x")


def record_short(figures: Figures, options: Options) -> None:
    """Lengths of median 6."""
    viewers = 800 if options.quick else 2_400
    length_U = short_lengths(viewers)
    data = made_dataset(length_U, VIDEOS)
    took = _alternated(
        {
            "rectools": lambda: {"rectools": _peer_seconds(RECTOOLS, data, _rectools(20))},
            "ours": lambda: _ours(("sasrec", "ids"), data, 20),
        },
        1 if options.quick else ROUNDS,
    )
    figures.record("median of short lengths", float(np.median(length_U)))
    what = "sequences a second against RecTools' SASRec, short lengths"
    for name, title in (("sasrec", "our SASRec"), ("ids", "the model on ids")):
        figures.record(f"{what}: {title}", took["rectools"] / took[name], at_least=6, unit="x")


def record_quality(figures: Figures, options: Options) -> None:
    """How much sooner we are as good as RecTools, however long it is trained.

    As ours shares its negatives among the targets of a batch, more of them cost it little.
    """
    if options.quick:
        return
    if options.own.kuairand is None:
        print(_ON_REAL_LOGS, file=sys.stderr)
        return
    settings = _rectools(50)
    settings["model"] |= {"lr": RATE}
    ours, theirs = courses_on_kuairand(
        options.own.kuairand,
        settings,
        ours=((6, NEGATIVES), (6, 4 * NEGATIVES), (12, 4 * NEGATIVES)),
        theirs=(3, 6),
    )
    for name, courses in (("our", ours), ("RecTools'", theirs)):
        for course in courses:
            title = f"{name} SASRec on KuaiRand, {course.epochs} epochs, {course.negatives} negatives"
            figures.record(f"NDCG@10 of {title}", course.ndcg)
            figures.record(f"processor time of {title}", course.seconds, unit=" s")
    best = [max(course.ndcg for course in courses) for courses in (ours, theirs)]
    figures.record("NDCG@10 of our best against RecTools' best", best[0] / best[1], at_least=1, unit="x")
    figures.record(
        "processor time to an NDCG@10 of RecTools against ours, the least ratio of its trainings",
        min(_sooner(ours, course) for course in theirs),
        at_least=3,
        unit="x",
    )


def _sooner(ours: list[Course], theirs: Course) -> float:
    """What a training took against the shortest of ours that is as good; 0 where none is."""
    return max((theirs.seconds / course.seconds for course in ours if course.ndcg >= theirs.ndcg), default=0.0)


def record_layers(figures: Figures, options: Options) -> None:
    """Other numbers than single precision, and compiled layers, on a device."""
    device = options.own.device
    if device == "cuda" and not torch.cuda.is_available():
        sys.exit("torch finds no GPU here: leave --device cuda out to measure on the processor")
    first, *others = WAYS
    networks: dict[Network, str] = {"ids": "ids", "content": "three modalities and ids"}
    for network, title in networks.items():
        speeds = _apart(sequences_a_second, network, device, 300 if options.quick else 2_000)
        what = f"sequences a second on {device}, the model on {title}, layers in"
        figures.record(f"{what} {first}", speeds[first])
        for name in others:
            figures.record(f"{what} {name}", speeds[name])
            figures.record(f"{what} {name} against {first}", speeds[name] / speeds[first], unit="x")
    for width in (64,) if options.quick else (64, 512):
        for name, share in _apart(share_of_peak, width, device).items():
            figures.record(
                f"a Transformer of width {width} on {device}, {name}: share of the device's peak", share
            )
    if options.own.kuairand is not None:
        found = _apart(quality, options.own.kuairand, device, 1 if options.quick else 6)
        base, *compared = found
        figures.record(f"NDCG@10 of the model on ids on KuaiRand, {base}", found[base])
        for name in compared:
            figures.record(
                f"NDCG@10 of the model on ids on KuaiRand, {name} against {base}",
                found[name] / found[base],
                at_least=0.97,
                unit="x",
            )


def record_matmul(figures: Figures, options: Options) -> None:
    share, whole = _apart(matmul_share, 5 if options.quick else 20)
    what = "of the rate of the matrix products alone, at the same shapes"
    figures.record(f"attention and linear layers: share {what}", share, at_least=0.5)
    figures.record(f"a whole step of SASRec: share {what}", whole)


def record_memory(figures: Figures, options: Options) -> None:
    few, many = (10_000, 40_000) if options.quick else (20_000, 80_000)
    peaks = [_apart(peak_from_files, viewers) for viewers in (few, many)]
    figures.record(f"peak memory with {many * FILED_LENGTH:,} interactions in files", peaks[1], unit=" GB")
    figures.record("peak memory at 4 times the interactions", peaks[1] / peaks[0], at_most=1.1, unit="x")
    figures.record(
        "bytes more for each interaction more", (peaks[1] - peaks[0]) * 2**30 / ((many - few) * FILED_LENGTH)
    )


def record_ids(figures: Figures, options: Options) -> None:
    videos = 200_000 if options.quick else 10_000_000
    figures.record(
        f"peak memory with {videos:,} ids of 64", _apart(peak_of_ids, videos) / 1000, at_most=16, unit=" GB"
    )


def record_processes(figures: Figures, options: Options) -> None:
    """Wall time tells of two processes only where each had a core; processor time tells it anywhere."""
    found = two_processes(300 if options.quick else 1_000, 1 if options.quick else ROUNDS)
    two = "two processes against one"
    figures.record(
        f"{two}, processor seconds with the slower at each step", found["processor"], at_least=1.7, unit="x"
    )
    enough = 1.7 if found["cores"] > 1.8 else None
    figures.record(f"{two}, wall time", found["speed"], at_least=enough, unit="x")
    figures.record("cores that two processes had, of 2", found["cores"])
    figures.record("processor seconds of both against those of one", found["extra"], unit="x")
    figures.record("largest relative difference of an epoch's loss", found["apart"], at_most=1e-5)


def _alternated(what: dict[str, Callable[[], dict[str, float]]], rounds: int) -> dict[str, float]:
    """The median seconds of each, taking turns."""
    took: dict[str, list[float]] = {}
    for _ in range(rounds):
        for ask in what.values():
            for name, seconds in ask().items():
                took.setdefault(name, []).append(seconds)
                print(f"{name} {seconds:.2f} s", file=sys.stderr, flush=True)
    return {name: statistics.median(seconds) for name, seconds in took.items()}


def _ours(networks: tuple[Network, ...], data: Dataset, history: int) -> dict[str, float]:
    found: dict[str, float] = _apart(epoch_seconds, networks, data, history, BATCH, NEGATIVES)
    return found


def _apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def _peer_seconds(peer: Peer, data: Dataset, settings: dict[str, Any]) -> float:
    """Processor seconds of the last epoch of a peer on a whole data set."""
    last = int(data.interactions.at_I.max())
    with tempfile.TemporaryDirectory(prefix="swipewise-train-") as name:
        folder = Path(name)
        # What is to be predicted is two events long after; nobody is asked for them.
        write_exchange(
            folder, _with_a_future(data), name="made", validation_from=last + 1, test_from=last + HOUR_MS
        )
        outcome = attempt(peer, folder, settings, "validation", out=folder / "out")
        return float(outcome.facts["seconds"]["epoch"])


def _with_a_future(data: Dataset) -> Dataset:
    rows = data.interactions
    two = rows.where(np.array([0, 0]))
    unseen = np.setdiff1d(np.arange(len(data.video_ids)), rows.video_I)[:2]
    later = replace(two, video_I=unseen, at_I=int(rows.at_I.max()) + np.array([1, HOUR_MS + 1]))
    return replace(data, interactions=rows.followed_by(later))


def _rectools(history: int) -> dict[str, Any]:
    own = {"session_max_len": history, "loss": "sampled_softmax", "n_negatives": NEGATIVES, "batch_size": BATCH}
    return {"history": "positives", "attributes": False, "model": MODEL | own}


def _recbole(history: int) -> dict[str, Any]:
    model = {
        "n_layers": 2,
        "n_heads": 4,
        "hidden_size": 64,
        "inner_size": 256,
        "hidden_dropout_prob": 0.2,
        "attn_dropout_prob": 0.2,
        "train_batch_size": BATCH,
        "loss_type": "CE",
    }
    return {"history": history, "epochs": EPOCHS, "model": model}


def _add_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="PART",
        help="long, recbole, short, quality, layers, matmul, memory, ids, processes",
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="of the part on layers")
    parser.add_argument(
        "--kuairand",
        type=Path,
        help="a workspace that benchmarks/kuairand.py made, ~/.cache/swipewise/kuairand/workspace",
    )


if __name__ == "__main__":
    run(measure, __doc__, add_options=_add_options, quick_bars=False)
