"""Write a world to a folder: clips, manifest, behaviour, profiles and the truth behind them.

::

    clips/          one mp4 a video
    videos.jsonl    manifest for 'swipewise videos add'
    events.parquet  behaviour for 'swipewise events import'
    viewers.parquet profiles for 'swipewise viewers import'
    truth.parquet   what each viewer truly wants
    world.json      the settings that all of it was drawn from; written last
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, resource_tracker
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from swipewise.errors import InputFileError
from swipewise.schema import CONTENT_MODALITIES, Col, Modality
from swipewise.simulate.behave import behave
from swipewise.simulate.clips import render_clip, write_caption
from swipewise.simulate.truth import TRUTH_NAME, WORLD_NAME, truth_table
from swipewise.simulate.world import PROFILE_FIELDS, World, WorldConfig, draw_world

_SHORTEST, _LONGEST = 2.0, 6.0
_CHUNK = 16
_BYTES_A_CLIP = 150_000
_COLUMN = {modality: CONTENT_MODALITIES.index(modality) for modality in CONTENT_MODALITIES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a simulation put into its folder."""

    directory: Path
    videos: int
    viewers: int
    exposures: int
    events: int


def write_world(
    directory: Path,
    config: WorldConfig,
    *,
    on_clip: Callable[[int, int], None] = lambda _done, _total: None,
) -> Written:
    """Simulate a platform into a folder; what an earlier simulation left there is replaced.

    Args:
        directory: Made if it does not exist.
        config: The world.
        on_clip: Told (done, total) as clips are written.

    Raises:
        InputFileError: The folder holds something else, or cannot be written.
    """
    clips = directory / "clips"
    try:
        _refuse_strangers(directory)
        clips.mkdir(parents=True, exist_ok=True)
        (directory / WORLD_NAME).unlink(missing_ok=True)
        for earlier in clips.iterdir():
            earlier.unlink()
        free = shutil.disk_usage(directory).free
        if free < config.videos * _BYTES_A_CLIP:
            raise InputFileError(
                f"{directory} has {free / 1e6:.0f} MB free, {config.videos} clips take up to "
                f"{config.videos * _BYTES_A_CLIP / 1e6:.0f} MB: free some space or ask for fewer --videos"
            )
        world = draw_world(config)
        seconds_V = np.random.default_rng([config.seed, 2]).uniform(_SHORTEST, _LONGEST, config.videos).round(2)
        captions = _captions(world)
        _render(world, seconds_V, clips, on_clip)
        _manifest(world, captions).write_ndjson(directory / "videos.jsonl")
        events = behave(world, seconds_V)
        events.write_parquet(directory / "events.parquet")
        _profiles(world).write_parquet(directory / "viewers.parquet")
        truth_table(world).write_parquet(directory / TRUTH_NAME)
        (directory / WORLD_NAME).write_text(json.dumps(config.as_dict(), indent=2), encoding="utf-8")
    except BrokenProcessPool as error:
        raise InputFileError(
            f"cannot write the world to {directory}: a process that rendered clips was killed, for want of memory "
            "perhaps: run the same command again"
        ) from error
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputFileError(f"cannot write the world to {directory}: {reason}") from error
    return Written(
        directory=directory,
        videos=config.videos,
        viewers=config.viewers,
        exposures=int((events[Col.ACTION] == "exposure").sum()),
        events=len(events),
    )


_OURS = {"clips", "videos.jsonl", "events.parquet", "viewers.parquet", TRUTH_NAME, WORLD_NAME}
_CLIP = re.compile(r"clip\d{5,}\.mp4|\.clip\d{5,}\.mp4\.\d+")  # a clip, or one whose writing was killed


def _refuse_strangers(directory: Path) -> None:
    """Nothing is overwritten that no simulation wrote."""
    strangers = [path.name for path in directory.glob("*") if path.name not in _OURS]
    strangers += [f"clips/{path.name}" for path in directory.glob("clips/*") if not _CLIP.fullmatch(path.name)]
    if strangers:
        raise InputFileError(f"{directory} holds {min(strangers)!r}, no part of a world: choose another folder")


def _captions(world: World) -> list[str | None]:
    theme_V = world.theme_VM[:, _COLUMN[Modality.TEXT]]
    return [
        write_caption(int(theme), np.random.default_rng([world.config.seed, 3, video])) if theme >= 0 else None
        for video, theme in enumerate(theme_V)
    ]


def _render(
    world: World, seconds_V: NDArray[np.float64], clips: Path, on_clip: Callable[[int, int], None]
) -> None:
    """Render clips on every core; each has a generator of its own, so the order of the work changes nothing."""
    jobs = [
        (
            clips / f"{video_id}.mp4",
            int(world.theme_VM[video, _COLUMN[Modality.VISUAL]]),
            int(world.theme_VM[video, _COLUMN[Modality.AUDIO]]),
            float(seconds_V[video]),
            (world.config.seed, 4, video),
        )
        for video, video_id in enumerate(world.video_ids)
    ]
    done = 0
    # Spawned, as forking a process that holds threads of polars can hang it.
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        with _uninterrupted():
            rendered = pool.map(_render_one, jobs, chunksize=_CHUNK)
        for _ in rendered:
            done += 1
            on_clip(done, len(jobs))


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Processes that are started meanwhile never hear Ctrl-C: it is for this one to answer, as it does afterwards."""
    resource_tracker.ensure_running()  # it would let the signal through again when it is started
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _render_one(job: tuple[Path, int, int, float, tuple[int, ...]]) -> None:
    path, visual, audio, seconds, seed = job
    rng = np.random.default_rng(seed)
    render_clip(path, visual=visual, audio=audio if audio >= 0 else None, seconds=seconds, rng=rng)


def _manifest(world: World, captions: list[str | None]) -> pl.DataFrame:
    uploaded = pl.Series(world.uploaded_at_V).cast(pl.Datetime("ms", "UTC"))
    return pl.DataFrame(
        {
            Col.URI: [f"clips/{video_id}.mp4" for video_id in world.video_ids],
            Col.VIDEO_ID: world.video_ids,
            Col.CAPTION: captions,
            Col.CREATOR: [f"creator{creator:03d}" for creator in world.creator_V],
            Col.UPLOADED_AT: uploaded.dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"),
        }
    )


def _profiles(world: World) -> pl.DataFrame:
    fields = {
        name: [values[group] for group in world.profile_UM[:, m]]
        for m, (name, values) in enumerate(PROFILE_FIELDS.items())
    }
    return pl.DataFrame({Col.VIEWER_ID: world.viewer_ids} | fields)
