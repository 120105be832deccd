"""Contrastive pre-training: before behaviour is read, the modalities of a video learn to agree.

Legend of shape suffixes: V = videos, M = modalities.
"""

from __future__ import annotations

import numpy as np
import torch

from swipewise.config import TrainingConfig
from swipewise.model.losses import alignment_loss
from swipewise.schema import CONTENT_MODALITIES
from swipewise.training.dataset import Dataset
from swipewise.training.fitted import FittedModel

_BATCH_VIDEOS = 256


def align_modalities(fitted: FittedModel, dataset: Dataset, settings: TrainingConfig) -> None:
    """Train the projections of the content modalities so that a video's own agree more than those of others.

    InfoNCE between every two content modalities over the videos that training has behaviour of, as in CLIP
    (arXiv:2103.00020); what a run that is taken up again does once more, with the same result.

    Args:
        fitted: Whose projections are trained.
        dataset: What to learn from.
        settings: Its ``alignment_epochs``, ``learning_rate``, ``weight_decay`` and ``seed`` are used.
    """
    columns = [column for column, name in enumerate(fitted.modalities) if name in CONTENT_MODALITIES]
    if not settings.alignment_epochs or len(columns) < 2:
        return
    project = fitted.network.project
    device = next(project.parameters()).device
    table = fitted.table(dataset).to(device)
    several_V = table.present_VM[:, columns].sum(dim=1).cpu().numpy() >= 2
    known = np.flatnonzero(dataset.interactions.seen(len(dataset.video_ids)))
    videos = known[several_V[known]]
    optimizer = torch.optim.AdamW(
        project.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    project.train()
    for epoch in range(settings.alignment_epochs):
        rng = np.random.default_rng([settings.seed, epoch, 1])
        shuffled = rng.permutation(videos)
        for batch in np.array_split(shuffled, max(1, len(shuffled) // _BATCH_VIDEOS)):
            inputs = table.inputs(torch.from_numpy(batch).to(device))
            loss = alignment_loss(project(inputs)[:, columns], inputs.present_KM[:, columns])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
