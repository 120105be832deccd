"""The training loss of one batch.

Legend of shape suffixes: B = windows, L = events, L1 = events and the opening place, T = targets, N = negatives,
K = videos of the batch, G = moments, V = videos of the catalogue, S = statistics, M = modalities, D = model width.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from swipewise.config import ModelConfig, TrainingConfig
from swipewise.model.fusion import VideoInputs, fuse
from swipewise.model.interest import InterestModel, Reading
from swipewise.model.losses import alignment_loss, sampled_softmax
from swipewise.model.scoring import training_scores
from swipewise.model.spans import spanned
from swipewise.schema import CONTENT_MODALITIES, Modality
from swipewise.training.batches import Batch, Targets
from swipewise.training.videos import VideoTable


def batch_loss(
    network: InterestModel,
    table: VideoTable,
    trends_GVS: Tensor,
    batch: Batch,
    model: ModelConfig,
    training: TrainingConfig,
) -> tuple[Tensor, float]:
    """The loss to descend, and the part of it that predicts later positive interactions.

    All parts share one pass over the histories: later positives under the viewer's own fusion; positives hidden from
    the history; later ones again under the viewer-independent fusion, whose vectors the index holds; what the platform
    shows next; what the viewer does with each video shown, and how much of it is watched; and the agreement of the
    modalities of each video.
    """
    videos = _without_some(table.inputs(batch.videos_K), table.modalities, model)
    p_KMD, present_KM = network.project(videos), videos.present_KM
    reading = network(batch.history, p_KMD, present_KM)
    trends_GKS = trends_GVS[:, batch.videos_K] if model.trends else None

    def softmax(targets: Targets, z_PD: Tensor, *, common: bool = False) -> Tensor:
        """Targets against the negatives, z of all places (P = B · L1) given; ``common``: under the index's fusion."""
        z_TD = z_PD.index_select(0, targets.place_T)
        u_TD = reading.u_BL1D.flatten(0, 1).index_select(0, targets.place_T)
        if common:
            u_TD = network.common_preference.expand_as(z_TD)
        f_TD = fuse(u_TD, p_KMD.index_select(0, targets.video_T), present_KM[targets.video_T])
        own_T = (z_TD * f_TD).sum(dim=-1) / z_TD.shape[-1] ** 0.5
        if common:
            f_ND = network.index_vectors(p_KMD.index_select(0, batch.negative_N), present_KM[batch.negative_N])
            others_TN = z_TD @ f_ND.T / z_TD.shape[-1] ** 0.5
        else:
            others_TN = training_scores(
                z_TD, u_TD, p_KMD.index_select(0, batch.negative_N), present_KM[batch.negative_N]
            )
        if trends_GKS is not None:
            say_TS = network.trend(z_TD)
            own_T = own_T + (say_TS * trends_GKS[targets.moment_T, targets.video_T]).sum(dim=-1)
            others_TN = others_TN + _trend_scores(say_TS, targets.moment_T, trends_GKS[:, batch.negative_N])
        return sampled_softmax(
            own_T,
            others_TN,
            target_logq_T=targets.logq_T,
            negative_logq_N=batch.negative_logq_N,
            excluded_TN=targets.excluded_TN,
            weight_T=targets.weight_T,
        )

    z_PD = reading.z_BL1D.flatten(0, 1)
    ranking = softmax(batch.liked, z_PD)
    loss = ranking
    if training.hidden_weight:
        loss = loss + training.hidden_weight * softmax(batch.hidden, z_PD)
    if training.retrieval_weight:
        # With one modality both fusions are the same.
        index = ranking if p_KMD.shape[1] == 1 else softmax(batch.liked, z_PD, common=True)
        loss = loss + training.retrieval_weight * index
    if training.shown_weight:
        loss = loss + training.shown_weight * softmax(batch.shown, network.shown(z_PD))
    if training.watch_weight or training.action_weight:
        watch, acts = _exposure_losses(network, batch, reading, p_KMD, present_KM, trends_GKS)
        loss = loss + training.watch_weight * watch + training.action_weight * acts
    if training.alignment_weight:
        content = [column for column, name in enumerate(table.modalities) if name in CONTENT_MODALITIES]
        loss = loss + training.alignment_weight * alignment_loss(p_KMD[:, content], present_KM[:, content])
    return loss, float(ranking.detach())


def _without_some(videos: VideoInputs, modalities: tuple[str, ...], model: ModelConfig) -> VideoInputs:
    """Hide ids and attributes of random shares of videos, so that content learns to carry a video without them."""
    present_KM = videos.present_KM.clone()
    for name, share in ((Modality.ID, model.id_dropout), (Modality.ATTRIBUTES, model.attribute_dropout)):
        if name in modalities:
            lot_K = torch.rand(len(present_KM), device=present_KM.device)
            present_KM[:, modalities.index(name)] &= lot_K >= share
    # A video that has nothing else keeps them: hiding them would leave a vector of zeros to learn from.
    nothing_K = ~present_KM.any(dim=1)
    present_KM[nothing_K] = videos.present_KM[nothing_K]
    return replace(videos, present_KM=present_KM)


@spanned("loss")
def _trend_scores(say_TS: Tensor, moment_T: Tensor, trends_GNS: Tensor) -> Tensor:
    """say · statistics of every target's own moment: (T, N), without a (T, N, S) tensor.

    Each target's say stands in the columns of its moment, between zeros, and one product does the rest.
    """
    moments_G, own_T = torch.unique(moment_T, return_inverse=True)
    T, S = say_TS.shape
    apart_TGS = say_TS.new_zeros(T, len(moments_G), S)
    apart_TGS[torch.arange(T, device=say_TS.device), own_T] = say_TS
    statistics_XN = trends_GNS[moments_G].transpose(1, 2).flatten(0, 1)
    return apart_TGS.flatten(1) @ statistics_XN


def _exposure_losses(
    network: InterestModel,
    batch: Batch,
    reading: Reading,
    p_KMD: Tensor,
    present_KM: Tensor,
    trends_GKS: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the share watched of each event, and of every action, predicted from what came before it."""
    events = batch.history.recent
    z_BLD, u_BLD = reading.z_BL1D[:, :-1], reading.u_BL1D[:, :-1]
    p_BLMD = p_KMD.index_select(0, events.video_BL.flatten()).view(*u_BLD.shape[:2], *p_KMD.shape[1:])
    f_BLD = fuse(u_BLD, p_BLMD, present_KM[events.video_BL])
    known_BL = batch.learn_BL & ~events.watch_ratio_BL.isnan()
    share_BL = events.watch_ratio_BL.nan_to_num(0).clamp(0, 1)
    watch = _cross_entropy(network.watch(z_BLD, f_BLD), share_BL, known_BL) / max(1, int(known_BL.sum()))
    logits_BLA = network.action_logits(
        reading, f_BLD, None if trends_GKS is None else trends_GKS[batch.moment_BL, events.video_BL]
    )
    acts = _cross_entropy(logits_BLA, events.flags_BLF, batch.told_BLF) / max(1, int(batch.learn_BL.sum()))
    return watch, acts


def _cross_entropy(logits: Tensor, chances: Tensor, counts: Tensor) -> Tensor:
    """The sum over what counts, which is cheaper to weigh than to pick out."""
    return functional.binary_cross_entropy_with_logits(
        logits, chances.to(logits.dtype), weight=counts.to(logits.dtype), reduction="sum"
    )
