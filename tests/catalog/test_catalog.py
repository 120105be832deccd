from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import lance
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from swipewise.catalog import Catalog, Rejection
from swipewise.catalog.records import AVAILABILITY_FIELDS, VIDEO_SCHEMA
from swipewise.errors import DataError, StoreError, UnknownIdError
from swipewise.schema import Col, Modality, Video

VISUAL = (Modality.VISUAL, "fake@1")
TEXT = (Modality.TEXT, "fake@1")


def video(name: str, **fields: object) -> Video:
    values = {"video_id": name, "uri": f"/clips/{name}.mp4", "content_hash": f"hash of {name}"}
    return Video(**(values | fields))  # type: ignore[arg-type]


def vec(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float32)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog")


def as_dict(catalog: Catalog, encoder: tuple[Modality, str]) -> dict[str, list[float]]:
    ids, values = catalog.vectors(*encoder)
    return dict(zip(ids, values.tolist(), strict=True))


def test_an_empty_catalogue_can_be_read(catalog: Catalog) -> None:
    assert catalog.videos().columns[0] == Col.VIDEO_ID
    assert (
        len(catalog.videos()) == len(catalog.rejected()) == len(catalog.encoders()) == len(catalog.encoded()) == 0
    )
    assert catalog.version() == catalog.version()
    catalog.unreject(["/never/seen"])
    catalog.upsert([], {})
    catalog.compact()
    with pytest.raises(UnknownIdError, match=r"no video .a. in .* catalogue, which is empty"):
        catalog.get("a")
    with pytest.raises(StoreError, match=r"no vectors of 'visual:fake@1' in .*: there are none"):
        catalog.vectors(*VISUAL)


def test_a_video_comes_back_as_it_was_stored(catalog: Catalog) -> None:
    full = video(
        "a",
        caption="it's 50% off \\ “quoted” 🎬",
        creator="ann",
        music="song",
        tags=("x", "y"),
        language="en",
        uploaded_at=datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
        duration_seconds=2.5,
        width=96,
        height=160,
    )
    bare = video("it's")
    catalog.upsert([full, bare], {VISUAL: [vec(1, 2), None]})
    assert catalog.get("a") == full
    assert catalog.get("it's") == bare
    table = catalog.videos()
    assert table.columns[-1] == Col.INGESTED_AT
    assert table.schema[Col.TAGS] == pl.List(pl.String)
    assert table.schema[Col.UPLOADED_AT] == table.schema[Col.INGESTED_AT] == pl.Datetime("us", "UTC")
    assert table[Col.VIDEO_ID].to_list() == ["a", "it's"]
    with pytest.raises(UnknownIdError, match="no video 'its' in the catalogue: did you mean \"it's\""):
        catalog.get("its")
    with pytest.raises(UnknownIdError, match="'swipewise videos list' shows"):
        catalog.get("zzzzzz")


def test_vectors_are_of_the_videos_that_have_them(catalog: Catalog) -> None:
    catalog.upsert([video("a"), video("b"), video("c")], {VISUAL: [vec(1, 2), None, vec(3, 4)], TEXT: [None] * 3})
    assert as_dict(catalog, VISUAL) == {"a": [1, 2], "c": [3, 4]}
    assert catalog.encoders() == [VISUAL]
    assert catalog.encoders_of("a") == [VISUAL]
    assert catalog.encoders_of("b") == []
    assert catalog.encoded()["b"] == {"visual:fake@1", "text:fake@1"}
    assert catalog.vectors(*VISUAL)[1].flags.writeable
    with pytest.raises(StoreError, match=r"no vectors of 'audio:fake@1' .* there are visual:fake@1"):
        catalog.vectors("audio", "fake@1")


def test_a_new_encoder_adds_a_column_and_leaves_the_others_alone(catalog: Catalog, tmp_path: Path) -> None:
    catalog.upsert([video("a"), video("b")], {VISUAL: [vec(1, 2), vec(3, 4)]})
    files = {path: path.read_bytes() for path in tmp_path.rglob("data/*.lance")}
    newer = (Modality.VISUAL, "fake@2")
    catalog.upsert([video("a")], {newer: [vec(5, 6, 7)]})
    assert catalog.encoders() == [VISUAL, newer]
    assert as_dict(catalog, VISUAL) == {"a": [1, 2], "b": [3, 4]}
    assert as_dict(catalog, newer) == {"a": [5, 6, 7]}
    assert {path: path.read_bytes() for path in files} == files


