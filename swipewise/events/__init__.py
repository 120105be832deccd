"""Behaviour: the live log, the history, and both as interactions and sequences."""

from swipewise.events.bulk import append_interactions
from swipewise.events.compaction import Compacted, compact
from swipewise.events.controls import Controls, ViewerControls
from swipewise.events.erasure import Erasure, erase_viewer, finish_erasures
from swipewise.events.export import export_viewer
from swipewise.events.folded import interaction_parts
from swipewise.events.folding import as_sequences, fold
from swipewise.events.importing import ImportSummary, import_events
from swipewise.events.live import Appended, EventLog, LiveRow
from swipewise.events.reading import (
    read_active_days,
    read_events,
    read_interactions,
    read_profiles,
    read_sequences,
    video_interactions,
    viewer_interactions,
)
from swipewise.events.rollups import Rollups, read_rollups
from swipewise.events.viewers import import_viewers

__all__ = [
    "Appended",
    "Compacted",
    "Controls",
    "Erasure",
    "EventLog",
    "ImportSummary",
    "LiveRow",
    "Rollups",
    "ViewerControls",
    "append_interactions",
    "as_sequences",
    "compact",
    "erase_viewer",
    "export_viewer",
    "finish_erasures",
    "fold",
    "import_events",
    "import_viewers",
    "interaction_parts",
    "read_active_days",
    "read_events",
    "read_interactions",
    "read_profiles",
    "read_rollups",
    "read_sequences",
    "video_interactions",
    "viewer_interactions",
]
