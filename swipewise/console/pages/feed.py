"""The feed as a viewer meets it, and why it is as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from secrets import token_hex
from typing import Any, Final
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from nicegui import ui

from swipewise.console.context import Console
from swipewise.console.data.player import Player
from swipewise.console.markup import Markup, tag
from swipewise.console.pages.feed_told import coming, left_out, reasons, told
from swipewise.console.parts import picture_address
from swipewise.console.shell import Visit, button, element, frame, show
from swipewise.errors import SwipewiseError
from swipewise.events.controls import HIGHEST_FACTOR
from swipewise.schema import Action, Modality

_ACTIONS: Final = (
    ("Like", "l", Action.LIKE),
    ("Follow", "f", Action.FOLLOW),
    ("Skip", "s", Action.SKIP),
    ("Hide", "h", Action.HIDE),
)
_WATCHED: Final = "() => emit(swipewisePlayer.watched())"


def add_page(console: Console) -> None:
    """Put the page at ``/feed``."""

    @ui.page("/feed", response_timeout=30)
    async def feed(request: Request, viewer: str = "") -> Response | None:
        if not viewer:
            return RedirectResponse(f"{console.root}/feed?viewer=guest-{token_hex(3)}", 303)
        visit = Visit.of(console, request)
        player = Player(
            engine=console.engine, catalog=console.catalog, viewer_id=viewer, writes=visit.session.may_change
        )
        await asyncio.to_thread(player.begin)
        with frame(
            visit,
            "Feed",
            section="Feed",
            lead="The feed of one viewer, played. What is shown and done here is posted as events of that viewer.",
            aside=_chooser(console, viewer),
        ):
            _FeedPage(visit, player).build()
        return None


def _chooser(console: Console, viewer_id: str) -> Markup:
    return tag(
        "form",
        tag(
            "div", tag("label", "Viewer", for_="viewer"), tag("input", id="viewer", name="viewer", value=viewer_id)
        ),
        tag("button", "Open", class_="button", type="submit"),
        tag("a", "Somebody new", class_="button", href=f"{console.root}/feed"),
        method="get",
        action=f"{console.root}/feed",
    )


class _FeedPage:
    """The live parts of one open page."""

    def __init__(self, visit: Visit, player: Player) -> None:
        self._visit = visit
        self._root = visit.console.root
        self._player = player
        self._turn = asyncio.Lock()
        self._turns = 0

    def build(self) -> None:
        if not self._visit.session.may_change:
            show(tag("p", "You are signed in to look only: nothing is posted.", class_="notice"))
        with element("div", "feed"):
            with element("section", "stage") as stage:
                stage.props["aria-label"] = "Player"
                self._stage = stage
                self._build_stage()
            with element("div", "coming card"):
                self._queue = show(Markup(""))
            with element("div", "why"):
                self._why = show(Markup(""), classes="card")
                with element("section", "card"):
                    self._build_controls()
                self._dropped = show(Markup(""), classes="card")
        self._said = show(Markup(""))
        self._said.classes("said visually-hidden").props["role"] = "status"
        self._draw()

    def _build_stage(self) -> None:
        with element("div", "screen"):
            self._video = element("video")
            self._video.props.update({"playsinline": True, "autoplay": True, "muted": True, "tabindex": "0"})
            self._video.on("ended", self._handler(self._finish), js_handler=_WATCHED)
            self._over = show(Markup(""), classes="over")
        with element("div", "actions"):
            for name, key, action in _ACTIONS:
                self._button(name, key, partial(self._player.act, action))
            self._button("Next", "ArrowDown", self._player.next, primary=True)
        with element("div", "actions minor"):
            self._hider = self._button("No more of this creator", "c", self._player.hide_creator)
            show(tag("button", "Sound", class_="button", type="button", data_sound=True, aria_pressed="false"))
        show(
            tag(
                "p",
                "Keys: L like, F follow, S skip, H hide, C no more of the creator, ↓ next, space pauses, M sound. "
                "On a phone swipe up for the next, right to like, left to skip.",
                class_="hint small",
            )
        )

    def _button(
        self, name: str, key: str, change: Callable[[float | None], None], *, primary: bool = False
    ) -> ui.element:
        with element("button", "button primary" if primary else "button") as made:
            made.props.update({"type": "button", "data-key": key})
            show(tag("span", name), within="span")
        made.on("click", self._handler(change), js_handler=_WATCHED)
        return made

    def _handler(self, change: Callable[[float | None], None]) -> Callable[[Any], Any]:
        async def handle(event: Any) -> None:
            seconds = event.args if isinstance(event.args, int | float) else None
            await self._change(lambda: change(seconds))

        return handle

    def _finish(self, seconds: float | None) -> None:
        self._player.act(Action.FINISH, seconds)

    async def _change(self, change: Callable[[], None]) -> None:
        """Let one thing happen after the other, and show what became of it."""
        async with self._turn:
            try:
                await asyncio.to_thread(change)
            except SwipewiseError as error:
                self._said.set_content(str(tag("span", str(error))))
                return
            self._draw()

    def _build_controls(self) -> None:
        show(tag("h2", "What the viewer asks for"))
        controls = self._player.controls
        for modality in Modality:
            value = controls.modalities.get(modality, 1.0)
            with element("div", "slider"):
                show(tag("label", modality.value, for_=f"weight-{modality}"))
                slider = element("input")
                slider.props.update(
                    {
                        "type": "range",
                        "id": f"weight-{modality}",
                        "min": 0,
                        "max": HIGHEST_FACTOR,
                        "step": 0.1,
                        "value": value,
                        "disabled": not self._player.writes,
                    }
                )
                number = show(tag("span", f"{value:g}×"), within="span")
                slider.on(
                    "change", self._weigher(modality, number), js_handler="(e) => emit(Number(e.target.value))"
                )
        self._asked = element("div", "asked")

    def _weigher(self, modality: str, number: ui.html) -> Callable[[Any], Any]:
        async def handle(event: Any) -> None:
            factor = float(event.args)
            await self._change(lambda: self._player.weigh(modality, factor))
            number.set_content(f"{factor:g}×")

        return handle

    def _draw(self) -> None:
        player = self._player
        facts = player.facts
        address = f"{self._root}/media/clips/{quote(facts.video_id, safe='')}" if facts else None
        if self._video.props.get("src") != address:
            self._video.props["src"] = address
            self._video.props["poster"] = picture_address(self._root, facts.video_id) if facts else None
            self._video.props["aria-label"] = f"Clip {facts.video_id}" if facts else "No clip"
            self._video.update()
        self._hider.props["disabled"] = facts is None or facts.creator is None
        self._hider.update()
        self._over.set_content(str(told(player)))
        self._queue.set_content(str(coming(self._root, player.queue)))
        self._why.set_content(str(reasons(self._visit.console, player)))
        self._dropped.set_content(str(left_out(player.feed)))
        self._draw_asked()
        self._turns += 1
        self._stage.props["data-turn"] = self._turns
        self._stage.update()
        self._said.set_content(str(tag("span", f"Now: {facts.video_id}" if facts else "Nothing left to show")))

    def _draw_asked(self) -> None:
        """Hidden creators and learning, each with the way back."""
        controls = self._player.controls
        self._asked.clear()
        with self._asked:
            for creator in sorted(name for name, share in controls.creators.items() if share == 0):
                self._small_button(f"Show {creator} again", partial(self._player.show_creator, creator))
            paused = controls.paused_at is not None
            self._small_button(
                "Go on learning" if paused else "Pause learning", lambda: self._player.learn(paused=not paused)
            )
            self._small_button("Forget what was learned", lambda: self._player.learn(paused=paused, reset=True))

    def _small_button(self, name: str, change: Callable[[], None]) -> None:
        button(name, partial(self._change, change), disabled=not self._player.writes)
