"""The encoder that the baselines share."""

import pytest
import torch

from swipewise.baselines.encoder import SequenceEncoder


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("layers", [1, 3])
def test_the_last_place_alone_is_what_it_is_among_all(causal: bool, layers: int) -> None:
    torch.manual_seed(0)
    encoder = SequenceEncoder(width=8, layers=layers, heads=2, places=6, dropout=0.3, causal=causal).eval()
    x_BLD, last_B = torch.randn(3, 6, 8), torch.tensor([0, 3, 5])
    valid_BL = torch.arange(6) <= last_B[:, None]
    everywhere_BLD = encoder(x_BLD, last_B, valid_BL)
    torch.testing.assert_close(encoder.last(x_BLD, last_B, valid_BL), everywhere_BLD[torch.arange(3), last_B])
