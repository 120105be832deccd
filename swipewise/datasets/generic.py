"""Any data set, as tables with Swipewise's own column names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import polars as pl

from swipewise.datasets.arrays import load_array, load_table, refusal, vectors_of
from swipewise.datasets.reading import Account, Reading, Vectors, checked, no_viewers, order_as_times
from swipewise.datasets.tables import (
    ROWS_AT_ONCE,
    Folder,
    Kind,
    about_rows,
    header,
    parts,
    require_columns,
    typed,
    whole,
)
from swipewise.errors import DataError, InputFileError
from swipewise.events.columns import parse_moment
from swipewise.events.tables import ROW
from swipewise.schema import CONTENT_MODALITIES, FLAG_ACTIONS, Action, Col, Modality

ORDER: Final = "order"
WATCH_MS: Final = "watch_ms"
_ENDINGS: Final = ("parquet", "csv", "tsv", "jsonl")
_TEXTS: Final = (Col.CAPTION, Col.CREATOR, Col.MUSIC, Col.LANGUAGE)
_NUMBERS: Final = (Col.DURATION, Col.WIDTH, Col.HEIGHT)


def read(source: Path) -> Reading:
    """Look at a folder of tables: ``layouts`` tells its files.

    Raises:
        InputFileError: There are no interactions, a file cannot be read or lacks a column, or an array is pickled.
        DataError: A row breaks a rule, or an array has another number of rows than the videos.
    """
    folder = Folder(source)
    account = Account()
    interactions = _one(folder, "interactions")
    if interactions is None:
        folder.need("interactions", *(f"interactions.{ending}" for ending in _ENDINGS))
    assert interactions is not None
    account.files[folder.name(interactions)] = "interactions"
    sources = _sources(interactions)
    videos = _videos(folder, account)
    liked = not any(action in sources for action in (*FLAG_ACTIONS, Col.WATCH_SECONDS))
    if liked:
        account.notes.append(f"{interactions.name} has no column of actions: every interaction counts as a like")
    if Col.AT not in sources:
        account.notes.append(
            f"{interactions.name} has no times: a viewer's interactions are by {ORDER!r}, spread evenly over 30 days; "
            "how the times of two viewers compare is made up"
        )
    settings: dict[str, dict[str, Any]] = {"events": {"positive": (str(Action.LIKE),)}} if liked else {}
    return Reading(
        videos=videos.drop(ROW),
        viewers=_viewers(folder, account),
        interactions=_interactions(interactions, sources, liked),
        rows=about_rows(interactions),
        vectors=_vectors(folder, videos, account),
        settings=settings,
        account=account,
    )


def _one(folder: Folder, stem: str) -> Path | None:
    return next(iter(folder.find(*(f"{stem}.{ending}" for ending in _ENDINGS))), None)


def _sources(path: Path) -> dict[str, str]:
    """Which of our columns the interactions have, and under what name."""
    require_columns(path, (Col.VIEWER_ID, Col.VIDEO_ID))
    names = header(path)
    if Col.ACTION in names:
        raise InputFileError(
            f"{path}: has a column {Col.ACTION!r}, one event a row: make a workspace with 'swipewise init' and import "
            "it with 'swipewise events import', or give one exposure a row with 0/1 columns such as like"
        )
    if Col.AT not in names and ORDER not in names:
        raise InputFileError(f"{path}: no column {Col.AT!r} and no {ORDER!r}; it has {', '.join(names)}")
    wanted = (Col.VIEWER_ID, Col.VIDEO_ID, Col.AT, Col.WATCH_SECONDS, Col.POSITION, *FLAG_ACTIONS)
    sources = {str(name): str(name) for name in wanted if name in names}
    if Col.WATCH_SECONDS not in names and WATCH_MS in names:
        sources[Col.WATCH_SECONDS] = WATCH_MS
    return sources


def _interactions(path: Path, sources: Mapping[str, str], liked: bool) -> Iterator[pl.DataFrame]:
    for part in _parts(path, sources):
        yield part.with_columns(pl.lit(True).alias(Action.LIKE)) if liked else part


def _parts(path: Path, sources: Mapping[str, str]) -> Iterator[pl.DataFrame]:
    kinds = dict.fromkeys(sources.values(), Kind.TEXT) | {Col.VIEWER_ID: Kind.ID, Col.VIDEO_ID: Kind.ID}
    if Col.AT in sources:
        yield from (checked(path, part, sources) for part in parts(path, kinds))
        return
    rows = whole(path, kinds | {ORDER: Kind.NUMBER})
    if len(bad := rows.filter(pl.col(ORDER).is_null() | pl.col(ORDER).is_nan())):
        raise DataError(f"{path}, row {bad[ROW][0]}: {ORDER} is empty")
    timed = order_as_times(rows, (ORDER,))
    yield from (
        checked(path, part, {**sources, Col.AT: Col.AT}) for part in timed.drop(ORDER).iter_slices(ROWS_AT_ONCE)
    )


def _videos(folder: Folder, account: Account) -> pl.DataFrame:
    """The table of videos with ``ROW``, typed; without one, none."""
    path = _one(folder, "videos")
    if path is None:
        return pl.DataFrame(schema={ROW: pl.UInt32, Col.VIDEO_ID: pl.String})
    account.files[folder.name(path)] = "videos"
    table = typed(path, (Col.VIDEO_ID,))
    _check_ids(path, table, Col.VIDEO_ID)
    columns = [pl.col(ROW), pl.col(Col.VIDEO_ID)]
    columns += [pl.col(name).cast(pl.String) for name in _TEXTS if name in table.columns]
    columns += [_positive(path, table, name).alias(name) for name in _NUMBERS if name in table.columns]
    if Col.TAGS in table.columns:
        listed = isinstance(table.schema[Col.TAGS], pl.List)
        tags = (
            pl.col(Col.TAGS).cast(pl.List(pl.String))
            if listed
            else pl.col(Col.TAGS).cast(pl.String).str.split("|")
        )
        columns.append(
            tags.list.eval(pl.element().str.strip_chars()).list.eval(
                pl.element().filter(pl.element().is_not_null() & (pl.element() != ""))
            )
        )
    if Col.UPLOADED_AT in table.columns:
        columns.append(_moments(path, table, Col.UPLOADED_AT))
    ignored = [name for name in table.columns if name not in {*_TEXTS, *_NUMBERS, Col.TAGS, Col.UPLOADED_AT}]
    if ignored := [name for name in ignored if name not in (ROW, Col.VIDEO_ID)]:
        account.notes.append(f"columns of {path.name} that were left out: {', '.join(ignored)}")
    return table.select(columns)


def _positive(path: Path, table: pl.DataFrame, name: str) -> pl.Expr:
    """A column as numbers; what is no number, or below 0, is an error."""
    number = table[name].cast(pl.Float64, strict=False)
    bad = (number.is_null() & table[name].is_not_null()) | (number < 0).fill_null(False)
    if bad.any():
        row = table.filter(bad).row(0, named=True)
        raise DataError(f"{path}, row {row[ROW]}: {name} = {row[name]!r} is not a number from 0")
    return pl.lit(number.fill_nan(None))


def _moments(path: Path, table: pl.DataFrame, name: str) -> pl.Expr:
    parsed = parse_moment(name, name, table.schema[name])
    given = table.filter(pl.col(name).is_not_null())
    if len(bad := given.filter(parsed.bad).select(ROW, parsed.reason.alias("reason"))):
        raise DataError(f"{path}, row {bad[ROW][0]}: {bad['reason'][0]}")
    return parsed.value.alias(name)


def _viewers(folder: Folder, account: Account) -> pl.DataFrame:
    path = _one(folder, "viewers")
    if path is None:
        return no_viewers()
    account.files[folder.name(path)] = "viewers' profiles"
    table = typed(path, (Col.VIEWER_ID,))
    _check_ids(path, table, Col.VIEWER_ID)
    return table.drop(ROW)


def _check_ids(path: Path, table: pl.DataFrame, column: str) -> None:
    if (empty := table[column].is_null()).any():
        raise DataError(f"{path}, row {table.filter(empty)[ROW][0]}: {column} is empty")
    if (twice := table[column].is_duplicated()).any():
        raise DataError(f"{path}: {column} = {table.filter(twice)[column][0]!r} stands in more than one row")


def _vectors(folder: Folder, videos: pl.DataFrame, account: Account) -> dict[Modality, Vectors]:
    vectors = {}
    for modality in CONTENT_MODALITIES:
        table, array = folder.find(f"{modality}.parquet"), folder.find(f"{modality}.npy")
        if table:
            account.files[folder.name(table[0])] = f"{modality} vectors"
            vectors[modality] = load_table(table[0], account)
        elif array:
            account.files[folder.name(array[0])] = f"{modality} vectors"
            values_RD = load_array(array[0])
            if len(values_RD) != len(videos):
                raise DataError(
                    f"{array[0]}: {len(values_RD)} rows for {len(videos)} videos: row i belongs to row i of the table "
                    "videos; give a Parquet table of video_id and vector otherwise"
                )
            vectors[modality] = vectors_of(array[0], videos[Col.VIDEO_ID].to_list(), values_RD, account)
        elif other := folder.find(*(f"{modality}.{ending}" for ending in ("pkl", "pickle", "pt", "npz", "mat"))):
            raise refusal(other[0])
    return vectors
