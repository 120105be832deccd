"""``swipewise behavior segments`` and ``map``: what a model makes of all viewers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from swipewise.cli.options import json_option, workspace_option
from swipewise.cli.tables import hand_over, output_option
from swipewise.cli.wording import counted

if TYPE_CHECKING:
    import polars as pl

    from swipewise.training.crowd import Crowd
    from swipewise.workspace import Workspace

_run_option = click.option("--run", "run_name", metavar="RUN", help="Another run than the last.")
_seed_option = click.option(
    "--seed", type=int, default=0, show_default=True, help="The same seed, the same result."
)


@click.command(
    epilog="""\b
Examples:
  swipewise behavior segments                      how many there are, what they like, how large they are
  swipewise behavior segments --count 5            where there are no sharp ones, cut into five
  swipewise behavior segments --trend week         how many of each were active
  swipewise behavior segments --viewers -o segments.parquet
"""
)
@click.option("--viewers", is_flag=True, help="A row a viewer with their segment; 0: too little is known of them.")
@click.option("--trend", type=click.Choice(["day", "week"]), help="A row a period and segment: who was active.")
@click.option(
    "--least", type=click.IntRange(min=1), default=10, show_default=True, help="Interactions a viewer needs."
)
@click.option(
    "--most", type=click.IntRange(min=1, max=64), default=16, show_default=True, help="Segments at most."
)
@click.option("--count", type=click.IntRange(1, 64), help="So many segments.  [default: as many as there are]")
@_seed_option
@_run_option
@workspace_option
@output_option
@json_option
def segments(
    viewers: bool,
    trend: str | None,
    least: int,
    most: int,
    count: int | None,
    seed: int,
    run_name: str | None,
    workspace: Workspace,
    output: Path | None,
    as_json: bool,
) -> None:
    """Find groups of viewers who like the same: how many, what sets them apart, how large they are.

    A mixture of Gaussians is fitted to the tastes that the last run's model finds in each viewer; the number of
    segments is the one with the lowest Bayesian information criterion, its penalty doubled. Topics are named by words
    of captions, or by videos that look or sound like them; a lift is how many times the usual odds of watching a topic
    has here.
    """
    from swipewise.behavior.segments import describe_segments, segment_trend
    from swipewise.events import read_active_days
    from swipewise.events.history import History
    from swipewise.schema import Col
    from swipewise.training.crowd import caption_words

    if viewers and trend is not None:
        raise click.UsageError("--viewers and --trend are two tables: ask for one at a time")
    crowd = _crowd(workspace, run_name)
    members, taste_UT = crowd.segments(least=least, most=most, count=count, seed=seed)
    segment_U = members[Col.SEGMENT].to_numpy()
    found, left = int(segment_U.max(initial=0)), int((segment_U == 0).sum())
    known = counted(len(members) - left, "viewer")
    summary = f"{counted(found, 'segment')} of {known}; too little is known of {left:,} more"
    if viewers:
        table = members
    elif trend is not None:
        table = History(workspace.events_dir).collected(
            lambda: segment_trend(members, read_active_days(workspace.events_dir), every=trend)
        )
    else:
        topics = crowd.topics(caption_words(workspace, crowd.dataset.video_ids))
        table = describe_segments(segment_U, taste_UT, topics)
    hand_over(table, summary=summary, as_json=as_json, output=output, table=_readable(table), limit=50)


def _readable(table: pl.DataFrame) -> pl.DataFrame:
    """Topics with their lifts in one cell."""
    import polars as pl

    from swipewise.schema import Col

    if Col.TOPICS not in table.columns:
        return table
    told = [
        "; ".join(f"{topic} ({lift:.1f}x)" for topic, lift in zip(topics, lifts, strict=True))
        for topics, lifts in table.select(Col.TOPICS, Col.LIFTS).iter_rows()
    ]
    return table.drop(Col.LIFTS).with_columns(pl.Series(Col.TOPICS, told, dtype=pl.String))


@click.command(
    "map",
    epilog="""\b
Examples:
  swipewise behavior map -o map.parquet
  swipewise behavior map --landmarks 500 --json
""",
)
@click.option(
    "--landmarks",
    type=click.IntRange(min=4, max=20_000),
    default=2_000,
    show_default=True,
    help="Videos that are laid out; the others go to where those most like them lie.",
)
@_seed_option
@_run_option
@workspace_option
@output_option
@json_option
def interest_map(
    landmarks: int, seed: int, run_name: str | None, workspace: Workspace, output: Path | None, as_json: bool
) -> None:
    """Lay videos and viewers out in a plane: like videos lie together, and viewers amid what they like.

    Each row has kind, id, x and y from -1 to 1, the modality that weighs most, and of a viewer the segment (0 where too
    little is known for one; empty where there are no segments, and why is said). Distances between far groups mean
    nothing; what lies close together is alike.
    """
    import polars as pl

    from swipewise.behavior.segments import LEAST_INTERACTIONS, MOST_SEGMENTS
    from swipewise.errors import ArtifactError, DataError
    from swipewise.schema import Col

    crowd = _crowd(workspace, run_name)
    table = crowd.interest_map(landmarks=landmarks, seed=seed)
    try:
        members, _ = crowd.segments(least=LEAST_INTERACTIONS, most=MOST_SEGMENTS, count=None, seed=seed)
    except (ArtifactError, DataError) as error:
        click.echo(f"note: {error}", err=True)
        members = pl.DataFrame(schema={Col.VIEWER_ID: pl.String, Col.SEGMENT: pl.Int64})
    named = members.select(pl.lit("viewer").alias(Col.KIND), pl.col(Col.VIEWER_ID).alias(Col.ID), Col.SEGMENT)
    table = table.join(named, on=[Col.KIND, Col.ID], how="left", maintain_order="left")
    videos = int((table[Col.KIND] == "video").sum())
    hand_over(
        table,
        summary=f"{counted(videos, 'video')} and {counted(len(table) - videos, 'viewer')} in one plane",
        as_json=as_json,
        output=output,
        limit=20,
    )


def _crowd(workspace: Workspace, run_name: str | None) -> Crowd:
    from swipewise.evaluation.audit_runs import chosen_run
    from swipewise.training.crowd import Crowd

    return Crowd.read(workspace, chosen_run(workspace.runs_dir, run_name))
