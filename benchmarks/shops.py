"""Workspaces of any size with a model, made through the package's own stores, for benchmarks of the feed.

Videos lie around planted themes in three content modalities; viewers watch what is popular among the ``known`` ones,
more of it where it is of their themes. The model is of the product's own size, trained for one epoch on the known
videos with every part of the score switched on: what it costs does not depend on how well it ranks.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from swipewise.catalog import Catalog
from swipewise.catalog.records import VIDEO_SCHEMA
from swipewise.config import template
from swipewise.datasets.reading import IDENTITY
from swipewise.events import EventLog, append_interactions
from swipewise.events.frames import MOMENT
from swipewise.schema import CONTENT_MODALITIES, Action, Col, Event, Profile
from swipewise.training.building import catalogue_dataset
from swipewise.training.fitted import FittedModel
from swipewise.training.inference import Projected
from swipewise.training.runs import MODEL_NAME, latest_run
from swipewise.training.session import train_workspace
from swipewise.training.workspace_data import load_dataset
from swipewise.workspace import CONFIG_NAME, Workspace

WIDTH, THEMES = 64, 60
LIVE_EVENTS = 6
_BLOCK, _TOGETHER = 50_000, 32
_SETTINGS = {
    **dict.fromkeys(("visual", "audio", "text"), '"dataset"'),
    "epochs": "1",
    "neighbour_weight": "0.5",
    "group_weight": "0.1",
    "taste_weight": "1.0",
    "open_metrics": "true",
    "rate_events": "0.0",
    "rate_feed": "0.0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Who watches, and what a platform knows of it.

    viewers: so many; known: videos that behaviour names, the first of every catalogue; median: events a viewer.
    """

    viewers: int
    known: int
    median: int = 60


def viewer_name(number: int) -> str:
    """The id of a viewer."""
    return f"viewer{number:06}"


def trained_shop(root: Path, crowd: Crowd, **settings: str) -> Workspace:
    """A workspace of the known videos alone, with behaviour and a run; ``settings`` are keys of the configuration."""
    workspace = _filled(root, crowd, crowd.known, **settings)
    train_workspace(workspace)
    return workspace


def grown_shop(root: Path, crowd: Crowd, trained: Workspace, videos: int) -> Workspace:
    """The same platform with so many videos, and the run of the small one."""
    workspace = _filled(root, crowd, videos)
    shutil.copytree(trained.runs_dir, workspace.runs_dir)
    return workspace


def video_vectors(trained: Workspace, videos: int) -> NDArray[np.float32]:
    """The index's vectors (V, D) of so many videos of the same platform, by its model, without a catalogue of them."""
    fitted = FittedModel.load(latest_run(trained.runs_dir) / MODEL_NAME)
    theme_VM, table = _themes(videos), _videos(videos)
    content = [_vectors(theme_VM[:, column], column) for column in range(len(CONTENT_MODALITIES))]
    found = np.empty((videos, fitted.config.width), np.float32)
    for start in range(0, videos, _BLOCK):
        part = table[start : start + _BLOCK]
        ids = part[Col.VIDEO_ID].to_list()
        given: dict[str, tuple[list[str], NDArray[np.float32]]] = {
            name: (ids, each[start : start + _BLOCK])
            for name, each in zip(CONTENT_MODALITIES, content, strict=True)
        }
        read = fitted.table(catalogue_dataset(part, given, fitted.vocabulary.profile_values))
        with torch.inference_mode():
            p_VMD = fitted.network.project(read.inputs(torch.arange(len(ids))))
            found[start : start + _BLOCK] = fitted.network.index_vectors(p_VMD, read.present_VM).numpy()
    return found


