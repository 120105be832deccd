"""RecBole's data sets: interactions, items and users as atomic files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import polars as pl

from swipewise.datasets.atomic import FLOAT, FLOATS, TOKEN, TOKENS, AtomicTable, read_atomic
from swipewise.datasets.reading import PERIOD_DAYS, Account, Reading, Vectors, checked, no_viewers, order_as_times
from swipewise.datasets.tables import ROWS_AT_ONCE, Folder
from swipewise.errors import DataError, InputFileError
from swipewise.events.frames import MOMENT
from swipewise.events.tables import ROW
from swipewise.schema import FLAG_ACTIONS, Action, Col, Modality

_USERS: Final = ("user_id", "userID", "user")
_ITEMS: Final = ("item_id", "itemID", "item", "video_id")
_TIMES: Final = ("timestamp", "time", "at")
_LABEL: Final = "label"
_LEAST_MILLISECONDS: Final = 1e11  # in 1973; as seconds, beyond the year 5000
_DAY: Final = 86_400_000
_YEAR_2000: Final = 946_684_800_000
_PARTS: Final = (("train", "part1"), ("valid", "part2"), ("test", "part3"))
"""How the files of a split are called before ``.inter``, in their order."""

_CAPTIONS: Final = ("caption", "title", "movie_title", "item_title", "item_name", "name", "description")
_CREATORS: Final = ("creator", "author_id", "author", "artist_id", "artist", "uploader_id", "brand")
_MUSICS: Final = ("music", "music_id")
_LANGUAGES: Final = ("language", "lang")
_UPLOADS: Final = ("uploaded_at", "upload_time", "upload_timestamp")
_DURATIONS: Final = ("duration_seconds", "duration")
_TAGS: Final = ("tags", "tag", "genre", "genres", "class", "category", "categories")
"""Fields whose values are tags as they stand; those of others are called ``field=value``."""

_SENSES: Final = {
    Modality.VISUAL: ("visual", "video", "image", "img", "frame", "cover"),
    Modality.TEXT: ("text", "title", "caption", "description", "word"),
    Modality.AUDIO: ("audio", "acoustic", "music", "sound"),
}
"""What the name of a field of numbers holds that is the vector of a modality."""


def read(source: Path) -> Reading:
    """Look at a folder of atomic files: ``layouts`` tells them.

    Raises:
        InputFileError: There are no interactions, or a file cannot be read or lacks a field.
        DataError: An id, a number or a time is missing or wrong.
    """
    folder = Folder(source)
    account = Account()
    settings: dict[str, dict[str, Any]] = {}
    rows, liked = _interactions(folder, account, settings)
    if liked:
        settings["events"] = {"positive": (str(Action.LIKE),)}
    videos, vectors = _videos(folder, account)
    return Reading(
        videos=videos,
        viewers=_viewers(folder, account),
        interactions=_sliced(rows),
        rows=len(rows),
        vectors=vectors,
        settings=settings,
        account=account,
    )


def _sliced(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    yield from rows.iter_slices(ROWS_AT_ONCE)


def _interactions(
    folder: Folder, account: Account, settings: dict[str, dict[str, Any]]
) -> tuple[pl.DataFrame, bool]:
    """All interactions, checked, and whether what counts is a like that was made of them."""
    files = _inters(folder, account)
    parts, periods = [], []
    liked = False
    for period, path in files:
        table = read_atomic(path)
        if table.rows.is_empty():
            continue
        part, sources, made = _acts(table, account)
        liked = liked or made
        parts.append((path, part, sources))
        periods.append((period, len(part)))
    if not parts:
        raise DataError(f"{folder.path}: {', '.join(path.name for _, path in files)} holds no interactions")
    if all(Col.AT in sources for _, _, sources in parts):
        moved = _moved([part for _, part, _ in parts], account)
        timed = [checked(path, _in_time(part, moved), sources) for path, part, sources in parts]
        return pl.concat(timed, how="diagonal"), liked
    return _ordered(parts, periods, account, settings), liked


def _inters(folder: Folder, account: Account) -> list[tuple[int, Path]]:
    """The files of interactions with the number of their part; one alone is part 0."""
    found = folder.need("interactions", "*.inter")
    split = [
        (number, path)
        for number, names in enumerate(_PARTS)
        for path in found
        if any(path.name.lower().endswith(f".{name}.inter") for name in names)
    ]
    chosen = split or [(0, found[0])]
    taken = {path for _, path in chosen}
    account.files |= {folder.name(path): "interactions" for path in taken}
    account.notes += [
        f"{folder.name(other)} was left out: {chosen[0][1].name} holds the interactions"
        for other in found
        if other not in taken
    ]
    return chosen


def _acts(table: AtomicTable, account: Account) -> tuple[pl.DataFrame, dict[str, str], bool]:
    """The rows under our names, the columns that they have, and whether a like was made of what they say."""
    user, item = _needed(table, "user", _USERS), _needed(table, "item", _ITEMS)
    columns = [pl.col(ROW), pl.col(user).alias(Col.VIEWER_ID), pl.col(item).alias(Col.VIDEO_ID)]
    names: list[str] = [Col.VIEWER_ID, Col.VIDEO_ID]
    if time := table.first(*_TIMES, types=(FLOAT,)):
        columns.append(pl.lit(_milliseconds(table.numbers(time))).alias(Col.AT))
        names.append(Col.AT)
    flags = [str(action) for action in FLAG_ACTIONS if table.types.get(str(action)) in (FLOAT, TOKEN)]
    columns += [(pl.lit(table.numbers(flag)).fill_null(0) > 0).alias(flag) for flag in flags]
    for name in (Col.WATCH_SECONDS, Col.POSITION):
        if table.types.get(name) == FLOAT:
            columns.append(pl.lit(table.numbers(name)).alias(name))
            names.append(name)
    made = not flags and Col.WATCH_SECONDS not in names
    labelled = table.types.get(_LABEL) in (FLOAT, TOKEN)
    if made:
        like = pl.lit(table.numbers(_LABEL)).fill_null(0) > 0 if labelled else pl.lit(True)
        columns.append(like.alias(Action.LIKE))
        flags = [str(Action.LIKE)]
        told = f"a row with {_LABEL} = 1 counts as a like" if labelled else "every interaction counts as a like"
        note = f"{told}{', whatever its rating' if 'rating' in table.types and not labelled else ''}"
        account.notes += [note] if note not in account.notes else []
    return table.rows.select(columns), {name: name for name in [*names, *flags]}, made


def _milliseconds(numbers: pl.Series) -> pl.Series:
    """Seconds or milliseconds since 1970 as milliseconds."""
    return numbers if float(numbers.max() or 0) >= _LEAST_MILLISECONDS else 1000 * numbers  # type: ignore[arg-type]


def _moved(parts: list[pl.DataFrame], account: Account) -> int:
    """Days by which all times are moved on, as the log takes none before 2000."""
    earliest = min(float(part[Col.AT].min() or _YEAR_2000) for part in parts)  # type: ignore[arg-type]
    days = max(0, math.ceil((_YEAR_2000 - earliest) / _DAY))
    if days:
        account.notes.append(f"all times were moved on by {days:,} days: the log takes those from 2000 on")
    return days


def _in_time(rows: pl.DataFrame, moved: int) -> pl.DataFrame:
    at = (pl.col(Col.AT).round() + moved * _DAY).cast(pl.Int64).cast(pl.Datetime("ms", "UTC"))
    return rows.with_columns(at.cast(MOMENT))


def _needed(table: AtomicTable, what: str, names: tuple[str, ...]) -> str:
    found = table.first(*names, types=(TOKEN, FLOAT))
    if found is None:
        raise InputFileError(
            f"{table.path}: no field of the {what} ({' or '.join(f'{name}:token' for name in names)}); it has "
            f"{', '.join(f'{name}:{kind}' for name, kind in table.types.items())}"
        )
    return found


def _ordered(
    parts: list[tuple[Path, pl.DataFrame, dict[str, str]]],
    periods: list[tuple[int, int]],
    account: Account,
    settings: dict[str, dict[str, Any]],
) -> pl.DataFrame:
    """Interactions without times: a viewer's order stands in for them, and parts are periods one after the other."""
    path, _, sources = parts[0]
    rows = pl.concat(
        [
            part.with_columns(pl.lit(period).alias("part"))
            for (_, part, _), (period, _) in zip(parts, periods, strict=True)
        ],
        how="diagonal",
    )
    if len(periods) > 1:
        total = sum(count for _, count in periods)
        shares = {number: sum(count for each, count in periods if each == number) / total for number in (1, 2)}
        settings["split"] = {"validation": shares[1], "test": shares[2]}
        told = f"train, valid and test are three periods of {PERIOD_DAYS} days one after the other"
    else:
        told = f"a viewer's interactions are in the file's order, spread evenly over {PERIOD_DAYS} days"
    account.notes.append(f"there are no times: {told}; how the times of two viewers compare is made up")
    timed = order_as_times(rows, (), "part").drop("part")
    return checked(path, timed, {**sources, Col.AT: Col.AT})


