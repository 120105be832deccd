"""Static viewer features as the vector s_u.

Legend of shape suffixes: B = viewers in the batch, P = profile fields, D = model width.
"""

from __future__ import annotations

from torch import Tensor, nn


class ProfileEncoder(nn.Module):
    """s_u: the embeddings of the profile's values, summed and divided by the root of their number.

    A viewer without a profile gets zeros.
    """

    def __init__(self, *, values: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(values + 1, width)

    def forward(self, profile_BP: Tensor) -> Tensor:
        """Embed int64 codes from 1 (0: the field is missing) to (B, D)."""
        known_BP = (profile_BP > 0).unsqueeze(-1)
        total_BD: Tensor = (self.embedding(profile_BP) * known_BP).sum(dim=1)
        return total_BD / known_BP.sum(dim=1).clamp(min=1) ** 0.5
