"""RecTools' evaluation of its SASRec, as often as it is asked to, for ``evaluate.py``.

Reads ``train.parquet`` and ``test.parquet`` (user_id, item_id, weight, datetime) from a folder, fits for an epoch, says
"ready", and then, for each line it is sent, ranks all videos that each user of the test has not seen, measures, and
prints the seconds of processor time and the figures as JSON.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

import pandas as pd
import polars as pl
import torch
from pytorch_lightning import Trainer, seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.metrics import MRR, NDCG, Recall, calc_metrics
from rectools.models import SASRecModel

PLACES = 50


def main() -> None:
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    seed_everything(0)
    folder, settings = Path(sys.argv[1]), json.loads(sys.argv[2])
    train, test = (_read(folder / f"{name}.parquet") for name in ("train", "test"))
    dataset = Dataset.construct(train)
    model = SASRecModel(**settings, recommend_torch_device="cpu", get_trainer_func=_trainer)
    model.fit(dataset)
    users = test[Columns.User].unique()
    metrics = {
        "ndcg@10": NDCG(k=10, divide_by_achievable=True),
        "recall@10": Recall(k=10),
        "recall@50": Recall(k=PLACES),
        "mrr": MRR(k=PLACES),
    }
    print("ready", flush=True)
    for _ in sys.stdin:
        began = time.process_time()
        table = model.recommend(users, dataset, k=PLACES, filter_viewed=True)
        found = calc_metrics(metrics, reco=table, interactions=test)
        seconds = time.process_time() - began
        print(json.dumps({"seconds": seconds, "viewers": len(users), **found}), flush=True)


def _read(path: Path) -> pd.DataFrame:
    table = pl.read_parquet(path)
    return pd.DataFrame({name: table[name].to_numpy() for name in table.columns})


def _trainer() -> Trainer:
    return Trainer(
        max_epochs=1,
        accelerator="cpu",
        enable_progress_bar=False,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )


if __name__ == "__main__":
    main()