def _videos(folder: Folder, account: Account) -> tuple[pl.DataFrame, dict[Modality, Vectors]]:
    files = folder.find("*.item")
    if not files:
        return pl.DataFrame(schema={Col.VIDEO_ID: pl.String}), {}
    account.files[folder.name(files[0])] = "videos"
    table = read_atomic(files[0])
    item = _needed(table, "item", _ITEMS)
    ids = _ids(table, item)
    found = {
        Col.CAPTION: table.first(*_CAPTIONS, types=(TOKEN, TOKENS)),
        Col.CREATOR: table.first(*_CREATORS, types=(TOKEN, TOKENS)),
        Col.MUSIC: table.first(*_MUSICS, types=(TOKEN,)),
        Col.LANGUAGE: table.first(*_LANGUAGES, types=(TOKEN,)),
    }
    columns = [pl.lit(ids).alias(Col.VIDEO_ID)]
    columns += [pl.col(source).alias(name) for name, source in found.items() if source]
    if upload := table.first(*_UPLOADS, types=(FLOAT,)):
        moments = _milliseconds(table.numbers(upload)).cast(pl.Int64).cast(pl.Datetime("ms", "UTC"))
        columns.append(pl.lit(moments).alias(Col.UPLOADED_AT))
    if duration := table.first(*_DURATIONS, types=(FLOAT,)):
        columns.append(pl.lit(table.numbers(duration)).alias(Col.DURATION))
    taken = {item, *found.values(), upload, duration}
    if tags := [name for name in table.of_type(TOKEN, TOKENS) if name not in taken]:
        columns.append(pl.concat_list(_tags(name, table.types[name]) for name in tags).alias(Col.TAGS))
    vectors = _vectors(table, ids, account)
    left = [name for name in table.of_type(FLOAT) if name not in taken]
    if left:
        account.notes.append(f"numbers of {files[0].name} that were left out: {', '.join(left)}")
    return table.rows.select(columns), vectors


