"""Videos like a video.

Legend of shape suffixes: N = candidates.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from swipewise.catalog import Catalog
from swipewise.errors import DataError, UnknownIdError
from swipewise.feed.stock import Stock

_SPARE, _TIMES = 200, 5  # so many more are asked for, as near-duplicates are left out of what is found


@dataclass(frozen=True, slots=True, kw_only=True)
class Similar:
    """A video like the one asked about; ``similarity`` is a cosine."""

    video_id: str
    similarity: float


def similar_videos(
    stock: Stock, catalog: Catalog, video_id: str, *, limit: int, modality: str | None = None
) -> list[Similar]:
    """The videos most like one, best first; of near-duplicates one, and none of the video's own.

    Args:
        stock: What can be shown.
        catalog: Where vectors of single modalities lie.
        video_id: Like which.
        limit: How many at most; those with a cosine of 0 or less are not alike.
        modality: By the vectors of which content modality; None: by the fused vectors of the model.

    Raises:
        UnknownIdError: There is no such video, or it has no vector of this modality.
        DataError: There is no model whose vectors could be compared.
    """
    if video_id not in stock.shelf.row_of:
        catalog.get(video_id)
        raise DataError(f"video {video_id!r} has only just been added: ask again in a moment")
    wanted = limit + len(stock.shelf.duplicates_of([video_id]))
    if modality is None:
        found = _by_fusion(stock, video_id, _TIMES * wanted + _SPARE)
    else:
        identity = _encoder(stock, catalog, video_id, modality)
        found = catalog.neighbours.of(video_id, modality, identity, _TIMES * wanted + _SPARE)
    return _distinct(stock, video_id, found)[:limit]


def _by_fusion(stock: Stock, video_id: str, count: int) -> list[tuple[str, float]]:
    row = stock.shelf.row_of[video_id]
    # All are compared: the index ranks by inner product, which also heeds length, and is made for viewers.
    cosines_V = stock.shelf.cosines(row)
    if cosines_V is None:
        raise DataError(f"{stock.note}; until then ask with modality=visual, text or audio")
    cosines_V[[row, *stock.shelf.removed]] = -1.0
    count = min(count, len(cosines_V))
    rows_N = np.argpartition(-cosines_V, count - 1)[:count]
    order_N = rows_N[np.argsort(-cosines_V[rows_N], kind="stable")]
    return [(stock.shelf.video_ids[row], float(cosines_V[row])) for row in order_N]


def _encoder(stock: Stock, catalog: Catalog, video_id: str, modality: str) -> str:
    """The encoder that the model reads, else the first that has looked at the video."""
    if stock.scorer is not None and modality in stock.scorer.encoders:
        return stock.scorer.encoders[modality]
    for each, identity in catalog.encoders_of(video_id):
        if each == modality:
            return identity
    raise UnknownIdError(f"video {video_id!r} has no {modality} vector")


def _distinct(stock: Stock, video_id: str, found: Iterable[tuple[str, float]]) -> list[Similar]:
    """Those that can be shown and are alike, one of each group of near-duplicates."""
    group_of = stock.shelf.group_of
    met = {group_of.get(video_id, video_id)}
    kept = []
    for each, similarity in found:
        group = group_of.get(each, each)
        if similarity > 0 and each in stock.shelf.row_of and group not in met:
            met.add(group)
            kept.append(Similar(video_id=each, similarity=similarity))
    return kept
