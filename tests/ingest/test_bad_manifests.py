"""What people put into manifests: each row is added, or rejected with what to do about it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from swipewise.catalog import Catalog
from swipewise.ingest import ingest_videos
from swipewise.schema import Col
from swipewise.workspace import Workspace


def take(workspace: Workspace, path: Path, *rows: dict[str, Any]) -> tuple[dict[str, str | None], dict[str, str]]:
    """Captions of the videos that were added, by id, and reasons by the end of what was rejected."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    ingest_videos(workspace, [path])
    catalog = Catalog(workspace.catalog_dir)
    videos = dict(catalog.videos().select(Col.VIDEO_ID, Col.CAPTION).iter_rows())
    reasons = dict(catalog.rejected().select(Col.URI, Col.REASON).iter_rows())
    return videos, {os.path.basename(uri): reason for uri, reason in reasons.items()}  # noqa: PTH119 - "v.jsonl:2"


def test_rows_of_all_kinds(workspace: Workspace, clips: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "empty.mp4").write_bytes(b"")
    right_to_left, emoji = "\u202bשלום עולם\u202c مرحبا", "👩‍👩‍👧‍👦🏳️‍🌈 e\u0301"
    videos, reasons = take(
        workspace,
        tmp_path / "v.jsonl",
        {"uri": str(clips / "clip00.mp4"), "video_id": "v0", "caption": right_to_left},
        {"uri": str(clips / "clip01.mp4"), "video_id": "v1", "caption": emoji},
        {"uri": str(clips / "clip02.mp4"), "video_id": "v0"},
        {"uri": str(clips / "clip03.mp4"), "video_id": "v3", "caption": "x" * 1_000_000},
        {"uri": str(clips / "clip04.mp4"), "video_id": "v4", "caption": "nul\0l"},
        {"uri": str(clips / "clip05.mp4") + "\0", "video_id": "v5"},
        {"uri": "gone.mp4", "video_id": "v6"},
        {"uri": "folder.mp4", "video_id": "v7"},
        {"uri": "empty.mp4", "video_id": "v8"},
        {"uri": str(clips / "clip09.mp4"), "video_id": "../../etc/v9"},
        {"uri": str(clips / "clip10.mp4"), "video_id": "v\u202e10"},
        {"uri": "https://host/a.mp4?token=s3cret", "video_id": "v11"},
        {"uri": ["a.mp4"]},
    )
    assert videos == {"v0": right_to_left, "v1": emoji, "../../etc/v9": None}
    manifest = tmp_path / "v.jsonl"
    row = f"({manifest}:"
    assert reasons.pop("v.jsonl:4").startswith("row cannot be used: caption 'xxx")
    assert reasons.pop("v.jsonl:6").endswith("cannot be a path: it holds a null byte")
    assert reasons == {
        "v.jsonl:3": f"video_id 'v0' is given to two files of different content, {clips}/clip00.mp4 and "
        f"{clips}/clip02.mp4: give each its own",
        "v.jsonl:5": "row cannot be used: caption 'nul\\x00l' holds a null byte: remove it",
        "gone.mp4": f"no such file {row}7)",
        "folder.mp4": f"not a file {row}8)",
        "empty.mp4": f"the file is empty {row}9)",
        "v.jsonl:11": "row cannot be used: video_id 'v\\u202e10' must be at most 256 printable characters",
        "a.mp4": "web addresses are not fetched: set ingest.http = true, or fetch the file and name its path "
        f"{row}12)",
        "v.jsonl:13": "row cannot be used: no uri",
    }


def test_a_file_that_may_not_be_read_is_told(workspace: Workspace, clips: Path, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (tmp_path / "closed.mp4").write_bytes((clips / "clip00.mp4").read_bytes())
    (tmp_path / "closed.mp4").chmod(0)
    _, reasons = take(workspace, tmp_path / "v.jsonl", {"uri": "closed.mp4"})
    assert reasons == {"closed.mp4": f"cannot be read: Permission denied ({tmp_path / 'v.jsonl'}:1)"}


def test_a_long_caption_in_a_csv_costs_its_row_only(workspace: Workspace, clips: Path, tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    path.write_text(f"uri,caption\n{clips}/clip00.mp4,{'x' * 1_000_000}\n{clips}/clip01.mp4,short\n")
    summary = ingest_videos(workspace, [path])
    assert (summary.added, summary.rejected) == (1, 1)
    assert "has 1,000,000 characters: at most 20,000 are taken" in summary.reasons[0]
