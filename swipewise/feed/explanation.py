"""Why videos are in a viewer's feed or not, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from swipewise.catalog import Catalog
from swipewise.feed.stages import Feed
from swipewise.feed.standing import Outlook, Standing, Teller
from swipewise.schema import Col, Recommendation
from swipewise.workspace import Workspace

_EVIDENCE: Final = pl.List(pl.Struct({Col.VIDEO_ID: pl.String, Col.SIMILARITY: pl.Float64}))
_REASONS: Final[dict[str, Any]] = {
    Col.VIDEO_ID: pl.String,
    Col.POSITION: pl.Int32,
    Col.SCORE: pl.Float64,
    Col.SOURCE: pl.String,
    Col.EVIDENCE: _EVIDENCE,
}
_THEMES: Final[dict[str, Any]] = {
    Col.MODALITY: pl.String,
    Col.TASTE: pl.Float64,
    Col.WORDS: pl.List(pl.String),
    Col.VIDEOS: pl.List(pl.String),
}


def describe(
    standing: Standing, feed: Feed, videos: Sequence[str], outlook: Mapping[str, Outlook], workspace: Workspace
) -> dict[str, Any]:
    """What is known of a viewer, and what speaks for each of some videos.

    Args:
        standing: The viewer's.
        feed: Theirs; what it says of the videos is told.
        videos: Which videos, in the order of rows.
        outlook: What the model makes of them.
        workspace: Whose captions name themes.

    Returns:
        The fields of ``swipewise.Explanation``.

    Raises:
        StoreError: The catalogue cannot be read.
    """
    beliefs = standing.beliefs
    return {
        "viewer_id": standing.viewer_id,
        "level": str(standing.level),
        "note": standing.note,
        "interactions": standing.interactions,
        "controls": standing.controls,
        "modality_weights": dict(beliefs.modality_weights) if beliefs else {},
        "themes": _themes(standing, workspace),
        "videos": _reasons(feed, videos, outlook),
    }


def _themes(standing: Standing, workspace: Workspace) -> pl.DataFrame:
    beliefs = standing.beliefs
    if beliefs is None:
        return pl.DataFrame(schema=_THEMES)
    teller = Teller(Catalog(workspace.catalog_dir))
    rows = [
        {Col.MODALITY: theme.modality, Col.TASTE: theme.taste, **teller.theme(theme, standing)}
        for theme in beliefs.themes
    ]
    return pl.DataFrame(rows, schema=_THEMES)


def _reasons(feed: Feed, videos: Sequence[str], outlook: Mapping[str, Outlook]) -> pl.DataFrame:
    placed = {each.video_id: each for each in feed.recommendations}
    rows = [{Col.VIDEO_ID: video_id, **_place(placed.get(video_id))} for video_id in videos]
    frame = pl.DataFrame(rows, schema=_REASONS)
    for prefix, field in (("weight", "weights"), ("expected", "expected")):
        known = [getattr(outlook[video_id], field) if video_id in outlook else {} for video_id in videos]
        names = dict.fromkeys(name for each in known for name in each)
        frame = frame.with_columns(
            pl.Series(f"{prefix}_{name}", [each.get(name) for each in known], dtype=pl.Float64) for name in names
        )
    return frame


def _place(each: Recommendation | None) -> dict[str, Any]:
    if each is None:
        return {}
    return {
        Col.POSITION: each.position,
        Col.SCORE: float(each.score),
        Col.SOURCE: each.source,
        Col.EVIDENCE: [
            {Col.VIDEO_ID: one.video_id, Col.SIMILARITY: float(one.similarity)} for one in each.evidence
        ],
    }