def _ids(table: AtomicTable, name: str) -> pl.Series:
    ids = table.rows[name]
    if (empty := ids.is_null()).any():
        raise DataError(f"{table.path}, row {table.rows.filter(empty)[ROW][0]}: {name} is empty")
    if (twice := ids.is_duplicated()).any():
        raise DataError(f"{table.path}: {name} = {ids.filter(twice)[0]!r} stands in more than one row")
    return ids


def _tags(name: str, kind: str) -> pl.Expr:
    listed = pl.col(name).str.split(" ") if kind == TOKENS else pl.concat_list(pl.col(name))
    kept = pl.element().filter(pl.element().is_not_null() & (pl.element() != ""))
    tags = listed.list.eval(kept if name in _TAGS else pl.format("{}={}", pl.lit(name), kept))
    return tags.fill_null(pl.lit([], pl.List(pl.String)))


def _vectors(table: AtomicTable, ids: pl.Series, account: Account) -> dict[Modality, Vectors]:
    """Of each modality the first field of numbers that is called like it."""
    vectors: dict[Modality, Vectors] = {}
    for name in table.of_type(FLOATS):
        modality = next(
            (each for each, words in _SENSES.items() if any(word in name.lower() for word in words)), None
        )
        if modality is None or modality in vectors:
            account.notes.append(
                f"{name} of {table.path.name} was left out: "
                + (
                    f"{modality} has vectors already"
                    if modality
                    else "its name tells no modality, such as visual_emb"
                )
            )
            continue
        places, values_RD = table.vectors(name)
        account.files[f"{table.path.name}, {name}"] = f"{modality} vectors"
        vectors[modality] = Vectors(video_ids=tuple(ids.gather(places)), values_RD=values_RD)
    return vectors


def _viewers(folder: Folder, account: Account) -> pl.DataFrame:
    files = folder.find("*.user")
    if not files:
        return no_viewers()
    account.files[folder.name(files[0])] = "viewers' profiles"
    table = read_atomic(files[0])
    user = _needed(table, "user", _USERS)
    columns = [pl.lit(_ids(table, user)).alias(Col.VIEWER_ID)]
    for name, kind in table.types.items():
        if name != user and kind != FLOATS:
            values = {TOKENS: pl.col(name).str.split(" "), TOKEN: pl.col(name)}
            columns.append((values[kind] if kind in values else pl.lit(table.numbers(name))).alias(name))
    return table.rows.select(columns)
