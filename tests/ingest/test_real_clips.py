"""Real files in every state: each is added with what it has, or rejected with a reason that fits it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from swipewise.catalog import Catalog
from swipewise.ingest import ingest_videos
from swipewise.schema import Col, Modality
from swipewise.workspace import Workspace
from tests.media.test_real_clips import SQUARE

DATA = Path(os.environ.get("SWIPEWISE_DATA") or Path(__file__).parents[3] / "shared" / "data")
CLIPS = DATA / "clips"

pytestmark = pytest.mark.skipif(not CLIPS.is_dir(), reason=f"the real clips are not at {CLIPS}")


def test_real_clips_are_added_with_what_they_have_or_rejected_with_a_fitting_reason(tmp_path: Path) -> None:
    described: list[dict[str, Any]] = json.loads((CLIPS / "manifest.json").read_text())
    workspace = Workspace.create(tmp_path / "workspace")
    summary = ingest_videos(workspace, [CLIPS])
    twins = len(described) - len({clip["sha256"] for clip in described})
    assert summary.added + summary.rejected == len(described) - twins
    assert (summary.updated, summary.unchanged) == (0, twins)
    catalog = Catalog(workspace.catalog_dir)
    added = {video[Col.CONTENT_HASH]: video for video in catalog.videos().to_dicts()}
    reasons = dict(catalog.rejected().select(Col.CONTENT_HASH, Col.REASON).iter_rows())
    for clip in described:
        if clip["sha256"] in reasons:
            assert clip["category"] == "corrupt", (clip["file"], reasons[clip["sha256"]])
            assert "cannot be decoded" in reasons[clip["sha256"]] or "not a video" in reasons[clip["sha256"]]
            continue
        video = added[clip["sha256"]]
        modalities = {modality for modality, _ in catalog.encoders_of(video[Col.VIDEO_ID])}
        assert (Modality.VISUAL in modalities) == bool(clip["n_video"]), clip["file"]
        assert Modality.AUDIO not in modalities or clip["n_audio"] > 0, clip["file"]
        assert video[Col.DURATION] == pytest.approx(clip["dur"], abs=0.2), clip["file"]
        if clip["n_video"] == 1:
            size = SQUARE.get(clip["file"], tuple(clip["wh"]))
            upright = size[::-1] if clip["rotation"] in (90, -90) else size
            assert (video[Col.WIDTH], video[Col.HEIGHT]) == upright, clip["file"]
