"""What the catalogue's rows hold, and how vectors are laid into columns.

Legend of shape suffixes: N = rows, D = width of a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from swipewise.schema import GIVEN_ENCODER, WORD_COLUMNS, Col, Fingerprint, Modality, Video, Words, words_mark

_TIME = pa.timestamp("us", "UTC")

FINGERPRINT_FIELDS: Final = (
    # Null: never looked at. Empty: looked at, and it tells too little.
    pa.field(Col.VISUAL_FINGERPRINT, pa.binary()),
    pa.field(Col.MOTION_FINGERPRINT, pa.binary()),
    pa.field(Col.AUDIO_FINGERPRINT, pa.binary()),
    # The place of the video among those that were compared with one another: earlier ones were there first.
    pa.field(Col.LINK_ORDER, pa.int64()),
    pa.field(Col.DUPLICATE_OF, pa.string()),
)
"""Columns of what a video's near-duplicates are found by, and of what was found."""

WORD_FIELDS: Final = tuple(pa.field(name, pa.string()) for columns in WORD_COLUMNS.values() for name in columns)
"""Columns of the words of a video beside its caption, and of what looked for them."""

AVAILABILITY_FIELDS: Final = (
    pa.field(Col.REGIONS, pa.list_(pa.string())),
    pa.field(Col.AVAILABLE_FROM, _TIME),
    pa.field(Col.AVAILABLE_UNTIL, _TIME),
)
"""Columns of where and when a video may be shown; null: everywhere and always."""

VIDEO_SCHEMA: Final = pa.schema(
    [
        pa.field(Col.VIDEO_ID, pa.string(), nullable=False),
        pa.field(Col.URI, pa.string(), nullable=False),
        pa.field(Col.CONTENT_HASH, pa.string(), nullable=False),
        pa.field(Col.CAPTION, pa.string()),
        pa.field(Col.CREATOR, pa.string()),
        pa.field(Col.MUSIC, pa.string()),
        pa.field(Col.TAGS, pa.list_(pa.string())),
        pa.field(Col.LANGUAGE, pa.string()),
        pa.field(Col.UPLOADED_AT, _TIME),
        pa.field(Col.DURATION, pa.float64()),
        pa.field(Col.WIDTH, pa.int32()),
        pa.field(Col.HEIGHT, pa.int32()),
        pa.field(Col.INGESTED_AT, _TIME),
        pa.field(Col.UPDATED_AT, _TIME),
        # Encoders that have looked at the video, whether or not it had what they look for.
        pa.field(Col.ENCODERS, pa.list_(pa.string())),
        *FINGERPRINT_FIELDS,
        *WORD_FIELDS,
        *AVAILABILITY_FIELDS,
    ]
)
"""Columns of a video, without those of its vectors."""

VIDEO_FIELDS: Final = tuple(field.name for field in fields(Video))

REJECTED_SCHEMA: Final = pa.schema(
    [
        pa.field(Col.URI, pa.string(), nullable=False),
        pa.field(Col.CONTENT_HASH, pa.string()),
        pa.field(Col.REASON, pa.string(), nullable=False),
        pa.field(Col.AT, _TIME),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A file (or a manifest's row, "videos.csv:12") that could not be taken, and why."""

    uri: str
    reason: str
    content_hash: str | None = None


def vector_column(modality: str, identity: str) -> str:
    """The column that holds an encoder's vectors.

    >>> vector_column("visual", "descriptor@1")
    'visual:descriptor@1'
    """
    return f"{modality}:{identity}"


def split_column(column: str) -> tuple[Modality, str]:
    """The modality and the encoder identity behind a column's name."""
    modality, identity = column.split(":", 1)
    return Modality(modality), identity


def reads_words(column: str) -> bool:
    """Whether the vectors of a column were made of words of the clip, not of the caption alone."""
    return any(words_mark(kind) in column for kind in Words)


def is_given(column: str) -> bool:
    """Whether the vectors of a column came with a data set.

    >>> is_given("text:dataset@1"), is_given("text:descriptor@1")
    (True, False)
    """
    return split_column(column)[1].partition("@")[0] == GIVEN_ENCODER


def vector_type(dim: int) -> pa.DataType:
    """The Arrow type of vectors of this width."""
    return pa.list_(pa.float32(), dim)


def to_arrow(vectors: Sequence[NDArray[np.float32] | None], dim: int) -> pa.Array:
    """Vectors (D,) as a fixed-size list column, null where None."""
    values_ND = np.zeros((len(vectors), dim), np.float32)
    for row, vector in enumerate(vectors):
        if vector is not None:
            values_ND[row] = vector
    absent = pa.array([vector is None for vector in vectors], pa.bool_())
    return pa.FixedSizeListArray.from_arrays(pa.array(values_ND.ravel()), dim, mask=absent)


def from_arrow(column: pa.Array | pa.ChunkedArray) -> list[NDArray[np.float32] | None]:
    """The vectors (D,) of a fixed-size list column, None where null."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    vectors: list[NDArray[np.float32] | None] = []
    for chunk in chunks:
        # flatten() leaves nulls out, so the present vectors are handed out in turn.
        present = iter(chunk.flatten().to_numpy().reshape(-1, chunk.type.list_size))
        vectors += [next(present) if valid else None for valid in chunk.is_valid().to_pylist()]
    return vectors


def to_video(row: dict[str, Any]) -> Video:
    """A row of the table as a record, without words where these were not read."""
    values: dict[str, Any] = {name: row.get(name) for name in VIDEO_FIELDS}
    values |= {name: tuple(values[name] or ()) for name in (Col.TAGS, Col.REGIONS)}
    return Video(**values)


def fingerprint_values(fingerprint: Fingerprint) -> dict[str, bytes]:
    """A fingerprint as columns of a row."""
    return {
        Col.VISUAL_FINGERPRINT: fingerprint.visual or b"",
        Col.MOTION_FINGERPRINT: fingerprint.motion or b"",
        Col.AUDIO_FINGERPRINT: fingerprint.audio or b"",
    }


def to_row(
    video: Video, *, ingested_at: datetime, updated_at: datetime, encoders: Sequence[str]
) -> dict[str, Any]:
    """A record as a row of the table, without its fingerprint."""
    row = {name: getattr(video, name) for name in VIDEO_FIELDS}
    stamps = {Col.INGESTED_AT: ingested_at, Col.UPDATED_AT: updated_at}
    lists = {Col.TAGS: list(video.tags), Col.REGIONS: list(video.regions), Col.ENCODERS: list(encoders)}
    return row | stamps | lists
