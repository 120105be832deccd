"""A small network, videos and histories, on which the tests of the whole network agree.

Legend of shape suffixes: B = viewers, L = events, L1 = L + 1 places, K = videos, M = modalities, D = model width.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from swipewise.model.interest import Events, HistoryInputs, InterestModel, Parts, Reading, VideoInputs

MODALITIES = ("visual", "audio", "attributes", "id")
VIEWERS, LENGTH, VIDEOS, WIDTH, FLAGS, STATISTICS = 3, 5, 9, 16, 2, 3
VECTORS = ("z_BL1D", "u_BL1D", "tokens_BL1D")


def build(*, without: str | None = None, **settings: Any) -> InterestModel:
    """The network in eval mode with fresh weights, a part of it left out."""
    torch.manual_seed(0)
    chosen: dict[str, Any] = {
        "modalities": MODALITIES,
        "content_dims": {"visual": 4, "audio": 3},
        "videos": VIDEOS,
        "attribute_values": 4,
        "profile_values": 4,
        "flags": FLAGS,
        "statistics": STATISTICS,
        "width": WIDTH,
        "layers": 2,
        "heads": 2,
        "history": LENGTH,
        "dropout": 0.0,
        "parts": Parts(**{without: False}) if without else None,
    }
    return InterestModel(**chosen | settings).eval()


def videos() -> VideoInputs:
    """Nine videos, three of which lack something."""
    generator = torch.Generator().manual_seed(1)
    present_KM = torch.ones(VIDEOS, len(MODALITIES), dtype=torch.bool)
    present_KM[1, 1] = present_KM[2, 3] = present_KM[7, 0] = False
    return VideoInputs(
        content={
            "visual": torch.randn(VIDEOS, 4, generator=generator),
            "audio": torch.randn(VIDEOS, 3, generator=generator),
        },
        id_K=torch.arange(VIDEOS),
        attributes_KA=torch.randint(1, 5, (VIDEOS, 2), generator=generator),
        present_KM=present_KM,
    )


def events(length: int, *, seed: int) -> Events:
    """What each viewer did, without the last video; nothing is padded."""
    generator = torch.Generator().manual_seed(seed)
    return Events(
        video_BL=torch.randint(0, VIDEOS - 1, (VIEWERS, length), generator=generator),
        watch_ratio_BL=torch.rand(VIEWERS, length, generator=generator),
        flags_BLF=torch.rand(VIEWERS, length, FLAGS, generator=generator) > 0.5,
        gap_BL=torch.rand(VIEWERS, length, generator=generator) * 60,
        valid_BL=torch.ones(VIEWERS, length, dtype=torch.bool),
    )


def history(*, recent: int = LENGTH, older: int = 0) -> HistoryInputs:
    return HistoryInputs(
        recent=events(recent, seed=2),
        older=events(older, seed=3),
        profile_BP=torch.tensor([[1, 3], [2, 0], [0, 4]]),
    )


def read(network: InterestModel, seen: HistoryInputs) -> Reading:
    inputs = videos()
    reading: Reading = network(seen, network.project(inputs), inputs.present_KM)
    return reading


def each(one: Events, change: Any) -> Events:
    """The events with a function applied to each of their tensors."""
    return Events(**{name: change(getattr(one, name)) for name in Events.__slots__})


def viewer(seen: HistoryInputs, row: int, *, recent: int | None = None, older: int | None = None) -> HistoryInputs:
    """One viewer alone, with the first events only where a number of them is given."""
    return HistoryInputs(
        recent=each(seen.recent, lambda values: values[row : row + 1, :recent]),
        older=each(seen.older, lambda values: values[row : row + 1, :older]),
        profile_BP=seen.profile_BP[row : row + 1],
    )


def padded(one: Events, *lengths: int) -> Events:
    """The events with so many of each viewer's kept."""
    return replace(one, valid_BL=torch.arange(one.video_BL.shape[1]) < torch.tensor(lengths)[:, None])


def filled(one: Events) -> Events:
    """The events with other things in every padded place."""
    return replace(
        one,
        video_BL=one.video_BL.where(one.valid_BL, VIDEOS - 1),
        watch_ratio_BL=one.watch_ratio_BL.where(one.valid_BL, 2.0),
        flags_BLF=one.flags_BLF | ~one.valid_BL[..., None],
        gap_BL=one.gap_BL.where(one.valid_BL, 1e6),
    )


def changed(one: Events, field: str, place: int) -> Events:
    """The events but for one field of one event of every viewer."""
    values = getattr(one, field).clone()
    if field == "flags_BLF":
        values[:, place] = ~values[:, place]
    elif field == "video_BL":
        values[:, place] = (values[:, place] + 4) % VIDEOS
    else:
        values[:, place] = {"watch_ratio_BL": 1.9, "gap_BL": 1e5}[field]
    return replace(one, **{field: values})


def moved(before: Tensor, after: Tensor) -> Tensor:
    """Where a vector is another one."""
    return (before - after).abs().amax(dim=-1) > 1e-6


def same(one: Reading, other: Reading, *, atol: float = 0.0) -> bool:
    """Whether two readings agree in all they say."""
    return all(
        torch.allclose(getattr(one, name), getattr(other, name), rtol=0, atol=atol) for name in Reading.__slots__
    )
