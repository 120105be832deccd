"""What an epoch of RecTools' SASRec takes; settings are those of ``sequences``."""

from __future__ import annotations

import os
import time
import warnings
from typing import Any

import torch
from folder import Answer, Settings, Split, main
from pytorch_lightning import Callback, Trainer, seed_everything
from rectools.models import SASRecModel
from sequences import model_dataset

TOOK: list[float] = []
"""Processor seconds of each epoch; not of the callback, which RecTools copies."""


class _Timed(Callback):
    _began = 0.0

    def on_train_epoch_start(self, *_: Any) -> None:
        self._began = time.process_time()

    def on_train_epoch_end(self, *_: Any) -> None:
        TOOK.append(time.process_time() - self._began)


def answer(split: Split, settings: Settings) -> Answer:
    warnings.filterwarnings("ignore")
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    seed_everything(0)

    def trainer() -> Trainer:
        quiet = ("enable_progress_bar", "enable_checkpointing", "enable_model_summary", "logger")
        return Trainer(
            max_epochs=settings["model"]["epochs"],
            accelerator="cpu",
            callbacks=[_Timed()],
            **dict.fromkeys(quiet, False),
        )

    SASRecModel(**settings["model"], get_trainer_func=trainer).fit(model_dataset(split, settings))
    return Answer(seconds={"epoch": round(TOOK[-1], 3)})


if __name__ == "__main__":
    main(answer, library="rectools")
