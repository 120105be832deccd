"""A data set: everything a recommender may learn from, in index-coded arrays.

Legend of shape suffixes: U = viewers, V = videos, I = interactions, D = width of a vector, A = attribute values,
P = profile fields.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from swipewise.config import EventsConfig
from swipewise.errors import DataError
from swipewise.schema import FLAG_ACTIONS, Action, Col

_ATTRIBUTES = (Col.CREATOR, Col.MUSIC, Col.LANGUAGE, Col.TAGS, Col.DURATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentFeature:
    """One modality's vectors: values_VD float32, zeros where ``present_V`` is False."""

    values_VD: NDArray[np.float32]
    present_V: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interactions:
    """Interactions sorted by viewer, then time.

    viewer_I, video_I: int64 indices; at_I: int64 milliseconds since 1970 UTC; watch_ratio_I: float32, NaN where
    unknown; actions_IF: bool, columns as FLAG_ACTIONS; positive_I: bool, what training and metrics count as liked.
    """

    viewer_I: NDArray[np.int64]
    video_I: NDArray[np.int64]
    at_I: NDArray[np.int64]
    watch_ratio_I: NDArray[np.float32]
    actions_IF: NDArray[np.bool_]
    positive_I: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.viewer_I)

    def followed_by(self, later: Interactions) -> Interactions:
        """These and, after them in time, others."""
        order_I = np.argsort(np.concatenate([self.viewer_I, later.viewer_I]), kind="stable")
        return Interactions(
            **{
                name: np.concatenate([getattr(self, name), getattr(later, name)])[order_I]
                for name in self.__slots__
            }
        )

    def where(self, keep_I: NDArray[np.bool_] | NDArray[np.int64]) -> Interactions:
        """The interactions at which ``keep_I`` is True, in the same order; or those of the rows it lists."""
        return Interactions(**{name: getattr(self, name)[keep_I] for name in self.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Viewers, videos and what happened between them.

    uploaded_at_V: int64 milliseconds, the time of the first interaction (or 0) where the upload time is unknown.
    attributes_VA: int64 codes from 1, 0 pads; ``attribute_values`` gives each code's meaning ("creator=ann").
    profile_UP: int64 codes from 1, 0 where a field is missing; ``profile_values`` likewise ("age=18-24").
    """

    viewer_ids: tuple[str, ...]
    video_ids: tuple[str, ...]
    interactions: Interactions
    uploaded_at_V: NDArray[np.int64]
    content: Mapping[str, ContentFeature]
    attributes_VA: NDArray[np.int64]
    attribute_values: tuple[str, ...]
    profile_UP: NDArray[np.int64]
    profile_values: tuple[str, ...]

    def before(self, time: int) -> Dataset:
        """The same viewers and videos with only the interactions earlier than ``time`` (milliseconds)."""
        return replace(self, interactions=self.interactions.where(self.interactions.at_I < time))

    def between(self, start: int, end: int) -> Dataset:
        """The same viewers and videos with only the interactions in [start, end) milliseconds."""
        at_I = self.interactions.at_I
        return replace(self, interactions=self.interactions.where((at_I >= start) & (at_I < end)))

    def followed_by(self, later: Dataset) -> Dataset:
        """The interactions of both; ``later`` has the same viewers and videos and starts where this one ends."""
        return replace(self, interactions=self.interactions.followed_by(later.interactions))

    def viewer_offsets(self) -> NDArray[np.int64]:
        """Offsets (U + 1,): the interactions of viewer u are the rows offsets[u]:offsets[u + 1]."""
        return np.searchsorted(self.interactions.viewer_I, np.arange(len(self.viewer_ids) + 1))


class Recommender(Protocol):
    """The face that the model and every baseline share.

    A recommender is fitted on one data set and then scores with the histories in it. To score with newer
    histories and the same parameters, give it another data set of the same viewers and videos with ``observe``.
    """

    name: str

    def fit(self, dataset: Dataset) -> Self:
        """Learn from the interactions of ``dataset``."""
        ...

    def observe(self, dataset: Dataset) -> Self:
        """Take the histories to score with from ``dataset``; learned parameters stay as they are."""
        ...

    def score(self, viewers_B: NDArray[np.int64], videos_N: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores (B, N); higher is better, comparable only within a viewer."""
        ...

    def recommend(self, viewers_B: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        """The best k videos of each viewer (B, k), best first, without those in the viewer's history."""
        ...


@runtime_checkable
class ActionPredictor(Protocol):
    """A recommender that also predicts what a viewer will do with a video that is shown."""

    @property
    def actions(self) -> tuple[str, ...]:
        """Names of the columns of :meth:`predict`: actions of FLAG_ACTIONS, in any order."""
        ...

    def predict(self, exposures: Interactions) -> NDArray[np.float32]:
        """Calibrated probability of each action for each exposure: (I, A) in [0, 1].

        An exposure is judged from what the observed data set holds of its viewer before it, never from itself or
        from what came later; indices are those of the observed data set.
        """
        ...


def build_dataset(
    videos: pl.DataFrame,
    content: Mapping[str, tuple[list[str], NDArray[np.float32]]],
    interactions: pl.DataFrame,
    profiles: pl.DataFrame,
    events: EventsConfig,
) -> Dataset:
    """Code tables of strings as arrays of indices.

    Args:
        videos: The catalogue: video_id and, where known, uploaded_at, creator, music, tags, language.
        content: For each content modality the video ids that have it and their vectors (n, D), in one order.
        interactions: Interactions as the event reader gives them; those with unknown videos are left out.
        profiles: viewer_id and one column a profile field (strings, numbers or lists of strings).
        events: What counts as positive.

    Raises:
        DataError: There are no videos, or no interaction is with a video of the catalogue.
    """
    if videos.is_empty():
        raise DataError("the catalogue holds no videos: add some with 'swipewise videos add PATH'")
    video_ids = tuple(videos[Col.VIDEO_ID])
    video_index = pl.DataFrame({Col.VIDEO_ID: video_ids, "video": np.arange(len(video_ids))})
    rows = interactions.join(video_index, on=Col.VIDEO_ID, how="inner")
    if rows.is_empty():
        raise DataError(
            f"none of the {len(interactions)} interactions is with a video of the catalogue: "
            "import behaviour with 'swipewise events import FILE', or check that its video ids match"
        )
    seen_viewers = pl.concat([rows[Col.VIEWER_ID], profiles[Col.VIEWER_ID].cast(pl.String)])
    viewer_ids = tuple(seen_viewers.unique().sort())
    viewer_index = pl.DataFrame({Col.VIEWER_ID: viewer_ids, "viewer": np.arange(len(viewer_ids))})
    rows = rows.join(viewer_index, on=Col.VIEWER_ID).sort("viewer", Col.AT, "video")
    coded = _interactions(rows, events)
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


def code_log(interactions: pl.DataFrame, video_ids: tuple[str, ...], events: EventsConfig) -> Interactions:
    """Interactions with the videos of a catalogue, in time order, all as if of one viewer."""
    video_index = pl.DataFrame({Col.VIDEO_ID: video_ids, "video": np.arange(len(video_ids))})
    rows = interactions.join(video_index, on=Col.VIDEO_ID, how="inner").with_columns(viewer=pl.lit(0))
    return _interactions(rows.sort(Col.AT), events) if len(rows) else no_interactions()


def told_actions(rows: Interactions) -> NDArray[np.bool_]:
    """Of which interactions each action of FLAG_ACTIONS is known to have happened or not: (I, F).

    Whether a video was skipped is not told by an interaction that neither says so nor has a watch time, unless the
    log has no watch times at all. All else that happened is in the log.
    """
    told_IF = np.ones((len(rows), len(FLAG_ACTIONS)), bool)
    known_I = ~np.isnan(rows.watch_ratio_I)
    if known_I.any():
        skip = FLAG_ACTIONS.index(Action.SKIP)
        told_IF[:, skip] = known_I | rows.actions_IF[:, skip]
    return told_IF


def no_interactions() -> Interactions:
    """None at all, in the arrays' own types."""
    return Interactions(
        viewer_I=np.zeros(0, np.int64),
        video_I=np.zeros(0, np.int64),
        at_I=np.zeros(0, np.int64),
        watch_ratio_I=np.zeros(0, np.float32),
        actions_IF=np.zeros((0, len(FLAG_ACTIONS)), bool),
        positive_I=np.zeros(0, bool),
    )


def is_positive(
    watch_ratio_I: NDArray[np.float32], actions_IF: NDArray[np.bool_], events: EventsConfig
) -> NDArray[np.bool_]:
    """Which interactions count as liked: (I,).

    Any of the configured actions says so, and so does watching enough without skipping; hiding a video overrules both.
    """
    flag = {action: actions_IF[:, column] for column, action in enumerate(FLAG_ACTIONS)}
    positive_I = (watch_ratio_I >= events.positive_watch_ratio) & ~flag[Action.SKIP]
    for name in events.positive:
        positive_I |= flag[Action(name)]
    liked_I: NDArray[np.bool_] = positive_I & ~flag[Action.HIDE]
    return liked_I


def _interactions(rows: pl.DataFrame, events: EventsConfig) -> Interactions:
    ratio_I = rows[Col.WATCH_RATIO].fill_null(float("nan")).to_numpy().astype(np.float32)
    actions_IF = np.stack([rows[flag].to_numpy() for flag in FLAG_ACTIONS], axis=1).astype(bool)
    return Interactions(
        viewer_I=rows["viewer"].to_numpy().astype(np.int64),
        video_I=rows["video"].to_numpy().astype(np.int64),
        at_I=_milliseconds(rows[Col.AT]),
        watch_ratio_I=ratio_I,
        actions_IF=actions_IF,
        positive_I=is_positive(ratio_I, actions_IF, events),
    )


def _milliseconds(times: pl.Series) -> NDArray[np.int64]:
    return times.dt.epoch("ms").to_numpy().astype(np.int64)


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
