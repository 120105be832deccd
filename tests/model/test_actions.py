"""What will be done with an exposure is told from what came before it, and from nothing else.

Legend of shape suffixes: B = viewers, L = exposures, S = statistics, F = actions, D = model width.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from swipewise.model.fusion import fuse
from swipewise.model.interest import HistoryInputs, InterestModel
from tests.model.networks import FLAGS, LENGTH, STATISTICS, VIEWERS, build, changed, history, moved, read, videos


@pytest.fixture
def network() -> InterestModel:
    return build()


def logits(network: InterestModel, seen: HistoryInputs, statistics_BLS: Tensor | None = None) -> Tensor:
    """(B, L, F) of every recent event."""
    inputs = videos()
    p_KMD, reading = network.project(inputs), read(network, seen)
    video_BL = seen.recent.video_BL
    f_BLD = fuse(reading.u_BL1D[:, :-1], p_KMD[video_BL], inputs.present_KM[video_BL])
    return network.action_logits(reading, f_BLD, statistics_BLS)


@pytest.mark.parametrize("field", ["watch_ratio_BL", "flags_BLF", "gap_BL"])
def test_what_was_done_with_an_exposure_and_after_it_has_no_influence_on_its_logits(
    network: InterestModel, field: str
) -> None:
    seen = history(older=2)
    before_BLF = logits(network, seen)
    assert before_BLF.shape == (VIEWERS, LENGTH, FLAGS)
    for event in range(LENGTH):
        after_BLF = logits(network, replace(seen, recent=changed(seen.recent, field, event)))
        assert torch.equal(before_BLF[:, : event + 1], after_BLF[:, : event + 1])
        assert bool(moved(before_BLF, after_BLF)[:, event + 1 :].all())


def test_the_video_shown_moves_its_own_logits_and_later_ones_but_none_before(network: InterestModel) -> None:
    seen = history(older=2)
    before_BLF = logits(network, seen)
    for event in range(LENGTH):
        after_BLF = logits(network, replace(seen, recent=changed(seen.recent, "video_BL", event)))
        assert torch.equal(before_BLF[:, :event], after_BLF[:, :event])
        assert bool(moved(before_BLF, after_BLF)[:, event:].all())


def test_the_profile_and_older_events_have_influence(network: InterestModel) -> None:
    seen = history(older=2)
    before_BLF = logits(network, seen)
    assert bool(moved(before_BLF, logits(network, replace(seen, older=changed(seen.older, "flags_BLF", 0)))).all())
    assert bool(moved(before_BLF, logits(network, replace(seen, profile_BP=seen.profile_BP.flip(0))))[0].all())


def test_statistics_move_the_logits_of_their_own_exposure_alone_and_none_are_zeros(
    network: InterestModel,
) -> None:
    seen = history()
    statistics_BLS = torch.zeros(VIEWERS, LENGTH, STATISTICS)
    unknown_BLF = logits(network, seen)
    assert torch.equal(unknown_BLF, logits(network, seen, statistics_BLS))
    statistics_BLS[:, 2] = 1.0
    assert moved(unknown_BLF, logits(network, seen, statistics_BLS)).all(dim=0).tolist() == [
        place == 2 for place in range(LENGTH)
    ]
