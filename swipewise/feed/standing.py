"""What is known of a viewer, and in what words it can be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from swipewise.behavior.wording import CaptionWords
from swipewise.catalog import Catalog
from swipewise.feed.stages import Level
from swipewise.feed.stock import Stock
from swipewise.schema import Col, Interaction, Modality, Profile

if TYPE_CHECKING:
    from swipewise.training.beliefs import Beliefs, InterestShift, Theme


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of a viewer: the level of the feed, and how many interactions it leans on.

    ``controls`` are the viewer's own, in words. ``beliefs`` are the model's, None at the level of what is popular;
    ``shifts`` are the shifts of interest, the newest first, where they were asked for. Their videos are rows of
    ``video_ids``, of which some may have been ``removed``.
    """

    viewer_id: str
    level: Level
    note: str | None
    interactions: int
    controls: tuple[str, ...]
    beliefs: Beliefs | None
    shifts: tuple[InterestShift, ...]
    video_ids: tuple[str, ...]
    removed: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What the model makes of a video for a viewer.

    ``expected`` is the calibrated probability of each action, and the share watched; ``weights`` holds the α of each
    modality.
    """

    expected: Mapping[str, float]
    weights: Mapping[str, float]


def level_of(
    viewer_id: str, stock: Stock, history: Sequence[Interaction], profile: Profile | None
) -> tuple[Level, str | None]:
    """The highest level that what is known allows, and why it is not the model's."""
    if stock.scorer is None:
        return Level.POPULAR, stock.note
    if any(interaction.video_id in stock.shelf.row_of for interaction in history):
        return Level.MODEL, None
    if profile is not None and profile.features:
        return Level.PROFILE, f"viewer {viewer_id!r} has no history yet: the profile speaks alone"
    return Level.POPULAR, f"nothing is known of viewer {viewer_id!r} yet"


class Teller:
    """Tells themes in words and example videos.

    Args:
        catalog: Whose captions name themes; read when the first theme is told; later only those of new videos.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._reading = Lock()
        self._known: tuple[tuple[str, ...], CaptionWords] | None = None

    def theme(self, theme: Theme, standing: Standing) -> dict[str, Any]:
        """A theme's words and videos; only what a caption says is named by its words."""
        rows = [row for row in theme.videos if row not in standing.removed]
        named = self._words(standing.video_ids).naming(rows) if theme.modality == Modality.TEXT else []
        return {"words": named, "videos": [standing.video_ids[row] for row in rows]}

    def _words(self, video_ids: tuple[str, ...]) -> CaptionWords:
        with self._reading:
            if self._known is None or self._known[0] is not video_ids:
                self._known = (video_ids, self._read(video_ids))
            return self._known[1]

    def _read(self, video_ids: tuple[str, ...]) -> CaptionWords:
        before, words = self._known or ((), None)
        if words is None or video_ids[: len(before)] != before:
            return CaptionWords(self._captions(None), video_ids)
        added = video_ids[len(before) :]
        return words.extended(self._captions(added), added)

    def _captions(self, video_ids: Sequence[str] | None) -> Iterator[tuple[Any, ...]]:
        return self._catalog.videos(video_ids).select(Col.VIDEO_ID, Col.CAPTION, Col.TAGS).iter_rows()
