"""The index of a run on a catalogue: the one that was kept where it still holds these vectors, else a new one.

Building one for a million videos takes longer than mapping it into memory, and what is mapped is shared by all workers
of a machine. So whoever builds one for the newest run keeps it in the workspace; with a run that is published it lies
in the run's folder.

Legend of shape suffixes: V = videos of the catalogue, D = width of a vector.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from swipewise.errors import ArtifactError, StoreError, WorkspaceError
from swipewise.feed.asking import asked_by_viewers
from swipewise.retrieval import EXACT_ROWS, Index, IvfIndex, build_index, load_index
from swipewise.workspace import Workspace

if TYPE_CHECKING:
    from swipewise.training.scorer import Scorer

_logger = logging.getLogger(__name__)


def index_of(
    scorer: Scorer,
    workspace: Workspace,
    durations: pl.DataFrame,
    *,
    saved: Path | None = None,
    like: Index | None = None,
) -> Index:
    """An index of a model's vectors, made for what viewers ask for where there are too many to compare all of them.

    Args:
        scorer: The model.
        workspace: Whose viewers ask.
        durations: video_id and duration_seconds.
        saved: Where one was kept, which serves as it is where it holds these very vectors.
        like: An index of much the same vectors, whose lists are taken over where they still fit.

    Raises:
        StoreError: A store cannot be read.
    """
    vectors_VD = scorer.index_vectors_VD
    if len(vectors_VD) <= EXACT_ROWS:
        return build_index(vectors_VD)
    kept = None if saved is None or like is not None else _kept(saved)
    if kept is not None and _holds(kept, vectors_VD):
        return kept
    like = like or kept
    known = isinstance(like, IvfIndex) and like.trained.by_viewers
    return build_index(
        vectors_VD, like=like, asked_QD=None if known else asked_by_viewers(scorer, workspace, durations)
    )


def keep_index(index: Index, workspace: Workspace) -> None:
    """Keep an index for the next that opens the workspace; what hinders that is told in the log alone."""
    if not isinstance(index, IvfIndex) or isinstance(index.vectors_VD, np.memmap):
        return  # there is none, or it is the one that was kept
    try:
        with workspace.lock("index"):
            index.save(workspace.index_dir)
    except (ArtifactError, StoreError, WorkspaceError) as error:
        _logger.info("the index is not kept: %s", error)


def _kept(folder: Path) -> Index | None:
    """The index that was kept there; one that another version wrote, or that is damaged, is built again."""
    try:
        return load_index(folder)
    except ArtifactError as error:
        if folder.exists():
            _logger.warning("%s", error)
        return None


def _holds(index: Index, vectors_VD: NDArray[np.float32]) -> bool:
    return not len(index.removed_N) and np.array_equal(index.vectors_VD, vectors_VD)
