"""Projection of each modality to a common width and fusion by attention (equations 1 and 2).

Legend of shape suffixes: B = viewers in the batch, L = events, K = videos, N = candidate videos, M = modalities,
D = model width, A = attribute places of a video.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from swipewise.model.linear import Linear, linear
from swipewise.model.softmax import softmax
from swipewise.model.spans import spanned

ID = "id"
ATTRIBUTES = "attributes"


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoInputs:
    """What is known of K videos.

    content: each content modality's encoder vectors (K, its own dimension) float32; id_K: int64 row of the video's
    learned embedding; attributes_KA: int64 codes from 1, 0 pads; present_KM: bool, True where the video has the
    modality. What a row holds where ``present_KM`` is False has no influence.
    """

    content: Mapping[str, Tensor]
    id_K: Tensor
    attributes_KA: Tensor
    present_KM: Tensor


class RMSNorm(nn.Module):
    """x / rms(x), scaled and shifted by learned vectors: as LayerNorm, but the mean is left in (arXiv:1910.07467)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x_D: Tensor) -> Tensor:
        """Normalise the last dimension: (..., D) to (..., D)."""
        rms_1 = (x_D.square().mean(dim=-1, keepdim=True) + 1e-6).sqrt()
        scaled_D: Tensor = x_D / rms_1 * self.weight + self.bias
        return scaled_D


class Shift(nn.Module):
    """No normalisation at all, only a learned shift: what the others are measured against."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x_D: Tensor) -> Tensor:
        """Shift: (..., D) to (..., D)."""
        return x_D + self.bias


NORMS: Mapping[str, Callable[[int], nn.Module]] = {
    "layer": nn.LayerNorm,
    "rms": RMSNorm,
    "adaptive": nn.LayerNorm,
    "none": Shift,
}
"""norm_m by name, each with a learned shift called ``bias``; "adaptive" differs in what comes before it: the vectors of
a modality are standardised over the catalogue at hand, not over the one that training saw."""


class GatedAdapter(nn.Module):
    """W x ⊙ σ(V x + b): a linear map of an encoder's vector whose every output can be shut (arXiv:1612.08083)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.value = Linear(inputs, width)
        self.gate = Linear(inputs, width)

    def forward(self, x_E: Tensor) -> Tensor:
        """Adapt: (..., E) to (..., D)."""
        adapted_D: Tensor = self.value(x_E) * torch.sigmoid(self.gate(x_E))
        return adapted_D


ADAPTERS: Mapping[str, Callable[[int, int], nn.Module]] = {"linear": Linear, "gated": GatedAdapter}
"""W_m by name."""


class ModalityProjection(nn.Module):
    """p_m = norm_m(W_m x_m): every modality of a video as a vector of the same width.

    ``id`` is a learned embedding, ``attributes`` the mean of the embeddings of its values; both pass through the same
    norm as the content does. norm_m has a learned shift, which lets a viewer prefer a modality as a whole.
    """

    def __init__(
        self,
        *,
        modalities: tuple[str, ...],
        content_dims: Mapping[str, int],
        videos: int,
        attribute_values: int,
        width: int,
        norm: str,
        adapter: str,
    ) -> None:
        super().__init__()
        self.modalities = modalities
        self.adapters = nn.ModuleDict(
            {name: ADAPTERS[adapter](dim, width) for name, dim in content_dims.items() if name in modalities}
        )
        self.id_embedding = nn.Embedding(videos, width) if ID in modalities else None
        # No padding_idx: the places that pad are masked, so that their row may be anything.
        self.attribute_embedding = nn.Embedding(attribute_values + 1, width) if ATTRIBUTES in modalities else None
        self.norms = nn.ModuleDict({name: NORMS[norm](width) for name in modalities})

    @property
    def shift_MD(self) -> Tensor:
        """The learned shift of each modality's norm: (M, D)."""
        return torch.stack([_shift(self.norms[name]) for name in self.modalities])

    def part_modalities(self) -> None:
        """Set the shifts to random orthogonal vectors of length √d / 2."""
        width = self.shift_MD.shape[1]
        directions_MD = nn.init.orthogonal_(torch.empty(len(self.modalities), width)) * width**0.5 / 2
        for name, direction_D in zip(self.modalities, directions_MD, strict=True):
            _shift(self.norms[name]).data.copy_(direction_D)

    @spanned("fusion")
    def forward(self, videos: VideoInputs) -> Tensor:
        """Project K videos: (K, M, D), zero where a modality is missing."""
        p_KMD = torch.stack([self.norms[name](self._raw(name, videos)) for name in self.modalities], dim=1)
        return p_KMD * videos.present_KM.unsqueeze(-1)

    def _raw(self, name: str, videos: VideoInputs) -> Tensor:
        if name == ID:
            assert self.id_embedding is not None
            embedded: Tensor = self.id_embedding(videos.id_K)
            return embedded
        if name == ATTRIBUTES:
            assert self.attribute_embedding is not None
            used_KA = (videos.attributes_KA > 0).unsqueeze(-1)
            total_KD = (self.attribute_embedding(videos.attributes_KA) * used_KA).sum(dim=1)
            mean: Tensor = total_KD / used_KA.sum(dim=1).clamp(min=1)
            return mean
        # Cleared before anything is multiplied with it: zero times NaN is NaN.
        absent_K1 = ~videos.present_KM[:, self.modalities.index(name)].unsqueeze(-1)
        adapted: Tensor = self.adapters[name](videos.content[name].masked_fill(absent_K1, 0))
        return adapted


