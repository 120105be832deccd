"""Every page in Chromium: it loads cleanly, can be read by everybody, and fits a phone."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.console.conftest import Complaints, Served

PAGES = {
    "/": "Overview",
    "/feed?viewer=viewer00000": "Feed",
}
EVERY = pytest.mark.parametrize(("path", "title"), PAGES.items())


def opened(page: Page, served: Served, path: str, title: str) -> Page:
    page.goto(f"{served.address}/console{path}", wait_until="networkidle")
    page.get_by_role("heading", level=1, name=title).wait_for()
    return page


@EVERY
def test_every_page_loads_cleanly_and_harms_nobody(page: Page, served: Served, path: str, title: str) -> None:
    opened(page, served, path, title)
    assert page.title() == f"{title} · Swipewise"
    for theme in ("light", "dark"):
        page.evaluate("theme => (document.documentElement.dataset.theme = theme)", theme)
        found = Axe().run(page, options={"preload": False}).response["violations"]
        grave = {
            each["id"]: [node["html"] for node in each["nodes"]][:3]
            for each in found
            if each["impact"] in ("serious", "critical")
        }
        assert grave == {}, theme


@EVERY
def test_every_page_fits_a_phone(
    browser: Browser, states: dict[str, Any], served: Served, complaints: Complaints, path: str, title: str
) -> None:
    context = browser.new_context(storage_state=states["admin"], viewport={"width": 390, "height": 844})
    page = context.new_page()
    complaints.listen(page)
    opened(page, served, path, title)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not page.get_by_role("navigation").is_visible()
    page.get_by_role("button", name="Menu").click()
    assert page.get_by_role("link", name=title, exact=True).get_attribute("aria-current") == "page"
    context.close()


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
