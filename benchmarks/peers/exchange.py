"""The exchange folder: the split as plain tables that every peer reads, and the figures of what it answers.

::

    FOLDER/split/split.json               names, counts, cuts
    FOLDER/split/train.parquet            viewer, video, at_ms, positive, finish, like, skip, click, watch_ratio
    FOLDER/split/validation.parquet       the same columns: what follows train and precedes the test
    FOLDER/split/test_exposures.parquet   the same columns: the exposures whose actions are predicted
    FOLDER/split/viewers.parquet          viewer, cold: whom to rank for in the test, ascending
    FOLDER/split/relevant.parquet         viewer, video: what they liked in the test and had never been shown
    FOLDER/split/valid_viewers.parquet, valid_relevant.parquet    likewise for tuning
    FOLDER/split/videos.parquet           video, and its attributes coded from 1, 0 where missing
    FOLDER/split/profiles.parquet         viewer, and the fields of its profile likewise

A peer writes ``topk.parquet`` (viewer, rank, video, score), ``predictions.parquet`` (a column each for the probability
of finish, like and click, rows as the exposures) and ``facts.json`` into a folder of its own. A click is an exposure
that was not skipped; it is null where nothing was logged that tells.

Legend of shape suffixes: B = viewers ranked for, K = places, I = exposures, U = viewers, V = videos.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from swipewise.errors import DataError
from swipewise.evaluation.classify import auc
from swipewise.schema import FLAG_ACTIONS, Action
from swipewise.training.dataset import Dataset, Interactions
from swipewise.training.ranking import NO_VIDEO, hits_of, ndcg_at_k, ranking_task

Period = Literal["validation", "test"]

_COLD_BELOW = 5
_FILES: dict[Period, tuple[str, str, str]] = {
    "validation": ("valid_viewers", "valid_relevant", "validation"),
    "test": ("viewers", "relevant", "test_exposures"),
}


def write_exchange(folder: Path, dataset: Dataset, *, name: str, validation_from: int, test_from: int) -> Path:
    """Write a data set, cut at two moments, for peers to read.

    Args:
        folder: The exchange folder; it is made if need be.
        dataset: All interactions, those of the test among them.
        name: What the data is called in ``split.json``.
        validation_from: Milliseconds; what is earlier is trained on while tuning.
        test_from: Milliseconds; what is earlier is trained on for the test.

    Returns:
        ``folder/split``.

    Raises:
        DataError: The cuts are in the wrong order, or nothing is to be predicted after one of them.
    """
    if validation_from >= test_from:
        raise DataError(
            f"validation from {validation_from} is not before the test from {test_from}: give the earlier cut first"
        )
    split = folder / "split"
    split.mkdir(parents=True, exist_ok=True)
    parts = {
        "train": dataset.before(validation_from),
        "validation": dataset.between(validation_from, test_from),
        "test_exposures": dataset.between(test_from, np.iinfo(np.int64).max),
    }
    for file, part in parts.items():
        _rows(part.interactions).write_parquet(split / f"{file}.parquet")
    ranked = {
        "validation": _write_task(split, "validation", parts["train"], parts["validation"]),
        "test": _write_task(split, "test", dataset.before(test_from), parts["test_exposures"]),
    }
    videos, profiles = video_codes(dataset), profile_codes(dataset)
    videos.write_parquet(split / "videos.parquet")
    profiles.write_parquet(split / "profiles.parquet")
    facts = {
        "name": name,
        "validation_from_ms": validation_from,
        "test_from_ms": test_from,
        "viewers": len(dataset.viewer_ids),
        "videos": len(dataset.video_ids),
        "rows": {file: len(part.interactions) for file, part in parts.items()},
        "ranked_viewers": ranked,
        "attributes": videos.columns[1:],
        "profile": profiles.columns[1:],
    }
    (split / "split.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return split


def video_codes(dataset: Dataset) -> pl.DataFrame:
    """video and one column an attribute, the first value where there are several: codes from 1, 0 where missing."""
    return _codes("video", dataset.attributes_VA, dataset.attribute_values)


def profile_codes(dataset: Dataset) -> pl.DataFrame:
    """viewer and one column a profile field: codes from 1, 0 where missing."""
    return _codes("viewer", dataset.profile_UP, dataset.profile_values)


def read_topk(split: Path, out: Path, period: Period) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A peer's ranking: its viewers (B,), ascending, and their videos (B, K), ``NO_VIDEO`` where there are fewer.

    Raises:
        DataError: The peer ranked for other viewers, a video twice, a seen one or one that does not exist.
    """
    table = pl.read_parquet(out / "topk.parquet").sort("viewer", "rank")
    viewers_B, row = np.unique(table["viewer"].to_numpy(), return_inverse=True)
    asked = pl.read_parquet(split / f"{_FILES[period][0]}.parquet")["viewer"].to_numpy()
    if strangers := np.setdiff1d(viewers_B, asked).tolist():
        raise DataError(f"{out} ranks for viewer {strangers[0]}, whom the {period} period does not ask for")
    _check_candidates(split, table, period, out)
    place = table["rank"].to_numpy() - 1
    best_BK = np.full((len(viewers_B), int(place.max()) + 1), NO_VIDEO)
    best_BK[row, place] = table["video"].to_numpy()
    return viewers_B, best_BK


