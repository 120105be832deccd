"""The training loss of one batch.

Legend of shape suffixes: B = windows, L = events, L1 = events and the opening place, T = targets, N = negatives,
K = videos of the batch, M = modalities, D = model width.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from swipewise.config import ModelConfig, TrainingConfig
from swipewise.model.fusion import VideoInputs, fuse, fused_scores
from swipewise.model.interest import InterestModel
from swipewise.model.losses import sampled_softmax
from swipewise.schema import Modality
from swipewise.training.batches import Batch
from swipewise.training.videos import VideoTable


def batch_loss(
    network: InterestModel, table: VideoTable, batch: Batch, model: ModelConfig, training: TrainingConfig
) -> tuple[Tensor, float]:
    """The loss to descend, and the part of it that predicts the next positive interaction.

    Three parts share one pass: the next positive under the viewer's own fusion; the same under the
    viewer-independent fusion, whose vectors the index holds; and how much of each video shown was watched.
    """
    videos = _drop_ids(table.inputs(batch.videos_K), table.modalities, model.id_dropout)
    p_KMD, present_KM = network.project(videos), videos.present_KM
    z_BL1D, u_BL1D = network(batch.history, p_KMD, present_KM)
    z_TD, u_TD = z_BL1D.flatten(0, 1)[batch.place_T], u_BL1D.flatten(0, 1)[batch.place_T]
    root = z_TD.shape[-1] ** 0.5

    f_TD = fuse(u_TD, p_KMD[batch.target_T], present_KM[batch.target_T])
    negatives_TN, _ = fused_scores(z_TD, u_TD, p_KMD[batch.negative_N], present_KM[batch.negative_N])
    ranking = _softmax(batch, (z_TD * f_TD).sum(dim=-1) / root, negatives_TN)

    f0_KD = network.index_vectors(p_KMD, present_KM)
    retrieval = _softmax(
        batch, (z_TD * f0_KD[batch.target_T]).sum(dim=-1) / root, z_TD @ f0_KD[batch.negative_N].T / root
    )
    watch = _watch_loss(network, batch, z_BL1D, u_BL1D, p_KMD, present_KM)
    loss = ranking + training.retrieval_weight * retrieval + training.watch_weight * watch
    return loss, float(ranking.detach())


def _drop_ids(videos: VideoInputs, modalities: tuple[str, ...], share: float) -> VideoInputs:
    """Hide the ids of a random share of videos, so that content learns to carry a video without one."""
    if Modality.ID not in modalities:
        return videos
    present_KM = videos.present_KM.clone()
    present_KM[:, modalities.index(Modality.ID)] &= torch.rand(len(present_KM), device=present_KM.device) >= share
    # A video that has nothing else keeps its id: hiding it would leave a vector of zeros to learn from.
    nothing_K = ~present_KM.any(dim=1)
    present_KM[nothing_K] = videos.present_KM[nothing_K]
    return replace(videos, present_KM=present_KM)


def _softmax(batch: Batch, targets_T: Tensor, negatives_TN: Tensor) -> Tensor:
    return sampled_softmax(
        targets_T,
        negatives_TN,
        target_logq_T=batch.target_logq_T,
        negative_logq_N=batch.negative_logq_N,
        excluded_TN=batch.excluded_TN,
    )


def _watch_loss(
    network: InterestModel, batch: Batch, z_BL1D: Tensor, u_BL1D: Tensor, p_KMD: Tensor, present_KM: Tensor
) -> Tensor:
    """Cross-entropy of the share watched of each event, predicted from what came before it."""
    shown_BL = batch.history.video_BL
    f_BLD = fuse(u_BL1D[:, :-1], p_KMD[shown_BL], present_KM[shown_BL])
    logits_BL = network.watch(z_BL1D[:, :-1], f_BLD)
    valid_BL = batch.history.valid_BL
    return functional.binary_cross_entropy_with_logits(
        logits_BL[valid_BL], batch.history.watch_ratio_BL[valid_BL].clamp(0, 1)
    )
