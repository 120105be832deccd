"""KuaiRand, real logs of a short-video app: the model against tuned baselines, its own and outside ones.

Train on the history and 25 to 30 April, test on 1 to 8 May. Relevant is what a viewer long-viewed then and had never
been shown before; all videos that the viewer had never been shown are candidates. Every recommender is fitted until
early stopping on 29 and 30 April says how long, and again for so many epochs on everything before May.

The settings of all recommenders, ours included, come from one search of equal length for each, on the validation period
alone; they are kept in benchmarks/tuned/kuairand.json. ``--tune`` searches again, ``--only`` measures some. Outside
implementations take part once ``--peers`` has run them in environments of their own.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, fields, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from figures import Figures, Options, run
from heads import Head, least_strength, ndcg_B
from numpy.typing import NDArray
from spreading import OWN, WAYS

from swipewise.baselines.peers import PEERS, Peer, model_peer
from swipewise.baselines.tuning import EPOCHS, Tuned, load_settings, save_settings, search
from swipewise.config import Config, ModelConfig, TrainingConfig
from swipewise.datasets.convert import convert
from swipewise.datasets.layouts import LAYOUTS
from swipewise.evaluation.actions import measure_actions
from swipewise.evaluation.beyond import LIST, attribute_distance, diversity
from swipewise.evaluation.intervals import bootstrap_means
from swipewise.evaluation.protocol import Measured, Metric, Protocol, evaluate, measured_of
from swipewise.evaluation.segments import Segment
from swipewise.feed.diversify import HEAD
from swipewise.schema import Modality
from swipewise.training.dataset import ActionPredictor, Dataset, Interactions, Recommender
from swipewise.training.loop import Epoch
from swipewise.training.ranking import RankingTask, mean_ndcg, ranking_task
from swipewise.training.recommender import InterestRecommender
from swipewise.training.workspace_data import load_dataset
from swipewise.workspace import Workspace

MAY_MS = 1_651_334_400_000  # 2022-05-01 00:00 in China
VALIDATION_MS = MAY_MS - 2 * 86_400_000
SETTINGS = Path(__file__).parent / "tuned" / "kuairand.json"
TRIALS = 6
TUNING_VIEWERS = 8_000
TRIAL_SECONDS = 180.0  # of processor time
MOST_EPOCHS = {"din": 8}  # each ranks the whole catalogue pair by pair and takes minutes
COLD_BELOW = 5  # long views before May
QUICK_VIEWERS = 1_000
OURS, WITHOUT_PROFILE = "swipewise", "swipewise without profile"
BASELINES = ("popularity", "recent", "itemcf", "din", "bert4rec", "sasrec")
APART = 1.15
STRENGTHS = [step / 100 for step in range(100)]
ACTIONS = {"finish": "long view", "like": "like", "skip": "click"}  # a click is what was not skipped

# What is not searched over: there are no content vectors, histories are short, and a few places of each suffice.
BASE = Config(
    model=ModelConfig(
        modalities=(Modality.ATTRIBUTES, Modality.ID),
        history=64,
        memory=64,
        id_dropout=0.1,
        attribute_dropout=0.0,
        neighbour_weight=1.0,
        group_weight=0.1,
    ),
    training=TrainingConfig(
        epochs=7,
        patience=2,
        places=8,
        hidden_share=0.3,
        ahead=100,
        negatives=1024,
        learning_rate=3e-3,
        watch_weight=1.0,
        shown_weight=0.3,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """What a recommender did: its rankings, probabilities of both periods where it predicts, and its processor time.

    The heads are what a feed would spread out; only our rankings have them.
    """

    best_BK: NDArray[np.int64]
    actions: tuple[str, ...]
    validation_IA: NDArray[np.float32]
    test_IA: NDArray[np.float32]
    epochs: int
    fit_seconds: float
    rank_seconds: float
    validation_head: Head | None = None
    test_head: Head | None = None


def measure(figures: Figures, options: Options) -> None:
    work: Path = options.own.work
    work.mkdir(parents=True, exist_ok=True)
    workspace = work / "workspace"
    if not workspace.exists():
        convert(LAYOUTS["kuairand"], _source(), workspace)
    usual = ("popularity", "itemcf") if options.quick else (*BASELINES, OURS, WITHOUT_PROFILE)
    names = options.own.only or usual
    most = QUICK_VIEWERS if options.quick else None
    with ProcessPoolExecutor(options.own.jobs, mp_context=get_context("spawn")) as pool:
        _tune(pool, workspace, [name for name in names if name != WITHOUT_PROFILE], again=options.own.tune)
        reached = _reach(pool, work, names, most, fresh=options.own.fresh)
    dataset = _dataset(workspace, most)
    protocol = Protocol.at(dataset, MAY_MS, all_candidates=True)
    measured = {name: measured_of(name, one.best_BK, protocol) for name, one in reached.items()}
    figures.record("viewers", len(protocol.task.viewers_B))
    for name, one in measured.items():
        figures.record(f"NDCG@10 of {name}", one.mean(Metric.NDCG_10))
    cold_B = _cold(protocol)
    for name, one in measured.items():
        figures.record(
            f"NDCG@10 of {name} on viewers with fewer than {COLD_BELOW} long views",
            float(_ndcg_B(one)[cold_B].mean()),
        )
    if options.own.peers:
        measured |= _outside(work, dataset, figures, options.own.peers, most)
    if OURS not in measured:
        return
    peers = [name for name in measured if name not in (OURS, WITHOUT_PROFILE)]
    if peers:
        best = max(peers, key=lambda name: float(_ndcg_B(measured[name]).mean()))
        ratio = _ratio(_ndcg_B(measured[OURS]), _ndcg_B(measured[best]))
        figures.record(f"NDCG@10 against {best}, the best baseline", ratio[0], at_least=1.10, unit="x")
        figures.record("lower end of its 95% interval", ratio[1], at_least=1.041, unit="x")
    if WITHOUT_PROFILE in measured:
        ratio = _ratio(_ndcg_B(measured[OURS])[cold_B], _ndcg_B(measured[WITHOUT_PROFILE])[cold_B])
        figures.record("NDCG@10 on cold viewers against no profile", ratio[0], at_least=1.05, unit="x")
        figures.record("lower end of its 95% interval, cold viewers", ratio[1], at_least=1.0, unit="x")
    _predict(figures, dataset, reached)
    ours = reached[OURS]
    _spread_out(figures, dataset, protocol, ours)
    figures.record("epochs of our training", ours.epochs)
    figures.record(
        "minutes of processor time of our training, early stopping and refit together", ours.fit_seconds / 60
    )
    figures.record("minutes of processor time of ranking and predicting", ours.rank_seconds / 60)
    total = (ours.fit_seconds + ours.rank_seconds) / 60
    figures.record("minutes of processor time of training and evaluation, one thread", total, at_most=30)


def _predict(figures: Figures, dataset: Dataset, reached: Mapping[str, Reached]) -> None:
    """Our probabilities, and DIN's where it was measured, on the same exposures."""
    rivals = {name: _Kept(reached[name]) for name in (OURS, "din") if name in reached}
    exam = measure_actions(rivals, dataset, valid_start=VALIDATION_MS, test_start=MAY_MS)
    assert exam is not None
    for one in exam.actions:
        if one.action not in ACTIONS:
            continue
        title, score = ACTIONS[one.action], one.scores[OURS]
        figures.record(f"AUC of {title}", score.auc.value)
        for against in one.against:
            figures.record(f"AUC of {title}, DIN", one.scores[against.other].auc.value)
            figures.record(f"AUC of {title} above DIN", against.auc.value, at_least=0.01)
            figures.record(f"lower end of its 95% interval, {title}", against.auc.low)
        figures.record(f"calibration error of {title}", score.reliability.error, at_most=0.02)


