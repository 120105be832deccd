import hashlib
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from swipewise.catalog import Catalog
from swipewise.config import EncodersConfig, IngestConfig, MediaConfig
from swipewise.errors import InputFileError, StoreError, WorkspaceError
from swipewise.ingest import Progress, ingest_videos, pool
from swipewise.ingest.executor import Answer
from swipewise.ingest.inline import Inline
from swipewise.schema import Col, Modality, Video
from swipewise.workspace import Workspace

VISUAL, AUDIO, TEXT = ((modality, "fake@1") for modality in (Modality.VISUAL, Modality.AUDIO, Modality.TEXT))

_CANNOT_DECODE = """
from swipewise.ingest import tasks, worker
def decode(path, *settings):
    raise AssertionError("this file needs no decoding")
tasks.decode = decode
worker.main()
"""

_SLOW_TO_DECODE = """
import time
from swipewise.ingest import tasks, worker
right_away = tasks.decode
def decode(path, *settings):
    time.sleep(0.7)
    return right_away(path, *settings)
tasks.decode = decode
worker.main()
"""


def ingest(workspace: Workspace, *sources: Path, captions: Path | None = None) -> tuple[int, int, int, int]:
    """Run an ingestion: how many were added, updated, unchanged, rejected."""
    summary = ingest_videos(workspace, sources, captions=captions)
    return summary.added, summary.updated, summary.unchanged, summary.rejected


def catalog_of(workspace: Workspace) -> Catalog:
    return Catalog(workspace.catalog_dir)


def rejected(workspace: Workspace) -> dict[str, str]:
    return dict(catalog_of(workspace).rejected().select(Col.URI, Col.REASON).iter_rows())


