"""Real files: copies of one picture are linked, and no two different ones are."""

import os
from pathlib import Path

import pytest

from swipewise.catalog import Catalog
from swipewise.config import Config, EncodersConfig
from swipewise.ingest import ingest_videos
from swipewise.schema import Col
from swipewise.workspace import Workspace

DATA = Path(os.environ.get("SWIPEWISE_DATA") or Path(__file__).parents[3] / "shared" / "data")
CLIPS = DATA / "clips"

pytestmark = pytest.mark.skipif(not CLIPS.is_dir(), reason=f"the real clips are not at {CLIPS}")

# Looked at one by one: files of a group show the same picture, encoded or packed in other ways. The test cards of the
# last two groups were drawn by one program at other sizes, with and without a stamp in a corner.
COPIES = (
    ("shared-assets__flower.mp4", "shared-assets__flower.webm", "shared-assets__flower-fragmented.mp4"),
    ("interactive-examples__stream-of-water.mp4", "interactive-examples__stream-of-water.webm"),
    (
        "gradio__b.avi",
        "gradio__muted_video_sample.mp4",
        "gradio__playable_but_bad_container.mkv",
        "gradio__playable_but_bad_container.mp4",
        "gradio__video_sample.mp4",
        "gradio__video_sample.webm",
    ),
    (
        "media__sample.flv",
        "media__sample_av1.mp4",
        "media__sample_empty_track.mp4",
        "media__sample_mdat_too_long.mp4",
        "media__sample_video_only.mp4",
        "media__sample_with_htc_rotation_track_name.mkv",
        "media__sample_with_invalid_nalu.mp4",
    ),
    ("decord__corrupted.mp4", "torchcodec__av1_video.mkv"),
    (
        "media__sample_12_5fps_720p_1s.mp4",
        "torchcodec__bt709_full_range.mp4",
        "torchcodec__h264_10bits.mp4",
        "torchcodec__h265_10bits.mp4",
    ),
)


def test_real_copies_are_linked_and_no_two_different_clips(tmp_path: Path) -> None:
    made = Workspace.create(tmp_path / "workspace")
    encoders = EncodersConfig(visual="fake", audio="fake", text="fake")
    workspace = Workspace(root=made.root, config=Config(encoders=encoders))
    ingest_videos(workspace, [CLIPS])
    videos = Catalog(workspace.catalog_dir).videos()
    name_of = {video_id: Path(uri).name for video_id, uri in videos.select(Col.VIDEO_ID, Col.URI).iter_rows()}
    linked = videos.drop_nulls(Col.DUPLICATE_OF).select(Col.VIDEO_ID, Col.DUPLICATE_OF)
    links = {(name_of[video_id], name_of[first]) for video_id, first in linked.iter_rows()}
    # In the order of names each file of a group but the first is linked, to the first.
    assert links == {(name, min(group)) for group in COPIES for name in group if name != min(group)}
