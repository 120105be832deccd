"""Who watches, and one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import polars as pl
from nicegui import ui

from swipewise.console import charts
from swipewise.console.context import Console
from swipewise.console.data.changes import Changes, what_would_change
from swipewise.console.data.nearest import LIKENESS, SHARED
from swipewise.console.data.player import facts_of
from swipewise.console.data.viewers import SHIFTS, ShiftTold, ViewerFile, viewer_file, viewers_seen
from swipewise.console.listing import Listing, add_listing
from swipewise.console.markup import Markup, tag
from swipewise.console.pages.changes import changes_card, trying_card
from swipewise.console.parts import (
    bars,
    card,
    chart,
    clip,
    empty,
    exports,
    facts,
    moment,
    number,
    percent,
    pill,
    table,
    tiles,
    video_address,
    viewer_address,
)
from swipewise.console.shell import Visit, element, frame, show
from swipewise.errors import SwipewiseError
from swipewise.feed.stages import Level
from swipewise.schema import Col
from swipewise.training.tastes import LEAST_INTERACTIONS

_DONE = 40
_LEANS = {
    Level.MODEL: "on the model and what was done",
    Level.PROFILE: "on the model and the profile alone",
    Level.POPULAR: "on what is popular and new",
}


def _found(seen: pl.DataFrame, words: str, limit: int) -> pl.DataFrame:
    wanted = words.strip()
    return (seen.filter(pl.col(Col.VIEWER_ID).str.contains(wanted, literal=True)) if wanted else seen).head(limit)


def _shown(console: Console, found: pl.DataFrame) -> Markup:
    rows = [
        (tag("a", viewer, href=viewer_address(console.root, viewer)), number(events), moment(at))
        for viewer, events, at in found.rows()
    ]
    return table("Viewers", ("Viewer", "Events", "Latest"), rows, numbers=(1,))


VIEWERS: Final = Listing(
    section="Viewers",
    path="/viewers",
    asked="Part of an id",
    lead="{} viewers did something; who came last is first.",
    read=lambda console: viewers_seen(console.workspace.events_dir),
    find=_found,
    shown=_shown,
    nothing=empty("Nobody yet", "Viewers are known by their events.", "swipewise events import log.csv"),
    unfound="No viewer with events has {} in the id.",
)


def add_page(console: Console) -> None:
    """Put the pages at ``/viewers``."""
    add_listing(console, VIEWERS, _open)


async def _open(visit: Visit, viewer_id: str) -> None:
    console = visit.console
    await _one(visit, await asyncio.to_thread(viewer_file, console, viewer_id))


async def _one(visit: Visit, found: ViewerFile) -> None:
    console = visit.console
    feed = f"{console.root}/feed?viewer={quote(found.viewer_id, safe='')}"
    aside = tag("div", tag("a", "Play the feed", class_="button primary", href=feed), class_="row")
    with frame(visit, found.viewer_id, section="Viewers", lead=_lead(found), aside=aside):
        show(_figures(found))
        with element("div", "grid"):
            _interest(console, found)
            _weights(console, found)
            for shift in found.shifts[:SHIFTS]:
                show(_shift(console, shift))
            place = show(trying_card())
            show(_profile(console, found), classes="third")
            show(_nearest(console, found), classes="two-thirds")
            show(_history(console, found))
    # Feeds are made anew many times: the page is shown meanwhile.
    await ui.context.client.connected()
    try:
        changes = await asyncio.to_thread(what_would_change, console.engine, found.viewer_id, found.history)
    except SwipewiseError as error:
        changes = Changes(note=str(error))
    place.set_content(str(changes_card(console, found.viewer_id, changes)))


def _lead(found: ViewerFile) -> str:
    standing = found.standing
    return f"Feeds lean {_LEANS[standing.level]}{f': {standing.note}' if standing.note else ''}."


def _figures(found: ViewerFile) -> Markup:
    actions = sum(bool(interaction.actions) for interaction in found.history)
    ratios = [each.watch_ratio for each in found.history if each.watch_ratio is not None]
    latest = found.history[0].at if found.history else None
    return tiles(
        [
            ("Interactions", number(found.standing.interactions), "that count"),
            ("Acted on", number(actions), "with more than watching"),
            ("Watched", percent(sum(ratios) / len(ratios)) if ratios else "–", "of a clip, on average"),
            ("Latest", moment(latest), ""),
            ("Warm or cold", "warm" if found.standing.interactions >= 5 else "cold", "cold below 5 interactions"),
        ]
    )


def _interest(console: Console, found: ViewerFile) -> None:
    if not found.themes:
        needed = f"It takes a model of {LEAST_INTERACTIONS} interactions or more, and a few watched clips."
        show(card("Interest over time", empty("Nothing is known yet", needed)), classes="two-thirds")
        return
    options = charts.lines(
        [moment(at) for at in found.moments],
        {theme.name: theme.pull for theme in found.themes},
        x="time, UTC",
        y="times the usual odds, beyond once",
        stacked=True,
    )
    charts.mark(options, [found.moments.index(shift.at) for shift in found.shifts[:SHIFTS]], "shift")
    rows = [(theme.name, *(number(taste) for taste in theme.tastes)) for theme in found.themes]
    heads = ("Theme, log-odds", *(moment(at) for at in found.moments))
    chart(
        "Interest over time",
        options,
        hint="The themes liked most: by how much the odds of watching them exceed what is usual.",
        extra=exports(console.root, "viewer-interest", found.viewer_id),
        classes="two-thirds",
        numbers=table("Log-odds of watching beyond what is usual", heads, rows, numbers=range(1, len(heads))),
    )


def _weights(console: Console, found: ViewerFile) -> None:
    beliefs = found.standing.beliefs
    if beliefs is None or not beliefs.modality_weights:
        told = empty("Not known", "No model ranks for this viewer yet.")
        show(card("What the viewer goes by", told), classes="third")
        return
    ordered = dict(sorted(beliefs.modality_weights.items(), key=lambda each: -each[1]))
    asked = (tag("li", line) for line in found.standing.controls)
    with element("section", "card third"):
        show(
            tag("h2", "What the viewer goes by")
            + exports(console.root, "viewer-weights", found.viewer_id)
            + tag(
                "p",
                "Weight of each modality, on average over the catalogue; id is what the same viewers watch.",
                class_="hint",
            ),
            classes="card-head",
        )
        show(bars("Weight of each modality", ordered, coloured=True))
        known = [(at, weights) for at, weights in zip(found.moments, found.weights, strict=True) if weights]
        if len(known) > 1:
            options = charts.lines(
                [moment(at) for at, _ in known],
                {name: [round(weights[name], 4) for _, weights in known] for name in beliefs.modality_weights},
                x="over time",
                y="",
                stacked=True,
                percent=True,
                colours=[f"var(--{name})" for name in beliefs.modality_weights],
            )
            charts.bare(options)
            drawn = ui.echart(options, renderer="svg").classes("low")
            drawn.props.update({"role": "img", "aria-label": "Weight of each modality over time"})
        if found.standing.controls:
            show(tag("ul", *asked, class_="lines"))


def _shift(console: Console, shift: ShiftTold) -> Markup:
    seen = "one clip" if shift.interactions == 1 else f"{shift.interactions} clips"
    return card(
        "Shift of interest",
        tag(
            "p",
            pill(f"{shift.chance:.0%} sure", "warn"),
            f" On {moment(shift.at)} the viewer came back with another interest in {shift.modality}; ",
            f"it showed after {seen}.",
        ),
        tag("h3", "Before: ", _named(shift.left)),
        _clips(console, shift.left["videos"]),
        tag("h3", "After: ", _named(shift.joined)),
        _clips(console, shift.joined["videos"]),
    )


def _named(theme: Mapping[str, Any]) -> str:
    return " ".join(theme["words"]) or "videos like these"


def _clips(console: Console, video_ids: Sequence[str]) -> Markup:
    known = facts_of(console.catalog, video_ids)
    clips = (clip(console.root, each, known[each].caption if each in known else "") for each in video_ids)
    return tag("div", *clips, class_="strip", tabindex="0", role="group", aria_label="Videos of the theme")


def _profile(console: Console, found: ViewerFile) -> Markup:
    if not found.profile:
        told = empty("None", "Nothing is stated about this viewer.", "swipewise viewers import users.csv")
        return card("Profile", told)
    return card(
        "Profile",
        facts([(name, _stated(value)) for name, value in found.profile.items()]),
        extra=exports(console.root, "viewer-profile", found.viewer_id),
    )


def _stated(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _nearest(console: Console, found: ViewerFile) -> Markup:
    if found.nearest.is_empty():
        return card("Nearest viewers", empty("None", "Nobody else has liked the same videos."))
    rows = [
        (tag("a", viewer, href=viewer_address(console.root, viewer)), number(shared), f"{likeness:.2f}")
        for viewer, shared, likeness in found.nearest.select(Col.VIEWER_ID, SHARED, LIKENESS).rows()
    ]
    return card(
        "Nearest viewers",
        table("Nearest viewers", ("Viewer", "Liked by both", "Likeness"), rows, numbers=(1, 2)),
        hint="By the videos that both liked.",
        extra=exports(console.root, "nearest-viewers", found.viewer_id),
    )


def _history(console: Console, found: ViewerFile) -> Markup:
    if not found.history:
        return card("History", empty("Nothing was done yet", "The first events decide what the model can say."))
    rows = []
    for interaction in found.history[:_DONE]:
        known = found.facts.get(interaction.video_id)
        rows.append(
            (
                tag("a", interaction.video_id, href=video_address(console.root, interaction.video_id)),
                (known.caption if known else "") or "–",
                moment(interaction.at),
                percent(interaction.watch_ratio),
                tag("span", *(pill(each.value) + " " for each in sorted(interaction.actions))),
            )
        )
    return card(
        "History",
        table("History", ("Video", "Caption", "At", "Watched", "Did"), rows, numbers=(3,)),
        hint=f"The latest {min(_DONE, len(found.history))} of {len(found.history):,}.",
        extra=exports(console.root, "viewer-history", found.viewer_id),
    )
