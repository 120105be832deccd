"""KuaiRand: exposures of a short-video app and what became of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final

import polars as pl

from swipewise.datasets.reading import Account, Reading, checked, no_viewers
from swipewise.datasets.tables import ROWS_AT_ONCE, Folder, Kind, about_rows, header, parts, require_columns, typed
from swipewise.errors import DataError
from swipewise.events.columns import MAX_WATCH_SECONDS
from swipewise.events.frames import MOMENT
from swipewise.events.tables import ROW
from swipewise.schema import Action, Col

USER, VIDEO, TIME, CLICK, PLAY, DURATION = (
    "user_id", "video_id", "time_ms", "is_click", "play_time_ms", "duration_ms",
)  # fmt: skip

FLAG_SOURCES: Final = {
    Action.FINISH: "long_view",
    Action.LIKE: "is_like",
    Action.COMMENT: "is_comment",
    Action.SHARE: "is_forward",
    Action.FOLLOW: "is_follow",
    Action.HIDE: "is_hate",
}
"""The log's column of each action; ``is_click`` = 0 is the skip."""

_LEN, _LAST, _WATCHED, _LIKED, _FINISHED = (
    "history_len",
    "last_time_ms",
    "watch_seq",
    "like_seq",
    "long_watch_seq",
)
_CHINA: Final = timezone(timedelta(hours=8))
HISTORY_START: Final = datetime(2022, 4, 9, tzinfo=_CHINA)
"""When what a history file tells of began."""

_LEAST_GAP_MS: Final = 1000
_UNKNOWN: Final = ("UNKNOWN", "unknown", "")
NEVER: Final = 1e6
"""A watch ratio that nothing reaches, so that a positive is a long view and nothing else."""


def read(source: Path) -> Reading:
    """Look at a folder of KuaiRand: ``layouts`` tells its files.

    Raises:
        InputFileError: There is no log, or a file cannot be read or lacks a column.
        DataError: An id or a time is missing or wrong, or a user or video stands twice in a feature file.
    """
    folder = Folder(source)
    account = Account()
    logs = folder.need("log", "log_*.csv", "log_*.parquet", "log*.csv", "log*.parquet")
    histories = folder.find("history_*.parquet")
    for log in logs:
        require_columns(log, (USER, VIDEO, TIME, CLICK, *FLAG_SOURCES.values(), PLAY, DURATION))
        account.files[folder.name(log)] = "log of exposures"
    for history in histories:
        require_columns(history, (USER, _LEN, _LAST, _WATCHED, _LIKED, _FINISHED))
        account.files[folder.name(history)] = "histories, whose events have no times"
        account.notes.append(
            f"the times of the interactions of {history.name} are estimates: its events are spread evenly between "
            f"{HISTORY_START:%Y-%m-%d} and each viewer's last one, at least a second apart"
        )
    for statistic in folder.matching("video_features_statistic*"):
        account.notes.append(
            f"{folder.name(statistic)} was left out: it counts what viewers did in the test period"
        )
    return Reading(
        videos=_videos(folder, account),
        viewers=_viewers(folder, account),
        interactions=_interactions(logs, histories, account),
        rows=sum(map(about_rows, logs)) + sum(map(_history_rows, histories)),
        vectors={},
        settings={"events": {"positive": (str(Action.FINISH),), "positive_watch_ratio": NEVER}},
        account=account,
    )


def _interactions(logs: list[Path], histories: list[Path], account: Account) -> Iterator[pl.DataFrame]:
    first_seen: list[pl.DataFrame] = []
    for log in logs:
        for rows in parts(log, _log_kinds()):
            part = _exposures(log, rows, account)
            if histories:
                first_seen.append(part.group_by(Col.VIEWER_ID).agg(pl.col(Col.AT).min().alias("first")))
            yield part
    for history in histories:
        yield from _estimated(history, pl.concat(first_seen).group_by(Col.VIEWER_ID).agg(pl.col("first").min()))


def _log_kinds() -> dict[str, Kind]:
    numbers = dict.fromkeys((TIME, CLICK, *FLAG_SOURCES.values(), PLAY, DURATION), Kind.NUMBER)
    return {USER: Kind.ID, VIDEO: Kind.ID} | numbers


