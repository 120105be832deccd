"""The catalogue as tensors: what the network is given of every video.

Legend of shape suffixes: V = videos, K = chosen videos, M = modalities, A = attribute places, E = an encoder's width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from swipewise.model.fusion import VideoInputs
from swipewise.schema import CONTENT_MODALITIES, Modality
from swipewise.training.dataset import ContentFeature
from swipewise.training.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """Mean and scale of one encoder's dimensions over the training videos, both (E,) float32."""

    mean_E: NDArray[np.float32]
    scale_E: NDArray[np.float32]

    @classmethod
    def of(cls, values_KE: NDArray[np.float32]) -> Self:
        """Measure them; a dimension that never varies keeps a scale of 1."""
        if not len(values_KE):
            width = values_KE.shape[1]
            return cls(mean_E=np.zeros(width, np.float32), scale_E=np.ones(width, np.float32))
        scale_E = values_KE.std(axis=0, dtype=np.float64)
        scale_E[scale_E < 1e-6] = 1.0
        mean_E = values_KE.mean(axis=0, dtype=np.float64)
        return cls(mean_E=mean_E.astype(np.float32), scale_E=scale_E.astype(np.float32))


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """One modality's vectors as they are kept, possibly in a file that is mapped into memory, and their standard.

    They are standardised when they are looked up, so that no second copy of a catalogue's vectors is made.
    """

    values_VE: Tensor
    present_V: Tensor
    mean_E: Tensor
    scale_E: Tensor

    def rows(self, rows_K: Tensor) -> Tensor:
        """The standardised vectors of the chosen videos, zeros where there is none: (K, E) float32."""
        values_KE = (self.values_VE[rows_K].float() - self.mean_E) / self.scale_E
        # A single wild dimension must not swamp the rest of a new video.
        return values_KE.clamp_(-8, 8).mul_(self.present_V[rows_K].unsqueeze(1))

    def to(self, device: torch.device) -> Content:
        """The same on another device."""
        return Content(**{name: getattr(self, name).to(device) for name in self.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTable:
    """Every video's inputs; present_VM: bool, with ``modalities`` as columns."""

    modalities: tuple[str, ...]
    content: Mapping[str, Content]
    id_V: Tensor
    attributes_VA: Tensor
    present_VM: Tensor

    @classmethod
    def build(
        cls,
        *,
        modalities: tuple[str, ...],
        content: Mapping[str, ContentFeature],
        video_ids: tuple[str, ...],
        attributes_VA: NDArray[np.int64],
        attribute_values: tuple[str, ...],
        vocabulary: Vocabulary,
        standards: Mapping[str, Standard],
    ) -> Self:
        """Code a catalogue in the terms of a vocabulary; a modality without a standard is absent everywhere."""
        id_V = vocabulary.video_rows(video_ids)
        coded_VA = vocabulary.attribute_codes(attribute_values)[attributes_VA]
        present: dict[str, NDArray[np.bool_]] = {name: np.zeros(len(video_ids), bool) for name in modalities}
        present[Modality.ID] = id_V >= 0
        present[Modality.ATTRIBUTES] = np.any(coded_VA > 0, axis=1)
        kept = {}
        for name, standard in standards.items():
            feature = content[name]
            kept[name] = Content(
                values_VE=torch.from_numpy(feature.values_VD),
                present_V=torch.from_numpy(feature.present_V),
                mean_E=torch.from_numpy(standard.mean_E),
                scale_E=torch.from_numpy(standard.scale_E),
            )
            present[name] = feature.present_V
        return cls(
            modalities=modalities,
            content=kept,
            id_V=torch.from_numpy(np.maximum(id_V, 0)),
            attributes_VA=torch.from_numpy(coded_VA),
            present_VM=torch.from_numpy(np.stack([present[name] for name in modalities], axis=1)),
        )

    def inputs(self, rows_K: Tensor) -> VideoInputs:
        """The inputs of the chosen videos."""
        return VideoInputs(
            content={name: kept.rows(rows_K) for name, kept in self.content.items()},
            id_K=self.id_V[rows_K],
            attributes_KA=self.attributes_VA[rows_K],
            present_KM=self.present_VM[rows_K],
        )

    def to(self, device: torch.device) -> VideoTable:
        """The same table on another device."""
        return replace(
            self,
            content={name: kept.to(device) for name, kept in self.content.items()},
            id_V=self.id_V.to(device),
            attributes_VA=self.attributes_VA.to(device),
            present_VM=self.present_VM.to(device),
        )


def measure_standards(
    content: Mapping[str, ContentFeature], modalities: tuple[str, ...], seen_V: NDArray[np.bool_]
) -> dict[str, Standard]:
    """The standard of each content modality that is used and known, over the videos training saw."""
    return {
        name: Standard.of(content[name].values_VD[content[name].present_V & seen_V])
        for name in CONTENT_MODALITIES
        if name in modalities and name in content
    }
