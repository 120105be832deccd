"""Near-duplicates are linked to the first of their kind, whatever the timing of the run that took them."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from swipewise.catalog import Catalog
from swipewise.config import IngestConfig, MediaConfig
from swipewise.ingest import encode_videos, ingest_videos, pool
from swipewise.ingest.duplicates import link_duplicates
from swipewise.schema import Col, Fingerprint, Video
from swipewise.simulate.clips import render_clip
from swipewise.workspace import Workspace
from tests.media.copying import encode_anew

# Two hashes that are far from one another, and one that is near the first and one nearer to that than to the first.
FIRST, FAR = 0x0123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3210
NEARBY, BEYOND = FIRST ^ 0b1111, FIRST ^ 0b1111_1111


def known_by(hash_: int, *, frames: int = 2, motion: bytes = b"\0\0", audio: bytes | None = None) -> Fingerprint:
    return Fingerprint(visual=np.full(frames, hash_, "<u8").tobytes(), motion=motion, audio=audio)


def sound(seed: int) -> bytes:
    return np.random.default_rng(seed).integers(1, 2**32, 50).astype("<u4").tobytes()


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog")


def add(catalog: Catalog, prints: Mapping[str, Fingerprint], cut: str = "") -> None:
    """Write videos as a run does, and let the run end: its sources are in the order of ``prints``."""
    videos = [Video(video_id=name, uri=f"/{name}", content_hash=f"{name} {cut}") for name in prints]
    catalog.upsert(videos, {}, prints)
    link_duplicates(catalog, {name: place for place, name in enumerate(prints)})


def links(catalog: Catalog) -> dict[str, str | None]:
    return dict(catalog.videos().select(Col.VIDEO_ID, Col.DUPLICATE_OF).iter_rows())


def test_a_video_is_linked_to_the_first_that_it_is_like(catalog: Catalog) -> None:
    add(catalog, {"z": known_by(FIRST), "y": known_by(FAR), "x": known_by(FIRST), "w": Fingerprint()})
    assert links(catalog) == {"z": None, "y": None, "x": "z", "w": None}
    add(catalog, {"b": known_by(NEARBY), "a": known_by(FAR), "c": known_by(BEYOND)})
    assert links(catalog) == {"z": None, "y": None, "x": "z", "w": None, "b": "z", "a": "y", "c": "b"}
    before = catalog.version()
    assert not link_duplicates(catalog, {})
    assert catalog.version() == before


def test_what_a_killed_run_has_left_comes_before_another_run(catalog: Catalog) -> None:
    left = {"z": known_by(FIRST), "y": known_by(FAR)}
    catalog.upsert([Video(video_id=name, uri=name, content_hash=name) for name in left], {}, left)
    add(catalog, {"b": known_by(FAR), "a": known_by(FIRST)})
    assert links(catalog) == {"z": None, "y": None, "b": "y", "a": "z"}


def test_another_sound_another_movement_or_number_of_frames_is_another_video(catalog: Catalog) -> None:
    moves, turns = b"\x10\x20\xf0\xe0", b"\x20\xf0\x10\xf0"
    prints = {
        "a": known_by(FIRST, audio=sound(1)),
        "other voice": known_by(FIRST, audio=sound(2)),
        "muted": known_by(FIRST),
        "same voice": known_by(FIRST, audio=sound(2)),
        "moves": known_by(FAR, motion=moves),
        "moves otherwise": known_by(FAR, motion=turns),
        "moves too": known_by(FAR, motion=moves),
        "of other frames": known_by(FAR, frames=3, motion=moves),
    }
    add(catalog, prints)
    assert {name: first for name, first in links(catalog).items() if first} == {
        "muted": "a",
        "same voice": "other voice",
        "moves too": "moves",
    }


def test_a_new_cut_comes_last_and_what_was_linked_to_it_finds_another_first(catalog: Catalog) -> None:
    add(catalog, dict.fromkeys(["a", "b", "c"], known_by(FIRST)) | {"d": known_by(FAR)})
    add(catalog, {"a": known_by(FAR)}, cut="new")
    assert links(catalog) == {"a": "d", "b": None, "c": "b", "d": None}
    add(catalog, {"b": Fingerprint()}, cut="black")
    assert links(catalog) == {"a": "d", "b": None, "c": None, "d": None}
    add(catalog, {"d": known_by(FAR)}, cut="same picture")
    assert links(catalog) == {"a": None, "b": None, "c": None, "d": "a"}


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six clips of two themes, copies of three of them, and a picture with another clip's sound."""
    folder = tmp_path_factory.mktemp("copies")
    for number in range(6):
        rng = np.random.default_rng(number)
        path = folder / f"m{number}.mp4"
        render_clip(path, visual=1 + number % 2, audio=number % 2, seconds=1.0, rng=rng)
    encode_anew(folder / "m0.mp4", folder / "a copy.mp4", scale=2, volume=0.5)
    encode_anew(folder / "m3.mp4", folder / "n copy.mkv", codec="mpeg4", audio_codec="libmp3lame")
    encode_anew(folder / "m4.mp4", folder / "o copy.mp4", scale=0.75, audio_bits=24_000)
    encode_anew(folder / "m5.mp4", folder / "p meme.mp4", sound_of=folder / "m0.mp4")
    return folder