def manifest(folder: Path, rows: Sequence[dict[str, Any]], name: str = "videos.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def vectors(workspace: Workspace, encoder: tuple[Modality, str]) -> dict[str, list[float]]:
    ids, values = catalog_of(workspace).vectors(*encoder)
    return dict(zip(ids, values.tolist(), strict=True))


@pytest.mark.parametrize("executor", ["processes"])
def test_a_folder_is_added_once(workspace: Workspace, clips: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    summary = ingest_videos(workspace, [clips], on_progress=seen.append)
    assert (summary.added, summary.updated, summary.unchanged, summary.rejected) == (12, 0, 0, 0)
    assert [state.done for state in seen] == list(range(1, 13))
    assert {state.total for state in seen} == {12}
    catalog = catalog_of(workspace)
    path = clips / "clip01.mp4"
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    video = catalog.get(content[:16])
    assert (video.uri, video.content_hash, video.width, video.height) == (str(path), content, 96, 160)
    assert video.duration_seconds == pytest.approx(0.5, abs=0.1)
    assert len(vectors(workspace, VISUAL)) == 12
    assert len(vectors(workspace, AUDIO)) == 8
    fingerprint = catalog.version()
    shutil.copy(path, tmp_path / "copy.mp4")
    assert ingest(workspace, clips, tmp_path / "copy.mp4") == (0, 0, 13, 0)
    assert catalog.version() == fingerprint


def test_the_same_bytes_twice_in_one_run_are_one_video(
    workspace: Workspace, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The second worker meets the copies while the first is still at work on the original.
    monkeypatch.setattr(pool, "COMMAND", (sys.executable, "-c", _SLOW_TO_DECODE))
    two = replace(workspace, config=replace(workspace.config, ingest=IngestConfig(workers=2)))
    for name in ("a", "b", "c"):
        shutil.copy(clips / "clip01.mp4", tmp_path / f"{name}.mp4")
    rows = [{"uri": "a.mp4"}, {"uri": "b.mp4", "caption": "hello"}, {"uri": "c.mp4", "caption": "hello"}]
    assert ingest(two, manifest(tmp_path, rows)) == (1, 1, 1, 0)
    (video_id,) = catalog_of(workspace).videos()[Col.VIDEO_ID]
    assert catalog_of(workspace).get(video_id).uri == str(tmp_path / "a.mp4")
    assert catalog_of(workspace).encoders_of(video_id) == [AUDIO, TEXT, VISUAL]


def test_a_file_that_vanishes_costs_none_of_the_same_content(
    workspace: Workspace, clips: Path, tmp_path: Path
) -> None:
    copies = [tmp_path / f"{number}.mp4" for number in range(3)]
    for place, copy in enumerate(copies):
        shutil.copy(clips / "clip01.mp4", copy)
        os.utime(copy, (place, place))

    class Vanishing(Inline):
        def submit(self, job: Any, task: Mapping[str, Any]) -> None:
            if task["do"] == "encode" and task["path"] == str(copies[0]):
                copies[0].unlink()
            super().submit(job, task)

    settings = {"media": asdict(workspace.config.media), "encoders": asdict(workspace.config.encoders)}
    with Vanishing(settings) as opened:
        summary = ingest_videos(workspace, copies, pool=opened)
    assert (summary.added, summary.unchanged, summary.rejected) == (1, 1, 1)
    assert summary.reasons == (f"{copies[0]}: the file cannot be read: No such file or directory",)
    assert catalog_of(workspace).videos()[Col.URI].to_list() == [str(copies[1])]


@pytest.mark.parametrize("executor", ["processes"])
def test_what_is_done_when_somebody_presses_ctrl_c_stays(workspace: Workspace, clips: Path) -> None:
    class Interrupted(Inline):
        encoded = 0

        def submit(self, job: Any, task: Mapping[str, Any]) -> None:
            self.encoded += task["do"] == "encode"
            super().submit(job, task)

        def wait(self, seconds: float | None = None) -> list[tuple[Any, Answer]]:
            if self.encoded == 3:
                raise KeyboardInterrupt
            return super().wait(seconds)

    encoders = replace(workspace.config.encoders, batch=1)
    settings = {"media": asdict(workspace.config.media), "encoders": asdict(encoders)}
    with Interrupted(settings) as opened, pytest.raises(KeyboardInterrupt):
        ingest_videos(workspace, [clips], pool=opened)
    kept = catalog_of(workspace).videos()[Col.URI].to_list()
    assert sorted(kept) == [str(clips / f"clip{number:02}.mp4") for number in range(2)]


def test_a_manifest_describes_its_videos(workspace: Workspace, clips: Path, tmp_path: Path) -> None:
    row = {
        "uri": str(clips / "clip01.mp4"),
        "video_id": "v1",
        "caption": "a cat",
        "creator": "ann",
        "music": "song",
    }
    more = {"tags": ["cat", "sea"], "language": "en", "uploaded_at": "2026-01-31T12:00:00Z"}
    pl.DataFrame([row | more]).write_parquet(tmp_path / "videos.parquet")
    assert ingest(workspace, tmp_path / "videos.parquet") == (1, 0, 0, 0)
    video = catalog_of(workspace).get("v1")
    assert replace(video, content_hash="", duration_seconds=None) == Video(
        video_id="v1",
        uri=str(clips / "clip01.mp4"),
        content_hash="",
        caption="a cat",
        creator="ann",
        music="song",
        tags=("cat", "sea"),
        language="en",
        uploaded_at=datetime(2026, 1, 31, 12, tzinfo=UTC),
        width=96,
        height=160,
    )


def test_new_facts_are_stored_without_encoding_anew(
    workspace: Workspace, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(clips / "clip01.mp4", tmp_path / "a.mp4")
    row = {"uri": "a.mp4", "video_id": "v1", "caption": "one", "creator": "ann"}
    assert ingest(workspace, manifest(tmp_path, [row])) == (1, 0, 0, 0)
    before = {encoder: vectors(workspace, encoder) for encoder in (VISUAL, AUDIO, TEXT)}
    monkeypatch.setattr(pool, "COMMAND", (sys.executable, "-c", _CANNOT_DECODE))
    assert ingest(workspace, manifest(tmp_path, [row | {"creator": "bob", "caption": None}])) == (0, 1, 0, 0)
    assert (catalog_of(workspace).get("v1").creator, catalog_of(workspace).get("v1").caption) == ("bob", "one")
    assert {encoder: vectors(workspace, encoder) for encoder in (VISUAL, AUDIO, TEXT)} == before
    assert ingest(workspace, manifest(tmp_path, [row | {"creator": "bob", "caption": "two"}])) == (0, 1, 0, 0)
    assert vectors(workspace, VISUAL) == before[VISUAL]
    assert vectors(workspace, AUDIO) == before[AUDIO]
    assert vectors(workspace, TEXT) != before[TEXT]
    assert ingest(workspace, manifest(tmp_path, [row | {"creator": "", "caption": ""}])) == (0, 1, 0, 0)
    assert catalog_of(workspace).get("v1").creator is None
    assert vectors(workspace, TEXT) == {}
    assert ingest(workspace, tmp_path / "a.mp4") == (0, 0, 1, 0)


def test_a_new_encoder_looks_at_what_is_there(workspace: Workspace, clips: Path) -> None:
    names = EncodersConfig(visual="fake", audio="none", text="none")
    first = replace(workspace, config=replace(workspace.config, encoders=names))
    files = [clips / "clip00.mp4", clips / "clip01.mp4"]
    assert ingest(first, *files) == (2, 0, 0, 0)
    assert catalog_of(workspace).encoders() == [VISUAL]
    before = vectors(workspace, VISUAL)
    assert ingest(workspace, *files) == (0, 2, 0, 0)
    assert catalog_of(workspace).encoders() == [AUDIO, VISUAL]
    assert len(vectors(workspace, AUDIO)) == 1
    assert vectors(workspace, VISUAL) == before
    assert ingest(workspace, *files) == (0, 0, 2, 0)


def test_a_new_cut_of_a_video_replaces_it_and_keeps_what_was_said(
    workspace: Workspace, clips: Path, tmp_path: Path
) -> None:
    shutil.copy(clips / "clip01.mp4", tmp_path / "a.mp4")
    ingest(workspace, manifest(tmp_path, [{"uri": "a.mp4", "video_id": "v1", "creator": "ann"}]))
    before = vectors(workspace, VISUAL)
    shutil.copy(clips / "clip00.mp4", tmp_path / "a.mp4")
    assert ingest(workspace, manifest(tmp_path, [{"uri": "a.mp4", "video_id": "v1"}])) == (0, 1, 0, 0)
    assert catalog_of(workspace).get("v1").creator == "ann"
    assert vectors(workspace, VISUAL) != before
    assert vectors(workspace, AUDIO) == {}
    (tmp_path / "a.mp4").write_bytes(b"broken")
    assert ingest(workspace, manifest(tmp_path, [{"uri": "a.mp4", "video_id": "v1"}])) == (0, 0, 0, 1)
    assert len(vectors(workspace, VISUAL)) == 1


def test_an_id_for_two_contents_and_a_content_with_two_ids_are_refused_naming_both(
    workspace: Workspace, clips: Path, tmp_path: Path
) -> None:
    one, two = str(clips / "clip01.mp4"), str(clips / "clip02.mp4")
    rows = [{"uri": one, "video_id": "v1"}, {"uri": two, "video_id": "v1"}, {"uri": one, "video_id": "v2"}]
    path = manifest(tmp_path, rows)
    assert ingest(workspace, path) == (1, 0, 0, 2)
    assert ingest(workspace, path) == (0, 0, 1, 2)
    assert rejected(workspace) == {
        f"{path}:2": f"video_id 'v1' is given to two files of different content, {one} and {two}: "
        "give each its own",
        f"{path}:3": f"{one} is to be video 'v2' and has the same content as video 'v1' ({one}): "
        "one content is one video, use the id it has",
    }
    assert catalog_of(workspace).get("v1").uri == one
    taken = hashlib.sha256((clips / "clip00.mp4").read_bytes()).hexdigest()[:16]
    ingest(workspace, manifest(tmp_path, [{"uri": two, "video_id": taken}]))
    assert ingest(workspace, clips / "clip00.mp4") == (0, 0, 0, 1)
    assert f"{taken!r} is given to two files" in rejected(workspace)[str(clips / "clip00.mp4")]


def test_bad_files_are_set_aside_with_their_reason_until_they_are_mended(
    workspace: Workspace, clips: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "noise.mp4").write_bytes(b"no video at all")
    (tmp_path / "same noise.mp4").write_bytes(b"no video at all")
    (tmp_path / "good.mp4").write_bytes((clips / "clip01.mp4").read_bytes())
    (tmp_path / "it's a folder.mp4").mkdir()
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "list").mkdir()
    path = manifest(tmp_path / "list", [{"uri": "missing.mp4"}, {"caption": "lost"}])
    assert ingest(workspace, tmp_path, path) == (1, 0, 0, 6)
    reasons = rejected(workspace)
    assert reasons[str(tmp_path / "empty.mp4")] == "the file is empty"
    assert reasons[str(tmp_path / "pipe.mp4")] == "not a file"
    assert reasons[str(tmp_path / "noise.mp4")] == reasons[str(tmp_path / "same noise.mp4")]
    assert "not a video" in reasons[str(tmp_path / "noise.mp4")]
    assert reasons[str(tmp_path / "list" / "missing.mp4")] == f"no such file ({path}:1)"
    assert reasons[f"{path}:2"] == "row cannot be used: no uri"
    shutil.copy(clips / "clip02.mp4", tmp_path / "noise.mp4")
    shutil.copy(clips / "clip02.mp4", tmp_path / "same noise.mp4")
    (tmp_path / "empty.mp4").unlink()
    assert ingest(workspace, tmp_path) == (1, 0, 2, 1)
    assert rejected(workspace).keys() == {str(tmp_path / "pipe.mp4"), f"{path}:2"}
    shutil.copy(clips / "clip03.mp4", tmp_path / "list" / "missing.mp4")
    assert ingest(workspace, manifest(tmp_path / "list", [{"uri": "missing.mp4"}])) == (1, 0, 0, 0)
    assert rejected(workspace).keys() == {str(tmp_path / "pipe.mp4")}


@pytest.mark.parametrize("executor", ["processes"])
def test_a_file_that_takes_for_ever_is_given_up_and_the_rest_goes_on(
    workspace: Workspace, clips: Path, tmp_path: Path
) -> None:
    with (tmp_path / "endless.mp4").open("wb") as file:
        file.truncate(1 << 42)
    impatient = replace(workspace, config=replace(workspace.config, media=MediaConfig(timeout_seconds=1.0)))
    assert ingest(impatient, tmp_path / "endless.mp4", clips / "clip01.mp4", clips / "clip02.mp4") == (2, 0, 0, 1)
    assert rejected(workspace) == {
        str(tmp_path / "endless.mp4"): "took longer than 1 s (media.timeout_seconds): it was given up"
    }


def test_captions_of_a_file_go_before_a_manifests(workspace: Workspace, clips: Path, tmp_path: Path) -> None:
    one, two = str(clips / "clip01.mp4"), str(clips / "clip02.mp4")
    path = manifest(
        tmp_path,
        [{"uri": one, "video_id": "v1", "caption": "old"}, {"uri": two, "video_id": "v2", "caption": "kept"}],
    )
    captions = tmp_path / "captions.csv"
    captions.write_text("uri,caption\nclip01.mp4,new\nclip77.mp4,nobody's\n,lost\n")
    summary = ingest_videos(workspace, [path], captions=captions)
    assert (summary.added, summary.rejected, summary.unused_captions) == (2, 1, 1)
    assert [catalog_of(workspace).get(video_id).caption for video_id in ("v1", "v2")] == ["new", "kept"]
    assert rejected(workspace) == {f"{captions}:4": "row cannot be used: no uri"}


def test_a_video_that_has_moved_is_found_at_its_new_place(
    workspace: Workspace, clips: Path, tmp_path: Path
) -> None:
    shutil.copy(clips / "clip01.mp4", tmp_path / "old.mp4")
    ingest(workspace, tmp_path / "old.mp4")
    (tmp_path / "old.mp4").rename(tmp_path / "new.mp4")
    assert ingest(workspace, tmp_path / "new.mp4") == (0, 1, 0, 0)
    assert catalog_of(workspace).videos()[Col.URI].to_list() == [str(tmp_path / "new.mp4")]


def test_two_ingestions_do_not_meet(workspace: Workspace, clips: Path) -> None:
    with (
        workspace.lock("catalog"),
        pytest.raises(WorkspaceError, match="another process is running 'catalog'"),
    ):
        ingest(workspace, clips)


def test_a_workspace_that_cannot_be_written_is_an_error_that_names_it(workspace: Workspace, clips: Path) -> None:
    (workspace.root / ".catalog.lock").mkdir()
    with pytest.raises(StoreError, match=r"cannot write .*/\.catalog\.lock: Is a directory"):
        ingest(workspace, clips)


def test_a_source_that_does_not_exist_is_an_error_before_anything_is_done(
    workspace: Workspace, clips: Path
) -> None:
    with pytest.raises(InputFileError, match="does not exist"):
        ingest(workspace, clips, clips / "nope.mp4")
    assert not workspace.catalog_dir.exists()


def test_a_catalogue_that_cannot_be_written_is_an_error_that_names_it(workspace: Workspace, clips: Path) -> None:
    workspace.catalog_dir.write_text("in the way")
    with pytest.raises(StoreError, match=f"cannot write {workspace.catalog_dir}/thumbnails"):
        ingest(workspace, clips)


def test_the_catalogue_can_be_read_while_it_is_filled(workspace: Workspace, clips: Path) -> None:
    counts: list[int] = []
    ingest_videos(workspace, [clips], on_progress=lambda _: counts.append(len(catalog_of(workspace).videos())))
    assert counts == sorted(counts)
    assert set(counts) == {0, 5, 10}
    assert len(catalog_of(workspace).videos()) == 12