def _spread_out(figures: Figures, dataset: Dataset, protocol: Protocol, ours: Reached) -> None:
    """What it costs to spread our lists out; how strongly is chosen before May, where ways to do so are compared."""
    before, now = ours.validation_head, ours.test_head
    assert before is not None
    assert now is not None
    train, validation = dataset.before(VALIDATION_MS), dataset.between(VALIDATION_MS, MAY_MS)
    task = ranking_task(train, validation, all_candidates=True)
    variety_B, plain = before.varieties(task), before.video_BH[:, :LIST]
    strengths = {}
    for name, way in WAYS.items():
        strengths[name] = least_strength(before, way, variety_B, apart=APART, strengths=STRENGTHS)
        ratio = _ratio(ndcg_B(before.spread(way, strengths[name], variety_B), task), ndcg_B(plain, task))
        figures.record(f"NDCG@10 before May of lists {APART}x apart in the {name} way", ratio[0], unit="x")
    task, plain = protocol.task, now.video_BH[:, :LIST]
    strength = strengths[OWN]
    spread = now.spread(WAYS[OWN], strength, now.varieties(task))
    figures.record("feed.diversity chosen before May", strength)
    distance = _ratio(now.distance_B(spread), now.distance_B(plain))
    figures.record(
        "distance of the vectors within lists of ten, against the order of scores",
        distance[0],
        at_least=APART,
        unit="x",
    )
    figures.record("lower end of its 95% interval, distance", distance[1], unit="x")
    attributes = attribute_distance(dataset)
    assert attributes is not None
    apart = _ratio(diversity(spread, attributes), diversity(plain, attributes))
    figures.record("share of attributes that only one of two has, against the order of scores", apart[0], unit="x")
    ratio = _ratio(ndcg_B(spread, task), ndcg_B(plain, task))
    figures.record("NDCG@10 of lists spread out, against the order of scores", ratio[0], at_least=0.99, unit="x")
    figures.record("lower end of its 95% interval, lists spread out", ratio[1], unit="x")


