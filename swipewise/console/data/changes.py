"""What would change a viewer's feed: the feed is made again as if something had not happened, or had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from swipewise.errors import ArtifactError
from swipewise.feed.engine import FeedEngine
from swipewise.feed.stages import Feed
from swipewise.feed.supposing import Supposition
from swipewise.schema import Action, Interaction

TOP: Final = 10
"""Places of a feed that are compared."""
TRIED: Final = 10
"""Watched videos without which the feed is made again; fewer where each takes long, as the history is."""
_LONG: Final = 2_000
_DONE: Final[Mapping[str, tuple[float, frozenset[Action]]]] = {
    "liked it and watched it to the end": (1.0, frozenset({Action.LIKE, Action.FINISH})),
    "skipped it at once": (0.05, frozenset({Action.SKIP})),
}
_TELLING: Final = 0.02
"""A modality that weighs less is not worth leaving out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that might have been otherwise, and what that would do to the top of the feed.

    Attributes:
        what: In words, or a modality.
        video_id: Which video it is about, None where it is about none.
        joins: Videos that would come among the top, the best first.
        leaves: Those that would no longer be.
        moved: How many of those that stay would have another place.
    """

    what: str
    video_id: str | None
    joins: tuple[str, ...]
    leaves: tuple[str, ...]
    moved: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What was tried, those that change most first.

    Attributes:
        top: The feed as it is.
        watched: Without a video that was met; those that speak for the feed, and the latest, were tried.
        next: With something done with the first video of the feed, against nothing done with it.
        weights: With a modality that counts nothing.
        note: Why nothing was tried, None where something was.
    """

    top: tuple[str, ...] = ()
    watched: Sequence[Change] = ()
    next: Sequence[Change] = ()
    weights: Sequence[Change] = ()
    note: str | None = None


def what_would_change(engine: FeedEngine, viewer_id: str, history: Sequence[Interaction]) -> Changes:
    """Try what might have been otherwise; the model reads the viewer anew each time.

    Args:
        engine: Makes the feeds.
        viewer_id: Whose.
        history: Their interactions, newest first.

    Raises:
        StoreError: A store cannot be read.
    """
    try:
        (feed,) = engine.supposed(viewer_id, [Supposition()], size=TOP)
        if not feed.recommendations:
            return Changes(note="There is nothing to show to this viewer.")
        return _tried(engine, viewer_id, history, feed)
    except ArtifactError as error:
        return Changes(note=str(error))


def _tried(engine: FeedEngine, viewer_id: str, history: Sequence[Interaction], feed: Feed) -> Changes:
    now = [each.video_id for each in feed.recommendations]
    first = now[0]
    some = _worth_trying([each.video_id for row in feed.recommendations for each in row.evidence], history)
    heeded = _heeded(feed.recommendations[0].modality_weights)
    asked = [
        Supposition(shown=frozenset({first})),
        *(Supposition(without=frozenset({video_id})) for video_id in some),
        *(Supposition(done={first: done}) for done in _DONE.values()),
        *(Supposition(factors={name: 0.0}) for name in heeded),
    ]
    feeds = engine.supposed(viewer_id, asked, size=TOP)
    without_first, *others = [[each.video_id for each in made.recommendations] for made in feeds]
    rest = iter(others)
    return Changes(
        top=tuple(now),
        watched=_most_first([_change(video_id, video_id, now, next(rest)) for video_id in some]),
        next=[_change(what, first, without_first, next(rest)) for what in _DONE],
        weights=_most_first([_change(name, None, now, next(rest)) for name in heeded]),
    )


def _worth_trying(speaking: Sequence[str], history: Sequence[Interaction]) -> list[str]:
    """Half of those tried speak for the feed, the oftener the sooner; the others are the latest."""
    count = max(2, min(TRIED, _LONG // max(1, len(history))))
    often = sorted(dict.fromkeys(speaking), key=lambda video_id: -speaking.count(video_id))
    latest = dict.fromkeys(interaction.video_id for interaction in history)
    return list(dict.fromkeys([*often[: count // 2], *latest, *often]))[:count]


def _heeded(weights: Mapping[str, float]) -> list[str]:
    return [str(name) for name, weight in weights.items() if weight >= _TELLING]


def _change(what: str, video_id: str | None, before: Sequence[str], after: Sequence[str]) -> Change:
    """How one top of a feed differs from another."""
    stay = [each for each in before if each in after]
    return Change(
        what=what,
        video_id=video_id,
        joins=tuple(each for each in after if each not in before),
        leaves=tuple(each for each in before if each not in after),
        moved=sum(before.index(each) != after.index(each) for each in stay),
    )


def _most_first(changes: Sequence[Change]) -> list[Change]:
    return sorted(changes, key=lambda change: (-len(change.joins), -change.moved))
