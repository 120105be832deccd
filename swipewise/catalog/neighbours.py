"""The videos whose vectors by one encoder are nearest to those of a video."""

from __future__ import annotations

from swipewise.catalog.records import vector_column
from swipewise.catalog.table import Table, is_one_of
from swipewise.errors import UnknownIdError
from swipewise.schema import Col


class Neighbours:
    """Searches a table of videos by its columns of vectors, where they lie: nothing is held in memory."""

    def __init__(self, videos: Table) -> None:
        self._videos = videos

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
            own = dataset.to_table(columns=[column], filter=is_one_of(Col.VIDEO_ID, [video_id]))
            vectors = own.column(column).drop_null()
            if not len(vectors):
                raise UnknownIdError(f"video {video_id!r} has no {modality} vector by {identity}")
            nearest = {
                "column": column,
                "q": vectors.combine_chunks().flatten().to_numpy(),
                "k": k + 1,
                "metric": "cosine",
                "use_index": False,
            }
            found = dataset.to_table(columns=[Col.VIDEO_ID, "_distance"], nearest=nearest).to_pylist()
        return [
            (row[Col.VIDEO_ID], 1.0 - float(row["_distance"])) for row in found if row[Col.VIDEO_ID] != video_id
        ][:k]
