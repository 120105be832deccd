"""Every page in Chromium: it loads cleanly, can be read by everybody, and fits a phone."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.console.conftest import Complaints, Served

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
    "/models": ("Models", "Models"),
    "/ingestion": ("Ingestion", "Ingestion"),
    "/ask?q=clip": ("Ask", "Ask"),
}


def opened(page: Page, served: Served, path: str, title: str) -> Page:
    page.goto(f"{served.address}/console{path}", wait_until="networkidle")
    page.get_by_role("heading", level=1, name=title).wait_for()
    return page


def grave_faults(page: Page, **options: Any) -> dict[str, list[str]]:
    """What axe-core finds that keeps people out."""
    found = Axe().run(page, options={"preload": False, **options}).response["violations"]
    return {
        each["id"]: [node["html"] for node in each["nodes"]][:3]
        for each in found
        if each["impact"] in ("serious", "critical")
    }


@pytest.mark.parametrize("path", PAGES)
def test_every_page_loads_cleanly_keeps_nobody_out_and_fits_a_phone(page: Page, served: Served, path: str) -> None:
    title, section = PAGES[path]
    opened(page, served, path, title)
    assert page.title() == f"{title} · Swipewise"
    assert grave_faults(page) == {}
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    # All but the colours is the same in both themes.
    assert grave_faults(page, runOnly=["color-contrast", "link-in-text-block"]) == {}
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not page.get_by_role("navigation").is_visible()
    page.get_by_role("button", name="Menu").click()
    assert page.get_by_role("link", name=section, exact=True).get_attribute("aria-current") == "page"


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


def test_the_theme_is_kept(page: Page, served: Served) -> None:
    opened(page, served, "/", "Overview")
    theme = "document.documentElement.dataset.theme"
    assert page.evaluate(theme) == "light"
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate(theme) == "dark"
    page.reload(wait_until="networkidle")
    assert page.evaluate(theme) == "dark"


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
