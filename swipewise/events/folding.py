"""Events become interactions, interactions become sequences. Pure: no store is touched here."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from swipewise.events.frames import FOLDED_SCHEMA, INTERACTION_SCHEMA
from swipewise.schema import FLAG_ACTIONS, Action, Col

_OPENS = "opens"
_INTERACTION = "interaction"
_VIEWER = "viewer"


def fold(events: pl.LazyFrame, durations: pl.LazyFrame, *, flags: Sequence[Action] = FLAG_ACTIONS) -> pl.LazyFrame:
    """Fold each exposure with the actions that followed it, and tell how much of its video was watched.

    Args:
        events: As for ``fold_events``.
        durations: As for ``with_ratio``.
        flags: As for ``fold_events``.

    Returns:
        What ``fold_events`` gives, with watch_ratio; in the same order.
    """
    return with_ratio(fold_events(events, flags=flags), durations)


def fold_events(events: pl.LazyFrame, *, flags: Sequence[Action] = FLAG_ACTIONS) -> pl.LazyFrame:
    """Fold each exposure with the actions that followed it.

    An exposure opens an interaction, which takes all actions of the same viewer on the same video up to the next
    exposure; actions before the first exposure make one interaction of their own. Each event is used exactly once.
    At the same moment exposures come first, then events are in the order of their ids, so the result does not
    depend on the order of the rows.

    Args:
        events: Long form, as ``read_events`` gives it, each event once.
        flags: The actions that get a bool of their own; an exposure's says whether it opened the interaction.

    Returns:
        viewer_id, video_id, at (of the first event), watch_seconds (the sum over the views; where no view tells,
        the longest time another action tells; null where none does), position (the first known) and a bool for each
        of ``flags``; sorted by viewer, time and video.
    """
    action = pl.col(Col.ACTION)
    viewer_changes, video_changes = (
        pl.col(name).ne_missing(pl.col(name).shift()) for name in (Col.VIEWER_ID, Col.VIDEO_ID)
    )
    watched = pl.col(Col.WATCH_SECONDS)
    in_views = watched.filter(action == Action.VIEW)
    told = [name for name in FOLDED_SCHEMA if name not in FLAG_ACTIONS]
    return (
        events.with_columns((action == Action.EXPOSURE).alias(_OPENS))
        .sort(
            Col.VIEWER_ID,
            Col.VIDEO_ID,
            Col.AT,
            _OPENS,
            Col.EVENT_ID,
            descending=[False, False, False, True, False],
        )
        .with_columns(
            viewer_changes.cum_sum().alias(_VIEWER),
            (viewer_changes | video_changes | pl.col(_OPENS)).cum_sum().alias(_INTERACTION),
        )
        .group_by(_INTERACTION)
        .agg(
            pl.col(_VIEWER).first(),
            pl.col(Col.VIEWER_ID).first(),
            pl.col(Col.VIDEO_ID).first(),
            pl.col(Col.AT).first(),
            pl.when(in_views.count() > 0).then(in_views.sum()).otherwise(watched.max()).alias(Col.WATCH_SECONDS),
            pl.col(Col.POSITION).drop_nulls().first(),
            *((action == flag).any().alias(flag) for flag in flags),
        )
        # Numbers sort faster than ids, in the same order: a viewer's interactions are numbered by video, then time.
        .sort(_VIEWER, Col.AT, _INTERACTION)
        .select(*(pl.col(name).cast(FOLDED_SCHEMA[name]) for name in told), *flags)
    )


def with_ratio(folded: pl.LazyFrame, durations: pl.LazyFrame) -> pl.LazyFrame:
    """Tell how much of its video each interaction watched.

    Args:
        folded: As ``fold_events`` gives it.
        durations: video_id and duration_seconds; a video that is absent has no duration.

    Returns:
        The rows in their order with watch_ratio after watch_seconds: watch_seconds / duration, null where either is
        unknown; above 1 when watched again.
    """
    known = durations.filter(pl.col(Col.DURATION) > 0).unique(Col.VIDEO_ID, keep="any")
    ratio = (pl.col(Col.WATCH_SECONDS) / pl.col(Col.DURATION)).cast(pl.Float64).alias(Col.WATCH_RATIO)
    told = [name for name in INTERACTION_SCHEMA if name not in FLAG_ACTIONS]
    return (
        folded.join(known.select(Col.VIDEO_ID, Col.DURATION), on=Col.VIDEO_ID, how="left", maintain_order="left")
        .with_columns(ratio)
        .select(*told, pl.exclude(*told, Col.DURATION))
    )


def as_sequences(interactions: pl.LazyFrame, limit: int) -> pl.LazyFrame:
    """The last ``limit`` interactions of each viewer, one viewer a row, every other column a list in time order.

    Args:
        interactions: As ``fold`` gives them: sorted by viewer and time.
        limit: Interactions kept a viewer, the newest.
    """
    names = [name for name in INTERACTION_SCHEMA if name != Col.VIEWER_ID]
    return interactions.group_by(Col.VIEWER_ID, maintain_order=True).agg(pl.col(names).tail(limit))