def _shift(norm: nn.Module) -> Tensor:
    shift_D = norm.bias
    assert isinstance(shift_D, Tensor)
    return shift_D


def modality_attention(u_D: Tensor, p_MD: Tensor, present_M: Tensor) -> Tensor:
    """α_m = softmax over the modalities present of u · p_m / √d (equation 1).

    Args:
        u_D: (..., D) preference vectors.
        p_MD: (..., M, D) projected modalities; leading dimensions broadcast with those of ``u_D``.
        present_M: (..., M) bool. A video with nothing present gets weights of zero.

    Returns:
        (..., M), rows sum to 1 where anything is present.
    """
    logits_M = (p_MD @ u_D.unsqueeze(-1)).squeeze(-1) / p_MD.shape[-1] ** 0.5
    return masked_softmax(logits_M, present_M)


def masked_softmax(logits_M: Tensor, present_M: Tensor) -> Tensor:
    """Softmax over the last dimension among the places where ``present_M`` is True; zeros where none is."""
    lowest = torch.finfo(logits_M.dtype).min
    weights_M = softmax(logits_M.masked_fill(~present_M, lowest))
    return weights_M * present_M


@spanned("fusion")
def fuse(u_D: Tensor, p_MD: Tensor, present_M: Tensor) -> Tensor:
    """f = Σ_m α_m p_m (equation 2): (..., D), from the arguments of :func:`modality_attention`."""
    if p_MD.shape[-2] == 1:  # it weighs 1 wherever it is present, whatever u is
        f_D = p_MD.squeeze(-2) * present_M
        return f_D.expand(torch.broadcast_shapes(u_D.shape, f_D.shape))  # type: ignore[no-untyped-call]
    return (modality_attention(u_D, p_MD, present_M).unsqueeze(-1) * p_MD).sum(dim=-2)


@spanned("fusion")
def fused_scores(
    z_BD: Tensor, u_BD: Tensor, p_NMD: Tensor, present_NM: Tensor, factor_M: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """z_u · f(u, i) of every viewer with every candidate, and the weights α behind it.

    f(u, i) differs for every pair, but z · Σ α_m p_m = Σ α_m (z · p_m), so two matrix products over the modalities of
    all candidates give everything and no (B, N, D) tensor is made.

    Args:
        z_BD: (B, D) interest vectors.
        u_BD: (B, D) preference vectors.
        p_NMD: (N, M, D) projected candidates.
        present_NM: (N, M) bool.
        factor_M: (M,) what each modality's part of the score, α_m (z · p_m), is multiplied by; 1 where not given.

    Returns:
        scores_BN divided by √d, and alpha_BNM.
    """
    N, M, D = p_NMD.shape
    if M == 1:
        factor_1 = D**-0.5 if factor_M is None else factor_M * D**-0.5
        alpha_BNM = present_NM.to(z_BD.dtype).expand(len(z_BD), N, 1)
        return linear(z_BD, p_NMD[:, 0] * present_NM * factor_1), alpha_BNM
    # Videos last: a softmax over a last dimension as short as M would be many times slower.
    flat_XD = p_NMD.transpose(0, 1).reshape(M * N, D)
    absent_1MN = ~present_NM.T.unsqueeze(0)
    B = len(u_BD)
    logits_BMN = linear(u_BD, flat_XD).view(B, M, N) / D**0.5
    logits_BMN = logits_BMN.masked_fill(absent_1MN, torch.finfo(logits_BMN.dtype).min)
    alpha_BMN = torch.softmax(logits_BMN, dim=1).masked_fill(absent_1MN, 0)
    part_BMN = alpha_BMN * linear(z_BD, flat_XD).view(B, M, N)
    if factor_M is not None:
        part_BMN = part_BMN * factor_M[:, None]
    scores_BN = part_BMN.sum(dim=1) / D**0.5
    return scores_BN, alpha_BMN.transpose(1, 2)
