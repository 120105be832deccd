"""From files to the catalogue: media, encoders, catalogue; resumable.

The names resolve on first use: worker processes import from here and must start without the stores.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swipewise.ingest.progress import IngestSummary as IngestSummary
    from swipewise.ingest.progress import Progress as Progress
    from swipewise.ingest.run import encode_videos as encode_videos
    from swipewise.ingest.run import ingest_videos as ingest_videos
    from swipewise.ingest.watch import watch_videos as watch_videos

__all__ = ["IngestSummary", "Progress", "encode_videos", "ingest_videos", "watch_videos"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'swipewise.ingest' has no attribute {name!r}")
    home = {"watch_videos": "watch", "IngestSummary": "progress", "Progress": "progress"}.get(name, "run")
    return getattr(import_module(f"swipewise.ingest.{home}"), name)
