"""Finished and half-finished variants on disk, so that an ablation that was stopped goes on where it was.

::

    ablations/variants/<variant>-seed<n>.json   a finished one: plan, per-viewer figures, facts
              <plan>.checkpoint.safetensors     the state of an unfinished training
              report.json, index.html           what the last ablation found
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from swipewise.config import Config
from swipewise.errors import ArtifactError
from swipewise.evaluation.protocol import Measured, Metric
from swipewise.staging import write_durably
from swipewise.training.loop import Fit
from swipewise.training.runs import versions
from swipewise.training.split import TimeSplit

FILE_VERSION: Final = 1

_VERSIONS: Final = ("swipewise", "torch", "numpy")
_DIGITS: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a variant is trained on and how; ``content`` goes through JSON, ``digest`` names it."""

    content: Mapping[str, Any]
    digest: str


def ablation_plan(config: Config, data_fingerprint: str, split: TimeSplit) -> Plan:
    """All that decides what a variant's figures are."""
    training = asdict(config.training)
    del training["checkpoint_seconds"]  # changes nothing but the time it takes
    found = versions()
    content = {
        "model": asdict(config.model),
        "training": training,
        "data_fingerprint": data_fingerprint,
        "split": {"valid_start": split.valid_start, "test_start": split.test_start},
        "versions": {name: found[name] for name in _VERSIONS if name in found},
    }
    plain = json.dumps(content, sort_keys=True)
    digest = hashlib.blake2b(plain.encode(), digest_size=8).hexdigest()
    return Plan(content=json.loads(plain), digest=digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a variant did.

    values: segment to metric to (B,) float64, viewers as the protocol has them. facts: epochs, best_epoch,
    validation_ndcg, seconds.
    """

    values: Mapping[str, Mapping[Metric, NDArray[np.float64]]]
    facts: Mapping[str, Any]

    @classmethod
    def of(cls, measured: Measured, fit: Fit, segments: Collection[str]) -> Self:
        """The figures of some segments, rounded as they are kept, so that a rerun has the very same."""
        return cls(
            values={
                str(segment): {metric: value_B.round(_DIGITS) for metric, value_B in figures.items()}
                for segment, figures in measured.values.items()
                if segment in segments
            },
            facts={
                "epochs": len(fit.epochs),
                "best_epoch": fit.best_epoch,
                "validation_ndcg": fit.epochs[fit.best_epoch - 1].validation_ndcg,
                "seconds": round(sum(epoch.seconds for epoch in fit.epochs), 1),
            },
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "figures": {
                segment: {metric.value: value_B.tolist() for metric, value_B in figures.items()}
                for segment, figures in self.values.items()
            },
            "facts": dict(self.facts),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`as_dict`."""
        return cls(
            values={
                segment: {Metric(metric): np.array(value_B, np.float64) for metric, value_B in figures.items()}
                for segment, figures in content["figures"].items()
            },
            facts=content["facts"],
        )


class AblationStore:
    """The folder of an ablation.

    Args:
        directory: Made if it is not there.

    Raises:
        ArtifactError: It cannot be made.
    """

    def __init__(self, directory: Path) -> None:
        self._variants = directory / "variants"
        self._directory = directory
        try:
            self._variants.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ArtifactError(f"cannot make {self._variants}: {error.strerror}") from error

    def find(self, plan: Plan) -> Outcome | None:
        """What a finished training of this plan came to, whatever the variant was called; None where there is none."""
        for path in sorted(self._variants.glob("*.json")):
            try:
                content = json.loads(path.read_bytes())
                if content["version"] == FILE_VERSION and content["plan"] == plan.content:
                    return Outcome.from_dict(content)
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue  # of another version, or damaged: it is trained again and replaced
        return None

    def keep(self, variant: str, seed: int, plan: Plan, outcome: Outcome) -> None:
        """Write a finished variant in one step, and drop its checkpoint.

        Raises:
            ArtifactError: It cannot be written.
        """
        content = {"version": FILE_VERSION, "variant": variant, "seed": seed, "plan": plan.content}
        payload = json.dumps(content | outcome.as_dict(), allow_nan=False).encode() + b"\n"
        write_durably(self._variants / f"{variant}-seed{seed}.json", payload)
        self.checkpoint(plan).unlink(missing_ok=True)

    def checkpoint(self, plan: Plan) -> Path:
        """Where the state of this plan's training is kept until it is finished."""
        return self._directory / f"{plan.digest}.checkpoint.safetensors"

    def clear(self) -> None:
        """Forget every variant and every checkpoint."""
        for path in (*self._variants.glob("*.json"), *self._directory.glob("*.checkpoint.safetensors")):
            path.unlink(missing_ok=True)
