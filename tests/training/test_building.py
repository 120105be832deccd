"""Interactions that come in parts are coded as if they had come at once."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import polars as pl
import pytest

from swipewise.config import EventsConfig
from swipewise.errors import DataError
from swipewise.schema import FLAG_ACTIONS, Action, Col
from swipewise.training.building import build_dataset, code_log

VIDEOS = ("b", "a", "c")
CATALOGUE = pl.DataFrame({Col.VIDEO_ID: VIDEOS})


def interactions(*rows: tuple[str, str, int, float | None]) -> pl.DataFrame:
    """Viewer, video, millisecond and watched share of each; all that was watched whole was finished."""
    return pl.DataFrame(
        {
            Col.VIEWER_ID: [row[0] for row in rows],
            Col.VIDEO_ID: [row[1] for row in rows],
            Col.AT: pl.Series([row[2] for row in rows]).cast(pl.Datetime("ms", "UTC")),
            Col.WATCH_RATIO: pl.Series([row[3] for row in rows], dtype=pl.Float64),
            **{flag: [flag == Action.FINISH and row[3] == 1.0 for row in rows] for flag in FLAG_ACTIONS},
        }
    )


ANN = interactions(("ann", "a", 30, 1.0), ("ann", "gone", 10, 1.0), ("ann", "b", 20, None))
CYD = interactions(("cyd", "c", 5, 0.2), ("cyd", "a", 25, 1.0))
PROFILES = pl.DataFrame({Col.VIEWER_ID: ["bob", "cyd"]})


def test_parts_are_as_good_as_one_table_in_whatever_order() -> None:
    whole = build_dataset(CATALOGUE, {}, [pl.concat([ANN, CYD])], PROFILES, EventsConfig())
    assert whole.viewer_ids == ("ann", "bob", "cyd")
    assert whole.interactions.viewer_I.tolist() == [0, 0, 2, 2]
    assert whole.interactions.video_I.tolist() == [0, 1, 2, 1]
    assert whole.interactions.at_I.tolist() == [20, 30, 5, 25]
    assert whole.interactions.positive_I.tolist() == [False, True, False, True]
    for parts in ([ANN, CYD], [CYD, ANN], [ANN.clear(), CYD, ANN]):
        found = build_dataset(CATALOGUE, {}, parts, PROFILES, EventsConfig())
        assert found.viewer_ids == whole.viewer_ids
        for field in fields(whole.interactions):
            expected = getattr(whole.interactions, field.name)
            assert getattr(found.interactions, field.name).dtype == expected.dtype
            assert np.array_equal(
                getattr(found.interactions, field.name), expected, equal_nan=expected.dtype == np.float32
            ), field.name


def test_what_is_of_one_moment_stays_in_its_order() -> None:
    """As where a log was imported twice: processes that train together have to find the same rows."""
    shares = np.linspace(0, 1, 20_000)
    rows = interactions(*((f"v{row % 9}", VIDEOS[row % 2], 7, share) for row, share in enumerate(shares)))
    rows = rows.sort(Col.VIEWER_ID, Col.AT, maintain_order=True)
    found = build_dataset(CATALOGUE, {}, [rows], PROFILES, EventsConfig()).interactions
    expected = rows.sort(Col.VIEWER_ID, Col.AT, pl.col(Col.VIDEO_ID) == "a", maintain_order=True)
    assert found.watch_ratio_I.tolist() == expected[Col.WATCH_RATIO].cast(pl.Float32).to_list()


def test_a_log_is_coded_in_time_order_as_of_one_viewer() -> None:
    rows = code_log([ANN, CYD], VIDEOS, EventsConfig())
    assert rows.viewer_I.tolist() == [0, 0, 0, 0]
    assert rows.at_I.tolist() == [5, 20, 25, 30]
    assert rows.video_I.tolist() == [2, 0, 1, 1]
    assert len(code_log([], VIDEOS, EventsConfig())) == 0


def test_nothing_with_a_known_video_is_an_error_that_tells_how_much_there_was() -> None:
    strangers = interactions(("ann", "x", 1, 1.0), ("bob", "y", 2, 1.0))
    with pytest.raises(DataError, match="none of the 2 interactions is with a video of the catalogue"):
        build_dataset(CATALOGUE, {}, [strangers], PROFILES, EventsConfig())
