"""What every reader gives: tables in Swipewise's words, and an account of where they came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from swipewise.errors import DataError
from swipewise.events.checking import check_rows
from swipewise.events.frames import MOMENT
from swipewise.events.layout import Layout as Columns
from swipewise.events.tables import REASON, ROW
from swipewise.schema import Col, Modality

IDENTITY: Final = "dataset@1"
"""The encoder identity of vectors that came with a data set."""

PERIOD_DAYS: Final = 30
_FIRST_DAY: Final = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vectors:
    """One modality's vectors: video_ids[r] has values_RD[r], a float32 row (R rows, D wide)."""

    video_ids: tuple[str, ...]
    values_RD: NDArray[np.float32]


@dataclass(slots=True, kw_only=True)
class Account:
    """What became of the source, for the summary; a reader adds to it while it reads.

    files: what each file was taken for. left_out: what is not in the workspace, by reason. notes: what a user of the
    workspace should know.
    """

    files: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def leave_out(self, why: str, count: int) -> None:
        """Count what is left out; nothing where there is nothing."""
        if count:
            self.left_out[why] = self.left_out.get(why, 0) + count


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A data set in Swipewise's words.

    videos: ``video_id`` and any other fields of ``schema.Video``; videos that only interactions name are added.
    viewers: ``viewer_id`` and a column a profile field. interactions: in parts, as ``checked`` gives them, at most
    once; a column ``duration_seconds`` tells of videos whose duration is not known otherwise. rows: about how many
    there are. settings: keys of swipewise.toml that differ from the defaults.
    """

    videos: pl.DataFrame
    viewers: pl.DataFrame
    interactions: Iterator[pl.DataFrame]
    rows: int
    vectors: Mapping[Modality, Vectors]
    settings: Mapping[str, Mapping[str, Any]]
    account: Account


def checked(path: Path, rows: pl.DataFrame, sources: Mapping[str, str]) -> pl.DataFrame:
    """Rows of a file as interactions: typed, with every absent column that is required.

    Args:
        path: The file, for the error.
        rows: ``ROW`` and the columns named in ``sources``.
        sources: For our names those of the file.

    Raises:
        DataError: A row breaks a rule: a missing id, a time that is none, a negative watch time.
        InputFileError: A column is of a type that can hold no such thing.
    """
    result = check_rows(path, rows, Columns(is_long=False, sources=sources))
    if len(result.bad):
        first = result.bad.row(0, named=True)
        more = f" ({len(result.bad):,} rows like it)" if len(result.bad) > 1 else ""
        reason = _in_their_words(first[REASON], sources)
        raise DataError(f"{path}, row {first[ROW]}: {reason}{more}: mend the file or take these rows out")
    return result.good.drop(Col.EVENT_ID)


def _in_their_words(reason: str, sources: Mapping[str, str]) -> str:
    """The reasons against a row, each of which starts with our name of a column, with the file's names."""
    told = (each.partition(" ") for each in reason.split("; "))
    return "; ".join(f"{sources.get(name, name)} {rest}" for name, _, rest in told)


def order_as_times(rows: pl.DataFrame, order: Sequence[str], period: str | None = None) -> pl.DataFrame:
    """Give rows that are only ordered a time: a viewer's are spread evenly over a month.

    The order within a viewer is the data set's; how the times of two viewers compare is made up.

    Args:
        rows: With ``viewer_id``.
        order: Columns to order a viewer's rows by; ties stay as they are.
        period: A column with a whole number from 0: each period is a month of its own, one after the other.

    Returns:
        The rows with ``at``, by viewer and time.
    """
    periods = [period] if period else []
    number = pl.col(period) if period else pl.lit(0)
    group = [Col.VIEWER_ID, *periods]
    place = (pl.int_range(pl.len()).over(group) + 0.5) / pl.len().over(group)
    micros = ((number + place) * timedelta(days=PERIOD_DAYS) / timedelta(microseconds=1)).cast(pl.Int64)
    at = (pl.lit(_FIRST_DAY).dt.epoch("us") + micros).cast(MOMENT)
    return rows.sort(Col.VIEWER_ID, *periods, *order, maintain_order=True).with_columns(at.alias(Col.AT))


def no_viewers() -> pl.DataFrame:
    """A table of profiles without rows."""
    return pl.DataFrame(schema={Col.VIEWER_ID: pl.String})


OnProgress = Callable[[str, int, int | None], None]
"""(what is being done, how much of it is done, of how much; None where that is not known)."""
