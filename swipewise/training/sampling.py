"""What sequence models draw when they train: windows of like length together, and negatives with their log Q.

Legend of shape suffixes: W = windows, B = windows in a batch, T = targets, N = negatives, V = videos.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from swipewise.errors import DataError
from swipewise.training.dataset import Interactions
from swipewise.training.mapped import stretches


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of every batch, which is computed by itself: the ``number``-th, from 0, ``of`` so many."""

    number: int = 0
    of: int = 1

    def windows(self, windows_B: NDArray[np.int64]) -> NDArray[np.int64]:
        """Its windows of a batch; none where a batch has fewer windows than parts."""
        return windows_B[self.number :: self.of]

    def seeds(self, *seeds: int) -> list[int]:
        """What its draws are seeded by; a batch that is not divided has nothing beside the seeds given."""
        return [*seeds] if self.of == 1 else [*seeds, self.number]


WHOLE: Final = Part()


def draw_batches(
    buckets: Sequence[NDArray[np.int64]], part: Part, *seeds: int, start: int
) -> Iterator[tuple[NDArray[np.int64], np.random.Generator] | None]:
    """For each batch from ``start`` on the windows of a part, and a generator for whatever is drawn for them.

    None where the part has no window.
    """
    for step in range(start, len(buckets)):
        windows_B = part.windows(buckets[step])
        yield (windows_B, np.random.default_rng(part.seeds(*seeds, step))) if len(windows_B) else None


def length_buckets(
    length_W: NDArray[np.int64], batch_events: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Batches of windows of like length, in random order: rows of ``length_W``, (B,) each.

    A batch takes at most ``batch_events`` places after padding, counting one more a window than it has events; a
    window longer than that is a batch of its own.
    """
    # A little noise on the length changes from epoch to epoch who shares a batch with whom.
    order_W = np.argsort(length_W + rng.uniform(0, 0.15 * (length_W + 10)), kind="stable")
    batches: list[NDArray[np.int64]] = []
    first, longest = 0, 0
    for place, length in enumerate(length_W[order_W].tolist()):
        longest_then = max(longest, length + 1)
        if place > first and (place - first + 1) * longest_then > batch_events:
            batches.append(order_W[first:place])
            first, longest_then = place, length + 1
        longest = longest_then
    if len(order_W):
        batches.append(order_W[first:])
    return [batches[place] for place in rng.permutation(len(batches))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """How negatives are drawn.

    chance_V: float64, sums to 1 and is 0 for videos that training does not know.
    """

    chance_V: NDArray[np.float64]

    @classmethod
    def of(cls, rows: Interactions, videos: int, *, popular: float = 0.5) -> Self:
        """Draw the share ``popular`` by how often videos were liked, the rest evenly from those that were seen.

        Raises:
            DataError: No interaction is positive.
        """
        liked_V = np.zeros(videos)
        for here in stretches(len(rows)):
            block = rows.part(here)
            liked_V += np.bincount(block.video_I[block.positive_I], minlength=videos)
        if not liked_V.any():
            raise DataError(
                f"none of the {len(rows)} interactions in the training period is positive: "
                "see [events] in swipewise.toml for what counts as positive"
            )
        seen_V = rows.seen(videos)
        return cls(chance_V=(1 - popular) * seen_V / seen_V.sum() + popular * liked_V / liked_V.sum())

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Videos (N,), with repetitions."""
        # The cumulated chances end a rounding error short of 1.
        cumulated_V = self.chance_V.cumsum()
        drawn_N: NDArray[np.int64] = np.searchsorted(
            cumulated_V, rng.random(count) * cumulated_V[-1], side="right"
        )
        return drawn_N

    def logq_V(self, count: int) -> NDArray[np.float32]:
        """Log of how often each video is expected among ``count`` negatives, -inf for unknown ones: (V,)."""
        with np.errstate(divide="ignore"):
            logq_V: NDArray[np.float32] = np.log(count * self.chance_V).astype(np.float32)
        return logq_V
