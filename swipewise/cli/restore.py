"""``swipewise restore``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from swipewise.cli.options import json_option

_EXAMPLES = """\b
Examples:
  swipewise restore /backups/monday shop
  SWIPEWISE_DATABASE=postgresql://swipewise@db/shop swipewise restore /backups/monday shop
"""


@click.command(epilog=_EXAMPLES)
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.argument("target", type=click.Path(path_type=Path, file_okay=False))
@json_option
def command(directory: Path, target: Path, as_json: bool) -> None:
    """Make the workspace TARGET of the backup in DIRECTORY, after checking every file of it.

    TARGET must be new or empty, and so must the database that its configuration names, if any. The live log may go
    from a file to PostgreSQL and back. A viewer who was erased after the backup was made is there again: erase them
    again with 'swipewise viewers erase'.
    """
    from swipewise.backup import restore_backup
    from swipewise.cli.backup import facts, in_words

    manifest = restore_backup(directory, target)
    if as_json:
        click.echo(json.dumps({"workspace": str(target), **facts(manifest)}))
        return
    click.echo(f"made {target}: {in_words(manifest)}")
