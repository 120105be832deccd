"""An approximate index for large catalogues: inverted lists of vectors of a byte a number, ranked again exactly.

Three parts share the work. The base, faiss's IVF with scalar quantisation in coordinates made for what is asked, finds
candidates, whose inner products are then computed from the vectors themselves. Vectors that came later wait in a short
tail, which is searched exactly. Removed and replaced rows are filtered out of the base until it is compacted. No part
is ever changed.

Legend of shape suffixes: B = queries, V = rows of the index, D = width of a vector, W = width of the coordinates,
K = results a query, C = candidates, T = rows of the tail, N = rows named.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from swipewise.retrieval.index import NO_ROW, Found, after, checked, nothing, one_thread
from swipewise.retrieval.selection import Selection
from swipewise.retrieval.space import Space
from swipewise.retrieval.storage import load_ivf, save_ivf
from swipewise.retrieval.tail import Tail
from swipewise.retrieval.training import RECALL, VIEWERS, Measured, Trained, halves, narrowest, train

TAIL_ROWS = 4096
"""Rows that the tail holds before they join the base: about a tenth of what a search takes otherwise."""
DEAD_SHARE = 0.2
"""Share of the base's rows that may be removed or replaced before it is compacted."""
GROWTH = 2.0
"""Growth since training after which lists and ``nprobe`` are chosen anew."""
_EXACT_TIMES = 10.0
"""Comparing a vector that a filter leaves costs so many times what passing one in the lists does.

``python benchmarks/retrieval.py`` measures both ways; narrow filters are searched the cheaper one, which is exact."""


