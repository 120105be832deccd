"""MicroLens: who commented on which short video, titles, and extracted features."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polars as pl

from swipewise.datasets.arrays import find_features, load_array, vectors_of
from swipewise.datasets.reading import Account, Reading, Vectors, checked, no_viewers, order_as_times
from swipewise.datasets.tables import ROWS_AT_ONCE, Folder, Kind, lines, parts, require_columns
from swipewise.errors import DataError
from swipewise.events.tables import ROW
from swipewise.schema import Action, Col, Modality

USER, ITEM, TIME = "user", "item", "timestamp"
_PLACE: Final = "place"


def read(source: Path) -> Reading:
    """Look at a folder of MicroLens: ``layouts`` tells its files.

    Raises:
        InputFileError: There are no pairs, a file cannot be read or lacks a column, or an array is pickled.
        DataError: An id or a time is missing or wrong, or an array has another number of rows than there are videos.
    """
    folder = Folder(source)
    account = Account()
    pairs = folder.need("pairs of users and items", "*pairs.csv", "*pairs.parquet", "*pairs.tsv", "*pairs*.csv")[0]
    rows = _pairs(pairs, account)
    account.files[folder.name(pairs)] = "interactions"
    videos = _videos(folder, account)
    known = pl.concat([rows[Col.VIDEO_ID], videos[Col.VIDEO_ID]]).unique()
    return Reading(
        videos=videos,
        viewers=no_viewers(),
        interactions=_comments(rows),
        rows=len(rows),
        vectors=_vectors(folder, known, account),
        settings={"events": {"positive": (str(Action.COMMENT),)}},
        account=account,
    )


def _comments(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    yield from rows.with_columns(pl.lit(True).alias(Action.COMMENT)).iter_slices(ROWS_AT_ONCE)


def _pairs(path: Path, account: Account) -> pl.DataFrame:
    """The interactions of a pairs file, whichever of its two forms it has."""
    if path.suffix.lower() != ".tsv":
        require_columns(path, (USER, ITEM, TIME))
        kinds = {USER: Kind.ID, ITEM: Kind.ID, TIME: Kind.NUMBER}
        sources = {Col.VIEWER_ID: USER, Col.VIDEO_ID: ITEM, Col.AT: TIME}
        checked_parts = [checked(path, part, sources) for part in parts(path, kinds)]
        if not checked_parts:
            raise DataError(f"{path}: holds no pairs below its header")
        return pl.concat(checked_parts)
    table = lines(path, 2, (USER, ITEM)).with_columns(pl.col(ITEM).str.extract_all(r"\S+"))
    if (empty := table[ITEM].list.len() == 0).any():
        raise DataError(f"{path}, row {table.filter(empty)[ROW][0]}: no items behind the user")
    ordered = table.with_columns(pl.int_ranges(pl.col(ITEM).list.len()).alias(_PLACE)).explode(ITEM, _PLACE)
    account.notes.append(
        f"{path.name} has no times: a viewer's items are in its order, spread evenly over 30 days; how the times of "
        "two viewers compare is made up"
    )
    timed = order_as_times(ordered.with_columns(pl.col(USER).alias(Col.VIEWER_ID)), (_PLACE,))
    return checked(path, timed, {Col.VIEWER_ID: USER, Col.VIDEO_ID: ITEM, Col.AT: Col.AT})


def _videos(folder: Folder, account: Account) -> pl.DataFrame:
    """What the side files say of the videos, all of them optional."""
    parts_of = []
    if files := folder.find("*titles.csv", "*title_en.csv", "*title*.csv", "*title*.tsv"):
        parts_of.append(_side(folder, files[0], (ITEM, "title"), "titles", account).rename({"title": Col.CAPTION}))
    if files := folder.find("*tags_to_summary*.csv", "*tags*.csv", "*categor*.csv"):
        tags = _side(folder, files[0], (ITEM, "tag"), "categories", account)
        parts_of.append(tags.select(Col.VIDEO_ID, pl.concat_list("tag").alias(Col.TAGS)))
    if files := folder.find("*likes_and_views*.txt", "*likes_and_views*.tsv", "*likes_and_views*.csv"):
        account.notes.append(
            f"{folder.name(files[0])} was left out: its likes and views were counted after the interactions, so that "
            "they would tell of the test period"
        )
    videos = pl.DataFrame(schema={Col.VIDEO_ID: pl.String})
    for part in parts_of:
        videos = videos.join(part, on=Col.VIDEO_ID, how="full", coalesce=True)
    return videos


def _side(folder: Folder, path: Path, names: tuple[str, str], what: str, account: Account) -> pl.DataFrame:
    account.files[folder.name(path)] = what
    table = lines(path, 2, names).rename({ITEM: Col.VIDEO_ID})
    if (twice := table[Col.VIDEO_ID].is_duplicated()).any():
        raise DataError(f"{path}: item {table.filter(twice)[Col.VIDEO_ID][0]!r} stands in more than one row")
    name = names[1]
    filled = table.with_columns(pl.when(pl.col(name) != "").then(name).alias(name))
    return filled.drop_nulls(name).drop(ROW)


def _vectors(folder: Folder, known: pl.Series, account: Account) -> dict[Modality, Vectors]:
    """The arrays' rows given to items 1, 2, ..., or to 0, 1, ... where there is an item 0."""
    found = find_features(folder, account)
    if not found:
        return {}
    numbers = known.cast(pl.Int64, strict=False)
    if numbers.null_count():
        name = known.filter(numbers.is_null())[0]
        raise DataError(
            f"{folder.path}: item {name!r} is no number, so the rows of the arrays cannot be told apart"
        )
    low, high = int(numbers.min()), int(numbers.max())  # type: ignore[arg-type]
    vectors = {}
    for modality, path in found.items():
        values_RD = load_array(path)
        first = 0 if low == 0 or len(values_RD) == high + 1 else 1
        if len(values_RD) != high + 1 - first:
            raise DataError(
                f"{path}: {len(values_RD)} rows, where items {first} to {high} need {high + 1 - first}: this is "
                "the array of another version of the data set, or not all of its items are here"
            )
        ids = [str(first + row) for row in range(len(values_RD))]
        vectors[modality] = vectors_of(path, ids, values_RD, account)
    return vectors
