"""Files as older versions wrote them, with the schemas and formats spelled out as they were."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import lance
import numpy as np
import polars as pl
import pyarrow as pa
import safetensors.numpy
from deltalake import write_deltalake

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


def write_rejected(folder: Path) -> None:
    """A file that was set aside."""
    schema = pa.schema(
        [
            pa.field("uri", pa.string(), nullable=False),
            pa.field("content_hash", pa.string()),
            pa.field("reason", pa.string(), nullable=False),
            pa.field("at", _TIME),
        ]
    )
    rows = [{"uri": "bad.mp4", "content_hash": None, "reason": "no video stream", "at": START}]
    lance.write_dataset(pa.Table.from_pylist(rows, schema), folder / "rejected.lance")


def write_run_1(folder: Path) -> None:
    """A run whose model is of format 1, which had no heads for actions."""
    folder.mkdir(parents=True)
    facts = {"facts": json.dumps({"version": 1, "config": {}, "vocabulary": {}})}
    safetensors.numpy.save_file({"network/opening": np.zeros(4, np.float32)}, folder / "model.safetensors", facts)
    _write_record(folder)


def write_run_2(folder: Path) -> None:
    """A run whose model is of format 2."""
    folder.mkdir(parents=True)
    tensors, facts = model_2()
    safetensors.numpy.save_file(tensors, folder / "model.safetensors", {"facts": json.dumps(facts)})
    _write_record(folder)


def _write_record(folder: Path) -> None:
    split = {"valid_start": 0, "test_start": 1}
    (folder / "run.json").write_text(json.dumps({"split": split, "figures": {"validation_ndcg@10": 0.1}}))


MODEL_2 = {
    "acts.attention.key_value.bias": (32,),
    "acts.attention.key_value.weight": (32, 16),
    "acts.attention.query.bias": (16,),
    "acts.attention.query.weight": (16, 16),
    "acts.hidden.0.bias": (32,),
    "acts.hidden.0.weight": (32, 103),
    "acts.hidden.3.bias": (16,),
    "acts.hidden.3.weight": (16, 32),
    "acts.out.bias": (7,),
    "acts.out.weight": (7, 16),
    "behavior.acts.bias": (16,),
    "behavior.acts.weight": (16, 10),
    "behavior.gap.weight": (20, 16),
    "behavior.weigh.bias": (1,),
    "behavior.weigh.weight": (1, 10),
    "combine.bias": (16,),
    "combine.weight": (16, 32),
    "common_preference": (16,),
    "evidence.bias": (16,),
    "evidence.weight": (16, 51),
    "opening": (16,),
    "preference.0.bias": (32,),
    "preference.0.weight": (32, 67),
    "preference.3.bias": (16,),
    "preference.3.weight": (16, 32),
    "profile.embedding.weight": (2, 16),
    "project.adapters.visual.bias": (16,),
    "project.adapters.visual.weight": (16, 8),
    "project.attribute_embedding.weight": (2, 16),
    "project.id_embedding.weight": (VIDEOS, 16),
    "project.norms.attributes.bias": (16,),
    "project.norms.attributes.weight": (16,),
    "project.norms.id.bias": (16,),
    "project.norms.id.weight": (16,),
    "project.norms.visual.bias": (16,),
    "project.norms.visual.weight": (16,),
    "shown.bias": (16,),
    "shown.weight": (16, 16),
    "summary.base_CD": (4, 16),
    "summary.value.bias": (16,),
    "summary.value.weight": (16, 16),
    "summary.weigh.bias": (4,),
    "summary.weigh.weight": (4, 16),
    "transformer.blocks.0.attention.out.bias": (16,),
    "transformer.blocks.0.attention.out.weight": (16, 16),
    "transformer.blocks.0.attention.qkv.bias": (48,),
    "transformer.blocks.0.attention.qkv.weight": (48, 16),
    "transformer.blocks.0.attention_norm.bias": (16,),
    "transformer.blocks.0.attention_norm.weight": (16,),
    "transformer.blocks.0.feed.0.bias": (64,),
    "transformer.blocks.0.feed.0.weight": (64, 16),
    "transformer.blocks.0.feed.3.bias": (16,),
    "transformer.blocks.0.feed.3.weight": (16, 64),
    "transformer.blocks.0.feed_norm.bias": (16,),
    "transformer.blocks.0.feed_norm.weight": (16,),
    "transformer.norm.bias": (16,),
    "transformer.norm.weight": (16,),
    "transformer.positions.weight": (13, 16),
    "trend.bias": (6,),
    "trend.weight": (6, 16),
    "watch.scale": (),
    "watch.shift": (),
}
"""The network of format 2, of width 16, with a layer, two heads and eight events, for VIDEOS videos of one tag."""


def model_2() -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Tensors and facts of a model of format 2 for the first workspace, with weights by chance."""
    rng = np.random.default_rng(0)
    tensors: dict[str, np.ndarray] = {
        f"network/{name}": np.asarray(0.2 * rng.standard_normal(shape), np.float32)
        for name, shape in MODEL_2.items()
    }
    tensors |= {
        "standard/visual/mean": np.zeros(WIDTH, np.float32),
        "standard/visual/scale": np.ones(WIDTH, np.float32),
    }
    # Each video has one neighbour, the next.
    tensors |= {
        "neighbours/starts": np.arange(VIDEOS + 1, dtype=np.int64),
        "neighbours/videos": ((np.arange(VIDEOS) + 1) % VIDEOS).astype(np.int32),
        "neighbours/values": np.full(VIDEOS, 0.5, np.float32),
    }
    settings = {
        "width": 16,
        "layers": 1,
        "heads": 2,
        "history": 8,
        "memory": 400,
        "dropout": 0.2,
        "event_dropout": 0.2,
        "id_dropout": 0.5,
        "modalities": ["visual", "text", "audio", "attributes", "id"],
        "adapter": "linear",
        "norm": "layer",
        "trends": True,
        "neighbours": 200,
        "neighbour_weight": 1.0,
        "without": [],
    }
    facts = {
        "version": 2,
        "config": settings,
        "vocabulary": {
            "video_ids": sorted(f"v{number}" for number in range(VIDEOS)),
            "attribute_values": ["tags=cats"],
            "profile_values": ["age=18-24"],
        },
        "encoders": {"visual": "fake@1"},
        "calibration": {"scale": [1.0] * 7, "shift": [0.0] * 7},
    }
    return tensors, facts