def interests(trained: Workspace, viewers: int) -> NDArray[np.float32]:
    """The interest vectors (U, D) of some of a trained platform's viewers, drawn at random, after all they did."""
    known = load_dataset(trained)
    projected = Projected(FittedModel.load(latest_run(trained.runs_dir) / MODEL_NAME), known)
    viewers_U = np.random.default_rng(6).permutation(len(known.viewer_ids))[:viewers]
    parts = np.array_split(viewers_U, -(-len(viewers_U) // _TOGETHER))
    return np.concatenate([projected.interest(known, part).z_BD.numpy() for part in parts])


def _filled(root: Path, crowd: Crowd, videos: int, **settings: str) -> Workspace:
    root.mkdir(parents=True)
    (root / CONFIG_NAME).write_text(_config(_SETTINGS | settings), encoding="utf-8")
    workspace = Workspace.open(root)
    theme_VM = _themes(videos)
    vectors = {
        (modality, IDENTITY): (np.arange(videos), _vectors(theme_VM[:, column], column))
        for column, modality in enumerate(CONTENT_MODALITIES)
    }
    Catalog(workspace.catalog_dir).fill(_videos(videos), vectors)
    rows = _behaviour(crowd, theme_VM[: crowd.known])
    with workspace.lock("history"):
        append_interactions(workspace, rows)
    with workspace.lock("viewers"), EventLog.open(workspace.events_dir) as log:
        log.put_profiles(
            [
                Profile(
                    viewer_id=viewer_name(number), features={"age": f"a{number % 6}", "region": f"r{number % 9}"}
                )
                for number in range(crowd.viewers)
            ]
        )
        log.append(list(_live(crowd)))
    return workspace


def _config(settings: Mapping[str, str]) -> str:
    lines = []
    for line in template().splitlines():
        key = line.removeprefix("# ").partition(" = ")[0]
        lines.append(f"{key} = {settings[key]}" if line.startswith("# ") and key in settings else line)
    return "\n".join(lines) + "\n"


def _themes(videos: int) -> NDArray[np.int64]:
    """The theme of each video in each modality; the first videos of a larger catalogue are those of a smaller one."""
    return np.stack([np.random.default_rng([1, m]).integers(0, THEMES, videos) for m in range(3)], axis=1)


def _vectors(theme_V: NDArray[np.int64], modality: int) -> NDArray[np.float32]:
    centre_TD = np.random.default_rng([2, modality]).standard_normal((THEMES, WIDTH)).astype(np.float32)
    rng = np.random.default_rng([3, modality])
    vectors_VD = rng.standard_normal((len(theme_V), WIDTH), dtype=np.float32)
    vectors_VD *= np.float32(0.5)
    vectors_VD += centre_TD[theme_V]
    return vectors_VD


def _videos(videos: int) -> pl.DataFrame:
    number_V = np.arange(videos)
    uploaded_V = _now() - (number_V % 30 + 2) * np.timedelta64(1, "D")
    names = [f"video{number:07}" for number in range(videos)]
    given = {
        Col.VIDEO_ID: pl.Series(names),
        Col.URI: pl.Series([f"made:{name}" for name in names]),
        Col.CONTENT_HASH: pl.Series(names),
        Col.CREATOR: pl.Series([f"creator{number}" for number in number_V // 20]),
        Col.TAGS: pl.Series([[f"tag{number % 300}"] for number in number_V]),
        Col.UPLOADED_AT: pl.Series(uploaded_V).cast(pl.Datetime("us")).dt.replace_time_zone("UTC").cast(MOMENT),
        Col.DURATION: pl.Series(np.full(videos, 15.0)),
    }
    sizes = [pl.lit(256, pl.Int32).alias(name) for name in (Col.WIDTH, Col.HEIGHT)]
    empty = pl.from_arrow(VIDEO_SCHEMA.empty_table())
    assert isinstance(empty, pl.DataFrame)
    return pl.concat([empty, pl.DataFrame(given).with_columns(*sizes)], how="diagonal_relaxed")


def _behaviour(crowd: Crowd, theme_VM: NDArray[np.int64]) -> pl.DataFrame:
    """Interactions of the last 28 days, ending two days ago, as ``append_interactions`` takes them."""
    rng = np.random.default_rng(4)
    length_U = np.clip(rng.lognormal(np.log(crowd.median), 0.9, crowd.viewers), 6, 1500).astype(np.int64)
    viewer_I = np.repeat(np.arange(crowd.viewers), length_U)
    video_I = (crowd.known * rng.random((len(viewer_I), 4)) ** 2).astype(np.int64)
    liked_UT = rng.standard_normal((crowd.viewers, 3, THEMES))
    taste_I4 = sum(liked_UT[viewer_I[:, None], m, theme_VM[video_I, m]] for m in range(3))
    best_I = np.argmax(taste_I4, axis=1)
    row = np.arange(len(viewer_I))
    taste_I = taste_I4[row, best_I] - taste_I4.mean()
    watched_I = 15 / (1 + np.exp(-taste_I - rng.standard_normal(len(row))))
    seconds_I = rng.integers(0, 28 * 24, len(row)) * 3600 + rng.integers(0, 1200, len(row))
    at_I = _now() - np.timedelta64(2, "D") - seconds_I * np.timedelta64(1, "s")
    return pl.DataFrame(
        {
            Col.EVENT_ID: [f"e{number}" for number in row],
            Col.VIEWER_ID: [viewer_name(number) for number in viewer_I.tolist()],
            Col.VIDEO_ID: [f"video{number:07}" for number in video_I[row, best_I]],
            Col.AT: pl.Series(at_I).cast(pl.Datetime("us")).dt.replace_time_zone("UTC").cast(MOMENT),
            Col.WATCH_SECONDS: watched_I,
            Col.POSITION: pl.Series(np.zeros(len(row))).cast(pl.Int32),
            str(Action.LIKE): rng.random(len(row)) < 0.05 * (taste_I > 0),
        }
    )


def _live(crowd: Crowd) -> list[Event]:
    """Some of today's events of every viewer."""
    rng = np.random.default_rng(5)
    now = datetime.now(UTC) - timedelta(hours=1)
    return [
        Event(
            event_id=f"live{number}-{place}",
            viewer_id=viewer_name(number),
            video_id=f"video{int(rng.integers(0, crowd.known)):07}",
            action=Action.VIEW,
            at=now + timedelta(minutes=place),
            watch_seconds=float(rng.uniform(1, 15)),
        )
        for number in range(crowd.viewers)
        for place in range(LIVE_EVENTS)
    ]


def _now() -> np.datetime64:
    return np.datetime64(datetime.now(UTC).replace(tzinfo=None, microsecond=0), "us")
