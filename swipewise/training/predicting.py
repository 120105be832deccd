"""What the fitted network expects of exposures that are over.

Legend of shape suffixes: I = exposures, R = interactions, W = windows, B = windows of a block, L = events, A = actions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swipewise.errors import DataError
from swipewise.schema import FLAG_ACTIONS
from swipewise.training.dataset import Dataset, Interactions
from swipewise.training.fitted import FittedModel
from swipewise.training.histories import training_windows
from swipewise.training.inference import Projected
from swipewise.training.trends import Trends

_BLOCK_WINDOWS = 64


def predict_logits(
    fitted: FittedModel,
    dataset: Dataset,
    exposures: Interactions,
    projected: Projected | None = None,
    trends: Trends | None = None,
) -> NDArray[np.float32]:
    """Logits of FLAG_ACTIONS for exposures that are among the interactions of ``dataset``: (I, A).

    Histories are read in overlapping windows, so that every exposure has at least half a window behind it and none is
    read more than twice.

    Args:
        fitted: The model.
        dataset: What the viewers did.
        exposures: Which of it is to be predicted.
        projected: The videos of ``dataset``; None projects them.
        trends: Of everybody; None takes those of ``dataset``.

    Raises:
        DataError: An exposure is not among the interactions.
    """
    projected = projected or Projected(fitted, dataset)
    rows = dataset.interactions
    wanted_I = _locate(rows, exposures)
    asked_R = np.zeros(len(rows) + 1, np.int64)
    asked_R[wanted_I + 1] = 1
    before_R = asked_R.cumsum()
    windows = training_windows(dataset.viewer_offsets(), fitted.config.history, memory=fitted.config.memory)
    fresh_from_W = windows.start_W + np.maximum(windows.learn_W - 1, 0)
    useful_W = np.flatnonzero(before_R[windows.end_W] > before_R[fresh_from_W])
    useful_W = useful_W[np.argsort(windows.length_W[useful_W], kind="stable")]
    trends = trends or Trends.of(rows, dataset.uploaded_at_V)
    logits_RA = np.zeros((len(rows), len(FLAG_ACTIONS)), np.float32)
    for block_B in np.array_split(useful_W, max(1, len(useful_W) // _BLOCK_WINDOWS)):
        if not len(block_B):
            continue
        block = windows.where(block_B)
        logits_BLA = projected.action_logits(dataset, block, trends)[0].cpu().numpy()
        fresh_BL = block.fresh(logits_BLA.shape[1])
        row_BL = block.start_W[:, None] + np.arange(logits_BLA.shape[1])
        logits_RA[row_BL[fresh_BL]] = logits_BLA[fresh_BL]
    return logits_RA[wanted_I]


def _locate(rows: Interactions, exposures: Interactions) -> NDArray[np.int64]:
    """The row of each exposure: (I,)."""
    keys = ("viewer_I", "at_I", "video_I")
    table = np.rec.fromarrays([getattr(rows, key) for key in keys])
    asked = np.rec.fromarrays([getattr(exposures, key) for key in keys])
    # Rows of one millisecond are in the order of times finer than that.
    order_R = np.lexsort((rows.video_I, rows.at_I, rows.viewer_I))
    place_I = np.minimum(np.searchsorted(table, asked, sorter=order_R), max(0, len(table) - 1))
    row_I = order_R[place_I] if len(table) else place_I
    missing_I = table[row_I] != asked if len(table) else np.ones(len(asked), bool)
    if missing_I.any():
        raise DataError(
            f"{int(missing_I.sum())} of {len(asked)} exposures are not among the observed interactions: "
            "observe the data set that holds them"
        )
    return row_I
