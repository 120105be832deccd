"""Probabilities that mean what they say: a map of each action's logit, fitted on exposures that training left out.

Legend of shape suffixes: I = exposures, A = actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_MIN_OF_EACH = 10
_STEPS = 50
_HALVINGS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Platt scaling: σ(scale · logit + shift), an action at a time (Platt 1999).

    scale_A, shift_A: float64; a scale of 1 where too little was seen to fit it, and a shift of 0 where nothing was.
    """

    scale_A: NDArray[np.float64]
    shift_A: NDArray[np.float64]

    @classmethod
    def none(cls, actions: int) -> Self:
        """The logits as they are."""
        return cls(scale_A=np.ones(actions), shift_A=np.zeros(actions))

    @classmethod
    def fit(
        cls,
        logits_IA: NDArray[np.floating],
        happened_IA: NDArray[np.bool_],
        told_IA: NDArray[np.bool_] | None = None,
    ) -> Self:
        """Fit to what happened; logits of an action that happened, or did not, fewer than ten times are only shifted.

        Such a shift makes the mean probability the share that happened, with half a case of each kind added.

        Args:
            logits_IA: What the network said.
            happened_IA: What came of it.
            told_IA: Where that is known; None: everywhere.
        """
        told_IA = np.ones_like(happened_IA) if told_IA is None else told_IA
        pairs = [
            _platt(logits_I[told_I].astype(np.float64), happened_I[told_I])
            for logits_I, happened_I, told_I in zip(logits_IA.T, happened_IA.T, told_IA.T, strict=True)
        ]
        scale_A, shift_A = np.array(pairs).reshape(-1, 2).T
        return cls(scale_A=scale_A, shift_A=shift_A)

    def __call__(self, logits_IA: NDArray[np.floating]) -> NDArray[np.float32]:
        """Logits to probabilities: (I, A)."""
        probability_IA = 1 / (1 + np.exp(-np.clip(self.scale_A * logits_IA + self.shift_A, -60, 60)))
        return probability_IA.astype(np.float32)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"scale": self.scale_A.tolist(), "shift": self.shift_A.tolist()}

    @classmethod
    def from_dict(cls, values: dict[str, Sequence[float]]) -> Self:
        """The inverse of :meth:`as_dict`."""
        return cls(scale_A=np.array(values["scale"], np.float64), shift_A=np.array(values["shift"], np.float64))


def _platt(logits_I: NDArray[np.float64], happened_I: NDArray[np.bool_]) -> tuple[float, float]:
    """Scale and shift by Newton's method on the log loss, lightly held to (1, 0)."""
    if not len(logits_I):
        return 1.0, 0.0
    if min(happened_I.sum(), (~happened_I).sum()) < _MIN_OF_EACH:
        return 1.0, _shift(logits_I, (float(happened_I.sum()) + 0.5) / (len(happened_I) + 1))
    inputs_I2 = np.stack([logits_I, np.ones(len(logits_I))], axis=1)
    start_2 = np.array([1.0, 0.0])

    def loss(at_2: NDArray[np.float64]) -> float:
        mapped_I = inputs_I2 @ at_2
        misfit = np.logaddexp(0, mapped_I).sum() - mapped_I[happened_I].sum()
        return float(misfit + np.square(at_2 - start_2).sum() / 2)

    found_2 = start_2.copy()
    for _ in range(_STEPS):
        probability_I = 1 / (1 + np.exp(-np.clip(inputs_I2 @ found_2, -60, 60)))
        slope_2 = inputs_I2.T @ (probability_I - happened_I) + (found_2 - start_2)
        curve_22 = (inputs_I2 * (probability_I * (1 - probability_I))[:, None]).T @ inputs_I2 + np.eye(2)
        step_2 = np.linalg.solve(curve_22, slope_2)
        # Where the probabilities are near 0 and 1 the curve is flat and the full step leads far beyond the minimum.
        while np.abs(step_2).max() >= 1e-8 and loss(found_2 - step_2) > loss(found_2):
            step_2 /= 2
        found_2 = found_2 - step_2
        if np.abs(step_2).max() < 1e-8:
            break
    return float(found_2[0]), float(found_2[1])


def _shift(logits_I: NDArray[np.float64], share: float) -> float:
    """What to add to logits so that their mean probability is a share, by bisection."""
    wanted = float(np.log(share / (1 - share)))
    low, high = wanted - float(logits_I.max()), wanted - float(logits_I.min())
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        mean = float((1 / (1 + np.exp(-np.clip(logits_I + middle, -60, 60)))).mean())
        low, high = (middle, high) if mean < share else (low, middle)
    return (low + high) / 2
