"""Makes a workspace of a data set: in a folder beside it first, so that a workspace is whole or not there."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from swipewise.catalog import Catalog
from swipewise.config import EventsConfig, template
from swipewise.datasets.layouts import Layout
from swipewise.datasets.reading import IDENTITY, OnProgress, Reading, Vectors
from swipewise.encoders import build_encoder, identity
from swipewise.errors import DataError
from swipewise.events import EventLog, append_interactions
from swipewise.events.frames import MOMENT
from swipewise.schema import CONTENT_MODALITIES, FLAG_ACTIONS, Clip, Col, Modality, Profile
from swipewise.staging import put_in_place, refuse_what_is_there, staging
from swipewise.training.dataset import is_positive
from swipewise.workspace import CONFIG_NAME, Workspace

_NEEDS: Final = "a data set needs a workspace of its own"

_VIDEO_SCHEMA: Final[dict[str, Any]] = {
    Col.VIDEO_ID: pl.String,
    Col.URI: pl.String,
    Col.CONTENT_HASH: pl.String,
    Col.CAPTION: pl.String,
    Col.CREATOR: pl.String,
    Col.MUSIC: pl.String,
    Col.TAGS: pl.List(pl.String),
    Col.LANGUAGE: pl.String,
    Col.UPLOADED_AT: MOMENT,
    Col.DURATION: pl.Float64,
    Col.WIDTH: pl.Int32,
    Col.HEIGHT: pl.Int32,
    Col.SPEECH: pl.String,
    Col.SPEECH_BY: pl.String,
    Col.SCREEN_TEXT: pl.String,
    Col.SCREEN_BY: pl.String,
    Col.REGIONS: pl.List(pl.String),
    Col.AVAILABLE_FROM: MOMENT,
    Col.AVAILABLE_UNTIL: MOMENT,
}
_ONLY_SEEN: Final = "videos known by their interactions alone"
_CAPTIONS_AT_ONCE: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """What a conversion put into a workspace.

    viewers: those with a profile or an interaction. positives: interactions that count as liked. vectors: videos that
    have one, by modality. files: what each file of the source was taken for. left_out: what is not in the workspace,
    by reason. notes: what a user of the workspace should know.
    """

    workspace: Path
    videos: int
    viewers: int
    profiles: int
    interactions: int
    positives: int
    vectors: Mapping[str, int]
    files: Mapping[str, str]
    left_out: Mapping[str, int]
    notes: tuple[str, ...]
    seconds: float


def convert(
    layout: Layout,
    source: Path,
    target: Path,
    *,
    on_progress: OnProgress = lambda _doing, _done, _total: None,
) -> Conversion:
    """Make a workspace at ``target`` of the data set in ``source``.

    All is written to a hidden folder beside ``target``, which then takes its place: an interrupted conversion leaves
    nothing that looks like a workspace, and the same call starts it anew.

    Args:
        layout: How the source is laid out.
        source: The data set's folder; it is only read.
        target: A folder that does not exist, or is empty.
        on_progress: Told what is being done and how far it is.

    Raises:
        WorkspaceError: The target holds something, or another process is converting into it.
        InputFileError: A file of the source is missing or cannot be read.
        DataError: What is in the source contradicts itself.
        StoreError: The workspace cannot be written.
    """
    started = time.monotonic()
    refuse_what_is_there(target, _NEEDS)
    reading = layout.read(source)
    with staging(target, "converting") as folder:
        workspace = _configured(folder, layout, reading)
        counts = _Writer(layout, reading, workspace, on_progress).write()
        refuse_what_is_there(target, _NEEDS)
        put_in_place(folder, target)
    account = reading.account
    return Conversion(
        workspace=target,
        **counts,
        files=account.files,
        left_out=account.left_out,
        notes=tuple(account.notes),
        seconds=time.monotonic() - started,
    )


class _Writer:
    """Fills an empty workspace from a reading."""

    def __init__(self, layout: Layout, reading: Reading, workspace: Workspace, on_progress: OnProgress) -> None:
        self._layout = layout
        self._reading = reading
        self._workspace = workspace
        self._on_progress = on_progress

    def write(self) -> dict[str, Any]:
        """Write everything; returns the figures of ``Conversion``."""
        seen = self._interactions()
        videos = self._videos(seen)
        vectors = self._vectors(videos)
        self._on_progress("videos and vectors", 0, None)
        Catalog(self._workspace.catalog_dir).fill(videos, vectors)
        profiles = self._profiles()
        seen.viewers.update(profiles)
        return {
            "videos": len(videos),
            "viewers": len(seen.viewers),
            "profiles": len(profiles),
            "interactions": seen.interactions,
            "positives": seen.positives,
            "vectors": {str(modality): int((row_N >= 0).sum()) for (modality, _), (row_N, _) in vectors.items()},
        }

    def _interactions(self) -> _Seen:
        seen = _Seen()
        self._on_progress("interactions", 0, self._reading.rows)
        with self._workspace.lock("history"):
            for part in self._reading.interactions:
                number = pl.int_range(seen.interactions, seen.interactions + len(part))
                rows = part.with_columns(pl.format("{}:{}", pl.lit(self._layout.name), number).alias(Col.EVENT_ID))
                append_interactions(self._workspace, rows)
                seen.add(rows, self._reading.videos, self._workspace.config.events)
                self._on_progress("interactions", seen.interactions, max(self._reading.rows, seen.interactions))
        if not seen.interactions:
            raise DataError("the data set holds no interactions: there is nothing to learn from")
        return seen

    def _videos(self, seen: _Seen) -> pl.DataFrame:
        """Every video of the catalogue, sorted by id: those that are described, then those only seen."""
        described = self._reading.videos
        ids = [pl.Series(vectors.video_ids, dtype=pl.String) for vectors in self._reading.vectors.values()]
        named = pl.concat([seen.videos[Col.VIDEO_ID], *ids]).unique().to_frame(Col.VIDEO_ID)
        bare = named.join(described, on=Col.VIDEO_ID, how="anti")
        if len(described) and len(bare):
            self._reading.account.notes.append(f"{_ONLY_SEEN}: {len(bare):,}")
        durations = seen.videos.rename({Col.DURATION: "seen"})
        uri = pl.format("{}:{}", pl.lit(self._layout.name), pl.col(Col.VIDEO_ID))
        videos = pl.concat([described, bare], how="diagonal").join(durations, on=Col.VIDEO_ID, how="left")
        known = pl.col(Col.DURATION) if Col.DURATION in videos.columns else pl.lit(None, pl.Float64)
        videos = videos.with_columns(pl.coalesce(known, "seen").alias(Col.DURATION), uri.alias(Col.URI))
        hashes = [hashlib.sha256(uri.encode()).hexdigest() for uri in videos[Col.URI]]
        absent = [pl.lit(None).alias(name) for name in _VIDEO_SCHEMA if name not in videos.columns]
        return (
            videos.with_columns(absent)
            .with_columns(pl.Series(Col.CONTENT_HASH, hashes))
            .select(pl.col(name).cast(dtype) for name, dtype in _VIDEO_SCHEMA.items())
            .with_columns(pl.col(Col.TAGS).fill_null([]))
            .sort(Col.VIDEO_ID)
        )

    def _vectors(
        self, videos: pl.DataFrame
    ) -> dict[tuple[Modality, str], tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Where each video's vectors are; captions without vectors of their own are encoded."""
        given = {(modality, IDENTITY): vectors for modality, vectors in self._reading.vectors.items()}
        if Modality.TEXT not in self._reading.vectors and videos[Col.CAPTION].count():
            given |= self._encoded_captions(videos)
        places = {}
        for encoder, vectors in given.items():
            if not vectors.video_ids:
                continue
            rows = pl.DataFrame({Col.VIDEO_ID: vectors.video_ids, "row": np.arange(len(vectors.video_ids))})
            found = videos.select(Col.VIDEO_ID).join(rows, on=Col.VIDEO_ID, how="left", maintain_order="left")
            places[encoder] = (found["row"].fill_null(-1).to_numpy().astype(np.int64), vectors.values_RD)
        return places

    def _encoded_captions(self, videos: pl.DataFrame) -> dict[tuple[Modality, str], Vectors]:
        encoder = build_encoder(
            Modality.TEXT, self._workspace.config.encoders.text, self._workspace.config.encoders
        )
        known = videos.filter(pl.col(Col.CAPTION).is_not_null())
        ids: list[str] = []
        vectors: list[NDArray[np.float32]] = []
        for start in range(0, len(known), _CAPTIONS_AT_ONCE):
            self._on_progress("captions", start, len(known))
            some = known.slice(start, _CAPTIONS_AT_ONCE)
            encoded = encoder.encode([Clip(caption=caption) for caption in some[Col.CAPTION]])
            for video_id, vector in zip(some[Col.VIDEO_ID], encoded, strict=True):
                if vector is not None:
                    ids.append(video_id)
                    vectors.append(vector)
        if not vectors:
            return {}
        return {(Modality.TEXT, identity(encoder)): Vectors(video_ids=tuple(ids), values_RD=np.stack(vectors))}

    def _profiles(self) -> list[str]:
        """Store the viewers' profiles; returns whose they are."""
        self._on_progress("profiles", 0, None)
        viewers = self._reading.viewers
        profiles = [
            Profile(viewer_id=row.pop(Col.VIEWER_ID), features={k: v for k, v in row.items() if _is_known(v)})
            for row in viewers.iter_rows(named=True)
        ]
        if profiles:
            with self._workspace.lock("viewers"), EventLog.open(self._workspace.events_dir) as log:
                log.put_profiles(profiles)
        return [profile.viewer_id for profile in profiles]


