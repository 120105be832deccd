"""Run peers on an exchange folder: ``python -m benchmarks.peers FOLDER PEER...``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from swipewise.errors import SwipewiseError

from .contest import contest
from .environments import PeerError
from .trials import PEERS


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description="Run peers on an exchange folder."
    )
    parser.add_argument("folder", type=Path, help="an exchange folder, as exchange.write_exchange leaves it")
    parser.add_argument("peers", nargs="+", choices=list(PEERS), metavar="PEER", help=", ".join(PEERS))
    parser.add_argument("--tune", action="store_true", help="find the winner again, even though one is kept")
    parser.add_argument("--cache", type=Path, help="where the environments are kept")
    chosen = parser.parse_args()
    try:
        for name in chosen.peers:
            outcome = contest(name, chosen.folder, tune=chosen.tune, cache=chosen.cache)
            if outcome.ndcg_B is not None:
                print(f"{name}  NDCG@10 of {len(outcome.ndcg_B)} viewers  {outcome.ndcg_B.mean():.4f}", flush=True)
            for action, value in outcome.auc.items():
                print(f"{name}  AUC of {action}  {value:.4f}", flush=True)
            print(f"{name}  seconds  {outcome.facts['seconds']}", flush=True)
    except (PeerError, SwipewiseError, FileNotFoundError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
