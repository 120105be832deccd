"""Viewers who liked the same videos; who liked what is read once and kept, as it is the same for everybody.

Legend of shape suffixes: U = viewers who liked something, V = videos that somebody liked, L = likes, each viewer and
video once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray

from swipewise.events import read_events
from swipewise.events.history import History
from swipewise.schema import Col

NEAREST: Final = 8
SHARED: Final = "shared"
LIKENESS: Final = "likeness"
_SCHEMA: Final = {Col.VIEWER_ID: pl.String, SHARED: pl.Int64, LIKENESS: pl.Float64}


@dataclass(frozen=True, slots=True, kw_only=True)
class Likes:
    """Who liked what.

    viewer_ids, video_ids: sorted; viewer_L: int32 rows of ``viewer_ids``, by video; offsets_V: (V + 1,) where in it
    each video's begin; count_U: likes of each viewer.
    """

    viewer_ids: pl.Series
    video_ids: pl.Series
    viewer_L: NDArray[np.int32]
    offsets_V: NDArray[np.int32]
    count_U: NDArray[np.int64]

    @classmethod
    def read(cls, events_dir: Path, positive: Sequence[str]) -> Likes:
        """All likes of a log.

        Args:
            events_dir: Where the log is.
            positive: The actions that count as likes.

        Raises:
            StoreError: It cannot be read.
        """
        likes = History(events_dir).collected(
            lambda: (
                read_events(events_dir)
                .filter(pl.col(Col.ACTION).is_in(list(positive)))
                .select(Col.VIEWER_ID, Col.VIDEO_ID)
                .collect(engine="streaming")
            )
        )
        viewer_ids, video_ids = (likes[name].unique().sort() for name in (Col.VIEWER_ID, Col.VIDEO_ID))
        viewer_L, video_L = (
            _rows(likes[name], among) for name, among in ((Col.VIEWER_ID, viewer_ids), (Col.VIDEO_ID, video_ids))
        )
        # Each pair once, by video.
        once = sp.coo_array(
            (np.ones(len(likes), np.int32), (video_L, viewer_L)), (len(video_ids), len(viewer_ids))
        ).tocsr()
        return cls(
            viewer_ids=viewer_ids,
            video_ids=video_ids,
            viewer_L=once.indices,
            offsets_V=once.indptr,
            count_U=np.bincount(once.indices, minlength=len(viewer_ids)),
        )

    def nearest(self, viewer_id: str, liked: Sequence[str]) -> pl.DataFrame:
        """Who liked the same: viewer_id, shared (how many) and likeness (cosine of what both liked), the nearest first.

        Args:
            viewer_id: To whom.
            liked: What that viewer liked; videos that nobody liked by this log count for the likeness all the same.
        """
        own = pl.Series(sorted(set(liked)), dtype=pl.String)
        known = own.filter(own.is_in(self.video_ids.implode()))
        rows = self.video_ids.search_sorted(known).to_numpy()
        theirs = [self.viewer_L[self.offsets_V[row] : self.offsets_V[row + 1]] for row in rows]
        shared_U = np.bincount(np.concatenate(theirs) if theirs else [], minlength=len(self.viewer_ids))
        some = np.flatnonzero(shared_U)
        likeness = shared_U[some] / np.sqrt(self.count_U[some] * max(1, len(own)))
        found = pl.DataFrame(
            {Col.VIEWER_ID: self.viewer_ids.gather(some), SHARED: shared_U[some], LIKENESS: likeness},
            schema=_SCHEMA,
        )
        return (
            found.filter(pl.col(Col.VIEWER_ID) != viewer_id)
            .sort(LIKENESS, Col.VIEWER_ID, descending=[True, False])
            .head(NEAREST)
        )


def _rows(values: pl.Series, among: pl.Series) -> NDArray[np.int32]:
    """Where each value is among distinct ones."""
    return values.cast(pl.Enum(among)).to_physical().to_numpy().astype(np.int32)
