"""Imports viewers' profiles from files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from swipewise.errors import DataError
from swipewise.events.files import check_readable, read_objects
from swipewise.events.importing import ImportSummary
from swipewise.events.layout import find_columns
from swipewise.events.live import EventLog
from swipewise.events.rejects import Rejects
from swipewise.events.rules import features_json, stated
from swipewise.events.tables import Objects
from swipewise.schema import Col, Profile
from swipewise.workspace import Workspace


def import_viewers(workspace: Workspace, paths: Sequence[Path], *, mapping: Mapping[str, str]) -> ImportSummary:
    """Import profiles: a ``viewer_id`` column, every other column a feature. A later row replaces an earlier one.

    Each file is one transaction. Text in CSV is read as numbers or true and false where a whole column reads so;
    empty and NaN values are missing features.

    Args:
        workspace: Where to.
        paths: CSV, JSON Lines or Parquet files.
        mapping: For our names those of the files: ``viewer_id``, or a feature that is to be renamed.

    Returns:
        ``added`` counts profiles that are new or changed, ``duplicates`` rows that changed nothing,
            ``erased`` rows of erased viewers.

    Raises:
        InputFileError: A file cannot be read as what its ending claims, or lacks a column; the files before it
            are imported.
        WorkspaceError: Another import of viewers is running.
        StoreError: The store cannot be written.
    """
    for path in paths:
        check_readable(path)
    added = duplicates = erased = 0
    with workspace.lock("viewers"), EventLog.open(workspace.events_dir) as log:
        rejects = Rejects(workspace.events_dir, "viewers")
        try:
            for path in paths:
                objects = read_objects(path, as_text=mapping.get(Col.VIEWER_ID, Col.VIEWER_ID))
                put = log.put_profiles(_profiles(path, objects, mapping, rejects))
                added, duplicates, erased = added + put.added, duplicates + put.duplicates, erased + put.erased
        finally:
            rejects_file = rejects.finish()
    return ImportSummary(
        added=added, duplicates=duplicates, rejected=rejects.count, rejects_file=rejects_file, erased=erased
    )


def _profiles(path: Path, objects: Objects, mapping: Mapping[str, str], rejects: Rejects) -> list[Profile]:
    """The profiles of a file, one for each good row."""
    columns = list(dict.fromkeys(name for _, row in objects.rows for name in row))
    names = dict.fromkeys([Col.VIEWER_ID, *mapping])
    renamed = {
        source: name for name, source in find_columns(path, columns, mapping, names, [Col.VIEWER_ID]).items()
    }
    rejects.add_broken(path, objects.broken)
    profiles: list[Profile] = []
    for place, row in objects.rows:
        features = stated({renamed.get(name, name): value for name, value in row.items()})
        profile = Profile(viewer_id=_as_id(features.pop(Col.VIEWER_ID, None)), features=features)
        try:
            features_json(profile)
        except DataError as error:
            rejects.add(path, place, str(error), row)
            continue
        profiles.append(profile)
    return profiles


def _as_id(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()
