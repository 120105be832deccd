"""The feed that is played: what is done in it changes what comes next."""

from __future__ import annotations

from collections import Counter
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page

from swipewise.events import viewer_interactions
from swipewise.schema import Action
from swipewise.simulate.truth import Truth
from tests.console.conftest import Complaints, Served, visit

_QUEUE = "[...document.querySelectorAll('.queue li')].map(row => row.dataset.video)"


@pytest.fixture(scope="module")
def themes(served: Served) -> dict[str, int]:
    """The planted visual theme of each video."""
    world = Truth.load(served.world).world
    return dict(zip(world.video_ids, world.theme_VM[:, 0].tolist(), strict=True))


def play(page: Page, served: Served, viewer: str) -> None:
    visit(page, f"{served.address}/console/feed?viewer={quote(viewer)}")
    page.locator(".queue li").first.wait_for()


def on(page: Page) -> str:
    return page.locator(".screen .over .mono").inner_text()


def queue(page: Page) -> list[str]:
    return list(page.evaluate(_QUEUE))


def press(page: Page, name: str) -> None:
    """Press a button and wait until the page has followed."""
    before = page.evaluate("document.querySelector('.stage').dataset.turn")
    page.get_by_role("button", name=name, exact=True).click()
    page.wait_for_function("before => document.querySelector('.stage').dataset.turn !== before", arg=before)


def watch_to_the_end(page: Page) -> None:
    """Let a clip end, which puts the next one on."""
    before = on(page)
    page.wait_for_function("document.querySelector('.screen video').duration > 0")
    page.evaluate("(video => (video.currentTime = video.duration - 0.1))(document.querySelector('.screen video'))")
    page.wait_for_function("before => !document.querySelector('.over').innerText.includes(before)", arg=before)


def done(served: Served, viewer: str) -> dict[str, frozenset[Action]]:
    """What the log knows that a viewer did, by video."""
    import polars as pl

    durations = pl.LazyFrame(schema={"video_id": pl.String, "duration_seconds": pl.Float64})
    rows = viewer_interactions(served.workspace.events_dir, viewer, durations, 100)
    return {row.video_id: row.actions for row in rows}


def test_clips_are_played(page: Page, served: Served) -> None:
    play(page, served, "plays")
    page.wait_for_function("document.querySelector('.screen video').currentTime > 0.2")
    assert page.evaluate("document.querySelector('.screen video').videoWidth") > 0
    page.locator(".screen video").focus()
    page.keyboard.press("Space")
    page.wait_for_function("document.querySelector('.screen video').paused")


def test_likes_of_a_theme_raise_its_share(page: Page, served: Served, themes: dict[str, int]) -> None:
    play(page, served, "new")
    first = [themes[video] for video in queue(page)[:10]]
    assert page.get_by_text("level: popular").is_visible()
    # The theme with the most clips: of some others the quick demo has hardly any left to show after three.
    of_theme = Counter(theme for theme in themes.values() if theme >= 0)
    liked, count = of_theme.most_common(1)[0][0], 0
    while count < 3:
        if themes[on(page)] == liked:
            press(page, "Like")
            count += 1
            if count < 3:
                watch_to_the_end(page)
        else:
            press(page, "Skip")
    last = [themes[video] for video in queue(page)[:10]]
    assert last.count(liked) > first.count(liked)
    assert page.get_by_text("level: model").is_visible()
    assert page.locator(".queue .pill").count() > 0


def test_a_hidden_creator_is_gone_until_shown_again(page: Page, served: Served) -> None:
    play(page, served, "picky")
    creator = page.locator(".screen .over strong").inner_text()
    press(page, "No more of this creator")
    assert page.locator(".queue").get_by_text(creator, exact=True).count() == 0
    press(page, f"Show {creator} again")
    assert page.get_by_role("button", name=f"Show {creator} again").count() == 0


def test_actions_are_events_by_click_and_by_key(page: Page, served: Served) -> None:
    play(page, served, "busy")
    first = on(page)
    press(page, "Like")
    page.locator("main").focus()
    page.keyboard.press("f")
    page.locator(".over .pill", has_text="follow").wait_for()
    press(page, "Skip")
    second = on(page)
    press(page, "Hide")
    assert second != first
    found = done(served, "busy")
    assert found[first] == {Action.LIKE, Action.FOLLOW, Action.SKIP}
    assert found[second] == {Action.HIDE}


