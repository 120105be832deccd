"""Copies of whole workspaces: made while a server runs, checked, and restored on either kind of live store."""

from swipewise.backup.copying import make_backup
from swipewise.backup.manifest import Manifest, verify_backup
from swipewise.backup.restoring import restore_backup

__all__ = ["Manifest", "make_backup", "restore_backup", "verify_backup"]
