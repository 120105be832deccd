"""Ingestion keeps a thumbnail a video that has a picture, and replaces it with the video's cut."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from swipewise.catalog import Catalog
from swipewise.config import EncodersConfig, MediaConfig
from swipewise.ingest import ingest_videos
from swipewise.ingest.inline import Inline
from swipewise.ingest.remove import remove_videos
from swipewise.workspace import Workspace
from tests.media.filming import film, grey, tone


def ingest(workspace: Workspace, files: dict[str, Path], *, thumbnails: bool = True) -> Catalog:
    manifest = workspace.root / "videos.csv"
    with manifest.open("w", newline="") as file:
        csv.writer(file).writerows([("video_id", "uri"), *((name, str(path)) for name, path in files.items())])
    config = replace(workspace.config, media=MediaConfig(frames=2, thumbnails=thumbnails))
    ingest_videos(Workspace(root=workspace.root, config=config), [manifest])
    return Catalog(workspace.catalog_dir)


def test_videos_with_a_picture_have_a_thumbnail(workspace: Workspace, tmp_path: Path) -> None:
    moving = film(tmp_path / "moving.mov", [grey(90)])
    heard = film(tmp_path / "heard.m4a", sound=tone(1.0, 44_100))
    thumbnails = ingest(workspace, {"a/../b": moving, "heard": heard}).thumbnails
    first = thumbnails.read("a/../b")
    assert first is not None
    assert first.startswith(b"\xff\xd8")
    assert thumbnails.read("heard") is None
    recut = film(tmp_path / "recut.mov", [grey(200)])
    again = ingest(workspace, {"a/../b": recut}).thumbnails.read("a/../b")
    assert again is not None
    assert again != first
    silenced = film(tmp_path / "silenced.m4a", sound=tone(1.0, 44_100, hertz=900))
    assert ingest(workspace, {"a/../b": silenced}).thumbnails.read("a/../b") is None


def test_thumbnails_can_be_left_out(workspace: Workspace, tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mov", [grey(90)])
    assert ingest(workspace, {"a": path}, thumbnails=False).thumbnails.read("a") is None
    other = film(tmp_path / "other.mov", [grey(120)])
    assert ingest(workspace, {"b": other}).thumbnails.read("b") is not None
    recut = film(tmp_path / "recut.mov", [grey(200)])
    assert ingest(workspace, {"b": recut}, thumbnails=False).thumbnails.read("b") is None, "it showed another cut"


def test_a_video_that_is_removed_while_it_is_encoded_keeps_no_thumbnail(
    workspace: Workspace, tmp_path: Path
) -> None:
    path = film(tmp_path / "clip.mov", [grey(90)])
    catalog = ingest(workspace, {"a": path})
    config = replace(workspace.config, encoders=EncodersConfig(visual="descriptor", audio="none", text="none"))
    again = replace(workspace, config=config)

    class Removing(Inline):
        def submit(self, job: Any, task: Mapping[str, Any]) -> None:
            if task["do"] == "encode":
                remove_videos(workspace, ["a"])
            super().submit(job, task)

    with Removing({"media": asdict(config.media), "encoders": asdict(config.encoders)}) as opened:
        summary = ingest_videos(again, [path], pool=opened)
    assert (summary.updated, summary.rejected) == (0, 1)
    assert "is video 'a', which was removed on" in summary.reasons[0]
    assert catalog.thumbnails.read("a") is None
    assert catalog.rows_left(["a"]).is_empty()
