"""``swipewise keys``: who may ask the server for what, and what they did."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from swipewise.cli.options import json_option, with_workspace, workspace_option
from swipewise.cli.trail import who

if TYPE_CHECKING:
    from swipewise.events.database import Database
    from swipewise.events.keys import ApiKey
    from swipewise.workspace import Workspace

_SCOPES = ("events", "feed", "admin", "read")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}

_EXAMPLES = """\b
Examples:
  swipewise keys create --scope feed --scope events --name app
  swipewise keys create --scope admin --name ops --expires 90d
  swipewise keys list
  swipewise keys revoke app
  swipewise keys audit
"""


def _moment(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    """A duration from now, or a date or time; without a zone it is in UTC."""
    if value is None:
        return None
    try:
        if duration := re.fullmatch(r"(\d+)([mhd])", value):
            return datetime.now(UTC) + int(duration[1]) * _UNITS[duration[2]]
        moment = datetime.fromisoformat(value)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            f"{value!r} is no time: write 90d, 12h, 30m, or a date as in 2030-01-31"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@click.group(epilog=_EXAMPLES)
def command() -> None:
    """Make, list and revoke the keys that the server asks for.

    It asks for them where swipewise.toml has keys = "required" under [server]. A client sends one in the header
    'Authorization: Bearer KEY'. A server that runs takes a new key at once, and refuses a revoked one within seconds.
    """


@command.command(epilog=_EXAMPLES)
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(_SCOPES),
    multiple=True,
    help="What it may be used for: events, to post what viewers do; feed, to read feeds; read, to look at the "
    "console; admin, for everything. "
    "May be given more than once.",
)
@click.option("--name", default="", help="What to call it, in logs and in the audit.  [default: its id]")
@click.option(
    "--expires",
    metavar="WHEN",
    callback=_moment,
    help="When it ends: 90d, 12h, 30m from now, or a date.  [default: never]",
)
@workspace_option
@json_option
def create(
    scopes: tuple[str, ...], name: str, expires: datetime | None, workspace: Workspace, as_json: bool
) -> None:
    """Make a key. It is shown this once: only its hash is kept."""
    from swipewise.events.keys import KeyStore, Scope

    with _opened(workspace) as database:
        key, secret = KeyStore(database).create(
            [Scope(scope) for scope in scopes], name=name, expires_at=expires, who=who()
        )
    if as_json:
        click.echo(json.dumps({**_facts(key), "key": secret}, ensure_ascii=False))
        return
    click.echo(secret)
    click.echo(f"key {key.key_id} {key.name!r} for {_scopes(key)}: keep it, it cannot be shown again", err=True)


@command.command("list", epilog="Example: swipewise keys list")
@workspace_option
@json_option
def list_keys(workspace: Workspace, as_json: bool) -> None:
    """List keys, also those that are not to be used any more."""
    from swipewise.events.keys import KeyStore

    with _opened(workspace) as database:
        keys = KeyStore(database).all()
    if as_json:
        click.echo(json.dumps([_facts(key) for key in keys], ensure_ascii=False, indent=2))
        return
    if not keys:
        click.echo(with_workspace("no keys yet: make one with 'swipewise keys create --scope feed'"))
    for key in keys:
        click.echo(f"{key.key_id:<13} {key.name:<20} {_scopes(key):<19} {_state(key)}")


@command.command(epilog="Example: swipewise keys revoke app")
@click.argument("key")
@workspace_option
@json_option
def revoke(key: str, workspace: Workspace, as_json: bool) -> None:
    """End a key, named by its id or its name."""
    from swipewise.events.keys import KeyStore

    with _opened(workspace) as database:
        revoked = KeyStore(database).revoke(key, who=who())
    if as_json:
        click.echo(json.dumps(_facts(revoked), ensure_ascii=False))
    else:
        click.echo(
            f"key {revoked.key_id} {revoked.name!r} is revoked: a server that runs refuses it within seconds"
        )


@command.command(epilog="Example: swipewise keys audit --limit 20")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="Entries, newest first."
)
@workspace_option
@json_option
def audit(limit: int, workspace: Workspace, as_json: bool) -> None:
    """List what was done with keys of scope admin, and to keys: when, by whom, what, and how it was answered."""
    from swipewise.events.audit_log import AuditLog

    with _opened(workspace) as database:
        entries = AuditLog(database).newest(limit)
    if as_json:
        rows = [
            {
                "at": entry.at.isoformat(),
                "who": entry.who,
                "key_id": entry.key_id,
                "action": entry.action,
                "target": entry.target,
                "status": entry.status,
                "request_id": entry.request_id,
            }
            for entry in entries
        ]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    if not entries:
        click.echo("nothing was done yet")
    for entry in entries:
        status = "-" if entry.status is None else entry.status
        click.echo(f"{entry.at:%Y-%m-%d %H:%M:%S}  {entry.who:<20} {status:>3}  {entry.action}  {entry.target}")


@contextmanager
def _opened(workspace: Workspace) -> Iterator[Database]:
    from swipewise.events.database import Database

    database = Database(workspace.events_dir)
    try:
        yield database
    finally:
        database.close()


def _scopes(key: ApiKey) -> str:
    return ", ".join(sorted(key.scopes))


def _state(key: ApiKey) -> str:
    if fault := key.fault(datetime.now(UTC)):
        return fault
    return "in use" if key.expires_at is None else f"in use until {key.expires_at:%Y-%m-%d %H:%M} UTC"


def _facts(key: ApiKey) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "state": _state(key),
        "created_at": key.created_at.isoformat(),
        "expires_at": key.expires_at and key.expires_at.isoformat(),
        "revoked_at": key.revoked_at and key.revoked_at.isoformat(),
    }
