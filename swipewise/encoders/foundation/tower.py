"""The picture tower of Perception Encoder (PE core, arXiv:2504.13181), with the names its parameters have in timm.

A plain vision transformer: pre-norm blocks over patches, whose places are told by learned embeddings and by rotation of
queries and keys, pooled by attention of one learned query, and a head.

Legend of shape suffixes: F = pictures, C = 3 (RGB), H, W = rows and columns, N = tokens, G = heads, K = width of a
head, D = width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from swipewise.errors import ConfigError

_EPSILON = 1e-5
_SLOWEST = 10_000.0  # by how much the last pair of a rotation turns slower than the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The sizes of a tower; the names are those of ``model_args`` in checkpoints.

    img_size: side of a picture in pixels. ref_feat_shape: side, in patches, of the grid that rotation was trained on;
    other grids are scaled to it. rope_grid_offset: where that grid begins.
    """

    img_size: int
    patch_size: int
    embed_dim: int
    depth: int
    num_heads: int
    mlp_ratio: float = 4.0
    class_token: bool = True
    ref_feat_shape: int
    rope_grid_offset: float = 1.0
    attn_pool_num_heads: int = 8
    attn_pool_mlp_ratio: float = 4.0

    @property
    def grid(self) -> int:
        """Patches along a side."""
        return self.img_size // self.patch_size

    @classmethod
    def of(cls, name: str, changes: Mapping[str, Any]) -> Architecture:
        """A published one.

        Args:
            name: As timm calls it.
            changes: What a checkpoint has otherwise; pairs of equal sides stand for one.

        Raises:
            ConfigError: It is not known.
        """
        if name not in ARCHITECTURES:
            raise ConfigError(f"the picture tower {name!r} is not known: known are {', '.join(ARCHITECTURES)}")
        sizes: dict[str, Any] = {
            key: _side(key, value) if key in _SIDES else value for key, value in changes.items()
        }
        known = {field.name for field in fields(cls)}
        if strange := sorted(set(sizes) - known):
            close = get_close_matches(strange[0], known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(known))}"
            raise ConfigError(f"the picture tower {name} has {strange[0]!r}, which is not known: {hint}")
        return replace(ARCHITECTURES[name], **sizes)


ARCHITECTURES: Final[Mapping[str, Architecture]] = {
    "vit_pe_core_tiny_patch16_384": Architecture(
        img_size=384, patch_size=16, embed_dim=192, depth=12, num_heads=3, ref_feat_shape=24
    ),
    "vit_pe_core_small_patch16_384": Architecture(
        img_size=384, patch_size=16, embed_dim=384, depth=12, num_heads=6, ref_feat_shape=24
    ),
    "vit_pe_core_base_patch16_224": Architecture(
        img_size=224, patch_size=16, embed_dim=768, depth=12, num_heads=12, ref_feat_shape=14
    ),
    "vit_pe_core_large_patch14_336": Architecture(
        img_size=336, patch_size=14, embed_dim=1024, depth=24, num_heads=16, ref_feat_shape=24
    ),
    "vit_pe_core_gigantic_patch14_448": Architecture(
        img_size=448,
        patch_size=14,
        embed_dim=1536,
        depth=50,
        num_heads=16,
        mlp_ratio=8960 / 1536,
        class_token=False,
        ref_feat_shape=32,
        rope_grid_offset=0.0,
    ),
}
_SIDES = ("img_size", "patch_size", "ref_feat_shape")


