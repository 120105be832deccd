"""A simulated platform on disk: what its files hold, and what happens when it cannot be written."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections import namedtuple
from datetime import datetime
from pathlib import Path
from typing import Any

import av
import polars as pl
import pytest

from swipewise.errors import InputFileError
from swipewise.schema import CONTENT_MODALITIES, Col, Modality
from swipewise.simulate import platform
from swipewise.simulate.platform import Written, write_world
from swipewise.simulate.truth import WORLD_NAME, Truth
from swipewise.simulate.world import PROFILE_FIELDS, World, WorldConfig, draw_world

CONFIG = WorldConfig(videos=16, viewers=12, days=4, seed=5)
FILES = {"clips", "videos.jsonl", "events.parquet", "viewers.parquet", "truth.parquet", "world.json"}
TEXT, AUDIO = CONTENT_MODALITIES.index(Modality.TEXT), CONTENT_MODALITIES.index(Modality.AUDIO)


@pytest.fixture(scope="module")
def world() -> World:
    drawn = draw_world(CONFIG)
    for column in (TEXT, AUDIO):
        assert 0 < (drawn.theme_VM[:, column] < 0).sum() < CONFIG.videos, "the tests below are about both kinds"
    return drawn


@pytest.fixture(scope="module")
def steps() -> list[tuple[int, int]]:
    return []


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]]) -> Written:
    """A world on disk; tests may only read it."""
    folder = tmp_path_factory.mktemp("platform") / "made" / "world"
    return write_world(folder, CONFIG, on_clip=lambda done, total: steps.append((done, total)))


def manifest(directory: Path) -> list[dict[str, Any]]:
    lines = (directory / "videos.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def content(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_the_folder_holds_a_world_and_the_summary_counts_it(
    written: Written, steps: list[tuple[int, int]], world: World
) -> None:
    assert {path.name for path in written.directory.iterdir()} == FILES
    assert steps == [(done, CONFIG.videos) for done in range(1, CONFIG.videos + 1)]
    events = pl.read_parquet(written.directory / "events.parquet")
    exposures = events.filter(pl.col(Col.ACTION) == "exposure")
    assert (written.videos, written.viewers) == (CONFIG.videos, CONFIG.viewers)
    assert (written.events, written.exposures) == (len(events), len(exposures))
    assert set(events[Col.VIDEO_ID]) <= set(world.video_ids)
    assert Truth.load(written.directory).world.config == CONFIG


def test_each_row_of_the_manifest_is_a_clip_with_what_the_world_says(written: Written, world: World) -> None:
    rows = manifest(written.directory)
    assert [row[Col.VIDEO_ID] for row in rows] == world.video_ids
    assert [row[Col.URI] for row in rows] == [f"clips/{name}.mp4" for name in world.video_ids]
    assert {path.name for path in (written.directory / "clips").iterdir()} == {Path(r[Col.URI]).name for r in rows}
    assert [row[Col.CREATOR] for row in rows] == [f"creator{creator:03d}" for creator in world.creator_V]
    assert [row[Col.CAPTION] is None for row in rows] == (world.theme_VM[:, TEXT] < 0).tolist()
    uploaded = [datetime.fromisoformat(row[Col.UPLOADED_AT]).timestamp() for row in rows]
    assert [round(1000 * seconds) for seconds in uploaded] == world.uploaded_at_V.tolist()


def test_clips_without_a_sound_theme_have_no_audio_stream(written: Written, world: World) -> None:
    for row, silent in zip(manifest(written.directory), world.theme_VM[:, AUDIO] < 0, strict=True):
        with av.open(str(written.directory / row[Col.URI])) as container:
            assert {stream.type for stream in container.streams} == ({"video"} if silent else {"video", "audio"})


def test_watch_times_are_measured_against_the_clips(written: Written) -> None:
    seconds = {}
    for row in manifest(written.directory):
        with av.open(str(written.directory / row[Col.URI])) as container:
            assert container.duration is not None
            seconds[row[Col.VIDEO_ID]] = container.duration / av.time_base
    views = pl.read_parquet(written.directory / "events.parquet").drop_nulls(Col.WATCH_SECONDS)
    longest = views.group_by(Col.VIDEO_ID).agg(pl.col(Col.WATCH_SECONDS).max()).iter_rows()
    # A clip is a whole number of frames, so it may be half a frame shorter than it was meant to be.
    assert all(watched <= seconds[video_id] + 0.5 / 12 for video_id, watched in longest)


def test_profiles_are_words_not_numbers(written: Written, world: World) -> None:
    profiles = pl.read_parquet(written.directory / "viewers.parquet")
    assert profiles.columns == [Col.VIEWER_ID, *PROFILE_FIELDS]
    assert profiles[Col.VIEWER_ID].to_list() == world.viewer_ids
    for m, (name, values) in enumerate(PROFILE_FIELDS.items()):
        assert profiles[name].to_list() == [values[group] for group in world.profile_UM[:, m]]


def test_an_interrupted_simulation_is_made_whole_and_gives_the_same_bytes(
    written: Written, tmp_path: Path
) -> None:
    """Killed amid the clips of another, larger world: half a clip, a clip too many, no record."""
    clips = tmp_path / "clips"
    clips.mkdir()
    (clips / "clip00000.mp4").write_bytes(b"half")
    (clips / "clip00016.mp4").write_bytes(b"of the larger world")
    (clips / ".clip00003.mp4.4711").write_bytes(b"killed while writing")
    write_world(tmp_path, CONFIG)
    assert content(tmp_path) == content(written.directory)


def test_what_fails_half_way_is_no_world(
    tmp_path: Path, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(written.directory, tmp_path / "world")
    monkeypatch.setattr(platform, "_render", fail_with(OSError(28, "No space left on device")))
    with pytest.raises(
        InputFileError, match=f"cannot write the world to {tmp_path}/world: No space left on device"
    ):
        write_world(tmp_path / "world", CONFIG)
    assert not (tmp_path / "world" / WORLD_NAME).exists()


def fail_with(error: Exception) -> Any:
    def fail(*_: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("stranger", ["notes.txt", "clips/holiday.mp4", "clips/clip1.mp4"])
def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path, stranger: str) -> None:
    path = tmp_path / stranger
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    before = content(tmp_path)
    with pytest.raises(InputFileError, match=f"holds '{stranger}', no part of a world: choose another folder"):
        write_world(tmp_path, CONFIG)
    assert content(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == [Path(stranger).parts[0]]


def test_too_little_space_is_told_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")(10**9, 10**9 - 10**6, 10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(InputFileError, match=r"has 1 MB free, 16 clips take up to 2 MB: free some space or ask"):
        write_world(tmp_path, CONFIG)
    assert list((tmp_path / "clips").iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputFileError, match=f"cannot write the world to {tmp_path}/file/world: Not a directory"):
        write_world(tmp_path / "file" / "world", CONFIG)


@pytest.mark.parametrize("name", ["videos.jsonl", "events.parquet", "viewers.parquet", "truth.parquet"])
def test_a_full_disk_is_told_whichever_file_meets_it(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "_render", lambda *_: None)
    (tmp_path / name).symlink_to("/dev/full")
    with pytest.raises(InputFileError, match=f"cannot write the world to {tmp_path}: "):
        write_world(tmp_path, CONFIG)
    assert not (tmp_path / WORLD_NAME).exists()


def die(_job: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_renderer_is_told_and_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "_render_one", die)
    with pytest.raises(InputFileError, match=r"a process that rendered clips was killed.*: run the same command"):
        write_world(tmp_path, CONFIG)


def test_processes_that_render_leave_ctrl_c_to_the_one_that_started_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started_with: list[set[int]] = []

    class Pool:
        def __init__(self, *_: object, **__: object) -> None: ...

        def __enter__(self) -> Pool:
            return self

        def __exit__(self, *_: object) -> None: ...

        def map(self, work: Any, jobs: list[Any], chunksize: int) -> list[None]:
            started_with.append(set(signal.pthread_sigmask(signal.SIG_BLOCK, [])))
            return [work(job) for job in jobs]

    monkeypatch.setattr(platform, "ProcessPoolExecutor", Pool)
    write_world(tmp_path / "app", WorldConfig(videos=10, viewers=5))
    assert [signal.SIGINT in blocked for blocked in started_with] == [True]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
