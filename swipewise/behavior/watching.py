"""How far videos are watched, who watches one, and how long a new one waits for its first viewer."""

from __future__ import annotations

import polars as pl

from swipewise.schema import FLAG_ACTIONS, Col


def watch_curve(watch: pl.LazyFrame, *, steps: int) -> pl.DataFrame:
    """The share of watchers who are still there after each part of a video.

    Args:
        watch: step (the last that was reached) and watchers, as ``Rollups`` holds them.
        steps: Into which a whole video is cut.

    Returns:
        watched (0 to 1, a row a step), watchers still there, and remaining, their share, null where nobody watched.
        Watching whose share is not known is left out.
    """
    reached = watch.group_by(Col.STEP).agg(pl.col(Col.WATCHERS).sum().cast(pl.Int64)).collect(engine="streaming")
    every = pl.DataFrame({Col.STEP: pl.int_range(0, steps + 1, dtype=pl.UInt8, eager=True)})
    here = pl.col(Col.WATCHERS)
    return (
        every.join(reached, on=Col.STEP, how="left")
        .sort(Col.STEP)
        .with_columns(here.fill_null(0).cum_sum(reverse=True))
        .select(
            (pl.col(Col.STEP) / steps).alias(Col.WATCHED),
            here,
            pl.when(here.first() > 0).then(here / here.first()).alias(Col.REMAINING),
        )
    )


def audience(interactions: pl.LazyFrame) -> pl.DataFrame:
    """Who met a video, and what they made of it.

    Args:
        interactions: Of one video, as ``fold`` gives them.

    Returns:
        A row a viewer, those who watched most of it first: viewer_id, interactions, at (of the first), watch_seconds
        (summed), watch_ratio (the furthest; null where not known) and whether they did each of FLAG_ACTIONS.
    """
    return (
        interactions.group_by(Col.VIEWER_ID)
        .agg(
            pl.len().cast(pl.Int64).alias(Col.INTERACTIONS),
            pl.col(Col.AT).min(),
            pl.col(Col.WATCH_SECONDS).sum(),
            pl.col(Col.WATCH_RATIO).max(),
            *(pl.col(flag).any() for flag in FLAG_ACTIONS),
        )
        .sort(Col.WATCH_RATIO, Col.VIEWER_ID, descending=[True, False], nulls_last=True)
        .collect(engine="streaming")
    )


def first_exposures(videos: pl.LazyFrame, catalogue: pl.DataFrame) -> pl.DataFrame:
    """How long each video waited from its upload to its first exposure.

    Args:
        videos: video_id and first_exposure_at, a row a day and video, as ``Rollups`` holds them.
        catalogue: video_id, uploaded_at and ingested_at.

    Returns:
        The rows of the catalogue with first_exposure_at (null: never shown), seconds (from the upload; null where
        either is not known, negative where a log begins before the upload it names) and interactions.
    """
    shown = (
        videos.group_by(Col.VIDEO_ID)
        .agg(pl.col(Col.FIRST_EXPOSURE_AT).min(), pl.col(Col.INTERACTIONS).sum().cast(pl.Int64))
        .collect(engine="streaming")
    )
    waited = (pl.col(Col.FIRST_EXPOSURE_AT) - pl.col(Col.UPLOADED_AT)).dt.total_milliseconds() / 1000
    return catalogue.join(shown, on=Col.VIDEO_ID, how="left", maintain_order="left").with_columns(
        pl.col(Col.INTERACTIONS).fill_null(0), waited.alias(Col.SECONDS)
    )