def ndcg_of(split: Path, out: Path, period: Period, k: int = 10) -> NDArray[np.float64]:
    """NDCG@k of a peer's ranking for every viewer it ranked for, ascending: (B,).

    Raises:
        DataError: See :func:`read_topk`; or, in the test, a viewer is missing.
    """
    viewers_B, best_BK = read_topk(split, out, period)
    relevant = pl.read_parquet(split / f"{_FILES[period][1]}.parquet")
    missing = np.setdiff1d(relevant["viewer"].to_numpy(), viewers_B)
    if period == "test" and len(missing):
        raise DataError(
            f"{out} does not rank for viewer {missing[0]} and {len(missing) - 1} more: run the peer again"
        )
    relevant = relevant.filter(pl.col("viewer").is_in(viewers_B.tolist()))
    row = np.searchsorted(viewers_B, relevant["viewer"].to_numpy())
    videos = json.loads((split / "split.json").read_text(encoding="utf-8"))["videos"]
    hits_BK = hits_of(best_BK, np.sort(row * videos + relevant["video"].to_numpy()), videos)
    return ndcg_at_k(hits_BK, np.bincount(row, minlength=len(viewers_B)), k)


def auc_of(split: Path, out: Path, period: Period) -> dict[str, float]:
    """Area under the ROC curve of each action that a peer predicts, over all exposures of the period.

    Raises:
        DataError: The peer predicts for another number of exposures than there are.
    """
    predictions = pl.read_parquet(out / "predictions.parquet")
    labels = pl.read_parquet(split / f"{_FILES[period][2]}.parquet")
    if len(predictions) != len(labels):
        raise DataError(
            f"{out} predicts for {len(predictions)} exposures, the {period} period has {len(labels)}: "
            "run the peer again"
        )
    happened = {"finish": labels["finish"], "like": labels["like"], "click": ~labels["skip"]}
    return {
        action: auc(predictions[action].to_numpy(), happened[action].to_numpy()) for action in predictions.columns
    }


def _write_task(split: Path, period: Period, history: Dataset, future: Dataset) -> int:
    """Who is ranked for and what is relevant to them; how many they are."""
    viewers_file, relevant_file, _ = _FILES[period]
    task = ranking_task(history, future)
    met_U = np.diff(history.viewer_offsets())
    pl.DataFrame({"viewer": task.viewers_B, "cold": met_U[task.viewers_B] < _COLD_BELOW}).write_parquet(
        split / f"{viewers_file}.parquet"
    )
    row, video = np.divmod(task.relevant_R, len(history.video_ids))
    pl.DataFrame({"viewer": task.viewers_B[row], "video": video}).write_parquet(split / f"{relevant_file}.parquet")
    return len(task.viewers_B)


def _rows(rows: Interactions) -> pl.DataFrame:
    flag = {action: rows.actions_IF[:, column] for column, action in enumerate(FLAG_ACTIONS)}
    skipped = flag[Action.SKIP]
    # Where neither a watch time nor a skip was logged, nothing says whether the video was opened.
    logged = skipped | (rows.watch_ratio_I > 0)
    return pl.DataFrame(
        {
            "viewer": rows.viewer_I,
            "video": rows.video_I,
            "at_ms": rows.at_I,
            "positive": rows.positive_I,
            "finish": flag[Action.FINISH],
            "like": flag[Action.LIKE],
            "skip": skipped,
            "click": pl.Series(~skipped).set(pl.Series(~logged), None),
            "watch_ratio": rows.watch_ratio_I,
        }
    )


def _codes(index: str, codes: NDArray[np.int64], values: tuple[str, ...]) -> pl.DataFrame:
    """Split codes of "field=value" over all fields into one column a field, each coded from 1."""
    field_of = np.array(["", *(value.partition("=")[0] for value in values)])
    table = pl.DataFrame({index: np.arange(len(codes), dtype=np.int64)})
    for field in dict.fromkeys(field_of[1:].tolist()):
        mine = (field_of == field)[codes]
        first = np.where(mine.any(axis=1), codes[np.arange(len(codes)), mine.argmax(axis=1)], 0)
        known = np.flatnonzero(field_of == field)
        table = table.with_columns(
            pl.Series(field, np.where(first > 0, np.searchsorted(known, first) + 1, 0), dtype=pl.Int64)
        )
    return table


def _check_candidates(split: Path, table: pl.DataFrame, period: Period, out: Path) -> None:
    """Refuse what would make a comparison worthless."""
    videos = json.loads((split / "split.json").read_text(encoding="utf-8"))["videos"]
    if len(wrong := table.filter(~pl.col("video").is_between(0, videos - 1))):
        raise DataError(f"{out} ranks video {wrong['video'][0]}, there are only {videos}")
    if len(twice := table.filter(pl.struct("viewer", "video").is_duplicated())):
        raise DataError(f"{out} ranks video {twice['video'][0]} twice for viewer {twice['viewer'][0]}")
    history = ["train"] if period == "validation" else ["train", "validation"]
    shown = pl.concat(
        [pl.read_parquet(split / f"{file}.parquet", columns=["viewer", "video"]) for file in history]
    )
    if len(seen := table.join(shown, on=["viewer", "video"], how="semi")):
        raise DataError(
            f"{out} ranks video {seen['video'][0]} for viewer {seen['viewer'][0]}, who was shown it before: "
            "only videos new to a viewer are candidates"
        )
