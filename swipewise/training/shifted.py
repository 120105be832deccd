"""The shifts of interest in a workspace, in words and example videos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import polars as pl

from swipewise.behavior.judging import Shift
from swipewise.behavior.shifts import ShiftDetector, ShiftSettings
from swipewise.behavior.wording import CaptionWords
from swipewise.errors import UnknownIdError
from swipewise.schema import Modality
from swipewise.training.crowd import caption_words
from swipewise.training.dataset import Dataset
from swipewise.training.tastes import log_of
from swipewise.training.workspace_data import load_dataset
from swipewise.workspace import Workspace

_THEME: Final = pl.Struct({"words": pl.List(pl.String), "videos": pl.List(pl.String)})
SHIFT_SCHEMA: Final[dict[str, Any]] = {
    "viewer_id": pl.String,
    "at": pl.String,
    "noticed_at": pl.String,
    "interactions": pl.Int64,
    "odds": pl.Float64,
    "modality": pl.String,
    "from": _THEME,
    "to": _THEME,
}
"""The fields of ``as_row``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The shifts, the newest first, and what names them."""

    shifts: Sequence[Shift]
    dataset: Dataset
    words: CaptionWords


def found_shifts(
    workspace: Workspace,
    *,
    viewer: str | None = None,
    odds: float | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Found:
    """Look for shifts in all that viewers did.

    Args:
        workspace: Whose viewers.
        viewer: Only this one's.
        odds: How sure to be; None: as the detector is by default.
        on_progress: Told how many periods of the log are done, and how many there are.

    Raises:
        UnknownIdError: There is no such viewer.
        DataError: There are no videos or no interactions.
        StoreError: The workspace cannot be read.
    """
    dataset = load_dataset(workspace)
    if viewer is not None and viewer not in dataset.viewer_ids:
        raise UnknownIdError(
            f"no viewer {viewer!r} has a profile or has done anything: 'swipewise behavior shifts' lists whose "
            "interest shifted"
        )
    settings = ShiftSettings() if odds is None else ShiftSettings(odds=odds)
    shifts = ShiftDetector(settings, on_progress=on_progress).detect(log_of(dataset))[::-1]
    if viewer is not None:
        shifts = [shift for shift in shifts if dataset.viewer_ids[shift.viewer] == viewer]
    return Found(shifts=shifts, dataset=dataset, words=caption_words(workspace, dataset.video_ids))


def as_row(shift: Shift, found: Found) -> dict[str, Any]:
    """A shift as plain values."""

    def moment(milliseconds: int) -> str:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")

    def theme(videos: Sequence[int]) -> dict[str, list[str]]:
        # Only what a caption says is named by its words: those beside a picture or a sound belong to other themes.
        named = found.words.naming(videos) if shift.modality == Modality.TEXT else []
        return {"words": named, "videos": [found.dataset.video_ids[video] for video in videos]}

    return {
        "viewer_id": found.dataset.viewer_ids[shift.viewer],
        "at": moment(shift.at),
        "noticed_at": moment(shift.noticed_at),
        "interactions": shift.place,
        "odds": float(f"{shift.odds:.3g}"),
        "modality": shift.modality,
        "from": theme(shift.left),
        "to": theme(shift.joined),
    }