class _Kept:
    """Probabilities that were predicted before, for exactly the two periods."""

    def __init__(self, reached: Reached) -> None:
        self._reached = reached
        self.actions = reached.actions

    def predict(self, exposures: Interactions) -> NDArray[np.float32]:
        later = exposures.at_I.min() >= MAY_MS
        return self._reached.test_IA if later else self._reached.validation_IA


def _tune(pool: ProcessPoolExecutor, workspace: Path, names: Sequence[str], *, again: bool) -> None:
    """Search for the settings of those that have none yet; what is found is kept at once."""
    found = load_settings(SETTINGS)
    missing = [name for name in names if again or name not in found]
    jobs = {pool.submit(_search, name, workspace): name for name in missing}
    for job in as_completed(jobs):
        found = {**load_settings(SETTINGS), jobs[job]: job.result()}
        SETTINGS.parent.mkdir(exist_ok=True)
        save_settings(SETTINGS, found)


def _search(name: str, workspace: Path) -> Tuned:
    """Look at some of the viewers alone, the same for everybody; how long to train is found later, on all."""
    dataset = load_dataset(Workspace.open(workspace))
    known = np.unique(dataset.before(VALIDATION_MS).interactions.viewer_I)
    chosen = np.isin(
        dataset.interactions.viewer_I, np.random.default_rng(0).choice(known, TUNING_VIEWERS, replace=False)
    )
    some = replace(dataset, interactions=dataset.interactions.where(chosen))
    peer = _peer(name)
    tuned = search(
        peer.build,
        peer.space,
        some.before(VALIDATION_MS),
        some.between(VALIDATION_MS, MAY_MS),
        defaults=peer.defaults,
        trials=TRIALS,
        all_candidates=True,
        seconds=TRIAL_SECONDS,
        on_trial=lambda tried: print(name, tried, file=sys.stderr, flush=True),
    )
    settings = {key: value for key, value in tuned.settings.items() if key != EPOCHS}
    return replace(tuned, settings=settings)


def _reach(
    pool: ProcessPoolExecutor, work: Path, names: Sequence[str], most: int | None, *, fresh: bool
) -> dict[str, Reached]:
    """Everybody's rankings; those of an earlier call with the same settings are taken from the disk."""
    found = load_settings(SETTINGS)
    jobs: dict[str, Future[Path]] = {}
    for name in reversed(names):  # the longest first
        settings = dict(found[OURS if name == WITHOUT_PROFILE else name].settings)
        size = "" if most is None else f"-{most}"
        path = work / f"{name.replace(' ', '_')}{size}-{_hash(name, settings)}.npz"
        if fresh:
            path.unlink(missing_ok=True)
        jobs[name] = pool.submit(_fit_and_rank, name, settings, work / "workspace", most, path)
    reached = {}
    for name in names:
        path = jobs[name].result()
        with np.load(path, allow_pickle=False) as kept:
            reached[name] = Reached(
                best_BK=kept["best_BK"],
                actions=tuple(kept["actions"].tolist()),
                validation_IA=kept["validation_IA"],
                test_IA=kept["test_IA"],
                **{key: kept[key].item() for key in ("epochs", "fit_seconds", "rank_seconds")},
                validation_head=_kept_head(kept, "validation"),
                test_head=_kept_head(kept, "test"),
            )
    return reached


