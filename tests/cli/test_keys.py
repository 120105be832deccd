"""``swipewise keys``: from the first key to the audit."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from swipewise.cli import cli
from swipewise.errors import SwipewiseError, UnknownIdError
from swipewise.workspace import Workspace


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return Workspace.create(tmp_path / "shop").root


def run(shop: Path, *arguments: str) -> Any:
    return CliRunner().invoke(cli, ["keys", *arguments, "-w", str(shop)], catch_exceptions=False)


def facts(shop: Path, *arguments: str) -> Any:
    answer = run(shop, *arguments, "--json")
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


def test_a_key_is_shown_once_and_alone_on_stdout(shop: Path) -> None:
    made = run(shop, "create", "--scope", "feed", "--scope", "events", "--name", "app")
    key = made.stdout.strip()
    assert key.startswith("swk_")
    assert "it cannot be shown again" in made.stderr
    assert key not in made.stderr
    (listed,) = facts(shop, "list")
    assert (listed["name"], listed["scopes"], listed["state"]) == ("app", ["events", "feed"], "in use")
    assert listed["key_id"] in key
    for answer in (run(shop, "list"), run(shop, "list", "--json"), run(shop, "audit")):
        assert key.split("_", 2)[2] not in answer.output


@pytest.mark.parametrize(
    ("written", "expected"),
    [("90d", timedelta(days=90)), ("12h", timedelta(hours=12)), ("30m", timedelta(minutes=30))],
)
def test_expiry_as_a_duration(shop: Path, written: str, expected: timedelta) -> None:
    before = datetime.now(UTC)
    expires = datetime.fromisoformat(facts(shop, "create", "--scope", "feed", "--expires", written)["expires_at"])
    assert before + expected <= expires <= datetime.now(UTC) + expected


def test_expiry_as_a_date(shop: Path) -> None:
    made = facts(shop, "create", "--scope", "feed", "--expires", "2999-01-31")
    assert made["expires_at"] == "2999-01-31T00:00:00+00:00"


@pytest.mark.parametrize("written", ["soon", "5w", "99999999999d"])
def test_an_expiry_that_is_none(shop: Path, written: str) -> None:
    answer = run(shop, "create", "--scope", "feed", "--expires", written)
    assert answer.exit_code == 2
    assert f"'{written}' is no time: write 90d" in answer.output
    assert facts(shop, "list") == []


def test_a_key_needs_a_scope(shop: Path) -> None:
    with pytest.raises(SwipewiseError, match="give one of events, feed, admin"):
        run(shop, "create")
    assert "'all' is not one of 'events', 'feed', 'admin'" in run(shop, "create", "--scope", "all").output


def test_revoking(shop: Path) -> None:
    facts(shop, "create", "--scope", "feed", "--name", "app")
    assert "'app' is revoked" in run(shop, "revoke", "app").output
    assert facts(shop, "list")[0]["state"].startswith("was revoked at")
    with pytest.raises(UnknownIdError, match="no key 'other'"):
        run(shop, "revoke", "other")
    with pytest.raises(SwipewiseError, match="already"):
        run(shop, "revoke", "app")
    assert [(each["action"], each["status"]) for each in facts(shop, "audit")] == [
        ("keys revoke", None),
        ("keys create", None),
    ]
    assert facts(shop, "audit")[0]["who"].startswith("command line (")
    assert len(facts(shop, "audit", "--limit", "1")) == 1


def test_without_keys(shop: Path) -> None:
    assert "no keys yet" in run(shop, "list").output
    assert "nothing was done yet" in run(shop, "audit").output
