"""Makes a workspace of a backup."""

from __future__ import annotations

from pathlib import Path

from swipewise.backup.live import load_live, release_live
from swipewise.backup.manifest import FILES_FOLDER, LIVE_FOLDER, Manifest, verify_backup
from swipewise.backup.stores import copy_file
from swipewise.errors import StoreError
from swipewise.events.address import find_database
from swipewise.staging import put_in_place, refuse_what_is_there, staging
from swipewise.workspace import Workspace

_NEEDS = "a restored workspace needs a folder of its own"


def restore_backup(backup: Path, target: Path) -> Manifest:
    """Make the workspace that a backup holds, after every file of it was checked.

    The live log goes where the restored configuration, or ``$SWIPEWISE_DATABASE``, says: to a file of the workspace or
    into a database, which must hold none; it need not be of the kind that it was.

    Args:
        backup: The backup's folder; it is only read.
        target: A folder that does not exist, or is empty.

    Returns:
        What the backup holds.

    Raises:
        ArtifactError: The backup is partial, damaged, or of a newer version.
        WorkspaceError: The target or the database holds something, or another process is making it.
        StoreError: The target or the database cannot be written.
    """
    refuse_what_is_there(target, _NEEDS)
    manifest = verify_backup(backup)
    with staging(target, "restoring") as folder:
        try:
            for name in map(Path, manifest.files):
                if name.parts[0] == FILES_FOLDER:
                    copy_file(backup / name, folder / name.relative_to(FILES_FOLDER))
        except OSError as error:
            raise StoreError(f"cannot restore {backup} to {target}: {error}") from error
        events_dir = Workspace.open(folder).events_dir
        # A log within the folder takes its place with it; one elsewhere may be used only once the folder is in place.
        is_elsewhere = (
            manifest.live_schema is not None and find_database(events_dir).get_backend_name() != "sqlite"
        )
        if manifest.live_schema is not None:
            load_live(events_dir, backup / LIVE_FOLDER, manifest.live_schema, manifest.rows)
            if not is_elsewhere:
                release_live(events_dir)
        refuse_what_is_there(target, _NEEDS)
        put_in_place(folder, target)
    if is_elsewhere:
        release_live(Workspace.open(target).events_dir)
    return manifest
