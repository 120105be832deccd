"""What the viewers of a world do when the platform shows them videos: the event log of the simulation."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
import polars as pl
from numpy.typing import NDArray

from swipewise.schema import Action, Col
from swipewise.simulate.world import DAY_MS, World


@dataclass(slots=True)
class _Log:
    """Columns of the event log as it grows."""

    viewer: list[int] = field(default_factory=list)
    video: list[int] = field(default_factory=list)
    action: list[str] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    watch: list[float | None] = field(default_factory=list)
    position: list[int | None] = field(default_factory=list)

    def add(
        self,
        viewer: int,
        video: int,
        action: Action,
        at: int,
        watch: float | None = None,
        position: int | None = None,
    ) -> None:
        self.viewer.append(viewer)
        self.video.append(video)
        self.action.append(action.value)
        self.at.append(at)
        self.watch.append(watch)
        self.position.append(position)


def behave(world: World, duration_V: NDArray[np.float64]) -> pl.DataFrame:
    """Play out all sessions in time order.

    Args:
        world: The planted truth.
        duration_V: Seconds of each video, which watch times are measured against.

    Returns:
        Events in long form: event_id, viewer_id, video_id, action, at (UTC), watch_seconds, position.
    """
    rng = np.random.default_rng([world.config.seed, 1])
    log = _Log()
    seen_UV = np.zeros((len(world.weight_UM), len(world.theme_VM)), bool)
    likes_V = np.zeros(len(world.theme_VM))
    free_at_U = np.zeros(len(world.weight_UM), np.int64)
    for viewer, start in _sessions(world, rng):
        at = max(start, int(free_at_U[viewer]))  # nobody watches two sessions at once
        length = 1 + rng.poisson(world.config.session_length - 1)
        utility_V = world.utility(np.array([viewer]), np.array([at]))[0]
        shown = _shown(world, rng, utility_V, likes_V, ~seen_UV[viewer], at, length)
        seen_UV[viewer, shown] = True
        for position, video in enumerate(shown):
            seconds, liked = _act(rng, log, viewer, int(video), at, position, utility_V[video], duration_V[video])
            likes_V[video] += liked
            at += int(1000 * (seconds + rng.uniform(0.5, 3)))
        free_at_U[viewer] = at
    return _as_frame(world, log)


def _sessions(world: World, rng: np.random.Generator) -> list[tuple[int, int]]:
    """(viewer, start in milliseconds), in time order; a viewer who joined late has had fewer sessions."""
    end = world.config.start_ms + world.config.days * DAY_MS
    starts = []
    for viewer, (joined, activity) in enumerate(zip(world.joined_at_U, world.activity_U, strict=True)):
        share = (end - joined) / (world.config.days * DAY_MS)
        count = max(1, rng.poisson(activity * share))
        starts += [(viewer, int(start)) for start in rng.uniform(joined, end, count)]
    return sorted(starts, key=lambda session: (session[1], session[0]))


def _shown(
    world: World,
    rng: np.random.Generator,
    utility_V: NDArray[np.float64],
    likes_V: NDArray[np.float64],
    unseen_V: NDArray[np.bool_],
    start: int,
    length: int,
) -> NDArray[np.int64]:
    """What the platform shows: what the viewer likes and what is popular, with noise, and some exploration.

    Gumbel noise on log-weights draws without replacement in proportion to the weights.
    """
    config = world.config
    candidates = np.flatnonzero(unseen_V & (world.uploaded_at_V <= start))
    weight = config.targeting * utility_V[candidates] + config.herding * np.log1p(likes_V[candidates])
    targeted = candidates[np.argsort(-(weight + rng.gumbel(size=len(candidates))))[:length]]
    evenly = rng.permutation(candidates)[:length]
    explores = rng.random(len(targeted)) < config.exploration
    mixed = np.where(explores, evenly, targeted)
    _, first = np.unique(mixed, return_index=True)
    return mixed[np.sort(first)]


def _act(
    rng: np.random.Generator,
    log: _Log,
    viewer: int,
    video: int,
    at: int,
    position: int,
    utility: float,
    duration: float,
) -> tuple[float, bool]:
    """One exposure and what follows it. Returns the seconds watched and whether the video was liked."""
    # Attention wanes down the session whatever is shown: the position effect.
    drive = 1.6 * utility - 1.6 - 0.05 * position
    ratio = float(np.clip(_sigmoid(drive + 0.5 * rng.standard_normal()) * 1.25, 0.02, 1.0))
    seconds = round(ratio * duration, 2)
    after = at + int(1000 * seconds)
    log.add(viewer, video, Action.EXPOSURE, at, position=position)
    log.add(viewer, video, Action.VIEW, after, watch=seconds)
    chances = {
        Action.LIKE: _sigmoid(1.8 * drive - 2.0),
        Action.COMMENT: _sigmoid(1.5 * drive - 3.8),
        Action.SHARE: _sigmoid(1.5 * drive - 3.6),
        Action.FOLLOW: _sigmoid(1.5 * drive - 4.0),
    }
    if ratio >= 0.97:
        log.add(viewer, video, Action.FINISH, after)
    if ratio < 0.12:
        log.add(viewer, video, Action.SKIP, after)
        return seconds, False
    done = [action for action, chance in chances.items() if rng.random() < chance]
    for delay, action in enumerate(done, 1):
        log.add(viewer, video, action, after + 50 * delay)
    return seconds, Action.LIKE in done


def _sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def _as_frame(world: World, log: _Log) -> pl.DataFrame:
    video_ids, viewer_ids = world.video_ids, world.viewer_ids
    salt = f"world{world.config.seed}".encode()
    return pl.DataFrame(
        {
            Col.EVENT_ID: [
                blake2b(b"%s-%d" % (salt, number), digest_size=8).hexdigest() for number in range(len(log.at))
            ],
            Col.VIEWER_ID: [viewer_ids[viewer] for viewer in log.viewer],
            Col.VIDEO_ID: [video_ids[video] for video in log.video],
            Col.ACTION: log.action,
            Col.AT: pl.Series(log.at, dtype=pl.Int64)
            .cast(pl.Datetime("ms", "UTC"))
            .cast(pl.Datetime("us", "UTC")),
            Col.WATCH_SECONDS: pl.Series(log.watch, dtype=pl.Float64),
            Col.POSITION: pl.Series(log.position, dtype=pl.Int32),
        }
    )
