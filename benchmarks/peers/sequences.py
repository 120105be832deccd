"""What RecTools' sequential models share: the data set they are given, and the ranking they return.

Settings: ``history`` is what a viewer's sequence holds: "positives", or "exposures", in which every video shown is
read and only the positive ones count in the loss (RecTools' weights); ``attributes`` adds what the videos are to
their ids; ``model`` goes to the model's constructor.
"""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import torch
from folder import NO_VIDEO, PLACES, Answer, Settings, Split, Stopwatch
from pytorch_lightning import seed_everything
from rectools import Columns
from rectools.dataset import Dataset


def sequential_answer(model_class: Any, split: Split, settings: Settings) -> Answer:
    """Train a model of RecTools on the split's sequences and rank every video it knows."""
    warnings.filterwarnings("ignore")
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    seed_everything(0)
    watch = Stopwatch()
    dataset = model_dataset(split, settings)
    watch.lap("read")
    model = model_class(**settings["model"], recommend_torch_device="cpu")
    model.fit(dataset)
    watch.lap("fit")
    table = model.recommend(
        split.viewers,
        dataset,
        k=PLACES + split.most_seen,
        filter_viewed=False,  # the sequence does not hold all that was seen
        on_unsupported_targets="ignore",
    )
    videos, scores = _arrays(table, split)
    watch.lap("rank")
    return Answer(videos=videos, scores=scores, seconds=watch.seconds)


def model_dataset(split: Split, settings: Settings) -> Dataset:
    """The split as RecTools takes it."""
    rows = split.rows
    if settings["history"] == "positives":
        rows = rows.filter("positive")
    interactions = rows.select(
        pl.col("viewer").alias(Columns.User),
        pl.col("video").alias(Columns.Item),
        pl.col("positive").cast(pl.Float64).alias(Columns.Weight),
        pl.from_epoch("at_ms", time_unit="ms").alias(Columns.Datetime),
    )
    columns = {name: interactions[name].to_numpy() for name in interactions.columns}
    if not settings["attributes"]:
        return Dataset.construct(pd.DataFrame(columns))
    known = pd.unique(columns[Columns.Item])
    features = _features(split.videos)
    return Dataset.construct(
        pd.DataFrame(columns),
        item_features_df=features[features["id"].isin(known)],
        cat_item_features=[name for name in split.videos.columns if name != "video"],
    )


def _features(videos: pl.DataFrame) -> pd.DataFrame:
    """RecTools' flat table: id, feature, value; what is missing has no row."""
    flat = videos.unpivot(index="video", variable_name="feature", value_name="value").filter(pl.col("value") > 0)
    return pd.DataFrame(
        {
            "id": flat["video"].to_numpy(),
            "feature": flat["feature"].to_list(),
            "value": flat["value"].to_numpy(),
        }
    )


def _arrays(table: pd.DataFrame, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """(B, N) videos and scores in the order of the split's viewers; those RecTools left out propose nothing."""
    row = np.searchsorted(split.viewers, table[Columns.User].to_numpy())
    place = table[Columns.Rank].to_numpy() - 1
    width = int(place.max()) + 1 if len(place) else 0
    videos = np.full((len(split.viewers), width), NO_VIDEO)
    scores = np.full(videos.shape, np.nan)
    videos[row, place] = table[Columns.Item].to_numpy()
    scores[row, place] = table[Columns.Score].to_numpy()
    return videos, scores
