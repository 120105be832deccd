"""Which ids and categories a run knows, and the coding of any data set in its terms."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from swipewise.training.dataset import Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What the embeddings of a run stand for, in the order of their rows.

    Only what training saw is in it: a video that nobody watched in training has no ``id``, and a profile value that
    nobody had is as good as missing, so that a data set of tomorrow codes to the same rows.
    """

    video_ids: tuple[str, ...]
    attribute_values: tuple[str, ...]
    profile_values: tuple[str, ...]

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """The vocabulary of the videos and viewers that the data set has interactions of."""
        videos = np.flatnonzero(dataset.interactions.seen(len(dataset.video_ids)))
        viewers = np.flatnonzero(np.diff(dataset.viewer_offsets()))
        return cls(
            video_ids=tuple(dataset.video_ids[row] for row in videos),
            attribute_values=_used(dataset.attributes_VA[videos], dataset.attribute_values),
            profile_values=_used(dataset.profile_UP[viewers], dataset.profile_values),
        )

    def as_dict(self) -> dict[str, list[str]]:
        """Plain values for JSON."""
        return {name: list(values) for name, values in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, list[str]]) -> Self:
        """The inverse of :meth:`as_dict`."""
        return cls(**{name: tuple(entries) for name, entries in values.items()})

    def video_rows(self, video_ids: tuple[str, ...]) -> NDArray[np.int64]:
        """Embedding row of each video, -1 where training did not see it."""
        rows = {video_id: row for row, video_id in enumerate(self.video_ids)}
        return np.array([rows.get(video_id, -1) for video_id in video_ids], np.int64)

    def attribute_codes(self, values: tuple[str, ...]) -> NDArray[np.int64]:
        """For the codes 0, 1, … of ``values`` the codes of this vocabulary; 0 where it lacks the value."""
        return _recode(values, self.attribute_values)

    def profile_codes(self, values: tuple[str, ...]) -> NDArray[np.int64]:
        """For the codes 0, 1, … of ``values`` the codes of this vocabulary; 0 where it lacks the value."""
        return _recode(values, self.profile_values)


def _used(codes: NDArray[np.int64], values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(values[code - 1] for code in np.unique(codes[codes > 0]))


def _recode(values: tuple[str, ...], known: tuple[str, ...]) -> NDArray[np.int64]:
    codes = {value: code for code, value in enumerate(known, 1)}
    return np.array([0, *(codes.get(value, 0) for value in values)], np.int64)