def _dataset(workspace: Path, most: int | None) -> Dataset:
    """The logs, of the first viewers alone where no more than so many are asked for."""
    dataset = load_dataset(Workspace.open(workspace))
    if most is None:
        return dataset
    return replace(dataset, interactions=dataset.interactions.where(dataset.interactions.viewer_I < most))


def _fit_and_rank(name: str, settings: dict[str, Any], workspace: Path, most: int | None, path: Path) -> Path:
    """Fit a recommender as the protocol says, rank, predict if it can, and keep all of that in ``path``."""
    if path.exists():
        return path
    print(f"{name} {settings}", file=sys.stderr, flush=True)
    dataset = _dataset(workspace, most)
    protocol = Protocol.at(dataset, MAY_MS, all_candidates=True)
    train, validation = dataset.before(VALIDATION_MS), dataset.between(VALIDATION_MS, MAY_MS)
    peer = _peer(name)
    own = {key: value for key, value in settings.items() if key != EPOCHS}
    limit = {EPOCHS: MOST_EPOCHS[name]} if name in MOST_EPOCHS else {}
    began = time.process_time()
    epochs: list[Epoch] = []
    stopped = peer.build(own | limit, validation=validation, on_epoch=epochs.append).fit(train)
    task = ranking_task(train, validation, all_candidates=True)
    validation_head = _head(stopped, task, "validation")
    print(f"{name}: validation NDCG@10 {mean_ndcg(stopped.score, task):.5f}", file=sys.stderr, flush=True)
    best = max(epochs, key=lambda epoch: epoch.validation_ndcg or 0.0).number if epochs else 0
    length = {EPOCHS: best} if best else {}
    refitted = peer.build(own | length, validation=None, on_epoch=lambda _: None).fit(protocol.history)
    fitted = time.process_time()
    measured = evaluate(refitted, protocol)
    predicted = _predicted(stopped, dataset)
    kept: dict[str, Any] = {
        "best_BK": measured.best_BK,
        **predicted,
        "epochs": best,
        "fit_seconds": fitted - began,
        "rank_seconds": time.process_time() - fitted,
        **validation_head,
        **_head(refitted, protocol.task, "test"),
    }
    unfinished = path.with_suffix(".unfinished.npz")
    np.savez_compressed(unfinished, **kept)
    unfinished.replace(path)
    print(f"{name}: test NDCG@10 {measured.mean(Metric.NDCG_10):.5f}", file=sys.stderr, flush=True)
    return path


def _head(recommender: Recommender, task: RankingTask, period: str) -> dict[str, NDArray[Any]]:
    """The heads of our rankings, which a feed diversifies; of nobody else's, as they have no index."""
    if not isinstance(recommender, InterestRecommender):
        return {}
    return {f"{period}_{name}": values for name, values in asdict(Head.of(recommender, task)).items()}


def _kept_head(kept: Mapping[str, NDArray[Any]], period: str) -> Head | None:
    names = {each.name: f"{period}_{each.name}" for each in fields(Head)}
    return Head(**{name: kept[key] for name, key in names.items()}) if names["video_BH"] in kept else None


def _predicted(recommender: Recommender, dataset: Dataset) -> dict[str, NDArray[Any]]:
    """What it predicts of both periods, from the calibration of the fit that stopped early."""
    if not isinstance(recommender, ActionPredictor):
        nothing = np.zeros((0, 0), np.float32)
        return {"actions": np.zeros(0, "U1"), "validation_IA": nothing, "test_IA": nothing}
    recommender.observe(dataset)
    last = int(dataset.interactions.at_I.max()) + 1
    return {
        "actions": np.array(recommender.actions),
        "validation_IA": recommender.predict(dataset.between(VALIDATION_MS, MAY_MS).interactions),
        "test_IA": recommender.predict(dataset.between(MAY_MS, last).interactions),
    }