def write_backup_1(folder: Path) -> None:
    """A backup of format 1, of a live log of schema 1 with one event and a profile."""
    (folder / "live").mkdir(parents=True)
    (folder / "files").mkdir()
    (folder / "files" / "swipewise.toml").write_text(CONFIG)
    tables = {
        "events": (
            ["seq", "event_id", "viewer_id", "video_id", "action", "at", "watch_seconds", "position"],
            [7, "e1", "u0", "v1", "like", 1_767_225_600_000_000, None, 3],
        ),
        "profiles": (["viewer_id", "features", "updated_at"], ["u0", '{"age": "18-24"}', 0]),
    }
    for name, rows in tables.items():
        (folder / "live" / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    files = {
        str(path.relative_to(folder)): [path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()]
        for path in folder.rglob("*")
        if path.is_file()
    }
    record = {
        "format": 1,
        "swipewise": "0.1.0",
        "made_at": "2026-01-02T00:00:00+00:00",
        "live_schema": 1,
        "rows": {"events": 1, "profiles": 1},
        "history_version": None,
        "files": files,
    }
    record["checksum"] = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
    (folder / "swipewise-backup.json").write_text(json.dumps(record))


CONFIG = (
    '[encoders]\nvisual = "fake"\naudio = "none"\ntext = "none"\n'
    "[model]\nwidth = 16\nlayers = 1\nheads = 2\nhistory = 8\n[training]\nepochs = 1\n[server]\nport = 0\n"
)
"""A workspace with a small model to be trained."""
