"""Who watches, and one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from fastapi import Request
from nicegui import ui

from swipewise.console import charts
from swipewise.console.context import Console
from swipewise.console.data.player import facts_of
from swipewise.console.data.viewers import LIKENESS, ChangeTold, ViewerFile, viewer_file, viewers_seen
from swipewise.console.markup import Markup, tag
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
    searching,
    table,
    tiles,
    video_address,
    viewer_address,
)
from swipewise.console.shell import Visit, element, frame, show
from swipewise.feed.stages import Level
from swipewise.schema import Col

_LISTED = 50
_DONE = 40
_LEANS = {
    Level.MODEL: "on the model and what was done",
    Level.PROFILE: "on the model and the profile alone",
    Level.POPULAR: "on what is popular and new",
}


def add_page(console: Console) -> None:
    """Put the page at ``/viewers``; with ``id`` it is about one viewer."""

    @ui.page("/viewers", response_timeout=60)
    async def viewers(request: Request, id: str = "", q: str = "") -> None:
        visit = Visit.of(console, request)
        if not id:
            await _list(visit, q)
            return
        found = await asyncio.to_thread(viewer_file, console.engine, console.catalog, console.teller, id)
        _one(visit, found)


def _search(console: Console, words: str) -> Markup:
    return searching(f"{console.root}/viewers", "q", words, "Part of an id")


async def _list(visit: Visit, words: str) -> None:
    console = visit.console
    seen = await asyncio.to_thread(console.kept.get, "viewers", lambda: viewers_seen(console.workspace.events_dir))
    found = seen.filter(pl.col(Col.VIEWER_ID).str.contains(words.strip(), literal=True)) if words.strip() else seen
    lead = f"{len(seen):,} viewers did something; who came last is first."
    with frame(visit, "Viewers", section="Viewers", lead=lead, aside=_search(console, words)):
        if seen.is_empty():
            told = empty("Nobody yet", "Viewers are known by their events.", "swipewise events import log.csv")
        elif found.is_empty():
            told = empty("Nobody found", f"No viewer with events has {words!r} in the id.")
        else:
            rows = [
                (tag("a", viewer, href=viewer_address(console.root, viewer)), number(events), moment(at))
                for viewer, events, at in found.head(_LISTED).rows()
            ]
            told = table("Viewers", ("Viewer", "Events", "Latest"), rows, numbers=(1,))
        show(card("Viewers", told, hint=f"{min(len(found), _LISTED):,} of {len(found):,}" if len(found) else ""))


def _one(visit: Visit, found: ViewerFile) -> None:
    console = visit.console
    aside = tag(
        "div",
        tag("a", "Play the feed", class_="button primary", href=f"{console.root}/feed?viewer={found.viewer_id}"),
        class_="row",
    )
    with frame(visit, found.viewer_id, section="Viewers", lead=_lead(found), aside=aside):
        show(_figures(found))
        with element("div", "grid"):
            _interest(found)
            show(_weights(found), classes="third")
            if found.change is not None:
                show(_shift(console, found.change))
            show(_profile(found), classes="half")
            show(_nearest(console, found), classes="half")
            show(_history(console, found))


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


def _interest(found: ViewerFile) -> None:
    if not found.themes:
        show(
            card("Interest over time", empty("Nothing is known yet", "It takes a model and a few watched clips.")),
            classes="two-thirds",
        )
        return
    options = charts.lines(
        [moment(at) for at in found.moments],
        {theme.name: theme.tastes for theme in found.themes},
        x="time",
        y="taste",
    )
    if found.change is not None:
        before = [place for place, at in enumerate(found.moments) if at >= found.change.at]
        charts.mark(options, before[0] if before else len(found.moments) - 1, "shift")
    chart(
        "Interest over time",
        options,
        hint="Log-odds of watching beyond what is usual, of the themes liked most.",
        classes="two-thirds",
    )


def _weights(found: ViewerFile) -> Markup:
    beliefs = found.standing.beliefs
    if beliefs is None or not beliefs.modality_weights:
        return card("What the viewer goes by", empty("Not known", "No model ranks for this viewer yet."))
    ordered = dict(sorted(beliefs.modality_weights.items(), key=lambda each: -each[1]))
    asked = (tag("li", line) for line in found.standing.controls)
    return card(
        "What the viewer goes by",
        bars("Weight of each modality", ordered, coloured=True),
        tag("ul", *asked, class_="lines") if found.standing.controls else None,
        hint="Weight of each modality, on average over the catalogue.",
    )


def _shift(console: Console, change: ChangeTold) -> Markup:
    return card(
        "Shift of interest",
        tag(
            "p",
            pill(f"{change.chance:.0%} sure", "warn"),
            f" On {moment(change.at)} the viewer came back with another taste in {change.modality}.",
        ),
        tag("h3", "Before: ", _named(change.left)),
        _clips(console, change.left["videos"]),
        tag("h3", "After: ", _named(change.joined)),
        _clips(console, change.joined["videos"]),
    )


def _named(theme: Mapping[str, Any]) -> str:
    return " ".join(theme["words"]) or "videos like these"


def _clips(console: Console, video_ids: Sequence[str]) -> Markup:
    known = facts_of(console.catalog, video_ids)
    clips = (clip(console.root, each, known[each].caption if each in known else "") for each in video_ids)
    return tag("div", *clips, class_="strip", tabindex="0", role="group", aria_label="Videos of the theme")


def _profile(found: ViewerFile) -> Markup:
    if not found.profile:
        told = empty("None", "Nothing is stated about this viewer.", "swipewise viewers import users.csv")
        return card("Profile", told)
    return card("Profile", facts([(name, _stated(value)) for name, value in found.profile.items()]))


def _stated(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _nearest(console: Console, found: ViewerFile) -> Markup:
    if found.nearest.is_empty():
        return card("Nearest viewers", empty("None", "Nobody else has liked the same videos."))
    rows = [
        (tag("a", viewer, href=viewer_address(console.root, viewer)), number(shared), f"{likeness:.2f}")
        for viewer, shared, likeness in found.nearest.select(Col.VIEWER_ID, "shared", LIKENESS).rows()
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
