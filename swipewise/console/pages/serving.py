"""How feeds are served, in cards of the overview."""

from __future__ import annotations

from swipewise.console import charts
from swipewise.console.context import Console
from swipewise.console.data.serving import Fallbacks, feed_service
from swipewise.console.markup import Markup, tag
from swipewise.console.parts import bars, card, chart, empty, exports, facts, number, numbers_of, percent
from swipewise.console.shell import show
from swipewise.feed.stages import Level
from swipewise.schema import Col

_ANSWERED = "What feeds leaned on"
_LEVELS = {
    Level.MODEL: "the model and a history",
    Level.PROFILE: "the model and a profile",
    Level.POPULAR: "what is popular and new",
}
_COLOURS = {Level.MODEL: "var(--series-1)", Level.PROFILE: "var(--series-3)", Level.POPULAR: "var(--series-2)"}


def served(console: Console, found: Fallbacks) -> Markup:
    """How many feeds this server has made, how long they took, and where their videos came from."""
    service = feed_service(console.scrape().decode())
    if not service.feeds:
        told = empty("None asked for", "Apps ask for them.", "GET /v1/feed")
    else:
        rows = [("asked for", number(service.feeds)), ("failed", number(service.failed))]
        rows += [(f"{share:.0%} took at most", f"{1000 * took:.1f} ms") for share, took in service.seconds.items()]
        told = facts(rows)
    sources = dict(found.sources.iter_rows())
    shares = {name: count / max(1, sum(sources.values())) for name, count in sources.items()}
    came = (
        tag("h3", "Where videos of the latest came from")
        + exports(console.root, "feed-sources")
        + bars("Share of videos by source", shares)
    )
    return card(
        "Feeds",
        told,
        came if shares else None,
        hint="Since the server was started.",
        extra=exports(console.root, "feed-latencies") if service.feeds else None,
    )


def answered(console: Console, found: Fallbacks) -> None:
    """What the feeds of the last day could lean on, and where their videos came from."""
    if found.levels.is_empty():
        told = "Feeds that are played in the console are not counted."
        if not console.workspace.config.feed.log_days:
            told = "Answers are not kept where feed.log_days is 0."
        show(card(_ANSWERED, empty("No feed in the last 24 hours", told, "GET /v1/feed")), classes="two-thirds")
        return
    wide = found.levels.pivot(Col.LEVEL, index=Col.AT, values=Col.FEEDS).sort(Col.AT)
    levels = [level for level in Level if level in wide.columns]
    total = {level: int(wide[level].sum()) for level in levels}
    feeds = sum(total.values())
    chart(
        _ANSWERED,
        charts.columns(
            [f"{at:%H:%M}" for at in wide[Col.AT]],
            {_LEVELS[level]: wide[level].to_list() for level in levels},
            x="time, UTC",
            y="feeds",
            stacked=True,
            colours=[_COLOURS[level] for level in levels],
        ),
        hint=f"{number(feeds)} feeds that apps asked for in the last 24 hours; "
        + ", ".join(f"{percent(total[level] / feeds)} on {_LEVELS[level]}" for level in levels)
        + ".",
        classes="two-thirds",
        numbers=numbers_of(_ANSWERED, wide),
        extra=exports(console.root, "feeds-by-level"),
    )
