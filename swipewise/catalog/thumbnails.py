"""Small pictures of the videos, a file each."""

from __future__ import annotations

import hashlib
from pathlib import Path

from swipewise.errors import StoreError


class Thumbnails:
    """JPEGs by video id; a picture appears complete or not at all, and a new one replaces the old.

    Files go by a hash of the id, which may hold anything.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, video_id: str) -> Path:
        """Where the picture of this video lies if it has one."""
        name = hashlib.sha256(video_id.encode()).hexdigest()[:32]
        return self._directory / name[:2] / f"{name}.jpg"

    def read(self, video_id: str) -> bytes | None:
        """The picture, None where there is none.

        Raises:
            StoreError: It cannot be read.
        """
        path = self.path(video_id)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror}") from error

    def write(self, video_id: str, jpeg: bytes | None) -> None:
        """Keep the picture of a video; None takes away what an earlier cut of it had.

        Raises:
            StoreError: It cannot be written.
        """
        path = self.path(video_id)
        try:
            if jpeg is None:
                path.unlink(missing_ok=True)
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(".draft")  # one ingestion at a time writes
            draft.write_bytes(jpeg)
            draft.replace(path)
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror}") from error
