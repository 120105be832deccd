"""The coordinates in which an approximate index puts like videos together.

What is asked for is rarely spread as videos are: the interest vectors of viewers have no negative numbers and much in
common, so that a few directions decide what is best for whom. Lists that are made where videos lie as they are spend
most of their precision on the others. Here both are turned into coordinates in which what is asked varies alike in all
directions, and inner products stay what they were: two videos are then near each other when viewers can hardly tell
them apart. Of these coordinates those in which videos hardly differ can be left out.

Legend of shape suffixes: V = vectors, Q = questions, D = width of a vector, W = width of the coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

_WORTH = 4.0
"""Each question weighs as much as four numbers of a vector do for taking all directions for alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Multiplies videos by ``videos_WD`` and questions by ``questions_WD``.

    Their inner products stay, or, in a narrowed space, nearly stay but for what is the same for all videos.
    """

    videos_WD: NDArray[np.float32] = field(repr=False)
    questions_WD: NDArray[np.float32] = field(repr=False)

    @classmethod
    def plain(cls, width: int) -> Self:
        """The coordinates that vectors come in."""
        return cls.of_videos(np.eye(width, dtype=np.float32))

    @classmethod
    def of_videos(cls, videos_DD: NDArray[np.float32]) -> Self:
        """The coordinates that this invertible matrix turns videos into."""
        questions_DD = np.linalg.inv(videos_DD.astype(np.float64)).T
        return cls(videos_WD=videos_DD, questions_WD=np.ascontiguousarray(questions_DD, np.float32))

    @classmethod
    def asked(cls, questions_QD: NDArray[np.float32]) -> Self:
        """Coordinates in which questions like these vary alike in all directions.

        The square root of their second moment, of which the fewer they are the more is taken to be alike anyway.

        >>> space = Space.asked(np.array([[4, 0], [4, 1], [4, -1], [4, 0]], np.float32))
        >>> video_D, question_D = np.array([1, 2], np.float32), np.array([3, 1], np.float32)
        >>> round(float(space.videos(video_D) @ space.questions(question_D)), 4)
        5.0
        >>> abs(space.videos(video_D)[0]) > abs(space.videos(video_D)[1])
        np.True_
        """
        count, width = questions_QD.shape
        moment_DD = questions_QD.T.astype(np.float64) @ questions_QD / count
        unknown = width / (width + _WORTH * count)
        level = np.trace(moment_DD) / width
        if level <= 0:  # nothing but zeros
            return cls.plain(width)
        value_D, vector_DD = np.linalg.eigh((1 - unknown) * moment_DD + unknown * level * np.eye(width))
        root_DD = (vector_DD * np.sqrt(value_D / level)) @ vector_DD.T
        return cls.of_videos(root_DD.astype(np.float32))

    def narrowed(self, vectors_VD: NDArray[np.float32], width: int) -> Space:
        """The ``width`` directions in which these videos differ most as viewers see them.

        >>> vectors_VD = np.array([[0, 5, 1], [2, 5, 0], [4, 5, 1], [6, 5, 0]], np.float32)
        >>> space = Space.plain(3).narrowed(vectors_VD, 1)
        >>> question_1D = np.array([[1, 1, 0]], np.float32)
        >>> products_V = space.videos(vectors_VD) @ space.questions(question_1D)[0]
        >>> np.argsort(products_V).tolist()
        [0, 1, 2, 3]
        """
        _, vector_DW = np.linalg.eigh(np.cov(self.videos(vectors_VD), rowvar=False))
        chosen_WD = vector_DW[:, ::-1][:, :width].T.astype(np.float32)
        return Space(videos_WD=chosen_WD @ self.videos_WD, questions_WD=chosen_WD @ self.questions_WD)

    def videos(self, vectors_VD: NDArray[np.float32]) -> NDArray[np.float32]:
        """Videos in these coordinates: (V, W)."""
        return np.ascontiguousarray(vectors_VD @ self.videos_WD.T, np.float32)

    def questions(self, questions_QD: NDArray[np.float32]) -> NDArray[np.float32]:
        """Questions in these coordinates: (Q, W)."""
        return np.ascontiguousarray(questions_QD @ self.questions_WD.T, np.float32)
