"""What an approximate index learns: its lists, and into how many of them a search must look.

Lists are made by k-means in the coordinates of ``Space``, and a vector lies in the list whose centre is nearest. A
search looks into those whose centres have the greatest inner product with what is asked. Where viewers' questions are
known, coordinates that hardly tell videos apart are left out, and the more candidates are ranked again.

Legend of shape suffixes: V = vectors, D = width of a vector, W = width of the coordinates, L = lists, Q = questions,
K = results a question, C = candidates a question.
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
_SPARE = 1.25
"""Candidates for each result wanted: a byte a number ranks near ones wrongly."""
_SOME = 16
"""Candidates beyond these, for the few results."""
_NARROWED = ((0.5, (1.5, 2.0, 3.0, 4.0)), (0.75, (1.5, 2.0)))
"""Shares of the coordinates that are kept, narrowest first, and how many candidates may make up for the others."""
_HELD = 0.998
"""The share of the true best that must be among the candidates when all vectors are compared in fewer coordinates."""
_FEWEST = 32
"""Viewers' questions below which nothing is learned from them."""
_SAMPLE = 128
_LISTS = 2.0
"""Times the square root of the vectors: more are no quicker to search where viewers are known, and longer to build."""
_POINTS_A_LIST = 40
_ROUNDS = 8
_VARIED = 65_536
"""Vectors from which is learned in which coordinates they differ."""
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
    lists that are looked into for ``RESULTS``; growth: the power with which that grows with the results wanted; spare:
    candidates for each result wanted.
    """

    template: Any = field(repr=False)
    space: Space = field(repr=False)
    rows: int
    nprobe: int
    growth: float = 0.0
    spare: float = _SPARE
    measured: Measured | None = None

    @property
    def width(self) -> int:
        """Of the vectors."""
        return int(self.space.videos_WD.shape[1])

    @property
    def by_viewers(self) -> bool:
        """Whether it was measured on what viewers ask for."""
        return self.measured is not None and self.measured.asked == VIEWERS

    def empty(self) -> Any:
        """A faiss index with these lists and nothing in them."""
        return faiss.clone_index(self.template)

    def fits(self, rows: int, width: int, growth: float) -> bool:
        """Whether the lists still suit so many vectors of this width."""
        return bool(self.width == width and rows <= growth * self.rows)

    def lists_for(self, results: int, share: float = 1.0) -> int:
        """Into how many lists to look for so many results, where filters leave a share of all vectors."""
        wanted = self.nprobe * math.pow(max(1.0, results / RESULTS), self.growth) / share
        return min(int(self.template.nlist), math.ceil(wanted))

    def candidates(self, results: int) -> int:
        """How many to ask the lists for where so many are wanted."""
        return math.ceil(self.spare * results) + _SOME

    def fill(self, index: Any, vectors_VD: NDArray[np.float32], rows_V: NDArray[np.int64]) -> None:
        """Put vectors into the lists of ``index``, which is an :meth:`empty` one or has some already."""
        for start in range(0, len(vectors_VD), _BLOCK):
            placed_VW = self.space.videos(vectors_VD[start : start + _BLOCK])
            rows_B = np.ascontiguousarray(rows_V[start : start + _BLOCK], np.int64)
            list_B = _nearest(index.quantizer, placed_VW)
            index.add_core(len(rows_B), *map(faiss.swig_ptr, (placed_VW, rows_B, list_B)))

    def again(self, vectors_VD: NDArray[np.float32]) -> Trained:
        """New lists in the same coordinates, of which the same share is looked into; of more vectors it finds more."""
        trained = train(vectors_VD, self.space, self.spare)
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
        whole = [_Exam.of(questions_QD, self.space, vectors_VD, rows_V, _MANY) for questions_QD in kinds]
        easy = [exam.of_the_best(RESULTS) for exam in whole]
        asked = VIDEOS if asked_QD is None else VIEWERS
        few, many = (self._least(index, exams, _AIM[asked]) for exams in (easy, whole))
        found = Measured(
            recall=min(exam.recall(index, few, self.candidates(RESULTS)) for exam in easy),
            questions=sum(map(len, kinds)),
            asked=asked,
        )
        growth = math.log(max(1.0, many / few)) / math.log(_MANY / RESULTS)
        return replace(self, nprobe=few, growth=growth, measured=found)

    def _least(self, index: Any, exams: list[_Exam], aim: float) -> int:
        """The least number of lists with which every kind of question finds enough, to within a sixteenth."""

        def enough(nprobe: int) -> bool:
            return all(exam.recall(index, nprobe, self.candidates(exam.results)) >= aim for exam in exams)

        low, high = 0, 1
        while high < index.nlist and not enough(high):
            low, high = high, min(2 * high, index.nlist)
        while high - low > max(1, high // 16):
            middle = (low + high) // 2
            low, high = (low, middle) if enough(middle) else (middle, high)
        return high


def train(vectors_VD: NDArray[np.float32], space: Space, spare: float = _SPARE) -> Trained:
    """Make lists for these vectors; ``nprobe`` is all of them until it is measured."""
    rows, width = len(vectors_VD), len(space.videos_WD)
    nlist = int(2 ** np.clip(round(np.log2(_LISTS * rows**0.5)), 0, np.log2(max(1, rows // 39))))
    chosen = np.random.default_rng(0).permutation(rows)[: _POINTS_A_LIST * nlist]
    sample_VW = space.videos(vectors_VD[np.sort(chosen)])
    means = faiss.Kmeans(width, nlist, niter=_ROUNDS, max_points_per_centroid=_POINTS_A_LIST)
    means.train(sample_VW)
    centres = faiss.IndexFlatIP(width)
    centres.add(means.centroids)
    codes = faiss.ScalarQuantizer.QT_8bit
    index = faiss.IndexIVFScalarQuantizer(centres, width, nlist, codes, faiss.METRIC_INNER_PRODUCT)
    centres.this.disown()  # the index frees them
    index.own_fields = True
    list_V = _nearest(centres, sample_VW)
    rest_VW = sample_VW - means.centroids[list_V]  # a code holds what a vector differs by from its list's centre
    index.train_encoder(len(rest_VW), *map(faiss.swig_ptr, (rest_VW, list_V)))
    index.is_trained = True
    return Trained(template=index, space=space, rows=rows, nprobe=nlist, spare=spare)


def narrowest(space: Space, vectors_VD: NDArray[np.float32], asked_QD: NDArray[np.float32]) -> tuple[Space, float]:
    """The fewest coordinates that still tell these vectors apart, and the candidates for each result that takes.

    All of them where there are no more vectors than those have numbers, which says little of how they differ.
    """
    rows, width = vectors_VD.shape
    if width < 2 or rows <= width:
        return space, _SPARE
    varied_ND = vectors_VD[np.sort(np.random.default_rng(2).permutation(rows)[:_VARIED])]
    truth_QK = faiss.knn(asked_QD, vectors_VD, min(RESULTS, rows), metric=faiss.METRIC_INNER_PRODUCT)[1]
    for share, spares in _NARROWED:
        narrow = space.narrowed(varied_ND, round(share * width))
        best_QC = _best(narrow, vectors_VD, asked_QD, round(spares[-1] * RESULTS))
        for spare in spares:
            if _held(truth_QK, best_QC[:, : round(spare * RESULTS)]) >= _HELD:
                return narrow, spare
    return space, _SPARE


def _best(
    space: Space, vectors_VD: NDArray[np.float32], asked_QD: NDArray[np.float32], results: int
) -> NDArray[np.int64]:
    """The best rows (Q, results) by the inner products in these coordinates, of which few are held at once."""
    questions_QW = space.questions(asked_QD)
    heap = faiss.ResultHeap(len(asked_QD), results, keep_max=True)
    for start in range(0, len(vectors_VD), _BLOCK):
        placed_VW = space.videos(vectors_VD[start : start + _BLOCK])
        found = faiss.knn(questions_QW, placed_VW, min(results, len(placed_VW)), metric=faiss.METRIC_INNER_PRODUCT)
        heap.add_result(found[0], found[1] + start)
    heap.finalize()
    best_QC: NDArray[np.int64] = heap.I
    return best_QC


def _held(truth_QK: NDArray[np.int64], found_QC: NDArray[np.int64]) -> float:
    """The share of the true best that was found."""
    pairs = zip(truth_QK, found_QC, strict=True)
    return float(np.mean([np.isin(truth, found).mean() for truth, found in pairs]))


def halves(asked_QD: NDArray[np.float32] | None) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """The questions that a space is made for, and those that it is measured on.

    None where there are too few, or where they ask for nothing: then all videos are equally good.
    """
    if asked_QD is None or len(asked_QD) < _FEWEST or not asked_QD.any():
        return None
    return asked_QD[::2], asked_QD[1::2]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Exam:
    """Questions in the coordinates of the lists, and the rows that are to be found."""

    questions_QW: NDArray[np.float32]
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
        return cls(questions_QW=space.questions(questions_QD), truth_QK=rows_V[best_QK])

    @property
    def results(self) -> int:
        """How many of the best are to be found for each question."""
        return int(self.truth_QK.shape[1])

    def of_the_best(self, results: int) -> _Exam:
        """The same questions, of which fewer are to be found: comparing all vectors takes long, and is done once."""
        return replace(self, truth_QK=self.truth_QK[:, :results])

    def recall(self, index: Any, nprobe: int, candidates: int) -> float:
        """The share of the best that is among so many candidates."""
        parameters = faiss.SearchParametersIVF(nprobe=nprobe)
        return _held(self.truth_QK, index.search(self.questions_QW, candidates, params=parameters)[1])


def _between(vectors_VD: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Videos, as those similar to one are asked for, and means of three, as viewers' interests lie between them."""
    rng = np.random.default_rng(1)
    single_QD = vectors_VD[rng.integers(0, len(vectors_VD), _SAMPLE)]
    between_QD = vectors_VD[rng.integers(0, len(vectors_VD), (_SAMPLE, 3))].mean(axis=1)
    return [single_QD.astype(np.float32), between_QD.astype(np.float32)]


def _nearest(centres: Any, placed_VW: NDArray[np.float32]) -> NDArray[np.int64]:
    """The list of each vector (V,): that of the nearest centre, whatever way the index compares centres itself."""
    flat = faiss.downcast_index(centres)
    centre_LW = faiss.rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d).reshape(flat.ntotal, flat.d)
    return np.ascontiguousarray(faiss.knn(placed_VW, centre_LW, 1)[1][:, 0], np.int64)
