"""What would change a viewer's feed, in a card of the viewer's page."""

from __future__ import annotations

from collections.abc import Sequence

from swipewise.console.context import Console
from swipewise.console.data.changes import TOP, Change, Changes
from swipewise.console.markup import Content, Markup, tag
from swipewise.console.parts import card, empty, exports, table, video_address

_HEADS = ("If", f"New among {TOP}", "Moved", "Would come in", "Would go")
_NAMED = 3
_TITLE = "What would change the feed"


def trying_card() -> Markup:
    """What stands there until it has been tried."""
    return card(
        _TITLE, empty("Being tried", "The feed is made again for each thing that might have been otherwise.")
    )


def changes_card(console: Console, viewer_id: str, changes: Changes) -> Markup:
    """The card."""
    if not changes.top:
        return card(_TITLE, empty("Nothing was tried", changes.note or ""))
    parts: list[Content] = [tag("p", _summary(changes))]
    telling = [each for each in changes.watched if each.joins or each.moved]
    if telling:
        silent = len(changes.watched) - len(telling)
        parts += [
            tag("h3", "A clip that had never been met"),
            _table(console, "Without a clip", [(_without(console, each), each) for each in telling]),
            tag("p", f"Without each of the {silent} others it would be the same.", class_="hint small")
            if silent
            else None,
        ]
    parts += [
        tag("h3", "What is done with the clip that comes next"),
        _table(console, "With the next clip", [(_done(console, each), each) for each in changes.next]),
    ]
    if changes.weights:
        parts += [
            tag("h3", "A modality that counted nothing"),
            _table(
                console, "Without a modality", [(f"{each.what} counted nothing", each) for each in changes.weights]
            ),
        ]
    return card(
        _TITLE,
        *parts,
        hint=f"The feed was made again with each of these, one at a time, by the model that ranks; its first {TOP} "
        "are compared. It says what the model would do, not what the viewer would.",
        classes="stack-tight",
        extra=exports(console.root, "viewer-changes", viewer_id),
    )


def _summary(changes: Changes) -> str:
    if not changes.watched:
        return "This viewer has met no clip yet: whatever is done first decides."
    most = changes.watched[0]
    if not most.joins and not most.moved:
        return f"None of the {len(changes.watched)} clips that were tried changes the first {TOP} by itself."
    if not most.joins:
        return (
            f"No single clip of the {len(changes.watched)} tried brings another into the first {TOP}; some change "
            "their order."
        )
    return (
        f"Of {len(changes.watched)} clips that were tried, {most.video_id} matters most: without it {len(most.joins)} "
        f"of the first {TOP} would be others."
    )


def _without(console: Console, change: Change) -> Markup:
    return tag("span", "without ", _link(console, change.video_id or ""))


def _done(console: Console, change: Change) -> Markup:
    return tag("span", "the viewer ", change.what, ": ", _link(console, change.video_id or ""))


def _table(console: Console, caption: str, rows: Sequence[tuple[Content, Change]]) -> Markup:
    return table(
        caption,
        _HEADS,
        [
            (told, len(each.joins), each.moved, _videos(console, each.joins), _videos(console, each.leaves))
            for told, each in rows
        ],
        numbers=(1, 2),
    )


def _videos(console: Console, video_ids: Sequence[str]) -> Markup | str:
    if not video_ids:
        return "–"
    more = f" and {len(video_ids) - _NAMED} more" if len(video_ids) > _NAMED else ""
    named = Markup(", ").join(_link(console, each) for each in video_ids[:_NAMED])
    return tag("span", named, more)


def _link(console: Console, video_id: str) -> Markup:
    return tag("a", video_id, href=video_address(console.root, video_id), class_="mono")
