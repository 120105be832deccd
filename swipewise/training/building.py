"""Tables of strings are coded as the arrays of a data set.

Legend of shape suffixes: U = viewers, V = videos, I = interactions, D = width of a vector.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from swipewise.config import EventsConfig
from swipewise.errors import DataError
from swipewise.schema import FLAG_ACTIONS, Col
from swipewise.training.dataset import (
    ContentFeature,
    Dataset,
    GrowingInteractions,
    Interactions,
    gathered,
    is_positive,
    no_interactions,
)
from swipewise.training.mapped import Growing, stretches

_ATTRIBUTES = (Col.CREATOR, Col.MUSIC, Col.LANGUAGE, Col.TAGS, Col.DURATION)


def build_dataset(
    videos: pl.DataFrame,
    content: Mapping[str, tuple[list[str], NDArray[np.float32]]],
    interactions: Iterable[pl.DataFrame],
    profiles: pl.DataFrame,
    events: EventsConfig,
    folder: Path | None = None,
) -> Dataset:
    """Code tables of strings as arrays of indices.

    Args:
        videos: The catalogue: video_id and, where known, uploaded_at, creator, music, tags, language.
        content: For each content modality the video ids that have it and their vectors (n, D), in one order.
        interactions: As the event reader gives them, in parts that have no viewer in common; those with unknown videos
            are left out. One part at a time is in memory beside what it is coded to.
        profiles: viewer_id and one column a profile field (strings, numbers or lists of strings).
        events: What counts as positive.
        folder: Of the data set.

    Raises:
        DataError: There are no videos, or no interaction is with a video of the catalogue.
        StoreError: A file cannot be written.
    """
    if videos.is_empty():
        raise DataError("the catalogue holds no videos: add some with 'swipewise videos add PATH'")
    video_ids = tuple(videos[Col.VIDEO_ID])
    coder = _Coder(video_ids, events, folder)
    for part in interactions:
        coder.add(part)
    viewer_ids, coded = coder.coded(profiles[Col.VIEWER_ID].cast(pl.String))
    viewer_index = pl.DataFrame({Col.VIEWER_ID: viewer_ids})
    attributes_VA, attribute_values = _categories(videos, _ATTRIBUTES)
    fields = [name for name in profiles.columns if name != Col.VIEWER_ID]
    aligned = viewer_index.join(profiles, on=Col.VIEWER_ID, how="left", maintain_order="left")
    profile_UP, profile_values = _categories(aligned, fields)
    return Dataset(
        viewer_ids=viewer_ids,
        video_ids=video_ids,
        interactions=coded,
        uploaded_at_V=upload_times(videos, coded),
        content={name: _content(ids, values, video_ids) for name, (ids, values) in content.items()},
        attributes_VA=attributes_VA,
        attribute_values=attribute_values,
        profile_UP=profile_UP,
        profile_values=profile_values,
        folder=folder,
    )


def catalogue_dataset(
    videos: pl.DataFrame,
    content: Mapping[str, tuple[list[str], NDArray[np.float32]]],
    profile_values: tuple[str, ...] = (),
) -> Dataset:
    """A catalogue without viewers; its arguments are those of :func:`build_dataset`."""
    video_ids = tuple(videos[Col.VIDEO_ID])
    attributes_VA, attribute_values = _categories(videos, _ATTRIBUTES)
    nobody = no_interactions()
    return Dataset(
        viewer_ids=(),
        video_ids=video_ids,
        interactions=nobody,
        uploaded_at_V=upload_times(videos, nobody),
        content={name: _content(ids, values, video_ids) for name, (ids, values) in content.items()},
        attributes_VA=attributes_VA,
        attribute_values=attribute_values,
        profile_UP=np.zeros((0, 0), np.int64),
        profile_values=profile_values,
    )


def code_log(
    interactions: Iterable[pl.DataFrame], video_ids: tuple[str, ...], events: EventsConfig
) -> Interactions:
    """Interactions with the videos of a catalogue, in time order, all as if of one viewer.

    Args:
        interactions: As for :func:`build_dataset`.
        video_ids: Of the catalogue.
        events: What counts as positive.
    """
    coder = _Coder(video_ids, events, None)
    for part in interactions:
        coder.add(part)
    rows = coder.rows()
    return replace(rows, viewer_I=np.zeros_like(rows.viewer_I)).where(np.argsort(rows.at_I, kind="stable"))


class _Coder:
    """Codes tables of interactions one after the other."""

    def __init__(self, video_ids: tuple[str, ...], events: EventsConfig, folder: Path | None) -> None:
        places = np.arange(len(video_ids), dtype=np.int64)
        self._videos = pl.LazyFrame({Col.VIDEO_ID: video_ids, "video": places})
        self._events, self._folder = events, folder
        self._met = self._count = 0
        self._viewers: list[pl.Series] = []
        self._rows = GrowingInteractions(folder)

    def add(self, interactions: pl.DataFrame) -> None:
        """Take those with known videos; no viewer may be in two tables."""
        self._met += len(interactions)
        known = interactions.lazy().join(self._videos, on=Col.VIDEO_ID, how="inner", maintain_order="left")
        table = known.sort(Col.VIEWER_ID, Col.AT, "video", maintain_order=True).collect()
        # A viewer's place in all tables together, which is not the place in the end.
        viewer_I = table[Col.VIEWER_ID].rle_id().to_numpy().astype(np.int64) + self._count
        self._viewers.append(table[Col.VIEWER_ID].unique(maintain_order=True))
        self._count += len(self._viewers[-1])
        ratio_I = table[Col.WATCH_RATIO].fill_null(float("nan")).cast(pl.Float32).to_numpy()
        actions_IF = np.stack([table[flag].to_numpy() for flag in FLAG_ACTIONS], axis=1)
        self._rows.add(
            Interactions(
                viewer_I=viewer_I,
                video_I=table["video"].to_numpy(),
                at_I=table[Col.AT].dt.epoch("ms").to_numpy(),
                watch_ratio_I=ratio_I,
                actions_IF=actions_IF,
                positive_I=is_positive(ratio_I, actions_IF, self._events),
            )
        )

    def coded(self, others: pl.Series) -> tuple[tuple[str, ...], Interactions]:
        """All viewers, of the interactions and others, by id, and their interactions.

        Raises:
            DataError: No interaction is with a known video.
            StoreError: A file cannot be written.
        """
        if not self._count:
            raise DataError(
                f"none of the {self._met} interactions is with a video of the catalogue: "
                "import behaviour with 'swipewise events import FILE', or check that its video ids match"
            )
        met = pl.concat(self._viewers)
        viewer_ids = pl.concat([met, others]).unique().sort()
        code_U = viewer_ids.search_sorted(met).to_numpy().astype(np.int64)
        rows = self.rows()
        if (np.diff(code_U) < 0).any():
            offsets_U, order_U = np.searchsorted(rows.viewer_I, np.arange(len(met) + 1)), np.argsort(code_U)
            rows = gathered(rows, offsets_U[order_U], offsets_U[order_U + 1], self._folder)
        viewer_I = Growing(self._folder, np.int64)
        for here in stretches(len(rows)):
            viewer_I.add(code_U[rows.viewer_I[here]])
        return tuple(viewer_ids), replace(rows, viewer_I=viewer_I.done())

    def rows(self) -> Interactions:
        """The interactions in the order they came, viewers by their place in it; what was taken is given up for it.

        Raises:
            StoreError: A file cannot be written.
        """
        return self._rows.done()


def upload_times(videos: pl.DataFrame, rows: Interactions) -> NDArray[np.int64]:
    """Known upload times; else the first interaction, as a video must have existed by then; else 0: (V,) int64."""
    first = np.full(len(videos), np.iinfo(np.int64).max)
    np.minimum.at(first, rows.video_I, rows.at_I)
    first[first == np.iinfo(np.int64).max] = 0
    if Col.UPLOADED_AT not in videos.columns:
        return first
    known = videos[Col.UPLOADED_AT]
    return np.where(known.is_not_null().to_numpy(), known.dt.epoch("ms").fill_null(0).to_numpy(), first)


def _content(ids: list[str], values: NDArray[np.float32], video_ids: tuple[str, ...]) -> ContentFeature:
    """Spread vectors over all videos; float16 is cast before anything is computed from it."""
    place = pl.DataFrame({Col.VIDEO_ID: video_ids}, schema={Col.VIDEO_ID: pl.String}).with_row_index("to")
    given = pl.DataFrame({Col.VIDEO_ID: ids}, schema={Col.VIDEO_ID: pl.String}).with_row_index("source")
    known = given.join(place, on=Col.VIDEO_ID, how="inner", maintain_order="left")
    values_VD = np.zeros((len(video_ids), values.shape[1]), np.float32)
    present_V = np.zeros(len(video_ids), bool)
    if len(known):
        to, source = known["to"].to_numpy(), known["source"].to_numpy()
        values_VD[to] = values[source]
        present_V[to] = np.isfinite(values_VD[to]).all(axis=1)
        values_VD[~present_V] = 0.0
    return ContentFeature(values_VD=values_VD, present_V=present_V)


def _categories(table: pl.DataFrame, columns: Sequence[str]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Code each distinct "column=value" from 1; list columns take several places, 0 fills what is missing."""
    codes: dict[str, int] = {}
    parts: list[NDArray[np.int64]] = []
    for name in columns:
        if name not in table.columns:
            continue
        row_E, code_E = _coded(name, table[name], codes)
        first_E = np.searchsorted(row_E, row_E)
        place_E = np.arange(len(row_E)) - first_E
        coded = np.zeros((len(table), int(place_E.max(initial=-1)) + 1), np.int64)
        coded[row_E, place_E] = code_E
        parts.append(coded)
    return np.concatenate(parts, axis=1) if parts else np.zeros((len(table), 0), np.int64), tuple(codes)