def test_vectors_are_kept_only_while_what_they_were_made_of_stays_the_same(catalog: Catalog) -> None:
    first = video("a", caption="one")
    catalog.upsert([first], {VISUAL: [vec(1, 2)], TEXT: [vec(3)]})
    catalog.upsert([replace(first, creator="ann")], {})
    assert (as_dict(catalog, VISUAL), as_dict(catalog, TEXT)) == ({"a": [1, 2]}, {"a": [3]})
    catalog.upsert([replace(first, caption="two")], {TEXT: [vec(4)]})
    assert (as_dict(catalog, VISUAL), as_dict(catalog, TEXT)) == ({"a": [1, 2]}, {"a": [4]})
    catalog.upsert([replace(first, caption="three")], {})
    assert (as_dict(catalog, VISUAL), as_dict(catalog, TEXT)) == ({"a": [1, 2]}, {})
    assert catalog.encoded()["a"] == {"visual:fake@1"}
    catalog.upsert([replace(first, caption="three", content_hash="other")], {TEXT: [vec(5)]})
    assert (as_dict(catalog, VISUAL), as_dict(catalog, TEXT)) == ({}, {"a": [5]})


def test_an_update_keeps_the_time_of_the_first_ingestion(catalog: Catalog) -> None:
    catalog.upsert([video("a")], {})
    before = catalog.videos()[Col.INGESTED_AT][0]
    catalog.upsert([video("a", caption="new"), video("b")], {})
    times = dict(catalog.videos().select(Col.VIDEO_ID, Col.INGESTED_AT).iter_rows())
    assert times["a"] == before < times["b"]


def test_the_fingerprint_changes_with_the_content_and_only_then(catalog: Catalog) -> None:
    seen = [catalog.version()]
    catalog.upsert([video("a")], {})
    seen.append(catalog.version())
    catalog.upsert([video("a")], {VISUAL: [vec(1)]})
    seen.append(catalog.version())
    catalog.reject("/x", None, "broken")
    catalog.compact()
    assert catalog.version() == seen[-1]
    assert len(set(seen)) == 3


def test_a_video_twice_in_one_commit_is_refused(catalog: Catalog) -> None:
    with pytest.raises(DataError, match="video 'a' is to be written 2 times"):
        catalog.upsert([video("a"), video("a")], {})


def test_an_encoder_may_not_change_its_width(catalog: Catalog) -> None:
    catalog.upsert([video("a")], {VISUAL: [vec(1, 2)]})
    with pytest.raises(StoreError, match=r"visual:fake@1 gave vectors of 2 and 3 numbers: .* needs a new version"):
        catalog.upsert([video("b")], {VISUAL: [vec(1, 2, 3)]})
    assert as_dict(catalog, VISUAL) == {"a": [1, 2]}


def test_rejections_are_replaced_and_taken_back_by_uri(catalog: Catalog) -> None:
    catalog.reject("/it's.mp4", None, "no such file")
    catalog.reject_all(
        [
            Rejection(uri="/b.mp4", reason="first"),
            Rejection(uri="/b.mp4", content_hash="h", reason="second"),
            Rejection(uri="/it's.mp4", content_hash="i", reason="empty"),
        ]
    )
    rows = catalog.rejected().select(Col.URI, Col.CONTENT_HASH, Col.REASON).rows()
    assert rows == [("/b.mp4", "h", "second"), ("/it's.mp4", "i", "empty")]
    catalog.unreject(["/it's.mp4", "/unknown"])
    assert catalog.rejected()[Col.URI].to_list() == ["/b.mp4"]
    assert len(catalog.videos()) == 0


def test_a_reader_keeps_its_snapshot_through_writes_and_compaction(catalog: Catalog, tmp_path: Path) -> None:
    import lance

    catalog.upsert([video("a")], {VISUAL: [vec(1)]})
    reader = lance.dataset(tmp_path / "catalog" / "videos.lance")
    for number in range(5):
        catalog.upsert([video("a", caption=str(number)), video(f"b{number}")], {VISUAL: [vec(2), vec(3)]})
    catalog.compact()
    assert reader.to_table(columns=["visual:fake@1"]).to_pylist() == [{"visual:fake@1": [1.0]}]
    assert len(catalog.videos()) == 6


def test_where_and_when_a_video_may_be_shown_is_kept_and_older_catalogues_say_nothing(tmp_path: Path) -> None:
    new = {field.name for field in AVAILABILITY_FIELDS}
    old = pa.schema([field for field in VIDEO_SCHEMA if field.name not in new])
    row = {Col.VIDEO_ID: "old", Col.URI: "/old.mp4", Col.CONTENT_HASH: "h"}
    lance.write_dataset(pa.Table.from_pylist([row], old), tmp_path / "videos.lance")
    catalog = Catalog(tmp_path)
    bound = Video(
        video_id="bound",
        uri="/b.mp4",
        content_hash="b",
        regions=("us", "ca"),
        available_from=datetime(2026, 1, 1, tzinfo=UTC),
        available_until=datetime(2026, 2, 1, tzinfo=UTC),
    )
    catalog.upsert([bound], {})
    assert catalog.get("bound") == bound
    assert (catalog.get("old").regions, catalog.get("old").available_until) == ((), None)
    assert catalog.videos()[Col.REGIONS].to_list() == [["us", "ca"], None]
