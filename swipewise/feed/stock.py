"""What a feed is made from: the catalogue and the model as they are now.

Legend of shape suffixes: V = videos on the shelf, D = width of a vector.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from swipewise.catalog import Catalog
from swipewise.errors import ArtifactError, UnknownIdError
from swipewise.feed.stages import Shelf
from swipewise.retrieval.index import ExactIndex, Index
from swipewise.schema import Col
from swipewise.training.runs import latest_run
from swipewise.workspace import Workspace

if TYPE_CHECKING:
    from swipewise.training.scorer import Scorer


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """The catalogue, and the newest run's model where there is a sound one.

    ``fingerprint`` changes when either does. ``note`` says why there is no model, ``broken`` whether it is because
    the newest run cannot be used. ``durations`` holds video_id and duration_seconds.
    """

    fingerprint: str
    shelf: Shelf
    durations: pl.DataFrame
    run: str | None = None
    scorer: Scorer | None = None
    index: Index | None = None
    note: str | None = None
    broken: bool = False


def fingerprint(workspace: Workspace) -> str:
    """What identifies the catalogue and the newest run; cheap to ask for."""
    run = _latest_run(workspace)
    changed = f"{run.name}@{run.stat().st_mtime_ns}" if run else "none"
    return f"{Catalog(workspace.catalog_dir).version()} {changed}"


def load_stock(workspace: Workspace) -> Stock:
    """Read the catalogue and the newest run; a run that cannot be used is noted, not raised.

    Raises:
        StoreError: The catalogue cannot be read.
    """
    # Taken first: what changes while it is being read is then read again by the next look.
    known_as = fingerprint(workspace)
    videos = Catalog(workspace.catalog_dir).videos()
    groups = _groups(videos) if workspace.config.ingest.duplicates else {}
    durations = videos.select(Col.VIDEO_ID, Col.DURATION)
    run = _latest_run(workspace)
    if run is None:
        note = "no model yet: fit one with 'swipewise train'"
        return Stock(fingerprint=known_as, shelf=_shelf(videos, groups), durations=durations, note=note)
    try:
        scorer = load_scorer(run, workspace)
        if not np.isfinite(scorer.index_vectors_VD).all():
            raise ArtifactError("its video vectors are not finite: train again with 'swipewise train'")
    except ArtifactError as error:
        note = f"the model of run {run.name} cannot be used: {error}"
        return Stock(
            fingerprint=known_as, shelf=_shelf(videos, groups), durations=durations, note=note, broken=True
        )
    return Stock(
        fingerprint=known_as,
        shelf=_shelf(videos, groups, scorer),
        durations=durations,
        run=run.name,
        scorer=scorer,
        index=ExactIndex.build(scorer.index_vectors_VD),
    )


def _latest_run(workspace: Workspace) -> Path | None:
    try:
        return latest_run(workspace.runs_dir)
    except UnknownIdError:
        return None


def load_scorer(run: Path, workspace: Workspace) -> Scorer:
    """Load a run's model; a workspace without a run never pays for importing torch.

    Raises:
        ArtifactError: The model is damaged or does not fit.
    """
    from swipewise.training.scorer import Scorer

    return Scorer.load(run, workspace)


def _groups(videos: pl.DataFrame) -> dict[str, str]:
    """Of each video that has near-duplicates the first of its group."""
    linked = videos.filter(pl.col(Col.DUPLICATE_OF).is_not_null())
    earlier = dict(linked.select(Col.VIDEO_ID, Col.DUPLICATE_OF).iter_rows())
    groups: dict[str, str] = {}
    for video_id in earlier:
        # Each names the first that it is like itself, which may be like one before it.
        first = earlier[video_id]
        while first in earlier:
            first = earlier[first]
        groups |= {video_id: first, first: first}
    return groups


def _shelf(videos: pl.DataFrame, groups: Mapping[str, str], scorer: Scorer | None = None) -> Shelf:
    """The shelf in the scorer's order, or in the catalogue's without one."""
    uploaded = dict(zip(videos[Col.VIDEO_ID], videos[Col.UPLOADED_AT], strict=True))
    video_ids = scorer.video_ids if scorer else tuple(uploaded)
    times = [uploaded.get(video_id) for video_id in video_ids]
    return Shelf(
        video_ids=video_ids,
        uploaded_at_V=np.array([time.timestamp() if time else math.nan for time in times], np.float64),
        vectors_VD=_unit_length(scorer.index_vectors_VD) if scorer else None,
        group_of=groups,
    )


def _unit_length(vectors_VD: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same directions with length 1; a vector of zeros stays one."""
    lengths_V = np.linalg.norm(vectors_VD, axis=1, keepdims=True)
    scaled_VD: NDArray[np.float32] = vectors_VD / np.maximum(lengths_V, np.float32(1e-12))
    return scaled_VD