def _peer(name: str) -> Peer:
    if name == OURS:
        return model_peer(BASE)
    if name == WITHOUT_PROFILE:
        return model_peer(replace(BASE, model=replace(BASE.model, without=("profile",))))
    return PEERS[name]


def _cold(protocol: Protocol) -> NDArray[np.bool_]:
    """Which viewers of the task had few long views before May: (B,)."""
    rows = protocol.history.interactions
    liked_U = np.bincount(rows.viewer_I[rows.positive_I], minlength=len(protocol.history.viewer_ids))
    cold_B: NDArray[np.bool_] = liked_U[protocol.task.viewers_B] < COLD_BELOW
    return cold_B


def _ndcg_B(measured: Measured) -> NDArray[np.float64]:
    return measured.values[Segment.ALL][Metric.NDCG_10]


def _ratio(ours_B: NDArray[np.float64], theirs_B: NDArray[np.float64]) -> tuple[float, float]:
    """Ratio of the means and the lower end of its 95% interval, viewers resampled in pairs."""
    drawn_S2 = bootstrap_means(np.stack([ours_B, theirs_B], axis=1))
    return float(ours_B.mean() / theirs_B.mean()), float(np.quantile(drawn_S2[:, 0] / drawn_S2[:, 1], 0.025))


def _outside(
    work: Path, dataset: Dataset, figures: Figures, names: Sequence[str], most: int | None
) -> dict[str, Measured]:
    """Outside implementations on the same split and candidates, each in an environment of its own."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from benchmarks.peers.contest import contest
    from benchmarks.peers.exchange import write_exchange

    folder = work / ("exchange" if most is None else f"exchange-{most}")
    write_exchange(folder, dataset, name="KuaiRand, part", validation_from=VALIDATION_MS, test_from=MAY_MS)
    protocol = Protocol.at(dataset, MAY_MS, all_candidates=True)
    found = {}
    for name in names:
        outcome = contest(name, folder)
        if outcome.ndcg_B is not None:
            figures.record(f"NDCG@10 of {name}, outside", float(outcome.ndcg_B.mean()))
            found[f"{name}, outside"] = Measured(
                name=name,
                best_BK=np.zeros((0, 0), np.int64),
                values={Segment.ALL: {Metric.NDCG_10: outcome.ndcg_B}},
            )
            assert len(outcome.ndcg_B) == len(protocol.task.viewers_B)
        for action, value in outcome.auc.items():
            figures.record(f"AUC of {action}, {name}, outside", value)
    return found


def _source() -> Path:
    root = Path(os.environ.get("SWIPEWISE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    source = root / "kuairand"
    if not source.is_dir():
        sys.exit(f"{source} is not there: set SWIPEWISE_DATA to the folder that holds kuairand/")
    return source


def _hash(name: str, settings: Mapping[str, Any]) -> str:
    """Names what was measured by all its settings; after a change of the code ``--fresh`` measures again."""
    ours = {"model": asdict(BASE.model), "training": asdict(BASE.training), "head": HEAD}
    fixed = ours if name in (OURS, WITHOUT_PROFILE) else {}
    return hashlib.sha256(json.dumps([settings, fixed], sort_keys=True).encode()).hexdigest()[:12]


def _add_options(parser: ArgumentParser) -> None:
    cache = Path.home() / ".cache" / "swipewise" / "kuairand"
    parser.add_argument("--tune", action="store_true", help="search for all settings anew")
    parser.add_argument("--fresh", action="store_true", help="measure again what is kept")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="measure only these")
    parser.add_argument(
        "--peers", nargs="+", metavar="PEER", default=(), help="outside implementations to measure"
    )
    parser.add_argument("--jobs", type=int, default=2, help="recommenders fitted at a time")
    parser.add_argument("--work", type=Path, default=cache, help="where what was measured is kept, to go on from")


if __name__ == "__main__":
    run(measure, __doc__, add_options=_add_options)
