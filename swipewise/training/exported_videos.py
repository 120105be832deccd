"""The catalogue as a run's encoder reads it, for programs that have neither Swipewise nor torch.

Legend of shape suffixes: V = videos, M = modalities, D = model width.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, Final

import numpy as np

from swipewise.schema import FLAG_ACTIONS
from swipewise.training.fitted import FittedModel
from swipewise.training.inference import Projected
from swipewise.training.runs import MODEL_NAME
from swipewise.training.workspace_data import load_dataset
from swipewise.workspace import Workspace

FORMAT_VERSION: Final = 1


def write_videos(workspace: Workspace, run_dir: Path, file: IO[bytes]) -> int:
    """Write an ``.npz`` of plain arrays: what stands for each video in a history, and what the index holds.

    ::

        format           int64, FORMAT_VERSION
        video_ids        (V,) text
        p_VMD            (V, M, D) float32, the projected modalities
        present_VM       (V, M) bool, which of them each video has
        index_VD         (V, D) float32, one vector a video for any index by inner product
        modalities       (M,) text
        flags            text, the actions in the order of the encoder's flags
        profile_values   text, "field=value"; the first has the code 1
        history, memory  int64, how many events are read one by one, and how many before them as a summary

    Args:
        workspace: Whose catalogue.
        run_dir: A finished run.
        file: Where to.

    Returns:
        How many videos.

    Raises:
        ArtifactError: The model is damaged, or does not fit the catalogue.
        DataError: There are no videos or no interactions.
        StoreError: The workspace cannot be read.
    """
    fitted = FittedModel.load(run_dir / MODEL_NAME)
    dataset = load_dataset(workspace)
    projected = Projected(fitted, dataset)
    np.savez(
        file,
        allow_pickle=False,
        format=np.int64(FORMAT_VERSION),
        video_ids=np.array(dataset.video_ids),
        p_VMD=projected.p_VMD.cpu().numpy(),
        present_VM=projected.present_VM.cpu().numpy(),
        index_VD=projected.index_vectors_VD.cpu().numpy(),
        modalities=np.array(fitted.modalities),
        flags=np.array([str(action) for action in FLAG_ACTIONS]),
        profile_values=np.array(fitted.vocabulary.profile_values, dtype=np.str_),
        history=np.int64(fitted.config.history),
        memory=np.int64(fitted.config.memory),
    )
    return len(dataset.video_ids)
