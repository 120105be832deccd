"""A part of the interest map: a region drawn around, or all of a segment, category or modality; and what is in it.

A part is written as one word that an address can hold: ``segment:2``, ``category:cooking``, ``modality:audio``, or
``region:`` with the corners of a polygon, ``x,y;x,y;x,y``.

Legend of shape suffixes: N = points, C = corners.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from swipewise.errors import DataError
from swipewise.schema import Col

REGION: Final = "region"
CATEGORY: Final = "category"
GROUPS: Final = (Col.SEGMENT, CATEGORY, Col.MODALITY)
_MOST_CORNERS: Final = 64
_EXAMPLES: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Which part; ``corners_C2`` of a region are float64, None of a group."""

    kind: str
    name: str = ""
    corners_C2: NDArray[np.float64] | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what an address says.

        Raises:
            DataError: It is no part.
        """
        kind, _, rest = text.partition(":")
        if kind in GROUPS and rest:
            return cls(kind=kind, name=rest)
        if kind == REGION:
            try:
                corners = [[float(number) for number in corner.split(",")] for corner in rest.split(";")]
            except ValueError:
                corners = []
            if 3 <= len(corners) <= _MOST_CORNERS and all(len(corner) == 2 for corner in corners):
                return cls(kind=kind, corners_C2=np.array(corners))
        raise DataError(
            f"{text!r} is no part of the map: write segment:2, category:NAME, modality:NAME or region:x,y;x,y;x,y"
        )

    @classmethod
    def around(cls, corners: Sequence[Sequence[float]]) -> Self:
        """The region that somebody drew, with as many corners as an address can hold.

        Raises:
            DataError: There are fewer than three.
        """
        if len(corners) < 3:
            raise DataError("a region takes three corners or more: draw around what you mean")
        some = np.unique(np.linspace(0, len(corners) - 1, min(len(corners), _MOST_CORNERS)).astype(int))
        return cls(kind=REGION, corners_C2=np.array([corners[place] for place in some], float).round(3))

    @property
    def corners(self) -> list[list[float]]:
        """Of a region, in their order; none of a group."""
        return [] if self.corners_C2 is None else self.corners_C2.tolist()

    @property
    def text(self) -> str:
        """As an address has it."""
        if self.corners_C2 is None:
            return f"{self.kind}:{self.name}"
        return f"{REGION}:" + ";".join(f"{x:g},{y:g}" for x, y in self.corners_C2)

    @property
    def title(self) -> str:
        """In words."""
        return "What is in the region" if self.corners_C2 is not None else f"What is in {self.kind} {self.name}"

    def of(self, places: pl.DataFrame) -> pl.DataFrame:
        """The rows of a map, as of ``Interests.places``, that are in it."""
        if self.corners_C2 is None:
            return places.filter(pl.col(self.kind).cast(pl.String) == self.name)
        return places.filter(pl.Series(_inside(places.select(Col.X, Col.Y).to_numpy(), self.corners_C2)))


def _inside(points_N2: NDArray[np.float64], corners_C2: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a line from each point to the right crosses the edge of the polygon an odd number of times."""
    x_N, y_N = points_N2.T
    inside_N = np.zeros(len(points_N2), bool)
    for (x, y), (x_next, y_next) in zip(corners_C2, np.roll(corners_C2, -1, axis=0), strict=True):
        if y == y_next:
            continue
        crosses_N = (y_N < y) != (y_N < y_next)
        inside_N ^= crosses_N & (x_N < x + (y_N - y) * (x_next - x) / (y_next - y))
    return inside_N


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """What is in a part.

    Attributes:
        videos, viewers: How many.
        categories, segments, modalities: Shares of the videos, viewers and videos, the largest first.
        examples: Videos that lie in the middle.
        people: Viewers that do.
    """

    videos: int
    viewers: int
    categories: dict[str, float]
    segments: dict[str, float]
    modalities: dict[str, float]
    examples: list[str]
    people: list[str]


def within(chosen: pl.DataFrame) -> Within:
    """Look at some rows of a map."""
    away = sum(((pl.col(axis) - pl.col(axis).median()) ** 2 for axis in (Col.X, Col.Y)), pl.lit(0.0))
    near = chosen.sort(away, maintain_order=True)
    videos, viewers = near.filter(pl.col(Col.KIND) == "video"), near.filter(pl.col(Col.KIND) == "viewer")
    return Within(
        videos=len(videos),
        viewers=len(viewers),
        categories=_shares(videos[CATEGORY]),
        segments=_shares(viewers[Col.SEGMENT].replace(0, None).cast(pl.String)),
        modalities=_shares(videos[Col.MODALITY]),
        examples=videos[Col.ID].head(_EXAMPLES).to_list(),
        people=viewers[Col.ID].head(_EXAMPLES).to_list(),
    )


def _shares(values: pl.Series) -> dict[str, float]:
    known = values.drop_nulls()
    counts = known.alias("name").value_counts(sort=True).head(8)
    return {name: count / len(known) for name, count in counts.rows()}
