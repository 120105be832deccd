"""The videos whose vectors by one encoder are nearest to those of a video.

Legend of shape suffixes: D = width of a vector.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from swipewise.catalog.records import vector_column
from swipewise.catalog.removal import VisibleVideos
from swipewise.catalog.table import Table, is_one_of
from swipewise.errors import UnknownIdError
from swipewise.schema import Col

_DISTANCE: Final = "_distance"  # as Lance calls it


class Neighbours:
    """Searches a table of videos by its columns of vectors, where they lie: nothing is held in memory."""

    def __init__(self, videos: Table, visible: VisibleVideos) -> None:
        self._videos = videos
        self._visible = visible

    def of(self, video_id: str, modality: str, identity: str, k: int) -> list[tuple[str, float]]:
        """The k other videos most like one, and their cosines, best first.

        Args:
            video_id: Like which.
            modality: What the encoder looks at.
            identity: Which encoder.
            k: How many.

        Raises:
            UnknownIdError: The video has no vector of this encoder.
            StoreError: The catalogue cannot be read.
        """
        column = vector_column(modality, identity)
        dataset = self._videos.open()
        if dataset is None or column not in dataset.schema.names:
            raise UnknownIdError(f"no video has a vector by {identity}")
        with self._videos.errors("search"):
            own = dataset.to_table(columns=[Col.VIDEO_ID, column], filter=is_one_of(Col.VIDEO_ID, [video_id]))
        vectors = own.column(column).drop_null()
        if not len(vectors) or self._visible.among(_frame(own, [Col.VIDEO_ID])).is_empty():
            raise UnknownIdError(f"video {video_id!r} has no {modality} vector by {identity}")
        own_D = vectors.combine_chunks().flatten().to_numpy()
        asked = k + 1  # itself among them
        while True:
            found = self._nearest(dataset, column, own_D, asked)
            others = self._visible.among(found).filter(pl.col(Col.VIDEO_ID) != video_id)
            if len(others) >= k or len(found) < asked:
                return [(other, 1.0 - distance) for other, distance in others.head(k).iter_rows()]
            asked *= 2  # removed ones are in the way

    def _nearest(self, dataset: Any, column: str, own_D: NDArray[np.float32], k: int) -> pl.DataFrame:
        """The k nearest of all rows: id and cosine distance, best first."""
        nearest = {"column": column, "q": own_D, "k": k, "metric": "cosine", "use_index": False}
        with self._videos.errors("search"):
            table = dataset.to_table(columns=[Col.VIDEO_ID, _DISTANCE], nearest=nearest)
        return _frame(table, [Col.VIDEO_ID, _DISTANCE])


def _frame(table: Any, columns: list[str]) -> pl.DataFrame:
    """These columns of an Arrow table."""
    found = pl.from_arrow(table.select(columns))
    assert isinstance(found, pl.DataFrame)
    return found
