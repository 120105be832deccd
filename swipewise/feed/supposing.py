"""What a viewer's feed would be if something had not happened, or had: the same stages, and nothing written."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from swipewise.events.controls import Controls
from swipewise.feed.cursor import Cursor
from swipewise.feed.histories import Known
from swipewise.feed.live import Live
from swipewise.feed.requests import Request, query_of
from swipewise.feed.stages import Query
from swipewise.schema import Action, Interaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Supposition:
    """Something else than what the log says of a viewer; the default supposes nothing.

    Attributes:
        without: Videos that are supposed never to have been met. They are not shown again all the same, so that feeds
            differ by what was learned alone.
        shown: Videos that are supposed to have been shown, and nothing done with them.
        done: Of a video that is supposed to have been shown just now: the share watched, and the actions.
        factors: How often modalities count, beside those that the viewer asked for.
    """

    without: frozenset[str] = frozenset()
    shown: frozenset[str] = frozenset()
    done: Mapping[str, tuple[float, frozenset[Action]]] = field(default_factory=dict)
    factors: Mapping[str, float] = field(default_factory=dict)

    @property
    def learned(self) -> Hashable:
        """What the model would have learned from; the same for two that differ in other ways."""
        return self.without, frozenset(self.done.items())


def supposed(
    supposition: Supposition, known: Known, history: Sequence[Interaction], live: Live, size: int
) -> tuple[Query, list[Interaction]]:
    """The request and the history as they would be.

    Args:
        supposition: What is supposed.
        known: What the stores hold of the viewer.
        history: Its interactions.
        live: What feeds are made from.
        size: Of the feed.
    """
    request = Request(request_id=f"supposed of {known.viewer_id}")
    kept = replace(known, events=[row for row in known.events if row.video_id not in supposition.without])
    mine = [interaction for interaction in history if interaction.video_id not in supposition.without]
    query = query_of(known.viewer_id, size, request, Cursor(viewer_id=known.viewer_id), kept, mine, live)
    met = frozenset({row.video_id for row in known.events} | supposition.shown | supposition.done.keys())
    duplicates = live.stock.shelf.duplicates_of(met)
    controls = query.controls
    if supposition.factors:
        controls = controls or Controls()
        controls = replace(controls, modalities={**controls.modalities, **supposition.factors})
    mine += [
        Interaction(
            viewer_id=known.viewer_id, video_id=video_id, at=query.now, watch_ratio=watched, actions=actions
        )
        for video_id, (watched, actions) in supposition.done.items()
    ]
    numbers_of = live.roster.numbers_of
    return replace(
        query,
        seen_S=np.sort(numbers_of(met | duplicates)),
        duplicates_S=np.sort(numbers_of(duplicates)),
        controls=controls,
    ), mine
