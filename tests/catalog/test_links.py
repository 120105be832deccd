from dataclasses import replace
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest

from swipewise.catalog import Catalog
from swipewise.catalog.links import Link
from swipewise.catalog.records import FINGERPRINT_FIELDS, VIDEO_SCHEMA
from swipewise.schema import Col, Fingerprint, Modality, Video

VISUAL = (Modality.VISUAL, "fake@1")
SEEN = Fingerprint(visual=b"\xff\x00 bytes", motion=b"m", audio=b"a")


def video(name: str, **fields: object) -> Video:
    values = {"video_id": name, "uri": f"/clips/{name}.mp4", "content_hash": f"hash of {name}"}
    return Video(**(values | fields))  # type: ignore[arg-type]


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog")


def links(catalog: Catalog) -> dict[str, tuple[int | None, str | None]]:
    table = catalog.links.visual()
    return {row[0]: row[1:] for row in table.select(Col.VIDEO_ID, Col.LINK_ORDER, Col.DUPLICATE_OF).iter_rows()}


def test_fingerprints_tell_never_looked_at_from_nothing_to_tell(catalog: Catalog) -> None:
    assert catalog.links.fingerprinted() == frozenset()
    assert catalog.links.motion_and_audio(["a"]) == {}
    assert catalog.links.duplicates_of("a") == []
    catalog.upsert([video("a"), video("b"), video("c")], {}, {"a": SEEN, "b": Fingerprint()})
    assert catalog.links.fingerprinted() == {"a", "b"}
    assert links(catalog) == {"a": (None, None)}
    assert catalog.links.motion_and_audio(["a", "b", "x"]) == {"a": (b"m", b"a"), "b": (b"", b"")}


def test_links_are_written_and_a_new_cut_loses_its_own(catalog: Catalog) -> None:
    vector = np.array([1, 2], np.float32)
    both = {"a": SEEN, "b": SEEN}
    catalog.upsert([video("a"), video("b", caption="same")], {VISUAL: [vector, vector]}, both)
    before = catalog.version()
    catalog.links.write([Link(video_id="a", link_order=0, duplicate_of=None)])
    catalog.links.write([Link(video_id="b", link_order=1, duplicate_of="a")])
    assert catalog.version() != before
    assert links(catalog) == {"a": (0, None), "b": (1, "a")}
    assert catalog.links.duplicates_of("a") == ["b"]
    assert catalog.videos()[Col.DUPLICATE_OF].to_list() == [None, "a"]
    assert catalog.get("b") == video("b", caption="same")
    assert catalog.vectors(*VISUAL)[1].tolist() == [[1, 2], [1, 2]]
    catalog.upsert([video("b", creator="ann")], {})
    assert links(catalog)["b"] == (1, "a")
    recut = replace(video("b"), content_hash="other")
    catalog.upsert([recut], {}, {"b": SEEN})
    assert links(catalog)["b"] == (None, None)
    catalog.upsert([replace(recut, content_hash="yet another")], {})
    assert catalog.links.fingerprinted() == {"a"}


def test_a_catalogue_written_without_the_columns_is_read_and_written(catalog: Catalog, tmp_path: Path) -> None:
    new = {field.name for field in FINGERPRINT_FIELDS}
    old = pa.schema([field for field in VIDEO_SCHEMA if field.name not in new])
    row = {Col.VIDEO_ID: "old", Col.URI: "/old.mp4", Col.CONTENT_HASH: "h", Col.ENCODERS: ["visual:fake@1"]}
    vector = pa.FixedSizeListArray.from_arrays(pa.array([1, 2], pa.float32()), 2)
    table = pa.Table.from_pylist([row], old).append_column("visual:fake@1", vector)
    lance.write_dataset(table, tmp_path / "catalog" / "videos.lance")

    assert catalog.get("old").uri == "/old.mp4"
    assert catalog.encoders() == [VISUAL]
    assert catalog.links.fingerprinted() == frozenset()
    assert catalog.videos()[Col.DUPLICATE_OF].to_list() == [None]
    catalog.upsert([video("new")], {VISUAL: [np.array([3, 4], np.float32)]}, {"new": SEEN})
    catalog.upsert([replace(catalog.get("old"), caption="known")], {})
    catalog.links.write([Link(video_id="new", link_order=0, duplicate_of="old")])
    catalog.compact()
    assert catalog.links.fingerprinted() == {"new"}
    assert catalog.links.duplicates_of("old") == ["new"]
    ids, values = catalog.vectors(*VISUAL)
    assert dict(zip(ids, values.tolist(), strict=True)) == {"old": [1, 2], "new": [3, 4]}
