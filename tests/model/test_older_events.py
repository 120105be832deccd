"""Events before the window: they count, as a summary and as evidence, and only as that.

Legend of shape suffixes: B = viewers, L = events, D = model width.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from swipewise.model.interest import Events, HistoryInputs, InterestModel
from tests.model.networks import (
    LENGTH,
    VECTORS,
    VIEWERS,
    build,
    changed,
    each,
    filled,
    history,
    moved,
    padded,
    read,
    same,
    viewer,
)

OLDER = 4


@pytest.fixture
def network() -> InterestModel:
    return build()


@pytest.mark.parametrize("field", ["video_BL", "watch_ratio_BL", "flags_BLF", "gap_BL"])
def test_every_place_knows_the_older_events(network: InterestModel, field: str) -> None:
    """A time gap tells nothing of preference."""
    seen = history(older=OLDER)
    before, after = read(network, seen), read(network, replace(seen, older=changed(seen.older, field, 1)))
    assert bool(moved(before.z_BL1D, after.z_BL1D).all())
    assert bool((moved(before.u_BL1D, after.u_BL1D) == (field != "gap_BL")).all())


def split_at(place: int) -> HistoryInputs:
    """The same nine events of each viewer, those before ``place`` as older ones."""
    seen = history(older=OLDER)
    everything = Events(
        **{
            name: torch.cat([getattr(seen.older, name), getattr(seen.recent, name)], dim=1)
            for name in Events.__slots__
        }
    )
    return replace(
        seen,
        older=each(everything, lambda values: values[:, :place]),
        recent=each(everything, lambda values: values[:, place:]),
    )


@pytest.mark.parametrize("sequence", [True, False])
def test_where_a_history_is_split_is_nothing_to_the_preference_and_all_to_the_transformer(sequence: bool) -> None:
    """The evidence is the same sums however they are cut, so without the Transformer the interest is the same too."""
    network = build(history=LENGTH + OLDER, without=None if sequence else "sequence")
    whole = read(network, split_at(0))
    for place in range(1, LENGTH + OLDER + 1):
        cut = read(network, split_at(place))
        assert torch.allclose(cut.u_BL1D, whole.u_BL1D[:, place:], atol=1e-5)
        assert bool(moved(cut.z_BL1D, whole.z_BL1D[:, place:]).all()) == sequence
        if not sequence:
            assert torch.allclose(cut.z_BL1D, whole.z_BL1D[:, place:], atol=1e-5)


def test_the_order_of_older_events_does_not_matter_and_that_of_recent_ones_does(network: InterestModel) -> None:
    seen = history(older=OLDER)
    turned = each(seen.older, lambda values: values.flip(1))
    assert same(read(network, replace(seen, older=turned)), read(network, seen), atol=1e-5)
    recent = each(seen.recent, lambda values: values.flip(1))
    other = read(network, replace(seen, recent=recent))
    assert bool(moved(other.z_BL1D[:, -1], read(network, seen).z_BL1D[:, -1]).all())


def test_what_padding_among_older_events_holds_has_no_influence(network: InterestModel) -> None:
    seen = history(older=OLDER)
    short = padded(seen.older, 2, OLDER, 0)
    one, other = (read(network, replace(seen, older=older)) for older in (short, filled(short)))
    assert same(one, other)


def test_a_viewer_is_read_alike_beside_viewers_with_more_older_events_and_alone(network: InterestModel) -> None:
    """Also one without any: the summary is then its learned base, as in a batch where nobody has any."""
    seen, lengths = history(older=OLDER), (2, OLDER, 0)
    together = read(network, replace(seen, older=padded(seen.older, *lengths)))
    for row, length in enumerate(lengths):
        alone = read(network, viewer(seen, row, older=length))
        for name in VECTORS:
            assert torch.allclose(getattr(together, name)[row], getattr(alone, name)[0], atol=1e-5)


def test_older_events_take_no_place_of_the_recent_ones(network: InterestModel) -> None:
    """Any number of them fits, and each reading is as long as the recent events are."""
    reading = read(network, history(older=50))
    assert reading.z_BL1D.shape[:2] == (VIEWERS, LENGTH + 1)