@dataclass(frozen=True, kw_only=True)
class IvfIndex:
    """An approximate ``Index``; ``nprobe`` was chosen so that its recall@100 was at least ``training.RECALL``.

    Made by ``build`` or ``load``. vectors_VD: the base's rows; those of the tail come after or in their place.
    """

    vectors_VD: NDArray[np.float32] = field(repr=False)
    trained: Trained
    _base: Any = field(repr=False)
    _in_base: Selection
    _alive: Selection
    _tail: Tail

    @classmethod
    def build(
        cls,
        vectors_VD: NDArray[np.float32],
        *,
        like: Trained | None = None,
        removed_N: NDArray[np.int64] | None = None,
        asked_QD: NDArray[np.float32] | None = None,
    ) -> Self:
        """Index ``vectors_VD`` (V, D), finite; row i of the answers is row i here.

        Args:
            vectors_VD: The vectors.
            like: Lists of an index of like vectors, which are taken over where they still fit.
            removed_N: Rows that are empty.
            asked_QD: What viewers ask for, float32; lists are made for that, and it decides how many are looked into.
                None, or few: what is asked is taken to be like the vectors, unless ``like`` knows better.
        """
        vectors_VD = checked(vectors_VD)
        alive = Selection.of(len(vectors_VD))
        if removed_N is not None:
            alive = alive.without_rows(removed_N)
        one_thread()
        rows_N = np.flatnonzero(alive.alive_V)
        kept_ND = vectors_VD if len(rows_N) == len(vectors_VD) else vectors_VD[rows_N]
        base, trained = _learned(kept_ND, rows_N, like, asked_QD)
        return cls(
            vectors_VD=vectors_VD,
            trained=trained,
            _base=base,
            _in_base=alive,
            _alive=alive,
            _tail=Tail.empty(vectors_VD.shape[1]),
        )

    def __len__(self) -> int:
        return len(self._alive)

    @property
    def rows(self) -> int:
        """One more than the greatest row, removed ones counted."""
        return len(self._alive.alive_V)

    @property
    def removed_N(self) -> NDArray[np.int64]:
        """The rows that were removed."""
        return self._alive.removed_N

    @property
    def nprobe(self) -> int:
        """Lists that a search for the best hundred looks into."""
        return self.trained.nprobe

    @property
    def measured(self) -> Measured | None:
        """What a search was found to find."""
        return self.trained.measured

    @property
    def list_bytes(self) -> int:
        """The memory that the base takes beside the vectors: codes, rows and the lists' centres."""
        centres = self._base.nlist * self._base.d * np.dtype(np.float32).itemsize
        return int(self._base.ntotal * (self._base.code_size + np.dtype(np.int64).itemsize) + centres)

    def search(
        self,
        queries_BD: NDArray[np.float32],
        k: int,
        *,
        without_N: NDArray[np.int64] | None = None,
        only_V: NDArray[np.bool_] | None = None,
    ) -> Found:
        """The best ``min(k, len(self))`` rows of each query; the arguments are those of ``Index.search``."""
        k = min(k, len(self))
        if k == 0 or len(queries_BD) == 0:
            return nothing(len(queries_BD), k)
        one_thread()
        queries_BD = np.ascontiguousarray(queries_BD, np.float32)
        share = 1.0
        if only_V is not None:
            share = np.count_nonzero(self._alive.alive_V & only_V) / len(self)
        if share < 1 and self._is_narrow(k, share):
            rows_C = np.flatnonzero(self._in_base.allowed(without_N, only_V)[: len(self.vectors_VD)])
            rows_BC = np.broadcast_to(rows_C, (len(queries_BD), len(rows_C)))
            scores_BC = queries_BD @ self.vectors_VD[rows_C].T
        else:
            rows_BC = self._candidates(queries_BD, k, share, without_N, only_V)
            scores_BC = (self.vectors_VD[rows_BC] @ queries_BD[:, :, None])[:, :, 0]
            scores_BC[rows_BC == NO_ROW] = -np.inf
        if len(self._tail.rows_T):
            allowed_T = self._tail.allowed(without_N, only_V)
            tail_BT = queries_BD @ self._tail.vectors_TD[allowed_T].T
            rows_BT = np.broadcast_to(self._tail.rows_T[allowed_T], tail_BT.shape)
            scores_BC = np.concatenate([scores_BC, tail_BT], axis=1)
            rows_BC = np.concatenate([rows_BC, rows_BT], axis=1)
        return _best(scores_BC, rows_BC, k)

    def put(self, rows_N: NDArray[np.int64], vectors_ND: NDArray[np.float32]) -> IvfIndex:
        """An index in which these rows have these vectors; see ``Index.put``. It may be compacted or built anew."""
        if not len(rows_N):
            return self
        rows_N = np.asarray(rows_N, np.int64)
        rows = after(self.rows, rows_N)
        more = replace(
            self,
            _in_base=self._in_base.grown(rows).without_rows(rows_N),
            _alive=self._alive.grown(rows).with_rows(rows_N),
            _tail=self._tail.put(rows_N, checked(vectors_ND)),
        )
        return more._tidy()

    def remove(self, rows_N: NDArray[np.int64]) -> IvfIndex:
        """An index that does not find these rows; it may be compacted."""
        fewer = replace(
            self,
            _in_base=self._in_base.without_rows(rows_N),
            _alive=self._alive.without_rows(rows_N),
            _tail=self._tail.without(rows_N),
        )
        return fewer._tidy()

    def save(self, directory: Path) -> None:
        """Write the index into ``directory``, in place of the one that lies there.

        Raises:
            ArtifactError: The folder cannot be written, or the disk is full; what lay there before is kept.
        """
        whole = self._compacted()
        save_ivf(directory, whole.vectors_VD, whole.removed_N, whole._base, self.trained)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read the index that ``save`` wrote; its lists and vectors are mapped into memory.

        Raises:
            ArtifactError: There is none, it is damaged, of another kind, or was written by a newer version.
        """
        vectors_VD, removed_N, base, trained = load_ivf(directory)
        alive = Selection.of(len(vectors_VD)).without_rows(removed_N)
        return cls(
            vectors_VD=vectors_VD,
            trained=trained,
            _base=base,
            _in_base=alive,
            _alive=alive,
            _tail=Tail.empty(vectors_VD.shape[1]),
        )

    def _is_narrow(self, k: int, share: float) -> bool:
        """Whether a filter leaves so few that comparing them all costs less than looking into enough lists."""
        passed = self.trained.lists_for(k, max(share, 1e-9)) / self._base.nlist
        return bool(_EXACT_TIMES * share <= passed)

    def _candidates(
        self,
        queries_BD: NDArray[np.float32],
        k: int,
        share: float,
        without_N: NDArray[np.int64] | None,
        only_V: NDArray[np.bool_] | None,
    ) -> NDArray[np.int64]:
        """Rows of the base (B, C), ``NO_ROW`` where there are fewer; lists are added until they hold enough."""
        placed_BW, wanted = self.trained.space.questions(queries_BD), self.trained.candidates(k)
        lists, nprobe = self._base.nlist, self.trained.lists_for(k, share)
        with self._in_base.selector(without_N, only_V) as selector:
            while True:
                parameters = _looking(nprobe)
                if selector is not None:
                    parameters = faiss.SearchParametersIVF(nprobe=nprobe, sel=selector)
                rows_BC: NDArray[np.int64] = self._base.search(placed_BW, wanted, params=parameters)[1]
                if nprobe == lists or not (rows_BC[:, -1] < 0).any():
                    return rows_BC
                nprobe = min(lists, 4 * nprobe)

    def _tidy(self) -> IvfIndex:
        """Itself, or compacted or built anew where that is due."""
        if not self.trained.fits(len(self), self.vectors_VD.shape[1], GROWTH):
            return IvfIndex.build(self._all_vectors(), like=self.trained, removed_N=self.removed_N)
        dead = self._base.ntotal - len(self._in_base)
        if len(self._tail.rows_T) > TAIL_ROWS or dead > DEAD_SHARE * self._base.ntotal:
            return self._compacted()
        return self

    def _compacted(self) -> IvfIndex:
        """The same with everything in the base and nothing else there; codes are copied, not made anew."""
        one_thread()
        base = self.trained.empty()
        self._base.copy_subset_to(base, faiss.InvertedLists.SUBSET_TYPE_ID_RANGE, 0, self.rows)
        dead_N = np.flatnonzero(~self._in_base.alive_V)
        base.remove_ids(faiss.IDSelectorBatch(dead_N))
        self.trained.fill(base, self._tail.vectors_TD, self._tail.rows_T)
        return replace(
            self,
            vectors_VD=self._all_vectors(),
            _base=base,
            _in_base=self._alive,
            _tail=Tail.empty(self.vectors_VD.shape[1]),
        )

    def _all_vectors(self) -> NDArray[np.float32]:
        """The vectors of all rows (V, D); what those of removed ones hold is of no account."""
        if not len(self._tail.rows_T):
            return self.vectors_VD
        whole_VD = np.zeros((self.rows, self.vectors_VD.shape[1]), np.float32)
        whole_VD[: len(self.vectors_VD)] = self.vectors_VD
        whole_VD[self._tail.rows_T] = self._tail.vectors_TD
        return whole_VD


@cache
def _looking(nprobe: int) -> Any:
    """Tells a search to look into so many lists; to make it takes as long as to compare hundreds of vectors."""
    return faiss.SearchParametersIVF(nprobe=nprobe)


def _learned(
    vectors_ND: NDArray[np.float32],
    rows_N: NDArray[np.int64],
    like: Trained | None,
    asked_QD: NDArray[np.float32] | None,
) -> tuple[Any, Trained]:
    """A base that holds these vectors, and what was learned for it or taken over."""
    rows, width = vectors_ND.shape
    asked = halves(asked_QD)
    if like is not None and (like.width != width or (asked and not like.by_viewers)):
        like = None
    fits = like is not None and like.fits(rows, width, GROWTH)
    if like is not None and (fits or like.by_viewers):
        trained = like if fits else like.again(vectors_ND)
    elif asked:
        trained = train(vectors_ND, *narrowest(Space.asked(asked[0]), vectors_ND, asked[1]))
    else:
        trained = train(vectors_ND, Space.plain(width))
    base = trained.empty()
    trained.fill(base, vectors_ND, rows_N)
    if asked or not trained.by_viewers:
        trained = trained.measure(base, vectors_ND, rows_N, asked[1] if asked else None)
    if like is not None and asked and trained.measured is not None and trained.measured.recall < RECALL[VIEWERS]:
        # They ask for what the coordinates of those before them leave out.
        return _learned(vectors_ND, rows_N, None, asked_QD)
    return base, trained


def _best(scores_BC: NDArray[np.float32], rows_BC: NDArray[np.int64], k: int) -> Found:
    """The k best of each query in order, filled up with ``NO_ROW``."""
    if missing := max(0, k - scores_BC.shape[1]):
        scores, rows = nothing(len(scores_BC), missing)
        scores_BC, rows_BC = np.concatenate([scores_BC, scores], axis=1), np.concatenate([rows_BC, rows], axis=1)
    each_B1 = np.arange(len(scores_BC))[:, None]
    if scores_BC.shape[1] > 4 * k:
        top_BK = np.argpartition(-scores_BC, k - 1, axis=1)[:, :k]
        scores_BC, rows_BC = scores_BC[each_B1, top_BK], rows_BC[each_B1, top_BK]
    order_BK = np.argsort(-scores_BC, axis=1, kind="stable")[:, :k]
    return scores_BC[each_B1, order_BK], rows_BC[each_B1, order_BK]
