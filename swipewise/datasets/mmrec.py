"""The layout of MMRec, and of the TikTok data set as MMSSL gives it: everything by user and item index."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from swipewise.datasets.arrays import find_features, load_array, refusal, vectors_of
from swipewise.datasets.reading import (
    PERIOD_DAYS,
    Account,
    Reading,
    Vectors,
    checked,
    no_viewers,
    order_as_times,
)
from swipewise.datasets.tables import ROWS_AT_ONCE, Folder, Kind, header, require_columns, whole
from swipewise.errors import DataError, InputFileError
from swipewise.events.tables import ROW
from swipewise.schema import Action, Col, Modality

USER, ITEM, TIME, LABEL = "userID", "itemID", "timestamp", "x_label"
PARTS: Final = ("train", "val", "test")
"""The files of a split, in the order of ``x_label``."""

_PICKLED: Final = ("*train*.pkl", "trn*.pkl", "train_mat", "train.npy", "*inter*.pkl", "*.pkl", "*.mat")
_MATRIX: Final = (
    "import pickle; m = pickle.load(open({path!r}, 'rb')).tocoo(); open('data.inter', 'w').write("
    "'userID\\titemID\\n' + ''.join(f'{{u}}\\t{{i}}\\n' for u, i in zip(m.row, m.col)))"
)
_EDGES: Final = (
    "import numpy as np; e = np.load({path!r}, allow_pickle=True); open('data.inter', 'w').write("
    "'userID\\titemID\\n' + ''.join(f'{{u}}\\t{{i}}\\n' for u, i in e))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inters:
    """The interactions and, where periods stand in for times, what share of them each later period has."""

    path: Path
    rows: pl.DataFrame
    split: dict[str, float]


def read(source: Path) -> Reading:
    """Look at a folder of this layout: ``layouts`` tells its files.

    Raises:
        InputFileError: There are no interactions, a file cannot be read or lacks a column, or something is pickled.
        DataError: An id or a time is missing or wrong, or an array lacks rows for some items.
    """
    folder = Folder(source)
    account = Account(notes=["every interaction counts as a like, whatever its rating"])
    inters = _interactions(folder, account)
    vectors, items = _vectors(folder, inters, account)
    settings: dict[str, dict[str, Any]] = {"events": {"positive": (str(Action.LIKE),)}}
    if inters.split:
        settings["split"] = inters.split
    return Reading(
        videos=pl.DataFrame(
            {Col.VIDEO_ID: [str(item) for item in range(items)]}, schema={Col.VIDEO_ID: pl.String}
        ),
        viewers=no_viewers(),
        interactions=_likes(inters.rows),
        rows=len(inters.rows),
        vectors=vectors,
        settings=settings,
        account=account,
    )


def _likes(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    yield from rows.with_columns(pl.lit(True).alias(Action.LIKE)).iter_slices(ROWS_AT_ONCE)


def _interactions(folder: Folder, account: Account) -> _Inters:
    if files := folder.find("*.inter", "interactions.csv", "interactions.tsv", "inter.csv"):
        account.files[folder.name(files[0])] = "interactions"
        for other in files[1:]:
            account.notes.append(f"{folder.name(other)} was left out: {files[0].name} holds the interactions")
        return _from_inter(files[0], account)
    if files := folder.find("train.json"):
        return _from_json(folder, account)
    if files := folder.find(*_PICKLED):
        raise refusal(files[0], _EDGES if files[0].suffix == ".npy" else _MATRIX)
    folder.need("interactions", "*.inter", "train.json")
    raise AssertionError("need() raises where nothing is found")


def _from_inter(path: Path, account: Account) -> _Inters:
    names = _with_alternatives(path)
    kinds = {names[USER]: Kind.ID, names[ITEM]: Kind.ID}
    kinds |= {names[column]: Kind.NUMBER for column in (TIME, LABEL) if column in names}
    rows = whole(path, kinds).rename({source: name for name, source in names.items()})
    if rows.is_empty():
        raise DataError(f"{path}: holds no interactions below its header")
    if TIME in rows.columns:
        if LABEL in rows.columns:
            account.notes.append(f"{LABEL} was left out: times split the interactions, all viewers' at one moment")
        sources = {Col.VIEWER_ID: USER, Col.VIDEO_ID: ITEM, Col.AT: TIME}
        return _Inters(path=path, rows=checked(path, rows, sources), split={})
    return _ordered(path, rows, account)


def _with_alternatives(path: Path) -> dict[str, str]:
    """For our names those of the file, which RecBole writes otherwise than MMRec."""
    others = {USER: ("user_id",), ITEM: ("item_id",), TIME: (), LABEL: ()}
    present = header(path)
    found = {
        name: next((each for each in (name, *also) if each in present), None) for name, also in others.items()
    }
    if found[USER] is None or found[ITEM] is None:
        require_columns(path, (USER, ITEM))
    return {name: source for name, source in found.items() if source is not None}


def _from_json(folder: Folder, account: Account) -> _Inters:
    """One file a part, each a map from users to the items they liked, in order."""
    frames = []
    for label, part in enumerate(PARTS):
        for path in folder.find(f"{part}.json", *(["valid.json"] if part == "val" else [])):
            account.files[folder.name(path)] = f"interactions, {part}"
            users, items = _pairs(path)
            frames.append(
                pl.DataFrame(
                    {USER: users, ITEM: items, LABEL: [float(label)] * len(users)},
                    schema={USER: pl.String, ITEM: pl.String, LABEL: pl.Float64},
                )
            )
            break
    rows = pl.concat(frames).with_row_index(ROW, 1)
    if rows.is_empty():
        raise DataError(f"{folder.path}: train.json, val.json and test.json hold no interactions")
    return _ordered(folder.path / "train.json", rows, account)


def _pairs(path: Path) -> tuple[list[str], list[str]]:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputFileError(f"{path}: cannot be read as JSON: {error}") from error
    if isinstance(table, list):
        table = {str(user): items for user, items in enumerate(table)}
    if not isinstance(table, dict):
        raise InputFileError(f'{path}: must be a map such as {{"0": [3, 5]}}, not {type(table).__name__}')
    users: list[str] = []
    items: list[str] = []
    for user, liked in table.items():
        if not isinstance(liked, list):
            raise InputFileError(f"{path}: user {user!r} has {liked!r}, where a list of items is needed")
        for item in liked:
            if isinstance(item, bool) or not isinstance(item, int | str):
                raise DataError(f"{path}: user {user!r} has the item {item!r}, which is no id")
            users.append(user)
            items.append(str(item))
    return users, items


def _ordered(path: Path, rows: pl.DataFrame, account: Account) -> _Inters:
    """Interactions without times: the parts of the split become periods one after the other."""
    period, split = None, {}
    if LABEL in rows.columns:
        bad = rows.filter(~pl.col(LABEL).is_in([0.0, 1.0, 2.0]).fill_null(False))
        if len(bad):
            raise DataError(f"{path}, row {bad[ROW][0]}: {LABEL} = {bad[LABEL][0]} must be 0, 1 or 2")
        rows = rows.with_columns(pl.col(LABEL).cast(pl.Int64))
        period = LABEL
        split = {
            "validation": _share(rows, 1),
            "test": _share(rows, 2),
        }
        account.notes.append(
            "there are no times: train, validation and test are three periods of "
            f"{PERIOD_DAYS} days one after the other, as [split] in swipewise.toml says; within them a viewer's "
            "interactions are in the files' order"
        )
    else:
        account.notes.append(
            f"{path.name} has no times: a viewer's interactions are in its order, spread evenly over {PERIOD_DAYS} "
            "days; how the times of two viewers compare is made up"
        )
    timed = order_as_times(rows.with_columns(pl.col(USER).alias(Col.VIEWER_ID)), (), period)
    sources = {Col.VIEWER_ID: USER, Col.VIDEO_ID: ITEM, Col.AT: Col.AT}
    return _Inters(path=path, rows=checked(path, timed, sources), split=split)


def _share(rows: pl.DataFrame, label: int) -> float:
    return int((rows[LABEL] == label).sum()) / len(rows)


def _vectors(folder: Folder, inters: _Inters, account: Account) -> tuple[dict[Modality, Vectors], int]:
    """The arrays' rows by item index, and how many items they are for; 0 without arrays."""
    found = find_features(folder, account)
    if not found:
        return {}, 0
    ids = inters.rows[Col.VIDEO_ID]
    numbers = ids.cast(pl.Int64, strict=False)
    if numbers.null_count() or int(numbers.min()) < 0:  # type: ignore[arg-type]
        name = ids.filter(numbers.is_null() | (numbers < 0))[0]
        raise DataError(f"{inters.path}: item {name!r} is no index from 0, so it has no row in the arrays")
    highest = int(numbers.max())  # type: ignore[arg-type]
    vectors, items = {}, None
    for modality, path in found.items():
        values_RD = load_array(path)
        if len(values_RD) <= highest:
            raise DataError(
                f"{path}: {len(values_RD)} rows, where items 0 to {highest} need at least {highest + 1}: this is the "
                "array of another data set"
            )
        if items is not None and len(values_RD) != items[1]:
            raise DataError(f"{path}: {len(values_RD)} rows, but {items[0].name} has {items[1]}: row i is item i")
        items = items or (path, len(values_RD))
        ids_R = [str(row) for row in range(len(values_RD))]
        vectors[modality] = vectors_of(path, ids_R, values_RD, account)
    return vectors, items[1] if items else 0
