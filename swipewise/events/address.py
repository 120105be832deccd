"""Where the live store of a workspace lies: a file of its own, or a database that its configuration names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from swipewise.config import Config, database_fault
from swipewise.errors import ConfigError
from swipewise.workspace import CONFIG_NAME

LIVE_NAME: Final = "live.sqlite"
DATABASE_VARIABLE: Final = "SWIPEWISE_DATABASE"
PASSWORD_VARIABLE: Final = "SWIPEWISE_DATABASE_PASSWORD"

_DRIVER: Final = "postgresql+psycopg"


def find_database(events_dir: Path) -> sa.URL:
    """The address of the live store of this events folder, with its password.

    ``$SWIPEWISE_DATABASE`` comes before ``events.database`` of the workspace around the folder; where both are empty,
    it is a file in the folder. ``$SWIPEWISE_DATABASE_PASSWORD`` comes before a password in the address.

    Raises:
        ConfigError: The address cannot be understood, or the configuration that may name one; no message quotes it.
    """
    address, named_by = os.environ.get(DATABASE_VARIABLE, ""), DATABASE_VARIABLE
    if not address:
        config, named_by = events_dir.parent / CONFIG_NAME, "events.database"
        address = Config.load(config).events.database if config.is_file() else ""
    if not address:
        return sa.URL.create("sqlite", database=str(events_dir / LIVE_NAME))
    if fault := database_fault(address):
        raise ConfigError(f"{named_by} {fault}")
    try:
        url = sa.make_url(address).set(drivername=_DRIVER)
    except (sa.exc.ArgumentError, ValueError):
        # What SQLAlchemy says quotes the address, and with it the password.
        raise ConfigError(f"{named_by} is no address of a database: postgresql://user@host:5432/name is") from None
    password = os.environ.get(PASSWORD_VARIABLE)
    return url.set(password=password) if password else url


def shown(url: sa.URL) -> str:
    """An address as messages may show it: no password, and no parameters, which may hold one."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return sa.URL.create("postgresql", url.username, None, url.host, url.port, url.database).render_as_string()


def without_password(address: str) -> str:
    """An address that was accepted, without its password and without parameters that hold one."""
    url = sa.make_url(address)
    kept = {name: value for name, value in url.query.items() if "password" not in name}
    return url.set(query=kept)._replace(password=None).render_as_string()
