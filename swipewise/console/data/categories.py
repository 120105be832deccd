"""Categories of videos, told by tags and hashtags: of each video's the one whose videos lie closest on the map."""

from __future__ import annotations

from typing import Final

import polars as pl

from swipewise.schema import Col

OTHER: Final = "other"
MOST: Final = 9
"""Categories that are told apart; the rest are ``OTHER``."""
_HASHTAG: Final = r"#[\w]+"
_LEAST_SHARE: Final = 0.01
_LEAST: Final = 3


def categories(videos: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """A category for each video; tags that are all over the map, such as #fyp, say nothing and name none.

    Args:
        videos: video_id, tags and caption.
        places: id, x and y of videos.

    Returns:
        id and category, a row a video.
    """
    at = places.select(Col.ID, Col.X, Col.Y)
    none = pl.lit([], pl.List(pl.String))
    given = pl.col(Col.TAGS).fill_null(none).list.eval(pl.element().str.strip_prefix("#").str.to_lowercase())
    said = pl.col(Col.CAPTION).fill_null("").str.to_lowercase().str.extract_all(_HASHTAG)
    said = said.list.eval(pl.element().str.strip_prefix("#"))
    tagged = (
        videos.select(pl.col(Col.VIDEO_ID).alias(Col.ID), pl.concat_list(given, said).alias("tag"))
        .explode("tag")
        .drop_nulls()
        .unique(maintain_order=True)
        .join(at, on=Col.ID, maintain_order="left")
    )
    spread = pl.col(Col.X).var() + pl.col(Col.Y).var()
    known = (
        tagged.group_by("tag", maintain_order=True)
        .agg(pl.len().alias("videos"), spread.alias("spread"))
        .filter(pl.col("videos") >= max(_LEAST, _LEAST_SHARE * len(at)))
    )
    closest = (
        tagged.join(known, on="tag")
        .sort("spread", "tag")
        .group_by(Col.ID, maintain_order=True)
        .agg(pl.col("tag").first().alias("category"))
    )
    largest = closest["category"].value_counts(sort=True).head(MOST)["category"].implode()
    return (
        at.select(Col.ID)
        .join(closest, on=Col.ID, how="left", maintain_order="left")
        .with_columns(
            pl.when(pl.col("category").is_in(largest)).then("category").otherwise(pl.lit(OTHER)).alias("category")
        )
    )
