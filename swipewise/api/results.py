"""What the API answers with, beside plain frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What the model makes of a viewer, and of videos for this viewer.

    Attributes:
        viewer_id: Whose.
        level: What feeds lean on: ``model``, ``profile`` or ``popular``.
        note: Why that is not ``model``, None where it is.
        interactions: How many of the viewer's count.
        controls: What the viewer asked of the feed, in words.
        modality_weights: α of each modality on average over the catalogue; empty at the level ``popular``.
        themes: The kinds of videos liked more than is usual, the best first: modality, taste (log-odds), words, videos.
        videos: A row a video: video_id, position, score, source and evidence (the videos of the history that speak
            for it, as structs of video_id and similarity) where the video is in the feed, else null; then
            ``weight_<modality>``, the α of this viewer and video, and ``expected_<action>``, the calibrated
            probability of each action, with ``expected_watch``, the share watched.
    """

    viewer_id: str
    level: str
    note: str | None
    interactions: int
    controls: tuple[str, ...]
    modality_weights: Mapping[str, float]
    themes: pl.DataFrame
    videos: pl.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """Groups of viewers who like the same.

    Attributes:
        segments: A row a segment: segment (from 1), viewers, share, and the topics that set it apart with their lifts.
        members: viewer_id, segment (0: too little is known) and how many interactions that leans on.
    """

    segments: pl.DataFrame
    members: pl.DataFrame
