"""Every page in Chromium: it loads cleanly, can be read by everybody, and fits a phone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

from swipewise.workspace import Workspace
from tests.console.conftest import Complaints, Served, arrived, serving, visit

PAGES = {
    "/": ("Overview", "Overview"),
    "/feed?viewer=viewer00000": ("Feed", "Feed"),
    "/viewers": ("Viewers", "Viewers"),
    "/viewers?id=viewer00000": ("viewer00000", "Viewers"),
    "/viewers?id=nobody": ("nobody", "Viewers"),
    "/videos": ("Videos", "Videos"),
    "/videos?id=clip00010": ("clip00010", "Videos"),
    "/videos?id=nothing": ("Videos", "Videos"),
    "/map?colour=segment": ("Interest map", "Interest map"),
    "/map?colour=category&part=modality:visual": ("Interest map", "Interest map"),
    "/models": ("Models", "Models"),
    "/ingestion": ("Ingestion", "Ingestion"),
    "/ask?q=clip": ("Ask", "Ask"),
}


CONTRAST = ["color-contrast"]
"""What axe-core looks at in colours."""


def opened(page: Page, served: Served, path: str, title: str) -> Page:
    visit(page, f"{served.address}/console{path}")
    page.get_by_role("heading", level=1, name=title).wait_for()
    return page


def grave_faults(page: Page, **options: Any) -> dict[str, list[str]]:
    """What axe-core finds that keeps people out."""
    found = (
        Axe()
        .run(page, options={"preload": False, "resultTypes": ["violations"], **options})
        .response["violations"]
    )
    return {
        each["id"]: [node["html"] for node in each["nodes"]][:3]
        for each in found
        if each["impact"] in ("serious", "critical")
    }


def complete(page: Page) -> None:
    """Wait until all of a page is there, whatever it loads."""
    page.wait_for_load_state("networkidle")
    settled(page)


def settled(page: Page) -> None:
    """Wait for what comes after the rest of a page."""
    for told in ("Being drawn", "Being tried"):
        page.get_by_text(told, exact=True).wait_for(state="hidden", timeout=60_000)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_loads_cleanly_keeps_nobody_out_and_fits_a_phone(page: Page, served: Served, path: str) -> None:
    title, section = PAGES[path]
    opened(page, served, path, title)
    complete(page)
    assert page.title() == f"{title} · Swipewise"
    assert grave_faults(page) == {}
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert grave_faults(page, runOnly=CONTRAST) == {}, "in the dark, which changes colours alone"
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.documentElement.scrollWidth <= 390")  # charts follow a moment later
    assert grave_faults(page, rules={rule: {"enabled": False} for rule in CONTRAST}) == {}, "on a phone"
    assert not page.get_by_role("navigation").is_visible()
    page.get_by_role("button", name="Menu").click()
    assert page.get_by_role("link", name=section, exact=True).get_attribute("aria-current") == "page"


def test_a_viewers_page_tells_what_would_change_the_feed(page: Page, served: Served) -> None:
    opened(page, served, "/viewers?id=viewer00000", "viewer00000")
    settled(page)
    table = page.get_by_role("table", name="With the next clip")
    assert table.get_by_role("row").count() == 3
    assert page.get_by_role("table", name="Without a modality").get_by_role("row").count() > 1
    page.get_by_text("What the viewer goes by").wait_for()


def test_shifts_of_interest_are_marked_and_told_with_videos_of_both_sides(page: Page, served: Served) -> None:
    viewer_id, shift = next(turned(served))
    opened(page, served, f"/viewers?id={viewer_id}", viewer_id)
    told = page.get_by_role("heading", name="Shift of interest").locator("xpath=ancestor::section").first
    told.get_by_text(f"came back with another interest in {shift['modality']}").wait_for()
    assert told.get_by_text(f"{shift['chance']:.0%} sure").is_visible()
    clips = "one clip" if shift["interactions"] == 1 else f"{shift['interactions']} clips"
    assert told.get_by_text(f"it showed after {clips}.").is_visible()
    before, after = told.get_by_role("group", name="Videos of the theme").all()
    for strip, side in ((before, shift["from"]), (after, shift["to"])):
        links = [link.get_attribute("href") or "" for link in strip.get_by_role("link").all()]
        assert [link.rpartition("=")[2] for link in links] == side["videos"]
    over_time = page.get_by_role("heading", name="Interest over time").locator("xpath=ancestor::section").first
    over_time.get_by_text("shift", exact=True).first.wait_for()


def turned(served: Served) -> Iterator[tuple[str, dict[str, Any]]]:
    """Viewers whose interest has shifted, with the newest shift."""
    for number in range(150):
        viewer_id = f"viewer{number:05}"
        url = f"{served.address}/v1/viewers/{viewer_id}/interests"
        with urlopen(Request(url, headers={"Authorization": f"Bearer {served.keys['admin']}"})) as answer:
            for shift in json.load(answer)["shifts"][:1]:
                yield viewer_id, shift


def test_what_feeds_leaned_on_is_told(page: Page, served: Served) -> None:
    opened(page, served, "/", "Overview")
    page.get_by_text("50% on the model and a history, 50% on what is popular and new").wait_for()
    assert page.get_by_role("group", name="Share of videos by source").get_by_text("interest").is_visible()


def test_a_part_of_the_map_is_chosen_by_keyboard_and_has_an_address(page: Page, served: Served) -> None:
    opened(page, served, "/map", "Interest map")
    settled(page)
    page.get_by_label("Or look into").focus()
    page.keyboard.press("v")
    page.get_by_label("Or look into").select_option("modality:visual")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="What is in modality visual").wait_for()
    assert "part=modality:visual" in page.url or "part=modality%3Avisual" in page.url
    assert page.get_by_text("Videos in the middle of it").is_visible()
    page.reload()
    arrived(page)
    page.get_by_role("heading", name="What is in modality visual").wait_for()


def test_a_region_is_drawn_around(page: Page, served: Served) -> None:
    opened(page, served, "/map", "Interest map")
    settled(page)
    page.get_by_role("button", name="Draw around").click()
    box = page.locator(".map .nicegui-echart").bounding_box()
    assert box is not None
    page.wait_for_timeout(300)
    corners = [(0.02, 0.12), (0.98, 0.12), (0.98, 0.98), (0.02, 0.98), (0.02, 0.14)]
    for number, (x, y) in enumerate(corners):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=8)
        if number == 0:
            page.mouse.down()
    page.mouse.up()
    page.get_by_role("heading", name="What is in the region").wait_for()
    assert page.get_by_text("120 videos and").last.is_visible(), "all of them were drawn around"
    page.wait_for_function("location.search.includes('part=region:')")
    shared = page.url
    visit(page, shared)
    page.get_by_role("heading", name="What is in the region").wait_for()


EMPTY = {
    "/": "swipewise videos add clips/",
    "/feed?viewer=ann": "swipewise videos add clips/",
    "/viewers": "swipewise events import log.csv",
    "/viewers?id=ann": "swipewise viewers import users.csv",
    "/videos": "swipewise videos add clips/",
    "/map": "swipewise train",
    "/models": "swipewise train",
    "/ingestion": "swipewise videos add clips/",
    "/ask?q=cat": "swipewise videos add clips/",
}


@pytest.fixture(scope="module")
def nothing(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[BrowserContext, str]]:
    """A window, and a server of a workspace without videos, events and models, which asks for no keys."""
    workspace = Workspace.create(tmp_path_factory.mktemp("nothing") / "shop")
    with serving(workspace.root) as address:
        window = browser.new_context()
        yield window, address
        window.close()


@pytest.mark.parametrize("path", EMPTY)
def test_where_there_is_nothing_every_page_says_what_to_do(nothing: tuple[BrowserContext, str], path: str) -> None:
    window, address = nothing
    page, complaints = window.new_page(), Complaints(address)
    complaints.listen(page)
    visit(page, f"{address}/console{path}")
    complete(page)
    assert page.locator("code", has_text=EMPTY[path]).first.is_visible()
    assert grave_faults(page) == {}
    assert complaints.found == []
    page.close()


def test_pages_are_reached_with_the_keyboard(page: Page, served: Served) -> None:
    opened(page, served, "/", "Overview")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    reached = []
    for _ in range(3):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent").strip())
    assert reached == ["Swipewise", "Overview", "Feed"]
    page.keyboard.press("Enter")
    page.get_by_role("heading", level=1, name="Feed").wait_for()


def test_the_theme_is_kept(browser: Browser, states: dict[str, Any], served: Served) -> None:
    window = browser.new_context(storage_state=states["admin"])
    page = opened(window.new_page(), served, "/", "Overview")
    theme = "document.documentElement.dataset.theme"
    assert page.evaluate(theme) == "light"
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate(theme) == "dark"
    page.reload()
    arrived(page)
    assert page.evaluate(theme) == "dark"
    window.close()


def test_tables_are_taken_away_from_where_they_are_shown(page: Page, served: Served) -> None:
    opened(page, served, "/", "Overview")
    with page.expect_download() as begun:
        page.get_by_role("link", name="Funnel as csv").click()
    assert begun.value.suggested_filename == "funnel.csv"
    assert begun.value.path().read_text().startswith("step,interactions,share\n")


def test_a_page_that_cannot_be_made_says_why(page: Page, served: Served, complaints: Complaints) -> None:
    some_day = next((served.workspace.events_dir / "history").glob("day=*"))
    away = some_day.with_name("away")
    some_day.rename(away)
    try:
        page.goto(f"{served.address}/console/viewers?id=viewer00003")
        page.get_by_role("heading", name="This page cannot be shown").wait_for()
    finally:
        away.rename(some_day)
    # Only the page's own status, of which the browser tells twice.
    assert len(complaints.found) == 2
    complaints.found.clear()
