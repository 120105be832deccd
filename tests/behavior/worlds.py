"""A small platform whose viewers each love one kind of picture and do not care for sounds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swipewise.behavior.log import BehaviorLog, Vectors

DAY = 86_400_000
KINDS = 3
VIDEOS = 120
VIEWERS = 60
SESSIONS = 10
LENGTH = 6


def kinds() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What each video shows and how it sounds."""
    number_V = np.arange(VIDEOS)
    return number_V % KINDS, number_V // KINDS % KINDS


def vectors(kind_V: NDArray[np.int64], rng: np.random.Generator) -> Vectors:
    """A corner of a triangle, and loud clusters in other directions that mean nothing."""
    corner = 3 * np.eye(KINDS)[kind_V] + 0.3 * rng.standard_normal((len(kind_V), KINDS))
    loud = 20 * np.eye(4)[rng.integers(0, 4, len(kind_V))] + rng.standard_normal((len(kind_V), 4))
    return Vectors(values_VD=np.hstack([corner, loud]), present_V=np.ones(len(kind_V), bool))


def platform(turning: dict[int, int], *, seed: int = 0, duds: int = 0) -> BehaviorLog:
    """Sixty viewers come back once a day; those in ``turning`` love the next kind of picture from that session on.

    Nobody watches the first ``duds`` videos for long, whatever they show.
    """
    rng = np.random.default_rng(seed)
    seen_V, heard_V = kinds()
    rows = []
    for viewer in range(VIEWERS):
        unseen = np.ones(VIDEOS, bool)
        for session in range(SESSIONS):
            loved = (viewer + (session >= turning.get(viewer, SESSIONS))) % KINDS
            liking_V = np.where(seen_V == loved, 1.6, -0.8)
            for place in range(LENGTH):
                pull_V = np.where(unseen, liking_V + rng.gumbel(size=VIDEOS), -np.inf)
                video = int(pull_V.argmax())
                unseen[video] = False
                drive = liking_V[video] - 0.5 - 3.0 * (video < duds) + 0.4 * rng.standard_normal()
                at = session * DAY + viewer * 60_000 + place * 10_000
                rows.append((viewer, video, at, 1 / (1 + np.exp(-drive))))
    viewer_I, video_I, at_I, ratio_I = (np.array(column) for column in zip(*rows, strict=True))
    return BehaviorLog(
        viewer_I=viewer_I,
        video_I=video_I,
        at_I=at_I,
        watch_ratio_I=ratio_I,
        uploaded_at_V=np.full(VIDEOS, -DAY),
        content={"visual": vectors(seen_V, rng), "audio": vectors(heard_V, rng)},
        profile_UP=np.ones((VIEWERS, 1), np.int64),
    )
