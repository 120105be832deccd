"""What a backup holds: every file with its size and SHA-256. It is written last, so a backup without one is partial.

::

    swipewise-backup.json   what is here
    live/<table>.jsonl      the live log: a line with the columns, then a row a line
    files/                  everything else, laid out as in a workspace
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from swipewise.errors import ArtifactError

MANIFEST_NAME: Final = "swipewise-backup.json"
LIVE_FOLDER: Final = "live"
FILES_FOLDER: Final = "files"
FORMAT: Final = 1
_CHECKSUM: Final = "checksum"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup holds.

    Attributes:
        format: Version of the layout of backups.
        swipewise: Version that made it.
        made_at: When, ISO 8601 in UTC.
        live_schema: Schema version of the live log, None where there was none.
        rows: Rows of each of its tables.
        history_version: Version of the history's Delta table, None where there was none.
        files: For each file, by its path within the backup, its size in bytes and its SHA-256.
    """

    format: int
    swipewise: str
    made_at: str
    live_schema: int | None
    rows: dict[str, int]
    history_version: int | None
    files: dict[str, tuple[int, str]]

    @property
    def bytes(self) -> int:
        """The size of all files together."""
        return sum(size for size, _ in self.files.values())

    def write(self, folder: Path) -> None:
        """Write it into a backup's folder, which makes that one complete.

        Args:
            folder: Of the backup.
        """
        record = asdict(self)
        record[_CHECKSUM] = _checksum(record)
        (folder / MANIFEST_NAME).write_text(json.dumps(record, indent=1), encoding="utf-8")


def measure_files(folder: Path) -> dict[str, tuple[int, str]]:
    """Size and SHA-256 of every file below a folder, by its path within it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_size, _sha256(path)) for path in files}


def verify_backup(folder: Path) -> Manifest:
    """Read every file of a backup and hold it against the manifest.

    Args:
        folder: Of the backup.

    Returns:
        What it holds.

    Raises:
        ArtifactError: It is no backup, partial, damaged, or of a newer version; names the first file that differs.
    """
    manifest = _read(folder)
    for name, (size, sha256) in manifest.files.items():
        path = folder / name
        try:
            if path.stat().st_size != size or _sha256(path) != sha256:
                raise ArtifactError(
                    f"the backup {folder} is damaged: {name} is not as it was written; use another"
                )
        except OSError as error:
            raise ArtifactError(
                f"the backup {folder} is damaged: cannot read {name}: {error.strerror}; use another"
            ) from error
    return manifest


def _read(folder: Path) -> Manifest:
    path = folder / MANIFEST_NAME
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        checksum = record.pop(_CHECKSUM)
    except FileNotFoundError:
        raise ArtifactError(
            f"no {MANIFEST_NAME} in {folder}: it is no backup, or one that was not finished"
        ) from None
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ArtifactError(f"the backup {folder} is damaged: cannot read {MANIFEST_NAME}; use another") from error
    if checksum != _checksum(record):
        raise ArtifactError(
            f"the backup {folder} is damaged: {MANIFEST_NAME} is not as it was written; use another"
        )
    if any(Path(name).is_absolute() or ".." in Path(name).parts for name in record["files"]):
        raise ArtifactError(f"the backup {folder} is damaged: {MANIFEST_NAME} names files elsewhere; use another")
    if record["format"] > FORMAT:
        raise ArtifactError(
            f"the backup {folder} has format {record['format']}, this Swipewise knows up to {FORMAT}: upgrade "
            "Swipewise"
        )
    return Manifest(**(record | {"files": {name: tuple(facts) for name, facts in record["files"].items()}}))


def _checksum(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
