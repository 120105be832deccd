"""The catalogue, and one video of it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final
from urllib.parse import quote

import polars as pl

from swipewise.console import charts
from swipewise.console.context import Console
from swipewise.console.data.player import facts_of
from swipewise.console.data.videos import FUSED, VideoFile, find_videos, video_file
from swipewise.console.listing import Listing, add_listing
from swipewise.console.markup import Markup, tag
from swipewise.console.media import clip_path
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
    picture_address,
    pill,
    span,
    table,
    video_address,
    viewer_address,
)
from swipewise.console.shell import Visit, element, frame, show
from swipewise.schema import FLAG_ACTIONS, Col

_WATCHERS = 15


def _shown(console: Console, found: pl.DataFrame) -> Markup:
    clips = (
        clip(console.root, row[Col.VIDEO_ID], row[Col.CAPTION] or "", note=row[Col.CREATOR] or "")
        for row in found.to_dicts()
    )
    return tag("div", *clips, class_="thumbs")


VIDEOS: Final = Listing(
    section="Videos",
    path="/videos",
    asked="Words, creator or id",
    lead="{} videos; the newest first.",
    read=lambda console: console.videos(),
    find=find_videos,
    shown=_shown,
    nothing=empty("No videos yet", "Add a folder of clips or a manifest.", "swipewise videos add clips/"),
    unfound="No id, caption, creator or tag holds {}.",
)


def add_page(console: Console) -> None:
    """Put the pages at ``/videos``."""
    add_listing(console, VIDEOS, _open)


async def _open(visit: Visit, video_id: str) -> None:
    console = visit.console
    _one(visit, await asyncio.to_thread(video_file, console, video_id))


def _one(visit: Visit, found: VideoFile) -> None:
    console, video = visit.console, found.video
    with (
        frame(
            visit,
            video.video_id,
            section="Videos",
            lead=video.caption or "No caption.",
            aside=VIDEOS.search(console),
        ),
        element("div", "grid"),
    ):
        show(_player(console, found), classes="third")
        told = _facts(found) + _path(found) + _judged(console, found) + _duplicates(console, found)
        show(told, classes="two-thirds stack")
        _watching(console, found)
        show(_watchers(console, found))
        show(_similar(console, found))


def _player(console: Console, found: VideoFile) -> Markup:
    video = found.video
    if clip_path(video) is None:
        return card("Clip", empty("The file is not on this machine", video.uri))
    source = f"{console.root}/media/clips/{quote(video.video_id, safe='')}"
    return card(
        "Clip",
        tag(
            "video",
            src=source,
            poster=picture_address(console.root, video.video_id),
            controls=True,
            playsinline=True,
            preload="metadata",
            class_="player",
            aria_label=f"Clip {video.video_id}",
        ),
        tag("h3", "Frames"),
        tag("div", class_="frames", data_frames=source, role="img", aria_label="Six frames of the clip"),
        tag("h3", "Sound"),
        tag("div", class_="wave", data_wave=source, role="img", aria_label="Loudness of the clip over its length"),
    )


def _facts(found: VideoFile) -> Markup:
    video = found.video
    return card(
        "What is known",
        facts(
            [
                (name, told)
                for name, told in (
                    ("Creator", video.creator),
                    ("Tags", tag("span", *(pill(each) + " " for each in video.tags)) if video.tags else None),
                    ("Length", f"{video.duration_seconds:.1f} s" if video.duration_seconds else None),
                    ("Picture", f"{video.width} × {video.height}" if video.width else None),
                    ("Language", video.language),
                    ("Spoken", video.speech),
                    ("On the screen", video.screen_text),
                    ("Vectors", ", ".join(f"{modality} by {name}" for modality, name in found.vectors) or "none"),
                    ("File", tag("span", video.uri, class_="mono")),
                )
                if told
            ]
        ),
    )


def _path(found: VideoFile) -> Markup:
    """From the upload to the first exposure, by way of the job that took it in where it was posted."""
    video, job = found.video, found.job
    steps: list[tuple[str, datetime | None, datetime | None]] = [("Uploaded", video.uploaded_at, None)]
    if job is not None:
        steps += [("Posted", job.created_at, None), ("Taken up", job.started_at, job.created_at)]
    steps += [
        ("In the catalogue", found.ingested_at, job.created_at if job else None),
        ("First shown", found.first_shown_at, video.uploaded_at),
    ]
    rows = [
        (name, _after(at, since)) for name, at, since in steps if at or name in ("In the catalogue", "First shown")
    ]
    stages = {} if job is None else job.seconds
    return card(
        "From upload to first exposure",
        facts(rows),
        tag("h3", "Seconds of each stage") if stages else None,
        facts([(stage, f"{took:.2f}") for stage, took in stages.items()]) if stages else None,
    )


def _after(at: datetime | None, since: datetime | None) -> str:
    """A moment, and how long after another it came."""
    if at is None:
        return "not yet"
    if since is None or at < since:
        return moment(at)
    return f"{moment(at)}, {span(at - since)} later"


def _watching(console: Console, found: VideoFile) -> None:
    curve = found.watched
    if not curve[Col.WATCHERS].sum():
        none = empty("Nobody has watched it yet", "It is shown among what is fresh.")
        show(card("How far it is watched", none))
        return
    chart(
        "How far it is watched",
        charts.watched(curve),
        hint=f"Of {curve[Col.WATCHERS][0]:,} who began, how many are still there.",
        extra=exports(console.root, "video-watch-curve", found.video.video_id),
    )


def _judged(console: Console, found: VideoFile) -> Markup:
    if not found.weights:
        return card("What it is judged by", empty("Not told", "No model ranks for those who watched it."))
    ordered = dict(sorted(found.weights.items(), key=lambda each: -each[1]))
    return card(
        "What it is judged by",
        bars("Mean weight of each modality", ordered, coloured=True),
        hint="Mean weight of each modality over a few who watched most of it; id is what the same viewers watch.",
        extra=exports(console.root, "video-weights", found.video.video_id),
    )


def _watchers(console: Console, found: VideoFile) -> Markup:
    if found.viewers.is_empty():
        return card("Who met it", empty("Nobody yet", "It has not been shown to anybody."))
    rows = [
        (
            tag("a", row[Col.VIEWER_ID], href=viewer_address(console.root, row[Col.VIEWER_ID])),
            moment(row[Col.AT]),
            percent(row[Col.WATCH_RATIO]),
            tag("span", *(pill(each.value) + " " for each in FLAG_ACTIONS if row[each])),
        )
        for row in found.viewers.head(_WATCHERS).to_dicts()
    ]
    return card(
        "Who met it",
        table("Viewers", ("Viewer", "First shown", "Watched", "Did"), rows, numbers=(2,)),
        hint=f"{number(len(found.viewers))} viewers, those who watched most of it first.",
        extra=exports(console.root, "video-audience", found.video.video_id),
    )


def _similar(console: Console, found: VideoFile) -> Markup:
    parts = []
    known = facts_of(console.catalog, [each.video_id for row in found.similar.values() for each in row])
    for name in (FUSED, *(key for key in found.similar if key != FUSED)):
        parts.append(tag("h3", "By all together" if name == FUSED else f"By {name}"))
        row = found.similar.get(name)
        if not row:
            parts.append(tag("p", found.complaints.get(name, "Nothing is like it."), class_="muted"))
            continue
        clips = (
            clip(
                console.root,
                each.video_id,
                known[each.video_id].caption if each.video_id in known else "",
                note=f"{each.similarity:.2f}",
            )
            for each in row
        )
        parts.append(
            tag("div", *clips, class_="strip", tabindex="0", role="group", aria_label=f"Like it by {name}")
        )
    extra = exports(console.root, "similar-videos", found.video.video_id) if found.similar else None
    return card("Like it", *parts, hint="1 would be the same.", classes="stack-tight", extra=extra)


def _duplicates(console: Console, found: VideoFile) -> Markup:
    linked = [*([found.duplicate_of] if found.duplicate_of else []), *found.duplicates]
    if not linked:
        return card("Near-duplicates", empty("None", "No other file has the same picture and sound."))
    links = (tag("li", tag("a", each, href=video_address(console.root, each))) for each in linked)
    first = f"The first of them is {found.duplicate_of}." if found.duplicate_of else "This is the first of them."
    return card(
        "Near-duplicates",
        tag("ul", *links),
        hint=f"A feed shows one. {first}",
        extra=exports(console.root, "near-duplicates"),
    )
