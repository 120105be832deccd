from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from swipewise.errors import DataError
from swipewise.events import append_interactions, read_events, read_interactions
from swipewise.events.frames import MOMENT
from swipewise.schema import Action, Col
from swipewise.workspace import Workspace

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "shop")


def rows(*given: tuple[str, str, datetime, float | None, bool]) -> pl.DataFrame:
    frame = pl.DataFrame(given, orient="row", schema={
        Col.VIEWER_ID: pl.String, Col.VIDEO_ID: pl.String, Col.AT: MOMENT, Col.WATCH_SECONDS: pl.Float64,
        Action.LIKE: pl.Boolean,
    })  # fmt: skip
    ids = pl.format("x{}", pl.int_range(pl.len())).alias(Col.EVENT_ID)
    return frame.with_columns(ids, pl.lit(None, pl.Int32).alias(Col.POSITION), pl.lit("extra").alias("other"))


def folded(workspace: Workspace) -> pl.DataFrame:
    durations = pl.LazyFrame({Col.VIDEO_ID: ["v"], Col.DURATION: [10.0]})
    return read_interactions(workspace.events_dir, durations).collect()


def test_each_row_folds_back_into_itself(workspace: Workspace) -> None:
    count = append_interactions(
        workspace,
        rows(("ann", "v", NOON, 5.0, True), ("ann", "w", NOON, None, False), ("bob", "v", NOON, 2.0, False)),
    )
    assert count == 3 + 2 + 1
    back = folded(workspace).select(Col.VIEWER_ID, Col.VIDEO_ID, Col.AT, Col.WATCH_RATIO, Action.LIKE, Action.SKIP)
    assert back.rows() == [
        ("ann", "v", NOON, 0.5, True, False),
        ("ann", "w", NOON, None, False, False),
        ("bob", "v", NOON, 0.2, False, False),
    ]


def test_repeats_at_one_moment_are_put_apart_whatever_lies_beside_them(workspace: Workspace) -> None:
    append_interactions(
        workspace,
        rows(
            ("ann", "v", NOON, 1.0, False),
            ("ann", "v", NOON, 2.0, True),
            ("ann", "v", NOON + TICK, 3.0, False),
            ("ann", "v", NOON, 4.0, False),
        ),
    )
    back = folded(workspace)
    assert len(back) == 4
    assert set(back[Col.WATCH_SECONDS]) == {1.0, 2.0, 3.0, 4.0}
    assert back.filter(pl.col(Action.LIKE))[Col.WATCH_SECONDS].to_list() == [2.0]
    assert back[Col.AT].max() - back[Col.AT].min() == 3 * TICK  # type: ignore[operator]


def test_nothing_adds_nothing(workspace: Workspace) -> None:
    assert append_interactions(workspace, rows()) == 0
    assert read_events(workspace.events_dir).collect().is_empty()


def test_a_missing_column_is_named(workspace: Workspace) -> None:
    with pytest.raises(DataError, match="interactions without event_id, position: they have"):
        append_interactions(workspace, rows().drop(Col.EVENT_ID, Col.POSITION))
