"""The logs of large platforms, drawn by chance, day by day, as the history holds them.

Videos are drawn by a power law; viewers differ in how much they do, half of them join one by one, and each comes on a
third of the days. There are about 2.2 events an interaction, and a video lasts 15 seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from swipewise.events.frames import EVENT_SCHEMA
from swipewise.schema import Action, Col

DAYS: Final = 30
DAY: Final = timedelta(days=1)
START: Final = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - (DAYS + 1) * DAY
"""The first of ``DAYS`` days, of which the last is over."""

_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large the platform is; its interactions are those of ``DAYS`` days."""

    videos: int
    viewers: int
    interactions: int


def days(
    size: Size, video_name: Callable[[int], str], viewer_name: Callable[[int], str], first: int = 0
) -> Iterator[pl.DataFrame]:
    """The events of one day after the other, without end; each is the same whichever was the first.

    Args:
        size: Of the platform.
        video_name: The id of the video with a number.
        viewer_name: The id of the viewer with a number.
        first: The first day, counted from ``START``.
    """
    rng = np.random.default_rng(0)
    seconds_V = np.full(size.videos, _SECONDS)
    weight_V = np.arange(1, size.videos + 1) ** -0.8
    activity_U = rng.lognormal(0, 1, size.viewers)
    joined_U = np.where(rng.random(size.viewers) < 0.5, 0, rng.integers(0, DAYS, size.viewers))
    ids = [
        pl.Series([name(number) for number in range(most)])
        for name, most in ((video_name, size.videos), (viewer_name, size.viewers))
    ]
    rows = size.interactions // DAYS
    for day in count(first):
        rng = np.random.default_rng([0, day])
        there_U = activity_U * (joined_U <= day) * (rng.random(size.viewers) < 0.35)
        viewer_I, video_I = _drawn(rng, there_U, rows), _drawn(rng, weight_V, rows)
        yield _events(rng, day, viewer_I, video_I, seconds_V, *ids)


def _drawn(rng: np.random.Generator, weight_N: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    total_N = np.cumsum(weight_N)
    drawn_I: NDArray[np.int64] = np.searchsorted(total_N, rng.random(count) * total_N[-1]).astype(np.int64)
    return drawn_I


def _events(
    rng: np.random.Generator,
    day: int,
    viewer_I: NDArray[np.int64],
    video_I: NDArray[np.int64],
    seconds_V: NDArray[np.float64],
    video_ids: pl.Series,
    viewer_ids: pl.Series,
) -> pl.DataFrame:
    """The events of one day, as the history holds them."""
    rows = len(viewer_I)
    ratio_I = np.clip(rng.beta(1.2, 1.5, rows) * 1.2, 0.02, 1.0)
    watched_I = (ratio_I * seconds_V[video_I]).round(2)
    shown_at_I = (START + day * DAY).timestamp() * 1e6 + rng.integers(0, 86_200_000_000, rows)
    done_I = {
        Action.EXPOSURE: np.ones(rows, bool),
        Action.VIEW: rng.random(rows) < 0.9,
        Action.FINISH: ratio_I >= 0.97,
        Action.LIKE: rng.random(rows) < 0.08,
        Action.COMMENT: rng.random(rows) < 0.01,
        Action.SHARE: rng.random(rows) < 0.015,
        Action.FOLLOW: rng.random(rows) < 0.005,
        Action.SKIP: ratio_I < 0.12,
    }
    parts = []
    for place, (action, chosen_I) in enumerate(done_I.items()):
        chosen = np.flatnonzero(chosen_I)
        after = (place > 0) * (watched_I[chosen] * 1e6 + place * 1000)
        seconds = watched_I[chosen] if action == Action.VIEW else np.full(len(chosen), np.nan)
        parts.append(
            pl.DataFrame(
                {
                    Col.EVENT_ID: pl.Series(chosen + day * rows).cast(pl.String) + f"-{action}",
                    Col.VIEWER_ID: viewer_ids.gather(viewer_I[chosen]),
                    Col.VIDEO_ID: video_ids.gather(video_I[chosen]),
                    Col.ACTION: pl.repeat(str(action), len(chosen), eager=True),
                    Col.AT: pl.Series((shown_at_I[chosen] + after).astype(np.int64)).cast(
                        pl.Datetime("us", "UTC")
                    ),
                    Col.WATCH_SECONDS: pl.Series(seconds).fill_nan(None),
                    Col.POSITION: pl.zeros(len(chosen), dtype=pl.Int32, eager=True),
                }
            ).cast(pl.Schema(EVENT_SCHEMA))
        )
    return pl.concat(parts)