class _Seen:
    """What the interactions tell of themselves as they go by."""

    def __init__(self) -> None:
        self.interactions = 0
        self.positives = 0
        self.viewers: set[str] = set()
        self.videos = pl.DataFrame(schema={Col.VIDEO_ID: pl.String, Col.DURATION: pl.Float64})

    def add(self, rows: pl.DataFrame, described: pl.DataFrame, events: EventsConfig) -> None:
        """Count a part."""
        self.interactions += len(rows)
        self.viewers.update(rows[Col.VIEWER_ID].unique())
        told = pl.col(Col.DURATION) if Col.DURATION in rows.columns else pl.lit(None, pl.Float64)
        part = rows.group_by(Col.VIDEO_ID).agg(pl.when(told > 0).then(told).max().alias(Col.DURATION))
        self.videos = pl.concat([self.videos, part]).group_by(Col.VIDEO_ID).agg(pl.col(Col.DURATION).max())
        self.positives += _positives(rows, described, events)


def _positives(rows: pl.DataFrame, described: pl.DataFrame, events: EventsConfig) -> int:
    """How many interactions the configuration counts as liked."""
    actions_IF = np.zeros((len(rows), len(FLAG_ACTIONS)), bool)
    for column, action in enumerate(FLAG_ACTIONS):
        if action in rows.columns:
            actions_IF[:, column] = rows[action].to_numpy()
    ratio_I = np.full(len(rows), np.nan, np.float32)
    if Col.DURATION in described.columns:
        durations = described.select(Col.VIDEO_ID, pl.col(Col.DURATION).alias("known"))
        joined = rows.join(durations, on=Col.VIDEO_ID, how="left", maintain_order="left")
        ratio = pl.when(pl.col("known") > 0).then(pl.col(Col.WATCH_SECONDS) / pl.col("known")).fill_null(math.nan)
        ratio_I = joined.select(ratio.alias("ratio"))["ratio"].to_numpy().astype(np.float32)
    return int(is_positive(ratio_I, actions_IF, events).sum())