def test_a_feed_is_played_with_the_keyboard_alone(page: Page, served: Served) -> None:
    play(page, served, "keys")
    page.wait_for_function("document.querySelector('.screen video').currentTime > 0")
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.innerText || document.activeElement.id"))
        if reached[-1] == "No more of this creator":
            break
    named = [each for each in reached if each in {"Like", "Follow", "Skip", "Hide", "Next"}]
    assert named == ["Like", "Follow", "Skip", "Hide", "Next"]
    first = on(page)
    page.keyboard.press("l")
    page.locator(".over .pill", has_text="like").wait_for()
    page.keyboard.press("ArrowDown")
    page.wait_for_function("first => !document.querySelector('.over').innerText.includes(first)", arg=first)
    second = on(page)
    page.keyboard.press("Shift+Tab")
    # A button that has the focus is pressed, and nothing else.
    assert page.evaluate("document.activeElement.innerText") == "Next"
    page.keyboard.press("Space")
    page.wait_for_function("second => !document.querySelector('.over').innerText.includes(second)", arg=second)
    found = done(served, "keys")
    assert found[first] == {Action.LIKE}
    assert found[second] == frozenset()


@pytest.mark.parametrize(
    ("to", "action"), [((100, 200), None), ((300, 520), Action.LIKE), ((-100, 480), Action.SKIP)]
)
def test_swipes_press_the_buttons(
    browser: Browser, states: dict[str, Any], served: Served, to: tuple[int, int], action: Action | None
) -> None:
    context = browser.new_context(
        storage_state=states["admin"], viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    viewer = f"swiper {action}"
    play(page, served, viewer)
    first, turn = on(page), page.evaluate("document.querySelector('.stage').dataset.turn")
    box = page.locator(".screen").bounding_box()
    assert box is not None
    start = (box["x"] + 150, box["y"] + 350)
    end = (start[0] + to[0] - 100, start[1] + to[1] - 500)
    # As a finger does it: the browser itself decides what is a touch, and what would scroll the page.
    touch = page.context.new_cdp_session(page)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [_point(start)]})
    for step in range(1, 6):
        place = tuple(a + (b - a) * step / 5 for a, b in zip(start, end, strict=True))
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [_point(place)]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_function("turn => document.querySelector('.stage').dataset.turn !== turn", arg=turn)
    assert (on(page) == first) == (action is Action.LIKE), "a like stays, the others go on"
    context.close()
    assert done(served, viewer)[first] == ({action} if action else frozenset())


def _point(place: tuple[float, ...]) -> dict[str, float]:
    return {"x": place[0], "y": place[1]}


def test_the_weight_of_a_modality_is_asked_for(page: Page, served: Served) -> None:
    play(page, served, "viewer00001")
    before = page.evaluate("document.querySelector('.stage').dataset.turn")
    page.get_by_label("visual").focus()
    page.keyboard.press("Home")
    page.wait_for_function("before => document.querySelector('.stage').dataset.turn !== before", arg=before)
    assert page.get_by_text("visual counts 0 times").is_visible()


def test_who_may_only_look_posts_nothing(
    browser: Browser, states: dict[str, Any], served: Served, complaints: Complaints
) -> None:
    context = browser.new_context(storage_state=states["read"])
    page = context.new_page()
    complaints.listen(page)
    play(page, served, "looker")
    first = on(page)
    assert page.get_by_text("signed in to look only").is_visible()
    press(page, "Like")
    press(page, "Next")
    assert on(page) != first
    assert page.get_by_label("visual").is_disabled()
    context.close()
    assert done(served, "looker") == {}


def test_clips_are_sent_in_ranges_to_those_signed_in_alone(page: Page, served: Served, browser: Browser) -> None:
    play(page, served, "ranged")
    clip = f"{served.address}/console/media/clips/{on(page)}"
    part = page.request.get(clip, headers={"Range": "bytes=0-99"})
    assert (part.status, len(part.body())) == (206, 100)
    stranger = browser.new_context()
    assert stranger.request.get(clip).status == 401
    stranger.close()
    assert page.request.get(f"{served.address}/console/media/clips/..%2Fswipewise.toml").status == 404
