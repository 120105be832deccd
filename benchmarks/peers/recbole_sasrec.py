"""What an epoch of RecBole's SASRec takes; settings: ``history``, ``epochs``, and ``model``, for its configuration."""

from __future__ import annotations

import os
import sys
import tempfile
import time
import warnings
from contextlib import chdir
from pathlib import Path
from typing import Any

import polars as pl
import torch
from folder import Answer, Settings, Split, main


def answer(split: Split, settings: Settings) -> Answer:
    warnings.filterwarnings("ignore")
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    sys.argv = sys.argv[:1]  # RecBole reads the command line
    rows = split.rows
    with tempfile.TemporaryDirectory() as name, chdir(name):  # RecBole writes its logs where it is
        return Answer(seconds={"epoch": _train(Path(name), rows, settings)})


def _train(folder: Path, rows: pl.DataFrame, settings: Settings) -> float:
    """Processor seconds of the last epoch."""
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.model.sequential_recommender import SASRec
    from recbole.trainer import Trainer
    from recbole.utils import init_seed

    name = "given"
    (folder / name).mkdir()
    rows.select(
        pl.col("viewer").alias("user_id:token"),
        pl.col("video").alias("item_id:token"),
        pl.col("at_ms").alias("timestamp:float"),
    ).write_csv(folder / name / f"{name}.inter", separator="\t")
    chosen: dict[str, Any] = {
        "data_path": str(folder),
        "checkpoint_dir": str(folder / "saved"),
        "use_gpu": False,
        "state": "WARNING",
        "show_progress": False,
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "USER_ID_FIELD": "user_id",
        "ITEM_ID_FIELD": "item_id",
        "TIME_FIELD": "timestamp",
        "MAX_ITEM_LIST_LENGTH": settings["history"],
        "epochs": settings["epochs"],
        "train_neg_sample_args": None,
        "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full", "group_by": "user"},
        **settings["model"],
    }
    config = Config(model="SASRec", dataset=name, config_dict=chosen)
    init_seed(0, True)
    data = create_dataset(config)
    train_data, _, _ = data_preparation(config, data)
    model = SASRec(config, train_data.dataset).to(config["device"])
    took = []

    class Timed(Trainer):
        def _train_epoch(self, *arguments: Any, **options: Any) -> Any:
            began = time.process_time()
            found = super()._train_epoch(*arguments, **options)
            took.append(time.process_time() - began)
            return found

    Timed(config, model).fit(train_data, valid_data=None, verbose=False, saved=False, show_progress=False)
    return round(took[-1], 3)


if __name__ == "__main__":
    main(answer, library="recbole")