def _is_known(value: Any) -> bool:
    return value is not None and value != "" and not (isinstance(value, float) and not math.isfinite(value))


def _configured(folder: Path, layout: Layout, reading: Reading) -> Workspace:
    """A workspace whose configuration says what the data set's vectors and positives are."""
    given = reading.vectors
    encoders = {str(modality): "dataset" if modality in given else "none" for modality in CONTENT_MODALITIES}
    has_captions = Col.CAPTION in reading.videos.columns and reading.videos[Col.CAPTION].count() > 0
    if Modality.TEXT not in given and has_captions:
        encoders[str(Modality.TEXT)] = "descriptor"
    settings = {"encoders": encoders, **reading.settings}
    (folder / CONFIG_NAME).write_text(_config_text(layout, settings), encoding="utf-8")
    return Workspace.open(folder)


def _config_text(layout: Layout, settings: Mapping[str, Mapping[str, Any]]) -> str:
    """The commented template with these keys set."""
    lines = [f"# Made by 'swipewise datasets {layout.name}': {layout.title}."]
    section = ""
    for line in template().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        key = line.removeprefix("# ").partition(" = ")[0]
        wanted = settings.get(section, {})
        is_key = line.startswith("# ") and " = " in line and key in wanted
        lines.append(f"{key} = {_toml(wanted[key])}" if is_key else line)
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value)
