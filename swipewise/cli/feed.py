"""``swipewise feed``."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import click

from swipewise.cli import feed_export
from swipewise.cli.options import json_option, with_workspace, workspace_option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from swipewise.feed.stages import Feed
    from swipewise.schema import Recommendation
    from swipewise.workspace import Workspace

_CAPTION = 48
_WIDTH = 120
_WEIGHTS = 3

_EXAMPLES = """\b
Examples:
  swipewise feed ann                  the same as swipewise feed show ann
  swipewise feed ann --size 5 --workspace shop
  swipewise feed export feeds.parquet
"""

_SHOW_EXAMPLES = """\b
Examples:
  swipewise feed show ann
  swipewise feed ann
  swipewise feed ann --size 5 --workspace shop
  swipewise feed ann --language en --region us --context device=tv
  swipewise feed ann --json | jq '.recommendations[0]'
"""


def _pairs(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = [value.partition("=") for value in values]
    for name, _, value in pairs:
        if not name or not value:
            raise click.BadParameter(f"{name!r} is not NAME=VALUE, such as device=tv")
    return {name: value for name, _, value in pairs}


def _viewer(_context: click.Context, _argument: click.Parameter, value: str) -> str:
    from swipewise.events.rules import id_fault

    if fault := id_fault(value):
        raise click.BadParameter(f"the viewer's id {fault}")
    return value


class _FeedGroup(click.Group):
    """What is no command of its own is a viewer, whose feed is shown."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_FeedGroup, epilog=_EXAMPLES)
def command() -> None:
    """Print a viewer's feed and why each video is in it, or write the feeds of all viewers to a file.

    A viewer stands where a command would: 'swipewise feed ann' shows the feed of ann. One whose id is the name of a
    command needs 'swipewise feed show ID'.
    """


command.add_command(feed_export.export)


@command.command(epilog=_SHOW_EXAMPLES)
@click.argument("viewer", callback=_viewer)
@click.option("--size", type=click.IntRange(1, 1000), help="Videos wanted.  [default: feed.size of the workspace]")
@click.option("--language", help="Leaves out videos known to be in others.")
@click.option("--region", help="Where it is watched; without it what is bound to regions is left out.")
@click.option(
    "--context", "facts", multiple=True, metavar="NAME=VALUE", callback=_pairs, help="What rules may ask for."
)
@click.option("--request-id", help="Of an earlier feed: what is drawn is drawn the same.")
@workspace_option
@json_option
def show(
    viewer: str,
    size: int | None,
    language: str | None,
    region: str | None,
    facts: dict[str, str],
    request_id: str | None,
    workspace: Workspace,
    as_json: bool,
) -> None:
    """Print VIEWER's feed and why each video is in it.

    A viewer who is not known gets a feed from the profile or from what is popular and new. With --json, also what
    was left out and why, and the time each stage took. Nothing is logged of it, as the viewer is not shown it.
    """
    from swipewise.feed.context import Context
    from swipewise.feed.engine import FeedEngine
    from swipewise.feed.requests import Request

    request = Request(context=Context(language=language, region=region, more=facts))
    if request_id is not None:
        request = replace(request, request_id=request_id)
    with FeedEngine.open(workspace) as engine:
        feed, videos = engine.feed(viewer, size=size, request=request), engine.videos
    if as_json:
        told = replace(feed, dropped=tuple(feed.dropped))  # what is kept as numbers becomes words
        click.echo(json.dumps(asdict(told), ensure_ascii=False))
        return
    if feed.note:
        click.echo(with_workspace(f"note: {feed.note}"), err=True)
    for line in feed.controls:
        click.echo(f"asked for: {line}", err=True)
    if feed.recommendations:
        _print(_table(feed, _told(workspace)))
    click.echo(_summary(feed, videos))


def _print(table: Table) -> None:
    from rich.console import Console

    console = Console()
    # A pipe has no width of its own, and 80 columns cut the reasons short.
    Console(width=console.width if console.is_terminal else _WIDTH).print(table)


def _told(workspace: Workspace) -> dict[str, tuple[str | None, str]]:
    """What tells each video to a reader beside its id, and a short name: the caption, and the id.

    An id that was made of the content tells nobody which clip it is: the file stands for it, and for a caption.
    """
    import polars as pl

    from swipewise.catalog import Catalog
    from swipewise.schema import Col

    videos = Catalog(workspace.catalog_dir).videos()
    file = pl.col(Col.URI).str.extract(r"([^/\\]+)$")
    is_of_content = pl.col(Col.VIDEO_ID).str.contains("^[0-9a-f]{16}$") & pl.col(Col.CONTENT_HASH).str.starts_with(
        pl.col(Col.VIDEO_ID)
    )
    named = pl.when(is_of_content).then(file)
    told = videos.select(
        Col.VIDEO_ID,
        pl.coalesce(Col.CAPTION, named).alias("long"),
        pl.coalesce(named, Col.VIDEO_ID).alias("short"),
    )
    return {video_id: (long, short) for video_id, long, short in told.iter_rows()}


def _table(feed: Feed, told: Mapping[str, tuple[str | None, str]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    # Captions are other people's words: as Text, brackets in them are not taken for markup.
    table = Table(title=Text(f"feed of {feed.viewer_id} (level: {feed.level})"), title_justify="left")
    table.add_column("#", justify="right")
    table.add_column("video", overflow="fold")
    table.add_column("score", justify="right")
    table.add_column("source")
    table.add_column("why", overflow="fold")
    names = {video_id: short for video_id, (_, short) in told.items()}
    for each in feed.recommendations:
        caption = _shortened(told.get(each.video_id, (None, ""))[0])
        table.add_row(
            str(each.position + 1),
            Text(f"{each.video_id}  {caption}" if caption else each.video_id),
            f"{each.score:.2f}",
            each.source,
            Text(_why(each, names)),
        )
    return table


def _why(each: Recommendation, names: Mapping[str, str]) -> str:
    """The modalities that weigh most, and the videos of the history that speak for this one."""
    weights = sorted(each.modality_weights.items(), key=lambda item: -item[1])[:_WEIGHTS]
    parts = [", ".join(f"{name} {weight:.0%}" for name, weight in weights if weight >= 0.005)]
    if each.evidence:
        likes = ", ".join(
            f"{names.get(evidence.video_id, evidence.video_id)} ({evidence.similarity:.2f})"
            for evidence in each.evidence
        )
        parts.append(f"similar to {likes}")
    parts += each.controls
    if each.propensity < 1:
        parts.append(f"drawn with a probability of {each.propensity:.2g}")
    return "; ".join(part for part in parts if part) or each.source


def _shortened(caption: str | None) -> str:
    text = " ".join((caption or "").split())
    return text if len(text) <= _CAPTION else f"{text[: _CAPTION - 1]}…"


def _summary(feed: Feed, videos: int) -> str:
    """What was chosen from what, and how long it took."""
    dropped: dict[str, int] = {}
    for each in feed.dropped:
        dropped[each.reason] = dropped.get(each.reason, 0) + 1
    chosen = len(feed.recommendations)
    left_out = "".join(f", {count} {reason}" for reason, count in dropped.items())
    took = sum(step.milliseconds for step in feed.trace)
    if not videos:
        return with_workspace(
            "nothing to show: the catalogue is empty, add videos with 'swipewise videos add PATH'"
        )
    if chosen == 0:
        return f"nothing left to show{left_out}"
    return f"{chosen} of {chosen + len(feed.dropped)} candidates{left_out}; {took:.0f} ms"
