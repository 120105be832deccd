"""What administrators change from pages, with a confirmation and in the audit; who may only look changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from swipewise.events.audit_log import AuditLog
from swipewise.events.database import Database
from swipewise.feed.publishing import read_published
from tests.console.conftest import Complaints, Served, visit


def published(served: Served) -> str:
    found = read_published(served.workspace)
    assert found is not None
    return found.current.run


def audited(served: Served) -> list[tuple[str, str, str, int | None]]:
    database = Database(served.workspace.events_dir)
    try:
        return [(each.who, each.action, each.target, each.status) for each in AuditLog(database).newest(5)]
    finally:
        database.close()


def opened(page: Page, served: Served, path: str) -> None:
    visit(page, f"{served.address}/console{path}")


def test_a_run_is_published_and_taken_back_after_a_confirmation(page: Page, served: Served) -> None:
    opened(page, served, "/models")
    before = published(served)
    other = next(run for run in served.runs if run != before)
    page.get_by_role("button", name=f"Publish {other}").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert published(served) == before
    page.get_by_role("button", name=f"Publish {other}").click()
    page.get_by_role("dialog").get_by_role("button", name=f"Publish {other}").click()
    page.get_by_role("row", name=other).get_by_text("serving").wait_for()
    assert published(served) == other
    page.get_by_role("button", name="Roll back").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    page.get_by_role("row", name=before).get_by_text("serving").wait_for()
    assert published(served) == before
    assert [each for each in audited(served) if "sign in" not in each[1]][:2] == [
        ("admin", "console rollback", "", 200),
        ("admin", "console publish", other, 200),
    ]


def test_a_rejected_file_is_tried_again(page: Page, served: Served) -> None:
    opened(page, served, "/ingestion")
    row = page.get_by_role("listitem").filter(has_text=served.rejected)
    assert row.get_by_text("it was locked").is_visible()
    row.get_by_role("button", name="Try again").click()
    page.get_by_text("is queued again").wait_for()
    page.get_by_role("row").filter(has_text=served.rejected).wait_for()
    assert ("admin", "console retry", served.rejected, 200) in audited(served)


@pytest.mark.parametrize(("path", "name"), [("/models", "Roll back"), ("/ingestion", "Try again")])
def test_who_may_only_look_finds_the_buttons_out_of_use(
    browser: Browser, states: dict[str, Any], served: Served, complaints: Complaints, path: str, name: str
) -> None:
    context = browser.new_context(storage_state=states["read"])
    page = context.new_page()
    complaints.listen(page)
    opened(page, served, path)
    button = page.get_by_role("button", name=name).first
    assert button.is_disabled()
    # Also where somebody puts it into use in the browser, the server does nothing.
    page.evaluate("() => document.querySelectorAll('button').forEach(button => (button.disabled = false))")
    before = published(served)
    button.click()
    if path == "/models":
        page.get_by_role("dialog").get_by_role("button", name=name).click()
    page.get_by_text("key 'read' may only look").wait_for()
    assert published(served) == before
    context.close()
