"""Run a peer on an exchange folder: tune it once on the validation period, then only the winner on the test."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .environments import PeerError, environment, run_script
from .exchange import Period, auc_of, ndcg_of
from .trials import PEERS, Peer, Settings

_HERE = Path(__file__).parent
TUNED = _HERE / "tuned"
"""One JSON file a peer: its trials on the validation period, and the winner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a peer reached.

    ndcg_B: (B,) NDCG@10 for each viewer ranked for, ascending; None where the peer does not rank.
    auc: by action; empty where the peer does not predict.
    facts: what the peer says of itself: library, settings, seconds.
    """

    ndcg_B: NDArray[np.float64] | None
    auc: dict[str, float]
    facts: dict[str, Any]

    def value(self, criterion: str) -> float:
        """The figure that trials are compared by."""
        if criterion == "auc":
            return float(np.mean(list(self.auc.values())))
        assert self.ndcg_B is not None, "only a peer that ranks is tuned by its ranking"
        return float(self.ndcg_B.mean())


def contest(name: str, folder: Path, *, tune: bool = False, cache: Path | None = None) -> Outcome:
    """The test figures of a peer with the settings that won its trials.

    Args:
        name: A key of ``PEERS``.
        folder: The exchange folder; the answers go to ``folder/out/NAME``.
        tune: Find the winner again, even though one is kept.
        cache: Where environments are kept; None: the user's cache.

    Raises:
        PeerError: There is no such peer, or it cannot be installed or run.
    """
    peer = peer_called(name)
    kept = TUNED / f"{name}.json"
    if tune or not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(json.dumps(tuned(peer, folder, cache=cache), indent=2) + "\n", encoding="utf-8")
    winner = json.loads(kept.read_text(encoding="utf-8"))["winner"]
    return attempt(peer, folder, winner, "test", out=folder / "out" / name, cache=cache)


def tuned(peer: Peer, folder: Path, *, cache: Path | None = None) -> dict[str, Any]:
    """Run every trial of a peer on the validation period: all of them, and the settings of the best.

    What was tried on this very split before is not tried again, so that a tuning that was stopped goes on.
    """
    trials: list[dict[str, Any]] = []
    for number, settings in enumerate(peer.trials):
        out = folder / "trials" / peer.name / str(number)
        if _is_done(folder, out, settings):
            outcome = _outcome(folder, out, "validation")
        else:
            outcome = attempt(peer, folder, settings, "validation", out=out, cache=cache)
        value = round(outcome.value(peer.criterion), 5)
        trials.append({"settings": settings, peer.criterion: value})
        print(f"{peer.name} {json.dumps(settings)}  {peer.criterion} {value}", file=sys.stderr, flush=True)
    best = max(trials, key=lambda trial: trial[peer.criterion])
    split = json.loads((folder / "split" / "split.json").read_text(encoding="utf-8"))
    return {
        "peer": peer.name,
        "library": outcome.facts["library"],
        "data": split["name"],
        "criterion": peer.criterion,
        "ranked_viewers": outcome.facts.get("viewers"),
        "trials": trials,
        "winner": best["settings"],
    }


def attempt(
    peer: Peer, folder: Path, settings: Settings, period: Period, *, out: Path, cache: Path | None = None
) -> Outcome:
    """Train a peer with some settings and measure it on a period."""
    python = environment(peer.requirements, cache)
    arguments = [
        *("--split", str(folder / "split")),
        *("--out", str(out)),
        *("--period", period),
        *("--settings", json.dumps(settings)),
    ]
    if period == "validation" and peer.sample is not None:
        arguments += ["--sample", str(peer.sample)]
    for stale in ("topk.parquet", "predictions.parquet", "facts.json"):
        (out / stale).unlink(missing_ok=True)
    run_script(python, _HERE / peer.script, arguments, log=out / "log.txt")
    return _outcome(folder, out, period)


def peer_called(name: str) -> Peer:
    """A peer by its name.

    Raises:
        PeerError: There is none.
    """
    if name not in PEERS:
        raise PeerError(f"there is no peer called {name!r}: choose one of {', '.join(PEERS)}")
    return PEERS[name]


def _is_done(folder: Path, out: Path, settings: Settings) -> bool:
    """Whether these settings were answered since the split was written."""
    facts = out / "facts.json"
    if not facts.exists() or facts.stat().st_mtime < (folder / "split" / "split.json").stat().st_mtime:
        return False
    answered: bool = json.loads(facts.read_text(encoding="utf-8"))["settings"] == settings
    return answered


def _outcome(folder: Path, out: Path, period: Period) -> Outcome:
    split = folder / "split"
    return Outcome(
        ndcg_B=ndcg_of(split, out, period) if (out / "topk.parquet").exists() else None,
        auc=auc_of(split, out, period) if (out / "predictions.parquet").exists() else {},
        facts=json.loads((out / "facts.json").read_text(encoding="utf-8")),
    )
