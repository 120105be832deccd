"""Take new files as they arrive in folders.

The folders are looked through at every interval. A file is taken once it has stayed the same from one look to the
next, so that one that is still being written is left to finish; a file that changes later is taken again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from swipewise.catalog import Catalog
from swipewise.errors import InputFileError, WorkspaceError
from swipewise.ingest.executor import worker_pool
from swipewise.ingest.progress import IngestSummary
from swipewise.ingest.run import ingest_videos
from swipewise.ingest.sources import media_files
from swipewise.schema import Col
from swipewise.workspace import Workspace

Stamp = tuple[int, int]
"""Size and time of the last change of a file, nanoseconds."""


def watch_videos(
    workspace: Workspace,
    folders: Sequence[Path],
    *,
    wait: Callable[[], bool],
    on_taken: Callable[[IngestSummary], None],
    on_busy: Callable[[], None] = lambda: None,
) -> None:
    """Take the media files of folders, those that are there and those that come, until told to stop.

    Workers are started once, so that a model is read once. What was taken before is known by its content, so watching
    can be stopped and started at any time.

    Args:
        workspace: Where the catalogue lies.
        folders: Looked through at any depth.
        wait: Waits for an interval; False ends the watch.
        on_taken: Told of each round in which files were taken.
        on_busy: Told when another ingestion is running in the workspace: the files are left for the next round.

    Raises:
        InputFileError: A folder does not exist.
        ConfigError: The configured encoders cannot be had.
        StoreError: The catalogue cannot be read or written.
    """
    for folder in folders:
        if not folder.is_dir():
            raise InputFileError(f"{folder} is not a folder: name one that exists")
    taken = _taken_before(workspace, folders)
    before: Mapping[Path, Stamp] = {}
    with worker_pool(workspace.config) as pool:
        while True:
            now = _stamps(folders)
            settled = [path for path, stamp in now.items() if before.get(path) == stamp != taken.get(path)]
            if settled:
                try:
                    on_taken(ingest_videos(workspace, settled, pool=pool))
                    taken |= {path: now[path] for path in settled}
                except WorkspaceError:
                    on_busy()
            before = now
            if not wait():
                return


def _taken_before(workspace: Workspace, folders: Sequence[Path]) -> dict[Path, Stamp]:
    """Files that the catalogue has from an earlier watch and that were not changed since: they need no reading."""
    known = Catalog(workspace.catalog_dir).videos().select(Col.URI, Col.INGESTED_AT)
    taken_at = {Path(uri): int(at.timestamp() * 1e9) for uri, at in known.iter_rows()}
    return {path: stamp for path, stamp in _stamps(folders).items() if stamp[1] < taken_at.get(path, 0)}


def _stamps(folders: Sequence[Path]) -> dict[Path, Stamp]:
    found = {}
    for folder in folders:
        for path in media_files(folder.absolute()):
            try:
                status = path.stat()
            except OSError:  # gone since it was listed, or unreadable: the next look will tell
                continue
            found[path] = (status.st_size, status.st_mtime_ns)
    return found