def _coded(name: str, column: pl.Series, codes: dict[str, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The row and the code of each category of a column, in their order; new categories are added to ``codes``."""
    entries = pl.DataFrame({"row": np.arange(len(column)), "value": column})
    while entries["value"].dtype == pl.List:
        entries = entries.explode("value")
    entries = entries.drop_nulls("value")
    # A million videos share few values, of which each is looked at once.
    different = entries["value"].unique(maintain_order=True)
    known: list[bool] = []
    code: list[int] = []
    for value in different.to_list():
        found = categories(name, value)
        known.append(bool(found))
        code += [codes.setdefault(each, len(codes) + 1) for each in found]
    table = pl.DataFrame({"value": different.filter(pl.Series(known, dtype=pl.Boolean)), "code": code})
    coded = entries.join(table, on="value", how="inner", maintain_order="left")
    return coded["row"].to_numpy(), coded["code"].to_numpy().astype(np.int64)


def categories(name: str, value: Any) -> list[str]:
    """A feature's value as categories; it never depends on the rest of the data, so that it means the same tomorrow.

    A list gives one category an entry; numbers with a fraction or above 10 fall into steps of a quarter of a doubling.

    >>> categories("tags", ["cats", "dogs"]), categories("age", "18-24"), categories("followers", 12_345)
    (['tags=cats', 'tags=dogs'], ['age=18-24'], ['followers=~1.16e+04'])
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return []
    if isinstance(value, list | tuple):
        return [category for entry in value for category in categories(name, entry)]
    if isinstance(value, int | float) and not isinstance(value, bool):
        exact = value == int(value) and abs(value) <= 10
        return [f"{name}={int(value)}" if exact else f"{name}=~{_quarter_octave(value):.3g}"]
    return [f"{name}={value}"]


def _quarter_octave(value: float) -> float:
    return math.copysign(2 ** (round(4 * math.log2(abs(value))) / 4), value)
