"""What the feed's page tells: the clip that is on, why it is, what comes next and what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from swipewise.console.context import Console
from swipewise.console.data.player import Coming, Facts, Player, facts_of
from swipewise.console.markup import Markup, tag
from swipewise.console.parts import bars, clip, empty, picture_address, pill, viewer_address
from swipewise.feed.stages import Dropped, Feed
from swipewise.schema import WATCH, Action

_EXPECTED: Final = {
    WATCH: "watched",
    Action.FINISH: "finished",
    Action.LIKE: "liked",
    Action.COMMENT: "commented",
    Action.SHARE: "shared",
    Action.FOLLOW: "followed",
    Action.SKIP: "skipped",
    Action.HIDE: "hidden",
}


def told(player: Player) -> Markup:
    """What lies over the clip that is on."""
    facts = player.facts
    if facts is None:
        return empty("Nothing left", "This viewer has seen all that can be shown.", "swipewise videos add clips/")
    done = Markup("").join(pill(action.value, "accent") for action in sorted(player.done))
    return Markup("").join(
        [
            tag(
                "p",
                tag("strong", facts.creator or "no creator"),
                " ",
                tag("span", facts.video_id, class_="mono"),
            ),
            tag("p", facts.caption) if facts.caption else Markup(""),
            tag("p", done, class_="pills") if done else Markup(""),
        ]
    )


def reasons(console: Console, player: Player) -> Markup:
    """Why the clip that is on is there, and what is expected of it."""
    on, feed = player.on, player.feed
    parts = [tag("div", tag("h2", "Why this clip"), class_="card-head")]
    if feed is not None:
        level = tag("p", pill(f"level: {feed.level}", "accent"), " ", pill(f"source: {on.source}") if on else None)
        parts += [level, tag("p", feed.note, class_="hint") if feed.note else Markup("")]
    if on is not None and on.modality_weights:
        parts += [
            tag("h3", "What it is judged by"),
            bars("Weight of each modality", dict(_falling(on.modality_weights)), coloured=True),
        ]
    if on is not None and on.evidence:
        facts = facts_of(console.catalog, [each.video_id for each in on.evidence])
        clips = (
            clip(console.root, each.video_id, facts[each.video_id].caption, note=f"likeness {each.similarity:.2f}")
            for each in on.evidence
            if each.video_id in facts
        )
        parts += [
            tag("h3", "Liked before, and like it"),
            tag("div", *clips, class_="strip", tabindex="0", role="group", aria_label="Liked before"),
        ]
    if player.predicted:
        named = {_EXPECTED.get(name, name): share for name, share in _falling(player.predicted)}
        parts += [tag("h3", "What is expected"), bars("Chance of each action", named, most=1.0)]
    if len(parts) <= 3 and on is not None and not on.modality_weights:
        parts.append(tag("p", "It is popular or new. Like or finish a clip, and the model takes over."))
    parts.append(tag("p", tag("a", "All about this viewer", href=viewer_address(console.root, player.viewer_id))))
    return Markup("").join(parts)


def left_out(feed: Feed | None) -> Markup:
    """What did not make the feed, by reason."""
    dropped = feed.dropped if feed else ()
    counts = Counter(each.reason for each in dropped)
    rows = (
        tag(
            "li",
            tag("strong", f"{count:,} "),
            reason,
            tag("span", f" such as {_first(dropped, reason)}", class_="muted"),
        )
        for reason, count in counts.most_common()
    )
    asked = (tag("li", line) for line in (feed.controls if feed else ()))
    return Markup("").join(
        [
            tag("div", tag("h2", "What was left out"), class_="card-head"),
            tag("ul", *rows, *asked, class_="lines") if dropped else tag("p", "Nothing.", class_="muted"),
        ]
    )


def coming(root: str, queue: Sequence[Coming]) -> Markup:
    """What comes next, and what rose or fell."""
    if not queue:
        return tag("h2", "Up next") + empty("The queue is empty", "All clips have been seen, hidden or left out.")
    rows = (
        tag(
            "li",
            tag("span", place, class_="place"),
            tag("img", src=picture_address(root, each.facts.video_id), alt="", loading="lazy"),
            tag(
                "span",
                tag("span", each.facts.caption or "no caption", class_="words"),
                tag("span", " · ".join(_named(each.facts)), class_="muted small"),
                class_="told",
            ),
            _movement(each.moved),
            class_="new" if each.moved is None else None,
            data_video=each.facts.video_id,
        )
        for place, each in enumerate(queue, 1)
    )
    return tag("div", tag("h2", "Up next"), class_="card-head") + tag("ol", *rows, class_="queue")


def _named(facts: Facts) -> list[str]:
    return [each for each in (facts.creator, facts.video_id) if each]


def _movement(moved: int | None) -> Markup:
    if moved is None:
        return pill("new", "good")
    if moved == 0:
        return Markup("")
    return pill(f"▲ {moved}", "good") if moved > 0 else pill(f"▼ {-moved}")


def _falling(shares: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(((str(name), float(share)) for name, share in shares.items()), key=lambda each: -each[1])


def _first(dropped: Sequence[Dropped], reason: str) -> str:
    return next(each.video_id for each in dropped if each.reason == reason)
