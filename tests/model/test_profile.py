"""The profile's vector s_u."""

from __future__ import annotations

import pytest
import torch

from swipewise.model.profile import ProfileEncoder


@pytest.fixture
def encoder() -> ProfileEncoder:
    encoder = ProfileEncoder(values=3, width=2)
    encoder.embedding.weight.data.copy_(torch.tensor([[1e6, -1e6], [1.0, 2.0], [3.0, -4.0], [0.5, 0.0]]))
    return encoder


def test_values_are_summed_and_divided_by_the_root_of_their_number(encoder: ProfileEncoder) -> None:
    (s_D,) = encoder(torch.tensor([[1, 2]])).tolist()
    assert s_D == pytest.approx([(1 + 3) / 2**0.5, (2 - 4) / 2**0.5])


def test_a_missing_field_neither_adds_nor_counts(encoder: ProfileEncoder) -> None:
    assert encoder(torch.tensor([[0, 2, 0]])).tolist() == [[3.0, -4.0]]


def test_a_viewer_without_a_profile_gets_zeros(encoder: ProfileEncoder) -> None:
    assert encoder(torch.tensor([[0, 0]])).tolist() == [[0.0, 0.0]]


def test_without_any_fields_every_viewer_gets_zeros(encoder: ProfileEncoder) -> None:
    assert encoder(torch.zeros(2, 0, dtype=torch.long)).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_the_row_of_the_missing_field_learns_nothing(encoder: ProfileEncoder) -> None:
    encoder(torch.tensor([[0, 1]])).sum().backward()
    assert encoder.embedding.weight.grad is not None
    assert encoder.embedding.weight.grad.tolist() == [[0.0, 0.0], [1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]
