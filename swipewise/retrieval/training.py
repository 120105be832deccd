"""What an approximate index learns: its lists, and into how many of them a search must look.

Lists are made by k-means in the coordinates of ``Space``, and a vector lies in the list whose centre is nearest. A
search looks into those whose centres have the greatest inner product with what is asked.

Legend of shape suffixes: V = vectors, D = width of a vector, L = lists, Q = questions, K = results a question.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from swipewise.retrieval.space import Space

RESULTS: Final = 100
"""Results of a search to which ``nprobe`` belongs."""
VIEWERS: Final = "viewers"
VIDEOS: Final = "videos"
RECALL: Final = {VIEWERS: 0.99, VIDEOS: 0.98}
"""The least share of the true best hundred that a search may find, by who was asked."""
_AIM = {VIEWERS: 0.995, VIDEOS: 0.985}
"""What is aimed at on the sample, which is no larger than it must be."""
_MANY = 500
"""Results for which it is measured too how many lists they need; between and beyond the two a power law is followed."""
_FEWEST = 32
"""Viewers' questions below which nothing is learned from them."""
_SAMPLE = 128
_LISTS = 2.0
"""Times the square root of the vectors: more are no quicker to search where viewers are known, and longer to build."""
_POINTS_A_LIST = 40
_ROUNDS = 8
_BLOCK = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What share of the true best hundred was found, for how many questions of whom ("viewers" or "videos")."""

    recall: float
    questions: int
    asked: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """Lists without vectors, and how many of them a search looks into.

    template: the faiss index; space: the coordinates of its lists; rows: how many vectors it was made for; nprobe:
    lists that are looked into for ``RESULTS``; growth: the power with which that grows with the results wanted.
    """

    template: Any = field(repr=False)
    space: Space = field(repr=False)
    rows: int
    nprobe: int
    growth: float = 0.0
    measured: Measured | None = None

    @property
    def by_viewers(self) -> bool:
        """Whether it was measured on what viewers ask for."""
        return self.measured is not None and self.measured.asked == VIEWERS

    def empty(self) -> Any:
        """A faiss index with these lists and nothing in them."""
        return faiss.clone_index(self.template)

    def fits(self, rows: int, width: int, growth: float) -> bool:
        """Whether the lists still suit so many vectors of this width."""
        return bool(self.template.d == width and rows <= growth * self.rows)

    def lists_for(self, results: int, share: float = 1.0) -> int:
        """Into how many lists to look for so many results, where filters leave a share of all vectors."""
        wanted = self.nprobe * math.pow(max(1.0, results / RESULTS), self.growth) / share
        return min(int(self.template.nlist), math.ceil(wanted))

    def fill(self, index: Any, vectors_VD: NDArray[np.float32], rows_V: NDArray[np.int64]) -> None:
        """Put vectors into the lists of ``index``, which is an :meth:`empty` one or has some already."""
        for start in range(0, len(vectors_VD), _BLOCK):
            placed_VD = self.space.videos(vectors_VD[start : start + _BLOCK])
            rows_B = np.ascontiguousarray(rows_V[start : start + _BLOCK], np.int64)
            list_B = _nearest(index.quantizer, placed_VD)
            index.add_core(len(rows_B), *map(faiss.swig_ptr, (placed_VD, rows_B, list_B)))

    def again(self, vectors_VD: NDArray[np.float32]) -> Trained:
        """New lists in the same coordinates, of which the same share is looked into; of more vectors it finds more."""
        trained = train(vectors_VD, self.space)
        nprobe = math.ceil(self.nprobe * trained.template.nlist / self.template.nlist)
        return replace(trained, nprobe=nprobe, growth=self.growth, measured=self.measured)

    def measure(
        self,
        index: Any,
        vectors_VD: NDArray[np.float32],
        rows_V: NDArray[np.int64],
        asked_QD: NDArray[np.float32] | None = None,
    ) -> Trained:
        """With the least ``nprobe`` that finds enough, against exact search.

        Args:
            index: The faiss index of these vectors.
            vectors_VD: The vectors.
            rows_V: What the index calls them.
            asked_QD: What viewers ask for; None: it is measured on videos and on what lies between them.
        """
        kinds = _between(vectors_VD) if asked_QD is None else [asked_QD]
        exams = {
            results: [_Exam.of(questions_QD, self.space, vectors_VD, rows_V, results) for questions_QD in kinds]
            for results in (RESULTS, _MANY)
        }
        asked = VIDEOS if asked_QD is None else VIEWERS
        few, many = (_least(index, exam, _AIM[asked]) for exam in exams.values())
        found = Measured(
            recall=min(exam.recall(index, few) for exam in exams[RESULTS]),
            questions=sum(map(len, kinds)),
            asked=asked,
        )
        growth = math.log(max(1.0, many / few)) / math.log(_MANY / RESULTS)
        return replace(self, nprobe=few, growth=growth, measured=found)


def train(vectors_VD: NDArray[np.float32], space: Space) -> Trained:
    """Make lists for these vectors; ``nprobe`` is all of them until it is measured."""
    rows, width = vectors_VD.shape
    nlist = int(2 ** np.clip(round(np.log2(_LISTS * rows**0.5)), 0, np.log2(max(1, rows // 39))))
    chosen = np.random.default_rng(0).permutation(rows)[: _POINTS_A_LIST * nlist]
    sample_VD = space.videos(vectors_VD[np.sort(chosen)])
    means = faiss.Kmeans(width, nlist, niter=_ROUNDS, max_points_per_centroid=_POINTS_A_LIST)
    means.train(sample_VD)
    centres = faiss.IndexFlatIP(width)
    centres.add(means.centroids)
    codes = faiss.ScalarQuantizer.QT_8bit
    index = faiss.IndexIVFScalarQuantizer(centres, width, nlist, codes, faiss.METRIC_INNER_PRODUCT)
    centres.this.disown()  # the index frees them
    index.own_fields = True
    list_V = _nearest(centres, sample_VD)
    rest_VD = sample_VD - means.centroids[list_V]  # a code holds what a vector differs by from its list's centre
    index.train_encoder(len(rest_VD), *map(faiss.swig_ptr, (rest_VD, list_V)))
    index.is_trained = True
    return Trained(template=index, space=space, rows=rows, nprobe=nlist)


def halves(asked_QD: NDArray[np.float32] | None) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """The questions that a space is made for, and those that it is measured on; None where there are too few."""
    if asked_QD is None or len(asked_QD) < _FEWEST:
        return None
    return asked_QD[::2], asked_QD[1::2]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Exam:
    """Questions in the coordinates of the lists, and the rows that are to be found."""

    questions_QD: NDArray[np.float32]
    truth_QK: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        questions_QD: NDArray[np.float32],
        space: Space,
        vectors_VD: NDArray[np.float32],
        rows_V: NDArray[np.int64],
        results: int,
    ) -> _Exam:
        # The exact inner products are what ranks at last, so what counts is whether candidates hold the best.
        results = min(results, len(vectors_VD))
        _, best_QK = faiss.knn(questions_QD, vectors_VD, results, metric=faiss.METRIC_INNER_PRODUCT)
        return cls(questions_QD=space.questions(questions_QD), truth_QK=rows_V[best_QK])

    def recall(self, index: Any, nprobe: int) -> float:
        """The share of the best that is found."""
        parameters = faiss.SearchParametersIVF(nprobe=nprobe)
        wanted = candidates(self.truth_QK.shape[1])
        _, found_QC = index.search(self.questions_QD, wanted, params=parameters)
        pairs = zip(self.truth_QK, found_QC, strict=True)
        return float(np.mean([np.isin(truth, found).mean() for truth, found in pairs]))


def candidates(results: int) -> int:
    """How many to ask the lists for: a byte a number ranks near ones wrongly."""
    return results + results // 4 + 16


def _least(index: Any, exams: list[_Exam], aim: float) -> int:
    """The least number of lists with which every kind of question finds enough, to within a sixteenth."""

    def enough(nprobe: int) -> bool:
        return all(exam.recall(index, nprobe) >= aim for exam in exams)

    low, high = 0, 1
    while high < index.nlist and not enough(high):
        low, high = high, min(2 * high, index.nlist)
    while high - low > max(1, high // 16):
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _between(vectors_VD: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Videos, as those similar to one are asked for, and means of three, as viewers' interests lie between them."""
    rng = np.random.default_rng(1)
    single_QD = vectors_VD[rng.integers(0, len(vectors_VD), _SAMPLE)]
    between_QD = vectors_VD[rng.integers(0, len(vectors_VD), (_SAMPLE, 3))].mean(axis=1)
    return [single_QD.astype(np.float32), between_QD.astype(np.float32)]


def _nearest(centres: Any, placed_VD: NDArray[np.float32]) -> NDArray[np.int64]:
    """The list of each vector (V,): that of the nearest centre, whatever way the index compares centres itself."""
    flat = faiss.downcast_index(centres)
    centre_LD = faiss.rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d).reshape(flat.ntotal, flat.d)
    return np.ascontiguousarray(faiss.knn(placed_VD, centre_LD, 1)[1][:, 0], np.int64)
