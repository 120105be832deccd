"""A linear map of parts is that of the parts side by side.

Legend of shape suffixes: B = viewers, L = places, X, Y, Z = sizes of the parts.
"""

from __future__ import annotations

import torch
from torch import nn

from swipewise.model.linear import LinearOfParts


def test_parts_are_mapped_as_if_side_by_side_with_the_same_gradients() -> None:
    torch.manual_seed(0)
    parts = [torch.randn(3, 4, 5), torch.randn(3, 1, 6), torch.randn(3, 4, 2)]
    own, plain = LinearOfParts(13, 7), nn.Linear(13, 7)
    plain.load_state_dict(own.state_dict())
    found_BLX = own(*parts)
    expected_BLX = plain(torch.cat([part.expand(3, 4, -1) for part in parts], dim=-1))
    assert torch.allclose(found_BLX, expected_BLX, atol=1e-6)
    found_BLX.square().sum().backward()
    expected_BLX.square().sum().backward()
    for one, other in zip(own.parameters(), plain.parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert torch.allclose(one.grad, other.grad, atol=1e-4)
