"""A linear map of vectors that are given in parts, some of which many places share."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class LinearOfParts(nn.Linear):
    """As a linear map of the parts side by side, but each part is mapped by itself and then broadcast.

    What is a viewer's own, and the same at every place, is so neither copied to the places nor mapped more than once.
    """

    def forward(self, *parts: Tensor) -> Tensor:
        """Map parts of shapes that broadcast but for the last dimension, whose sizes add up to the inputs."""
        weights = self.weight.split([part.shape[-1] for part in parts], dim=1)
        mapped = functional.linear(parts[0], weights[0], self.bias)
        for part, weight in zip(parts[1:], weights[1:], strict=True):
            mapped = mapped + functional.linear(part, weight)
        return mapped
