"""A workspace with real stores and, where a test asks for one, a scorer computed by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from swipewise.catalog import Catalog
from swipewise.errors import ArtifactError
from swipewise.schema import Video
from swipewise.workspace import Workspace
from tests.feed.fakes import NOW, FakeScorer
from tests.stores import live_store as live_store
from tests.stores import server as server

# a and b are alike, c and d are alike; d is the newest upload
VECTORS = {"a": [1.0, 0.0], "b": [0.8, 0.6], "c": [-0.8, 0.6], "d": [-1.0, 0.0]}


def video(video_id: str, *, days_old: float, duration: float = 10.0) -> Video:
    return Video(
        video_id=video_id,
        uri=f"{video_id}.mp4",
        content_hash=video_id,
        caption=f"the {video_id} video",
        uploaded_at=NOW - timedelta(days=days_old),
        duration_seconds=duration,
    )


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Four videos, no behaviour, no run."""
    return with_four_videos(tmp_path / "shop")


def with_four_videos(root: Path) -> Workspace:
    """A new workspace."""
    made = Workspace.create(root)
    videos = [video(video_id, days_old=4 - place) for place, video_id in enumerate("abcd")]
    Catalog(made.catalog_dir).upsert(videos, {})
    return made


@pytest.fixture
def runs(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Put a run into the workspace: ``runs("r1", "sound")``, else "broken", "nan" or "nan scores"."""

    def load(run: Path, _workspace: Workspace) -> FakeScorer:
        kind = (run / "kind").read_text()
        if kind == "broken":
            raise ArtifactError(f"{run}/model.safetensors is damaged")
        scorer = FakeScorer(tuple(VECTORS), np.array(list(VECTORS.values()), np.float32))
        if kind == "nan":
            scorer.index_vectors_VD = scorer.index_vectors_VD * np.nan
        if kind == "nan scores":
            monkeypatch.setattr(scorer, "score", lambda *_: FakeScorer.score(_nan(scorer), *_))
        return scorer

    def put(name: str, kind: str) -> None:
        folder = workspace.runs_dir / name
        folder.mkdir(parents=True)
        (folder / "kind").write_text(kind)
        monkeypatch.setattr("swipewise.feed.chosen.latest_run", lambda _: folder)

    monkeypatch.setattr("swipewise.feed.stock.load_scorer", load)
    return put


def _nan(scorer: FakeScorer) -> FakeScorer:
    return FakeScorer(scorer.video_ids, scorer.index_vectors_VD * np.nan)
