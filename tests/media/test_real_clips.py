"""Real files of many makes: each decodes to what its manifest entry says or is rejected, and fittingly."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from swipewise.config import MediaConfig
from swipewise.errors import MediaError
from swipewise.media import decode, probe

DATA = Path(os.environ.get("SWIPEWISE_DATA") or Path(__file__).parents[3] / "shared" / "data")
MANIFEST = DATA / "clips" / "manifest.json"
PRESENT = MANIFEST.is_file()
ENTRIES: list[dict[str, Any]] = json.loads(MANIFEST.read_text()) if PRESENT else [{"file": "absent"}]

pytestmark = pytest.mark.skipif(not PRESENT, reason=f"no real clips at {MANIFEST.parent} (set SWIPEWISE_DATA)")

CONFIG = MediaConfig(max_seconds=60)

# The manifest lists stored sizes. The pixels of this clip are 64:45, so that it is shown 16:9.
SQUARE = {"media__bbb_800x640_768kbps_30fps_vp9.mp4": (round(800 * 64 / 45), 640)}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["file"])
def test_a_real_clip(entry: dict[str, Any]) -> None:
    path = MANIFEST.parent / entry["file"]
    if not entry["n_video"] and not entry["n_audio"]:
        with pytest.raises(MediaError, match="not a video or audio file that can be read"):
            decode(path, CONFIG)
        return
    clip, info = decode(path, CONFIG), probe(path)
    assert clip.duration_seconds == pytest.approx(entry["dur"], abs=0.05)
    if entry["n_video"]:
        assert clip.frames_FHWC is not None
        assert clip.frame_times_F is not None
        assert clip.frames_FHWC.shape[0] == len(clip.frame_times_F) == CONFIG.frames
        assert 0 <= clip.frame_times_F[0] <= clip.frame_times_F[-1] <= clip.duration_seconds
        assert max(clip.frames_FHWC.shape[1:3]) <= CONFIG.max_frame_side
        assert info.rotation == -entry["rotation"] % 360
        if entry["n_video"] == 1:  # of several pictures a player takes the largest, the manifest lists the first
            width, height = SQUARE.get(entry["file"], entry["wh"])
            if entry["rotation"] in (-90, 90):
                width, height = height, width
            assert (clip.width, clip.height) == (info.width, info.height) == (width, height)
    else:
        assert clip.frames_FHWC is None
    assert (info.audio is not None) == bool(entry["n_audio"])
    if clip.waveform_S is not None:  # a track may be there and hold silence
        assert entry["n_audio"]
        seconds = len(clip.waveform_S) / clip.sample_rate
        assert seconds == pytest.approx(min(entry["dur"], CONFIG.max_seconds), rel=0.05, abs=0.15)
