"""A workspace as the first version wrote it is opened, brought up to date and used; what cannot be says what to do.

The stores are written here by code, with the schemas and formats spelled out as they were.
"""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import lance
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import safetensors.numpy
from click.testing import CliRunner, Result
from deltalake import write_deltalake

from swipewise import Workspace
from swipewise.catalog import Catalog
from swipewise.cli import cli
from swipewise.errors import ArtifactError
from swipewise.feed.bundles import read_published
from swipewise.retrieval import load_index
from swipewise.schema import Modality, Video

VIDEOS = 12
VIEWERS = 15
WIDTH = 8
START = datetime(2026, 1, 1, tzinfo=UTC)
_TIME = pa.timestamp("us", "UTC")

CATALOGUE_1 = pa.schema(
    [
        pa.field("video_id", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("content_hash", pa.string(), nullable=False),
        pa.field("caption", pa.string()),
        pa.field("creator", pa.string()),
        pa.field("music", pa.string()),
        pa.field("tags", pa.list_(pa.string())),
        pa.field("language", pa.string()),
        pa.field("uploaded_at", _TIME),
        pa.field("duration_seconds", pa.float64()),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("ingested_at", _TIME),
        pa.field("updated_at", _TIME),
        pa.field("encoders", pa.list_(pa.string())),
        pa.field("visual:fake@1", pa.list_(pa.float32(), WIDTH)),
    ]
)

LIVE_1 = """
CREATE TABLE schema_version (version INTEGER NOT NULL);
INSERT INTO schema_version VALUES (1);
CREATE TABLE events (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL UNIQUE, viewer_id TEXT NOT NULL,
    video_id TEXT NOT NULL, action TEXT NOT NULL, at BIGINT NOT NULL, watch_seconds DOUBLE, position INTEGER
);
CREATE INDEX events_by_viewer ON events (viewer_id, at);
CREATE TABLE profiles (
    viewer_id TEXT NOT NULL PRIMARY KEY, features TEXT NOT NULL, updated_at BIGINT NOT NULL
);
INSERT INTO profiles VALUES ('u0', '{"age": "18-24"}', 0);
"""


def write_catalogue(folder: Path) -> None:
    rows = [
        {
            "video_id": f"v{number}",
            "uri": f"v{number}.mp4",
            "content_hash": f"hash{number}",
            "caption": f"caption {number}",
            "tags": ["cats"],
            "duration_seconds": 4.0,
            "ingested_at": START,
            "updated_at": START,
            "encoders": ["visual:fake@1"],
            "visual:fake@1": np.random.default_rng(number).standard_normal(WIDTH).astype(np.float32).tolist(),
        }
        for number in range(VIDEOS)
    ]
    lance.write_dataset(pa.Table.from_pylist(rows, CATALOGUE_1), folder / "videos.lance")


def events_of(viewer: int) -> list[dict[str, object]]:
    """Eight videos over ten days, of which every third is liked."""
    rows: list[dict[str, object]] = []
    for place in range(8):
        at = START + timedelta(days=10 * place / 8, minutes=viewer)
        video = (2 * viewer + place) % VIDEOS
        known = {"viewer_id": f"u{viewer}", "video_id": f"v{video}"}
        rows.append(known | {"action": "view", "at": at, "watch_seconds": 2.0})
        if (viewer + video) % 3 == 0:
            rows.append(known | {"action": "like", "at": at + timedelta(seconds=2), "watch_seconds": None})
    return rows


def write_events(folder: Path) -> None:
    """The last viewer's events are in the live log, all others' in the history."""
    folder.mkdir()
    schema = {
        "event_id": pl.String,
        "viewer_id": pl.String,
        "video_id": pl.String,
        "action": pl.String,
        "at": pl.Datetime("us", "UTC"),
        "watch_seconds": pl.Float64,
        "position": pl.Int32,
    }
    closed = [
        row | {"event_id": f"h{viewer}-{n}"}
        for viewer in range(VIEWERS - 1)
        for n, row in enumerate(events_of(viewer))
    ]
    frame = pl.DataFrame(closed, schema=schema).with_columns(pl.col("at").dt.date().alias("day"))
    write_deltalake(folder / "history", frame.to_arrow(), partition_by=["day"])
    connection = sqlite3.connect(folder / "live.sqlite")
    connection.executescript(LIVE_1)
    for number, row in enumerate(events_of(VIEWERS - 1)):
        at = row["at"]
        assert isinstance(at, datetime)
        values = (f"l{number}", row["viewer_id"], row["video_id"], row["action"], int(at.timestamp() * 1e6))
        columns = "event_id, viewer_id, video_id, action, at, watch_seconds"
        connection.execute(f"INSERT INTO events ({columns}) VALUES (?, ?, ?, ?, ?, 2)", values)
    connection.commit()
    connection.close()


def write_run(folder: Path, version: int) -> None:
    folder.mkdir(parents=True)
    facts = {"facts": json.dumps({"version": version, "config": {}, "vocabulary": {}})}
    safetensors.numpy.save_file({"network/opening": np.zeros(4, np.float32)}, folder / "model.safetensors", facts)
    split = {"valid_start": 0, "test_start": 1}
    (folder / "run.json").write_text(json.dumps({"split": split, "figures": {"validation_ndcg@10": 0.1}}))


@pytest.fixture
def first(tmp_path: Path) -> Workspace:
    """A workspace of the first version, with a small model to be trained."""
    root = tmp_path / "shop"
    root.mkdir()
    (root / "swipewise.toml").write_text(
        '[encoders]\nvisual = "fake"\naudio = "none"\ntext = "none"\n'
        "[model]\nwidth = 16\nlayers = 1\nheads = 2\nhistory = 8\n[training]\nepochs = 1\n[server]\nport = 0\n"
    )
    write_catalogue(root / "catalog")
    write_events(root / "events")
    write_run(root / "runs" / "20250101-000000-000000-aaaaaa", version=1)
    return Workspace.open(root)


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(cli, [*map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_stores_of_the_first_version_are_brought_up_to_date_and_lose_nothing(first: Workspace) -> None:
    videos = first.videos()
    assert videos["video_id"].to_list() == sorted(f"v{number}" for number in range(VIDEOS))
    assert videos["tags"].to_list() == [["cats"]] * VIDEOS
    assert videos["regions"].null_count() == VIDEOS
    ids, vectors = first.vectors("visual")
    assert vectors[ids.index("v3")] == pytest.approx(np.random.default_rng(3).standard_normal(WIDTH), abs=1e-6)
    expected = sorted(str(row["at"]) for viewer in range(VIEWERS) for row in events_of(viewer))
    assert sorted(map(str, first.events()["at"])) == expected
    assert run("viewers", "show", "u0", "-w", first.root).stdout.split() == ["age", "18-24"]


def test_they_take_what_is_new_and_are_moved_on(first: Workspace) -> None:
    catalog = Catalog(first.catalog_dir)
    new = Video(video_id="new", uri="new.mp4", content_hash="new", regions=("de",), speech="hello")
    catalog.upsert([new], {(Modality.VISUAL, "fake@1"): [np.ones(WIDTH, np.float32)]})
    assert catalog.get("new").regions == ("de",)
    assert catalog.get("v1").caption == "caption 1"
    count = len(first.events())
    log = {"viewer_id": ["u0"], "video_id": ["new"], "action": ["like"], "at": ["2026-02-01T00:00:00Z"]}
    assert first.import_events(pl.DataFrame(log)).added == 1
    moved = json.loads(run("events", "compact", "-w", first.root, "--json").stdout)
    assert moved["moved"] == len(events_of(VIEWERS - 1))
    assert len(first.events()) == count + 1
    assert run("keys", "create", "--scope", "feed", "-w", first.root).exit_code == 0
    assert run("viewers", "erase", "u1", "--yes", "-w", first.root).stdout.startswith("erased viewer 'u1' with")
    assert len(first.events().filter(viewer_id="u1")) == 0


def test_a_model_of_the_first_version_is_no_longer_read_and_says_what_to_do(first: Workspace) -> None:
    shown = run("feed", "u0", "--size", "3", "-w", first.root)
    assert "feed of u0 (level: popular)" in shown.stdout
    assert "has format 1, this version reads 3: train again with 'swipewise train'" in " ".join(
        shown.stderr.split()
    )
    listed = json.loads(run("models", "list", "-w", first.root, "--json").stdout)
    assert [each["run"] for each in listed] == ["20250101-000000-000000-aaaaaa"]
    doctor = json.loads(run("doctor", "-w", first.root, "--json").stdout)
    assert {each["check"] for each in doctor if each["state"] == "fail"} == {"model"}
    assert first.fit().interactions > 0
    assert "(level: model)" in run("feed", "u0", "--size", "3", "-w", first.root).stdout
    assert run("doctor", "-w", first.root).exit_code == 0


def test_a_pointer_of_the_first_version_is_read(first: Workspace) -> None:
    bundle = {
        "run": "20250101-000000-000000-aaaaaa",
        "published_at": "2025-01-01T00:00:00+00:00",
        "index": "indexes/20250101",
        "files": {"model.safetensors": "0" * 64},
        "vocabulary": "0" * 64,
        "encoders": {"visual": "fake@1"},
        "width": 16,
    }
    (first.root / "published.json").write_text(json.dumps({"format": 1, "bundles": [bundle]}))
    published = read_published(first)
    assert published is not None
    assert published.current.run == bundle["run"]


def test_an_index_of_the_first_version_is_built_again(first: Workspace) -> None:
    folder = first.runs_dir / "20250101-000000-000000-aaaaaa" / "indexes" / "20250101"
    folder.mkdir(parents=True)
    (folder / "index.json").write_text(
        json.dumps({"version": 1, "kind": "exact", "rows": 1, "width": 4, "files": {}})
    )
    with pytest.raises(ArtifactError, match=r"has format 1 and this Swipewise reads 3: .*build the index again"):
        load_index(folder)
