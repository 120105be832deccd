"""Words on the screen, by the PP-OCR models that come with the package ``rapidocr``: nothing is downloaded.

Legend of shape suffixes: F = frames, H, W = rows and columns, C = 3 (RGB).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swipewise.errors import MissingExtraError
from swipewise.schema import Clip, Needs, Words

_RECIPE = 1
"""Of all that happens here; part of the identity."""

_SIDE = 960  # longer side that is looked at, pixels
_CONFIDENT = 0.8  # of a line's recognition; what is seen in textures lies below
_CELL = 16  # pixels
_CHANGED = 6.0  # grey levels by which a cell's mean differs where something else is shown


class ScreenText:
    """The lines shown in a clip's frames, each once, by frame and then from top to bottom.

    Raises:
        MissingExtraError: The package is not installed.
    """

    name = "rapidocr"
    kind = Words.SCREEN
    needs = Needs(frame_side=_SIDE)

    def __init__(self) -> None:
        try:
            installed = version("rapidocr")
            version("onnxruntime")
        except PackageNotFoundError as error:
            raise MissingExtraError("the recogniser rapidocr", "screen") from error
        # A dot would name a part of a column, where it is not one.
        self.version = f"{installed.replace('.', '_')}-{_RECIPE}"

    def recognize(self, clips: Sequence[Clip]) -> list[str | None]:
        """The lines of each clip, a line each; None where nothing is to be read."""
        engine = self._engine
        return [self._lines(engine, clip) for clip in clips]

    @cached_property
    def _engine(self) -> Any:
        import cv2
        from rapidocr import RapidOCR

        # A worker has one core; text that stands on its head is not worth a third model.
        cv2.setNumThreads(1)
        threads = dict.fromkeys(("intra_op_num_threads", "inter_op_num_threads"), 1)
        engine = RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.use_cls": False,
                "Global.text_score": _CONFIDENT,
                "Det.limit_type": "max",
                "Det.limit_side_len": _SIDE,
                **{f"EngineConfig.onnxruntime.{key}": value for key, value in threads.items()},
            }
        )
        # It reads each model when it first needs it, and this should fail, if it does, before the first clip.
        blank_HWC = np.zeros((64, 64, 3), np.uint8)
        for whether in (False, True):
            engine(blank_HWC, use_det=whether)
        return engine

    def _lines(self, engine: Any, clip: Clip) -> str | None:
        frames_FHWC = clip.frames_FHWC if clip.fine_frames_FHWC is None else clip.fine_frames_FHWC
        if frames_FHWC is None:
            return None
        lines: dict[str, str] = {}
        for frame_HWC in _changing(frames_FHWC):
            found = engine(np.ascontiguousarray(frame_HWC[:, :, ::-1]))  # BGR, as OpenCV has it
            for line in _top_to_bottom(found):
                lines.setdefault(_key(line), line)
        lines.pop("", None)
        return "\n".join(lines.values()) or None


def _top_to_bottom(found: Any) -> list[str]:
    """The lines of one frame; those of one height from left to right."""
    if found.txts is None:
        return []
    boxes_NPC = np.asarray(found.boxes, np.float64)  # P = 4 corners, C = x and y
    height = float(np.median(np.ptp(boxes_NPC[:, :, 1], axis=1)))
    row_N = np.round(boxes_NPC[:, :, 1].mean(axis=1) / max(height, 1.0))
    order = np.lexsort((boxes_NPC[:, :, 0].min(axis=1), row_N))
    return [" ".join(found.txts[place].split()) for place in order]


def _key(line: str) -> str:
    """By which a line is known again in another frame: its letters and digits, whatever was made of the rest."""
    return "".join(filter(str.isalnum, line.casefold()))


def _changing(frames_FHWC: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """The frames without those that look like the one read before: a still picture is read once."""
    before: NDArray[np.float32] | None = None
    for frame_HWC in frames_FHWC:
        cells = _cells(frame_HWC)
        if before is None or np.abs(cells - before).max() > _CHANGED:
            before = cells
            yield frame_HWC


def _cells(frame_HWC: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The mean grey of each cell; the last ones of a row or column may be smaller."""
    grey_HW = frame_HWC.mean(axis=2, dtype=np.float32)
    edges = [np.arange(0, length, _CELL) for length in grey_HW.shape]
    sums = np.add.reduceat(np.add.reduceat(grey_HW, edges[0], axis=0), edges[1], axis=1)
    sizes = [np.diff(edge, append=length) for edge, length in zip(edges, grey_HW.shape, strict=True)]
    found: NDArray[np.float32] = (sums / np.outer(*sizes)).astype(np.float32)
    return found
