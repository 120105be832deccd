"""What is in a part of the interest map, and a way to choose one without drawing."""

from __future__ import annotations

import polars as pl

from swipewise.console.context import Console
from swipewise.console.data.map_parts import CATEGORY, GROUPS, Part, within
from swipewise.console.data.player import facts_of
from swipewise.console.markup import Markup, tag
from swipewise.console.parts import bars, card, clip, empty, exports, number, viewer_address
from swipewise.errors import DataError
from swipewise.schema import Col


def chooser(console: Console, places: pl.DataFrame, colour: str, part: str) -> Markup:
    """A list of all groups; choosing one shows what is in it."""
    options = [tag("option", "Nothing chosen", value="")]
    for kind in GROUPS:
        names = _names(places, kind)
        entries = (
            tag("option", f"{kind} {name}", value=f"{kind}:{name}", selected=part == f"{kind}:{name}")
            for name in names
        )
        options.append(tag("optgroup", *entries, label=kind))
    return tag(
        "form",
        tag("label", "Or look into", for_="part", class_="inline"),
        tag("select", *options, id="part", name="part"),
        tag("input", type="hidden", name="colour", value=colour),
        tag("button", "Show", class_="button", type="submit"),
        method="get",
        action=f"{console.root}/map",
        class_="row",
    )


def _names(places: pl.DataFrame, kind: str) -> list[str]:
    found = places[kind].drop_nulls().unique()
    if kind == Col.SEGMENT:
        return [str(each) for each in sorted(found) if each]
    return sorted(map(str, found))


def part_card(console: Console, places: pl.DataFrame, text: str) -> Markup:
    """Who and what is in a part."""
    try:
        part = Part.parse(text)
    except DataError as error:
        return card("Not a part of the map", empty("Nothing to show", str(error)))
    chosen = part.of(places)
    found = within(chosen)
    if not len(chosen):
        return card(part.title, empty("Nothing", "Nobody and nothing lies there."))
    shares = [
        (CATEGORY, "Categories of its videos", found.categories),
        (Col.MODALITY, "What its videos are known by", found.modalities),
        (Col.SEGMENT, "Segments of its viewers", {f"segment {name}": it for name, it in found.segments.items()}),
    ]
    columns = (
        tag("div", tag("h3", title), bars(title, named, most=1.0, coloured=kind == Col.MODALITY))
        for kind, title, named in shares
        # That all of it is of its own kind goes without saying.
        if named and kind != part.kind
    )
    facts = facts_of(console.catalog, found.examples)
    clips = (clip(console.root, each, facts[each].caption if each in facts else "") for each in found.examples)
    people = (
        tag("li", tag("a", viewer, class_="mono", href=viewer_address(console.root, viewer)))
        for viewer in found.people
    )
    return card(
        part.title,
        tag("div", *columns, class_="columns"),
        tag("h3", "Videos in the middle of it") if found.examples else None,
        tag("div", *clips, class_="strip", tabindex="0", role="group", aria_label="Videos")
        if found.examples
        else None,
        tag("h3", "Viewers in the middle of it") if found.people else None,
        tag("ul", *people, class_="names") if found.people else None,
        hint=f"{number(found.videos)} videos and {number(found.viewers)} viewers.",
        extra=exports(console.root, "map-part", part.text),
    )
