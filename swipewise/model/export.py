"""The network's reading of a history as one graph that a runtime can execute without torch.

Videos are looked up outside of it, so the graph does not hold a catalogue and serves one that grows.

Legend of shape suffixes: B = viewers in the batch, L = recent events, L1 = L and the opening place, O = older events,
M = modalities, F = action flags, P = profile fields, D = model width.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from swipewise.model.interest import InterestModel, Looked

EVENT_INPUTS = ("p", "present", "watch_ratio", "flags", "gap", "valid")
"""What the graph takes of recent events, and again of older ones; see ``Looked``."""
OUTPUTS = ("z", "u", "tokens", "s")
"""z_BL1D, u_BL1D, tokens_BL1D and s_BD of ``Reading``."""

_OPSET = 20


def input_names(*, strength: bool) -> tuple[str, ...]:
    """The names of a graph's inputs in order: ``recent_*``, ``older_*``, ``profile`` and, where read, ``strength``."""
    events = [f"{which}_{name}" for which in ("recent", "older") for name in EVENT_INPUTS]
    return (*events, "profile", *(("strength",) if strength else ()))


class ServedEncoder(nn.Module):
    """The network as a function of plain tensors, in the order of ``input_names``; its outputs are OUTPUTS."""

    def __init__(self, network: InterestModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Read histories; both stretches hold at least one place, which may be padding."""
        count = len(EVENT_INPUTS)
        recent, older = (_looked(inputs[first : first + count]) for first in (0, count))
        profile_BP, *strength = inputs[2 * count :]
        reading = self.network.read(recent, older, profile_BP, strength[0] if strength else None)
        return reading.z_BL1D, reading.u_BL1D, reading.tokens_BL1D, reading.s_BD


def export_encoder(network: InterestModel, path: Path, *, history: int, content: int | None) -> None:
    """Write the graph as one ONNX file without external data; any number of viewers, events and profile fields.

    Args:
        network: Whose; it is not changed.
        path: Where to.
        history: The most recent events that it reads.
        content: Content modalities whose strength it is told; None: it is told none.

    Raises:
        ModuleNotFoundError: ``onnx`` or ``onnxscript`` is not installed.
    """
    served = ServedEncoder(network).eval()
    batch, length, older = Dim("batch"), Dim("length", max=history), Dim("older")
    shapes: list[dict[int, Any]] = [
        *({0: batch, 1: length} for _ in EVENT_INPUTS),
        *({0: batch, 1: older} for _ in EVENT_INPUTS),
        {0: batch, 1: Dim("fields")},
    ]
    if content is not None:
        shapes.append({0: batch, 1: length + 1})
    with torch.no_grad():
        program = torch.onnx.export(
            served,
            _example(network, content),
            dynamo=True,
            dynamic_shapes=(tuple(shapes),),
            input_names=list(input_names(strength=content is not None)),
            output_names=list(OUTPUTS),
            opset_version=_OPSET,
            verbose=False,
        )
    assert program is not None, "dynamo gives a program"
    program.save(path, external_data=False)


def _looked(inputs: tuple[Tensor, ...]) -> Looked:
    p_BLMD, present_BLM, watch_ratio_BL, flags_BLF, gap_BL, valid_BL = inputs
    return Looked(
        p_BLMD=p_BLMD,
        present_BLM=present_BLM,
        watch_ratio_BL=watch_ratio_BL,
        flags_BLF=flags_BLF,
        gap_BL=gap_BL,
        valid_BL=valid_BL,
    )


def _example(network: InterestModel, content: int | None) -> tuple[Tensor, ...]:
    """Inputs of two viewers: with one, the graph would be for one alone. No two sizes are the same."""
    modalities, width = len(network.modalities), len(network.opening)
    inputs: list[Tensor] = []
    for length in (5, 7):
        inputs += [
            torch.zeros(2, length, modalities, width),
            torch.ones(2, length, modalities, dtype=torch.bool),
            torch.ones(2, length),
            torch.zeros(2, length, network.acts.out.out_features, dtype=torch.bool),
            torch.zeros(2, length),
            torch.ones(2, length, dtype=torch.bool),
        ]
    inputs.append(torch.zeros(2, 3, dtype=torch.int64))
    if content is not None:
        inputs.append(torch.zeros(2, 6, content))
    return tuple(inputs)
