"""The peers, and what each of them may try on the validation period: as many trials for every one.

The first trial of each is its library at its default settings, but for what one core cannot carry: in RecTools width 64
instead of 256, and the last 25 positive interactions or 50 exposures instead of 100; in torch-rechub, which leaves the
network's sizes open, one epoch of its trainer instead of ten.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Settings = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """An outside implementation.

    script: a file beside this one; requirements: a file of ``requirements``, without its suffix.
    criterion: what its trials are compared by: NDCG@10 of its ranking, or the mean AUC of the actions it predicts.
    sample: how many viewers the trials rank for; None: all of the validation period.
    """

    name: str
    script: str
    requirements: str
    trials: tuple[Settings, ...]
    criterion: Literal["ndcg@10", "auc"] = "ndcg@10"
    sample: int | None = None


def _knn(history: str, neighbours: int) -> Settings:
    return {"history": history, "K": neighbours}


_SAMPLED: Settings = {"loss": "sampled_softmax", "lr": 3e-3}


def _sequential(history: str, *, attributes: bool = False, **model: Any) -> Settings:
    return {
        "history": history,
        "attributes": attributes,
        "model": {"n_factors": 64, "session_max_len": 50, **model},
    }


def _din(task: str, **settings: Any) -> Settings:
    chosen = {
        "task": task,
        "history": 20,
        "width": 16,
        "hidden": [128, 64],
        "dropout": 0.2,
        "epochs": 1,
        "batch_size": 2048,
        "lr": 1e-3,
        "weight_decay": 1e-5,
    }
    return chosen | settings


PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer(
            name="itemknn",
            script="itemknn.py",
            requirements="implicit",
            trials=(
                _knn("positives", 20),
                _knn("positives", 500),
                _knn("exposures", 100),
                _knn("exposures", 2000),
            ),
        ),
        Peer(
            name="sasrec",
            script="sasrec.py",
            requirements="rectools",
            trials=(
                _sequential("positives", session_max_len=25),
                _sequential("exposures", **_SAMPLED, n_negatives=32, epochs=6),
                _sequential("exposures", attributes=True, **_SAMPLED, n_negatives=32, epochs=5),
                _sequential("exposures", attributes=True, loss="sampled_softmax", n_negatives=128, epochs=3),
            ),
        ),
        Peer(
            name="bert4rec",
            script="bert4rec.py",
            requirements="rectools",
            trials=(
                _sequential("positives", session_max_len=25),
                _sequential("exposures", **_SAMPLED, n_negatives=32, epochs=8, mask_prob=0.4),
                _sequential("exposures", attributes=True, **_SAMPLED, n_negatives=32, epochs=8, mask_prob=0.4),
                _sequential("positives", attributes=True, **_SAMPLED, n_negatives=32, epochs=10, mask_prob=0.4),
            ),
        ),
        Peer(
            name="din",
            script="din.py",
            requirements="torch_rechub",
            criterion="auc",
            trials=(
                _din("predict"),
                _din("predict", lr=3e-3),
                _din("predict", history=10, lr=3e-3, batch_size=1024),
                _din("predict", width=8, weight_decay=1e-4),
            ),
        ),
        Peer(
            name="din-ranking",
            script="din.py",
            requirements="torch_rechub",
            sample=1000,
            trials=(
                _din("rank", negatives=1),
                _din("rank", negatives=4),
                _din("rank", negatives=1, epochs=2),
                _din("rank", negatives=1, width=8, weight_decay=1e-4),
            ),
        ),
    )
}
"""Every peer by its name."""
