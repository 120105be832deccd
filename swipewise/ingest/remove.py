"""Take videos out of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from swipewise.catalog import Catalog
from swipewise.errors import WorkspaceError
from swipewise.events.database import existing_database
from swipewise.events.jobs import JobQueue
from swipewise.ingest.duplicates import link_duplicates
from swipewise.schema import Col
from swipewise.workspace import Workspace


def remove_videos(workspace: Workspace, video_ids: Sequence[str]) -> None:
    """Take videos, their vectors and thumbnails out of the catalogue; those that are out already are no error.

    From the moment this returns no reader of the catalogue meets them. Files stay where they are, but for clips that
    were sent to the server. Where an ingestion is at work, rows and files go when it ends. A file of such a video is
    only taken again where somebody asks for it anew.

    Raises:
        UnknownIdError: There is no video with one of these ids, and never was; nothing is removed.
        StoreError: The catalogue cannot be written.
    """
    catalog = Catalog(workspace.catalog_dir)
    gone = set(catalog.removals.ids())
    videos = [catalog.get(video_id) for video_id in dict.fromkeys(video_ids) if video_id not in gone]
    catalog.removals.write(videos)
    for video in videos:
        catalog.thumbnails.write(video.video_id, None)
    try:
        with workspace.lock("catalog"):
            if purge(workspace, catalog):
                if workspace.config.ingest.duplicates:
                    link_duplicates(catalog, {})
                catalog.compact()  # until then the files hold the words of what is gone
    except WorkspaceError:
        return  # whoever holds the lock purges when it is done


def purge(workspace: Workspace, catalog: Catalog) -> bool:
    """Delete the rows of removed videos, and their clips where these were sent to the server; hold the lock.

    Returns:
        Whether there were any.

    Raises:
        StoreError: The catalogue cannot be written.
    """
    left = catalog.rows_left(catalog.removals.ids())
    if left.is_empty():
        return False
    sent = [uri for uri in left[Col.URI] if Path(uri).parent == workspace.uploads_dir]
    if sent:
        with existing_database(workspace.events_dir) as database:
            wanted = JobQueue(database).wanted(sent) if database else frozenset()
        for uri in set(sent) - wanted - catalog.uris_in_use(sent):
            Path(uri).unlink(missing_ok=True)
    catalog.links.forget(left[Col.VIDEO_ID].to_list())
    # Last, as only the rows tell what else is to go.
    catalog.delete(left[Col.VIDEO_ID].to_list())
    return True
