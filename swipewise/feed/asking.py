"""What the index will be asked for: the interest vectors of some of the viewers there are.

Legend of shape suffixes: Q = viewers, D = width of a vector.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from swipewise.events import EventLog, fold, read_events
from swipewise.events.history import History
from swipewise.events.reading import as_interactions
from swipewise.schema import Col, Interaction
from swipewise.workspace import Workspace

if TYPE_CHECKING:
    from swipewise.training.scorer import Scorer

VIEWERS: Final = 256
"""Viewers who are looked at; half of them choose the index's coordinates, the others tell what a search finds."""
_LATEST: Final = 2000  # interactions of each, more than a model reads


def asked_by_viewers(scorer: Scorer, workspace: Workspace, durations: pl.DataFrame) -> NDArray[np.float32]:
    """Interest vectors of at most ``VIEWERS`` viewers of the log, drawn with a fixed seed: (Q, D) float32.

    Args:
        scorer: The model that will be asked.
        workspace: Whose viewers.
        durations: video_id and duration_seconds.

    Raises:
        StoreError: A store cannot be read.
    """
    histories = History(workspace.events_dir).collected(lambda: _histories(workspace, durations))
    with EventLog.open(workspace.events_dir) as log:
        viewers = [(history, log.profile(viewer_id)) for viewer_id, history in histories.items()]
    return scorer.interests(viewers, datetime.now(UTC))


def _histories(workspace: Workspace, durations: pl.DataFrame) -> dict[str, list[Interaction]]:
    """The latest interactions of the viewers who were drawn, by their ids."""
    events = read_events(workspace.events_dir)
    viewer_ids = events.select(pl.col(Col.VIEWER_ID).unique().sort()).collect()[Col.VIEWER_ID]
    drawn = np.sort(np.random.default_rng(0).permutation(len(viewer_ids))[:VIEWERS])
    theirs = events.filter(pl.col(Col.VIEWER_ID).is_in(viewer_ids[drawn].to_list()))
    rows = fold(theirs, durations.lazy()).collect()
    found = rows.partition_by(Col.VIEWER_ID, as_dict=True, maintain_order=True)
    return {str(viewer_id): as_interactions(own.tail(_LATEST)) for (viewer_id,), own in found.items()}
