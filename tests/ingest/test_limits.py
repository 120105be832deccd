"""Files at the limits, each through a worker process: taken with what they have, or set aside with a fitting reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from swipewise.catalog import Catalog
from swipewise.config import MediaConfig
from swipewise.ingest import ingest_videos
from swipewise.schema import Col, Modality
from swipewise.workspace import Workspace
from tests.media.filming import film, grey, tone

TEN_HOURS = 36_000
X264 = {"codec": "libx264", "pix_fmt": "yuv420p", "codec_options": {"preset": "ultrafast"}}


def ten_hours(path: Path) -> Path:
    """A clip of a second whose header, track and media each claim ten hours."""
    data = bytearray(film(path, [grey(n) for n in range(10)], rate=10).read_bytes())
    for atom, scale_at, length_at in ((b"mvhd", 12, 16), (b"mdhd", 12, 16)):
        at = data.index(atom) + 4
        scale = int.from_bytes(data[at + scale_at : at + scale_at + 4])
        data[at + length_at : at + length_at + 4] = (TEN_HOURS * scale).to_bytes(4)
        if atom == b"mvhd":
            track = data.index(b"tkhd") + 4
            data[track + 20 : track + 24] = (TEN_HOURS * scale).to_bytes(4)
    path.write_bytes(data)
    return path


def early(path: Path) -> Path:
    """Shown from two seconds before time 0 on."""
    kept = {"avoid_negative_ts": "disabled"}
    pictures = [grey(5 * n) for n in range(40)]
    return film(path, pictures, times=[n / 10 - 2 for n in range(40)], options=kept, **X264)


def text(path: Path) -> Path:
    path.write_text("Dear diary, today I made a video.\n" * 100)
    return path


def empty(path: Path) -> Path:
    path.touch()
    return path


TAKEN: dict[str, tuple[Callable[[Path], Path], tuple[float, int | None, set[Modality]]]] = {
    "dot.mov": (lambda path: film(path, [grey(9, 1, 1)] * 10), (1.0, 1, {Modality.VISUAL})),
    "8k.mp4": (lambda path: film(path, [grey(9, 7680, 4320)] * 2, **X264), (0.2, 7680, {Modality.VISUAL})),
    "hours.mov": (ten_hours, (1.0, 32, {Modality.VISUAL})),
    "early.ts": (early, (4.0, 32, {Modality.VISUAL})),
    "sound.m4a": (lambda path: film(path, sound=tone(1.0, 44_100)), (1.0, None, {Modality.AUDIO})),
}
SET_ASIDE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "text.mp4": (text, "not a video or audio file that can be read"),
    "empty.mp4": (empty, "the file is empty"),
    "cinema.mov": (
        lambda path: film(path, [grey(9, 8192, 8192)]),
        "its pictures have 8192x8192 pixels, more than media.max_pixels = 36,000,000",
    ),
}


@pytest.mark.parametrize("executor", ["processes"])
def test_files_at_the_limits_in_one_run(tmp_path: Path, workspace: Workspace) -> None:
    for name, (make, _) in (TAKEN | SET_ASIDE).items():
        make(tmp_path / name)
    ingest_videos(workspace, [tmp_path / name for name in TAKEN | SET_ASIDE])
    catalog = Catalog(workspace.catalog_dir)
    reasons = {Path(uri).name: why for uri, why in catalog.rejected().select(Col.URI, Col.REASON).iter_rows()}
    videos = {Path(row[Col.URI]).name: row for row in catalog.videos().to_dicts()}
    assert (videos.keys(), reasons.keys()) == (TAKEN.keys(), SET_ASIDE.keys())
    for name, (_, why) in SET_ASIDE.items():
        assert why in reasons[name]
    for name, (_, (seconds, width, modalities)) in TAKEN.items():
        assert videos[name][Col.DURATION] == pytest.approx(seconds, abs=0.1), name
        assert videos[name][Col.WIDTH] == width, name
        assert {modality for modality, _ in catalog.encoders_of(videos[name][Col.VIDEO_ID])} == modalities, name


@pytest.mark.parametrize("executor", ["processes"])
def test_a_file_that_takes_too_much_memory_costs_only_itself(tmp_path: Path, workspace: Workspace) -> None:
    film(tmp_path / "a large.mov", [grey(9, 11_000, 5_000)])  # 157 MiB
    film(tmp_path / "b small.mov", [grey(9)])
    config = replace(workspace.config, media=MediaConfig(frames=2, max_memory_mb=128, max_pixels=60_000_000))
    summary = ingest_videos(Workspace(root=workspace.root, config=config), sorted(tmp_path.glob("*.mov")))
    assert (summary.added, summary.rejected) == (1, 1), summary.reasons
    assert (
        "a large.mov: it takes more memory to decode than media.max_memory_mb = 128 allows" in summary.reasons[0]
    )