class VisionTransformer(nn.Module):
    """A picture's features.

    Args:
        of: Its sizes.
        outputs: The width of the features.
    """

    def __init__(self, of: Architecture, outputs: int) -> None:
        super().__init__()
        width, prefix = of.embed_dim, int(of.class_token)
        patch = nn.Conv2d(3, width, of.patch_size, of.patch_size, bias=False)
        self.of = of
        self.patch_embed = nn.ModuleDict({"proj": patch})
        self.cls_token = _parameter(1, 1, width) if of.class_token else None
        self.pos_embed = _parameter(1, prefix + of.grid**2, width)
        self.norm_pre = nn.LayerNorm(width, eps=_EPSILON)
        self.blocks = nn.ModuleList(_Block(width, of.num_heads, of.mlp_ratio) for _ in range(of.depth))
        self.norm = nn.LayerNorm(width, eps=_EPSILON)
        self.attn_pool = _AttentionPool(width, of.attn_pool_num_heads, of.attn_pool_mlp_ratio)
        self.head = nn.Linear(width, outputs)

    def forward(self, pictures_FCHW: Tensor) -> Tensor:
        """(F, outputs)."""
        states_FND = self.patch_embed["proj"](pictures_FCHW).flatten(2).transpose(1, 2)
        if self.cls_token is not None:
            states_FND = torch.cat([self.cls_token.expand(len(states_FND), -1, -1), states_FND], dim=1)
        states_FND = self.norm_pre(states_FND + self.pos_embed)
        rotation = _rotation(self.of, states_FND.device)
        for block in self.blocks:
            states_FND = block(states_FND, rotation)
        found: Tensor = self.head(self.attn_pool(self.norm(states_FND)))
        return found


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, ratio: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=_EPSILON)
        self.attn = _Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=_EPSILON)
        self.mlp = _Mlp(width, ratio)

    def forward(self, states_FND: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        states_FND = states_FND + self.attn(self.norm1(states_FND), rotation)
        found: Tensor = states_FND + self.mlp(self.norm2(states_FND))
        return found


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self._heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, states_FND: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        q_FGNK, k_FGNK, v_FGNK = (_split(part, self._heads) for part in self.qkv(states_FND).chunk(3, dim=2))
        q_FGNK, k_FGNK = _rotated(q_FGNK, *rotation), _rotated(k_FGNK, *rotation)
        found: Tensor = self.proj(_joined(scaled_dot_product_attention(q_FGNK, k_FGNK, v_FGNK)))
        return found


class _AttentionPool(nn.Module):
    """What one learned query makes of all tokens."""

    def __init__(self, width: int, heads: int, ratio: float) -> None:
        super().__init__()
        self._heads = heads
        self.latent = _parameter(1, 1, width)
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width, eps=_EPSILON)
        self.mlp = _Mlp(width, ratio)

    def forward(self, states_FND: Tensor) -> Tensor:
        k_FGNK, v_FGNK = (_split(part, self._heads) for part in self.kv(states_FND).chunk(2, dim=2))
        q_FG1K = _split(self.q(self.latent.expand(len(states_FND), -1, -1)), self._heads)
        pooled_F1D = self.proj(_joined(scaled_dot_product_attention(q_FG1K, k_FGNK, v_FGNK)))
        found_F1D: Tensor = pooled_F1D + self.mlp(self.norm(pooled_F1D))
        return found_F1D[:, 0]


class _Mlp(nn.Module):
    def __init__(self, width: int, ratio: float) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, int(width * ratio))
        self.fc2 = nn.Linear(int(width * ratio), width)

    def forward(self, states_FND: Tensor) -> Tensor:
        found: Tensor = self.fc2(gelu(self.fc1(states_FND)))
        return found


def _parameter(*shape: int) -> nn.Parameter:
    return nn.Parameter(0.02 * torch.randn(shape))


def _split(states_FND: Tensor, heads: int) -> Tensor:
    return states_FND.reshape(*states_FND.shape[:2], heads, -1).transpose(1, 2)


def _joined(states_FGNK: Tensor) -> Tensor:
    return states_FGNK.transpose(1, 2).flatten(2)


def _rotation(of: Architecture, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the angles (N, K / 2): by a patch's column, then by its row; a class token is not turned."""
    speeds = of.embed_dim // of.num_heads // 4
    speed = _SLOWEST ** -(torch.arange(speeds, device=device, dtype=torch.float32) / speeds)
    place = (torch.arange(of.grid, device=device) + of.rope_grid_offset) / of.grid * of.ref_feat_shape
    turned = place[:, None] * speed
    rows, columns = turned.repeat_interleave(of.grid, dim=0), turned.repeat(of.grid, 1)
    angles = torch.cat([columns, rows], dim=1)
    if of.class_token:
        angles = torch.cat([torch.zeros_like(angles[:1]), angles])
    return angles.cos(), angles.sin()


def _rotated(states_FGNK: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Every pair of neighbouring entries turned by its angle."""
    first, second = states_FGNK.float().reshape(*states_FGNK.shape[:3], -1, 2).unbind(-1)
    pairs = torch.stack([first * cosine - second * sine, second * cosine + first * sine], dim=-1)
    return pairs.flatten(-2).to(states_FGNK.dtype)


def _side(name: str, value: Any) -> int:
    sides = {value} if isinstance(value, int) else set(value)
    if len(sides) > 1:
        raise ConfigError(f"a picture tower with {name} = {value} is not known: only squares are")
    return int(sides.pop())