EXPECTED = {"m0.mp4": "a copy.mp4", "n copy.mkv": "m3.mp4", "o copy.mp4": "m4.mp4"}
CLIPS = MediaConfig(frames=8)


def by_name(workspace: Workspace) -> dict[str, str]:
    """The links between file names."""
    videos = Catalog(workspace.catalog_dir).videos()
    name_of = {video_id: Path(uri).name for video_id, uri in videos.select(Col.VIDEO_ID, Col.URI).iter_rows()}
    linked = videos.drop_nulls(Col.DUPLICATE_OF).select(Col.VIDEO_ID, Col.DUPLICATE_OF)
    return {name_of[video_id]: name_of[first] for video_id, first in linked.iter_rows()}


# Files take the longer the earlier they come, so that two workers finish them out of order.
_OUT_OF_ORDER = """
import time
from swipewise.ingest import tasks, worker
right_away = tasks.decode
def decode(path, *settings):
    time.sleep(0.6 if path.name < "m1" or path.name == "m3.mp4" else 0)
    return right_away(path, *settings)
tasks.decode = decode
worker.main()
"""


def test_copies_are_linked_in_the_order_of_the_sources(
    workspace: Workspace, copies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "COMMAND", (sys.executable, "-c", _OUT_OF_ORDER))
    two = replace(
        workspace, config=replace(workspace.config, media=CLIPS, ingest=IngestConfig(workers=2, batch=1))
    )
    ingest_videos(two, [copies])
    assert by_name(two) == EXPECTED
    version = Catalog(two.catalog_dir).version()
    ingest_videos(two, [copies])
    assert Catalog(two.catalog_dir).version() == version


def test_links_reach_over_runs_and_the_earlier_run_comes_first(workspace: Workspace, copies: Path) -> None:
    one = replace(workspace, config=replace(workspace.config, media=CLIPS))
    ingest_videos(one, [copies / "m0.mp4", copies / "m1.mp4", copies / "o copy.mp4"])
    assert by_name(one) == {}
    ingest_videos(one, [copies])
    assert by_name(one) == {"a copy.mp4": "m0.mp4", "n copy.mkv": "m3.mp4", "m4.mp4": "o copy.mp4"}


def test_without_the_setting_nothing_is_fingerprinted_and_with_it_the_same_call_makes_up_for_it(
    workspace: Workspace, copies: Path
) -> None:
    config = replace(workspace.config, media=CLIPS)
    off = replace(workspace, config=replace(config, ingest=IngestConfig(workers=1, duplicates=False)))
    ingest_videos(off, [copies])
    catalog = Catalog(off.catalog_dir)
    assert catalog.links.fingerprinted() == frozenset()
    assert by_name(off) == {}
    on = replace(workspace, config=config)
    assert ingest_videos(on, [copies / "m0.mp4", copies / "a copy.mp4"]).updated == 2
    assert by_name(on) == {"a copy.mp4": "m0.mp4"}
    assert encode_videos(on, on.config.encoders).updated == 8
    assert len(catalog.links.fingerprinted()) == 10
    assert len(by_name(on)) == 3


_RUN = """
import sys, time
from pathlib import Path
from swipewise.ingest import ingest_videos
from swipewise.workspace import Workspace
def tell(progress):
    print(progress.done, flush=True)
    time.sleep(0.1)
ingest_videos(Workspace.open(sys.argv[1]), [Path(sys.argv[2])], on_progress=tell)
"""

_CONFIG = """
[encoders]
visual = "fake"
audio = "fake"
text = "fake"
[ingest]
workers = 2
batch = 1
"""


@pytest.mark.parametrize("files", [3, 10])
def test_a_run_that_was_killed_ends_with_the_same_links(tmp_path: Path, copies: Path, files: int) -> None:
    workspace = Workspace.create(tmp_path / "workspace")
    (workspace.root / "swipewise.toml").write_text(_CONFIG)
    workspace = Workspace.open(workspace.root)
    command = [sys.executable, "-c", _RUN, workspace.root, copies]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        while int(run.stdout.readline()) < files:
            pass
        run.send_signal(signal.SIGKILL)
    ingest_videos(workspace, [copies])
    assert by_name(workspace) == EXPECTED


def test_a_video_that_was_taken_out_of_turn_by_a_killed_run_keeps_its_place(
    workspace: Workspace, copies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = replace(workspace, config=replace(workspace.config, media=CLIPS))
    folder = tmp_path / "some"
    folder.mkdir()
    shutil.copy(copies / "m0.mp4", folder / "m0.mp4")
    with monkeypatch.context() as killed:
        killed.setattr("swipewise.ingest.run.link_duplicates", lambda *_: False)
        ingest_videos(one, [folder])
    off = replace(one, config=replace(one.config, ingest=IngestConfig(workers=1, duplicates=False)))
    ingest_videos(off, [folder])
    assert Catalog(one.catalog_dir).links.visual()[Col.LINK_ORDER].to_list() == [None]
    shutil.copy(copies / "a copy.mp4", folder / "a copy.mp4")
    ingest_videos(one, [folder])
    assert by_name(one) == {"m0.mp4": "a copy.mp4"}, "the order of the sources, not that of the commits"