def _exposures(log: Path, rows: pl.DataFrame, account: Account) -> pl.DataFrame:
    """Rows of a log as interactions, with the duration that the log tells."""
    too_long = pl.col(PLAY) > MAX_WATCH_SECONDS * 1000
    account.leave_out("watch times of more than a day", int(rows.select(too_long.sum()).item()))
    rows = rows.with_columns(
        pl.when(~too_long).then(PLAY).alias(PLAY), (pl.col(CLICK) == 0).alias(str(Action.SKIP))
    )
    sources = {Col.VIEWER_ID: USER, Col.VIDEO_ID: VIDEO, Col.AT: TIME, Col.WATCH_SECONDS: PLAY}
    flags = {str(action): column for action, column in FLAG_SOURCES.items()} | {Action.SKIP: Action.SKIP}
    good = checked(log, rows, sources | flags)
    seconds = (pl.col(DURATION) / 1000).alias(Col.DURATION)
    return good.with_columns(rows.select(seconds).to_series())


def _estimated(path: Path, first_seen: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The events of a history file, given times: all before the viewer's first exposure in the log."""
    kinds = {USER: Kind.ID, _LEN: Kind.NUMBER, _LAST: Kind.NUMBER}
    for rows in parts(path, kinds | dict.fromkeys((_WATCHED, _LIKED, _FINISHED), Kind.LISTS)):
        _check_history(path, rows)
        for some in rows.iter_slices(ROWS_AT_ONCE // 50):
            yield from _spread(path, some, first_seen)


def _spread(path: Path, rows: pl.DataFrame, first_seen: pl.DataFrame) -> Iterator[pl.DataFrame]:
    start = HISTORY_START.timestamp() * 1000
    first = pl.col("first").dt.epoch("ms")
    last = pl.min_horizontal(pl.col(_LAST), first - _LEAST_GAP_MS).alias(_LAST)
    gap = ((pl.col(_LAST) - start) / pl.col(_LEN)).clip(_LEAST_GAP_MS).alias("gap")
    from_end = pl.int_ranges(pl.col(_WATCHED).list.len().cast(pl.Int64) - 1, -1, -1).alias("from end")
    events = (
        rows.with_columns(pl.col(USER).alias(Col.VIEWER_ID))
        .join(first_seen, on=Col.VIEWER_ID, how="left")
        .with_columns(last)
        .with_columns(gap, from_end)
        .filter(pl.col(_WATCHED).list.len() > 0)
        .explode(_WATCHED, "from end")
        .with_columns(
            (pl.col(_LAST) - pl.col("from end") * pl.col("gap")).alias(TIME),
            pl.col(_FINISHED).list.contains(pl.col(_WATCHED)).fill_null(False).alias(Action.FINISH),
            pl.col(_LIKED).list.contains(pl.col(_WATCHED)).fill_null(False).alias(Action.LIKE),
        )
    )
    sources = {Col.VIEWER_ID: USER, Col.VIDEO_ID: _WATCHED, Col.AT: TIME}
    sources |= {str(action): str(action) for action in (Action.FINISH, Action.LIKE)}
    yield checked(path, events, sources)


def _check_history(path: Path, rows: pl.DataFrame) -> None:
    for column, least in ((_LEN, 1.0), (_LAST, 0.0)):
        bad = rows.filter(pl.col(column).is_null() | pl.col(column).is_nan() | (pl.col(column) < least))
        if len(bad):
            raise DataError(
                f"{path}, row {bad[ROW][0]}: {column} = {bad[column][0]} must be a number from {least:.0f}"
            )


def _history_rows(path: Path) -> int:
    lengths = pl.scan_parquet(path, glob=False).select(pl.col(_WATCHED).list.len().sum()).collect()
    return int(lengths.item() or 0)


def _videos(folder: Folder, account: Account) -> pl.DataFrame:
    files = folder.find("video_features_basic*.csv", "video_features_basic*.parquet")
    if not files:
        account.notes.append("no video_features_basic*.csv: nothing is known of the videos but their ids")
        return pl.DataFrame(schema={Col.VIDEO_ID: pl.String})
    for path in files:
        account.files[folder.name(path)] = "videos"
    return pl.concat([_described(path) for path in files])


def _described(path: Path) -> pl.DataFrame:
    """The videos of a basic feature file; a column that a version of the data set lacks is unknown."""
    require_columns(path, (VIDEO,))
    ids, texts = ("author_id", "music_id"), ("tag", "upload_type", "video_type", "upload_dt")
    numbers = ("video_duration", "server_width", "server_height")
    kinds = {VIDEO: Kind.ID} | dict.fromkeys(ids, Kind.ID)
    kinds |= dict.fromkeys(texts, Kind.TEXT) | dict.fromkeys(numbers, Kind.NUMBER)
    frame = pl.concat(parts(path, kinds))
    absent = [name for name in kinds if name not in header(path)]
    frame = frame.with_columns(
        pl.lit(None, pl.Float64 if name in numbers else pl.String).alias(name) for name in absent
    )
    _check_unique(path, frame, VIDEO)
    kinds_of_upload = [
        pl.when(~pl.col(column).is_in(_UNKNOWN)).then(pl.lit(prefix) + pl.col(column))
        for column, prefix in (("upload_type", "upload:"), ("video_type", "type:"))
    ]
    tags = pl.concat_list(pl.col("tag").fill_null("").str.split(","), pl.concat_list(kinds_of_upload))
    day = pl.col("upload_dt").str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    pixels = {Col.WIDTH: "server_width", Col.HEIGHT: "server_height"}
    return frame.select(
        pl.col(VIDEO).alias(Col.VIDEO_ID),
        _known(pl.col("author_id")).alias(Col.CREATOR),
        _known(pl.col("music_id")).alias(Col.MUSIC),
        tags.list.eval(pl.element().filter(pl.element().is_not_null() & ~pl.element().is_in(_UNKNOWN))).alias(Col.TAGS),
        day.cast(pl.Datetime("us")).dt.replace_time_zone("Asia/Shanghai").dt.convert_time_zone("UTC").cast(MOMENT)
        .alias(Col.UPLOADED_AT),
        pl.when(pl.col("video_duration") > 0).then(pl.col("video_duration") / 1000).alias(Col.DURATION),
        *(
            pl.when(pl.col(column) > 0).then(pl.col(column)).cast(pl.Int32, strict=False).alias(name)
            for name, column in pixels.items()
        ),
    )  # fmt: skip


def _known(ids: pl.Expr) -> pl.Expr:
    """Ids without 0, which stands for none."""
    return pl.when(ids != "0").then(ids)


def _viewers(folder: Folder, account: Account) -> pl.DataFrame:
    files = folder.find("user_features*.csv", "user_features*.parquet")
    if not files:
        account.notes.append("no user_features*.csv: viewers have no profiles")
        return no_viewers()
    frames = []
    for path in files:
        account.files[folder.name(path)] = "viewers' profiles"
        frame = typed(path, (USER,))
        _check_unique(path, frame, USER)
        # The encrypted features are numbers of categories: 3 is no nearer to 4 than to 40.
        codes = [name for name in frame.columns if name.startswith("onehot_feat")]
        texts = [name for name, dtype in frame.schema.items() if dtype == pl.String and name != USER]
        frames.append(
            frame.drop(ROW)
            .rename({USER: Col.VIEWER_ID})
            .with_columns(pl.col(codes).cast(pl.Int64, strict=False).cast(pl.String))
            .with_columns(pl.when(~pl.col(name).is_in(_UNKNOWN)).then(name).alias(name) for name in texts)
        )
    return pl.concat(frames, how="diagonal_relaxed")


def _check_unique(path: Path, frame: pl.DataFrame, column: str) -> None:
    if (empty := frame[column].is_null()).any():
        raise DataError(f"{path}, row {frame.filter(empty)[ROW][0]}: {column} is empty")
    if (twice := frame[column].is_duplicated()).any():
        raise DataError(f"{path}: {column} = {frame.filter(twice)[column][0]!r} stands in more than one row")
