from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from swipewise.catalog import Catalog
from swipewise.errors import DataError, StoreError
from swipewise.schema import Modality, Video

GIVEN = (Modality.VISUAL, "dataset@1")


def table(*ids: str) -> pl.DataFrame:
    videos = [Video(video_id=id_, uri=f"x:{id_}", content_hash=f"h{id_}", tags=("a", "b")) for id_ in ids]
    nulls = {"caption": pl.String, "creator": pl.String, "music": pl.String, "language": pl.String}
    numbers = {"uploaded_at": pl.Datetime("us", "UTC"), "duration_seconds": pl.Float64, "width": pl.Int32}
    rows = [
        {name: getattr(video, name) for name in Video.__slots__} | {"tags": list(video.tags)} for video in videos
    ]
    return pl.DataFrame(rows, schema_overrides=nulls | numbers | {"height": pl.Int32})


def test_a_filled_catalogue_is_like_one_that_was_written_video_by_video(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    values_RD = np.array([[1, 2], [3, 4]], np.float32)
    catalog.fill(table("a", "b", "c"), {GIVEN: (np.array([1, -1, 0]), values_RD)})
    assert catalog.get("b") == Video(video_id="b", uri="x:b", content_hash="hb", tags=("a", "b"))
    ids, vectors_ND = catalog.vectors(*GIVEN)
    assert dict(zip(ids, vectors_ND.tolist(), strict=True)) == {"a": [3, 4], "c": [1, 2]}
    assert catalog.encoded() == dict.fromkeys("abc", frozenset({"visual:dataset@1"}))
    assert catalog.encoders_of("b") == []
    catalog.upsert([Video(video_id="d", uri="x:d", content_hash="hd")], {GIVEN: [np.array([5, 6], np.float32)]})
    assert len(catalog.vectors(*GIVEN)[0]) == 3
    catalog.compact()
    assert catalog.videos()["video_id"].to_list() == ["a", "b", "c", "d"]


def test_more_rows_than_are_held_at_once(tmp_path: Path) -> None:
    count = 20_000
    values_RD = np.arange(count, dtype=np.float32)[:, None]
    Catalog(tmp_path).fill(
        table(*(f"{n:05}" for n in range(count))), {GIVEN: (np.arange(count)[::-1].copy(), values_RD)}
    )
    ids, vectors_ND = Catalog(tmp_path).vectors(*GIVEN)
    assert [int(id_) for id_ in ids] == (count - 1 - vectors_ND[:, 0]).tolist()


def test_only_an_empty_catalogue_is_filled(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    catalog.fill(table("a"), {})
    with pytest.raises(StoreError, match=r"videos\.lance holds rows already"):
        catalog.fill(table("b"), {})
    assert catalog.videos()["video_id"].to_list() == ["a"]


def test_tables_that_contradict_themselves_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="video 'a' stands in the table more than once"):
        Catalog(tmp_path).fill(table("a", "b", "a"), {})
    with pytest.raises(DataError, match="visual:dataset@1 has 1 rows for 2 videos"):
        Catalog(tmp_path).fill(table("a", "b"), {GIVEN: (np.array([0]), np.ones((1, 2), np.float32))})
