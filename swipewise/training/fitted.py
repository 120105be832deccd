"""A network together with what its inputs mean: all that a run leaves behind for use.

Legend of shape suffixes: E = an encoder's width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from swipewise.behavior.kinds import Kinds
from swipewise.behavior.taste_model import TasteModel
from swipewise.config import ModelConfig
from swipewise.errors import ArtifactError
from swipewise.model.interest import InterestModel, Parts
from swipewise.schema import CONTENT_MODALITIES, FLAG_ACTIONS, Modality
from swipewise.training.calibration import Calibration
from swipewise.training.checkpoint import load_tensors, save_tensors
from swipewise.training.dataset import Dataset, Interactions
from swipewise.training.groups import GroupPopularity
from swipewise.training.neighbours import Neighbourhood
from swipewise.training.tastes import (
    TasteReader,
    kinds_as_tensors,
    kinds_from_tensors,
    learn_tastes,
    tastes_as_tensors,
    tastes_from_tensors,
)
from swipewise.training.trends import STATISTICS
from swipewise.training.upgrades import FORMAT_VERSION, OLDEST_FORMAT, upgraded
from swipewise.training.videos import Standard, VideoTable, measure_standards
from swipewise.training.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What counts in the score beside the network: nearness, what viewers of like profile watch, tastes.

    misled: for how much it counts that the network and nearness go by the whole of a history, where the taste has
    changed since a part of it; 1 takes that part's share from them.
    """

    neighbour: float = 0.0
    group: float = 0.0
    taste: float = 0.0
    misled: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedModel:
    """The network, the coding of its inputs, and what counts beside it.

    ``encoders`` names the encoder behind each content modality, where the data came from a catalogue; ``calibration``
    turns the logits of FLAG_ACTIONS into probabilities. ``neighbourhood``, ``groups`` and ``tastes`` add to the
    network's score by their ``weights``. ``kinds`` of viewers tell tastes better, and shifts of interest.
    """

    config: ModelConfig
    vocabulary: Vocabulary
    standards: Mapping[str, Standard]
    encoders: Mapping[str, str]
    network: InterestModel
    neighbourhood: Neighbourhood | None = None
    groups: GroupPopularity | None = None
    tastes: TasteModel | None = None
    kinds: Kinds | None = None
    weights: Weights = Weights()
    calibration: Calibration = field(default_factory=lambda: Calibration.none(len(FLAG_ACTIONS)))

    @classmethod
    def untrained(
        cls, config: ModelConfig, dataset: Dataset, encoders: Mapping[str, str], *, sample: Dataset | None = None
    ) -> Self:
        """A network with fresh weights for what the data set holds; draws from torch's global generator.

        Args:
            config: Of the model.
            dataset: What it will learn from.
            encoders: The encoder behind each content modality.
            sample: The same with the interactions that nearness, groups and tastes are learned from; None: all.
        """
        sample = sample or dataset
        seen_V = dataset.interactions.seen(len(dataset.video_ids))
        vocabulary = Vocabulary.of(dataset)
        standards = measure_standards(dataset.content, config.modalities, seen_V)
        network = _network(config, vocabulary, standards)
        return cls(
            config=config,
            vocabulary=vocabulary,
            standards=standards,
            encoders={name: identity for name, identity in encoders.items() if name in standards},
            network=network,
            neighbourhood=_neighbourhood(config, vocabulary, sample),
            groups=_groups(config, vocabulary, sample),
            tastes=learn_tastes(config, sample, vocabulary, network.modalities),
            weights=Weights(
                neighbour=max(0.0, config.neighbour_weight),
                group=max(0.0, config.group_weight),
                taste=max(0.0, config.taste_weight),
                misled=1.0,
            ),
        )

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities the network fuses: those of the configuration that the data has."""
        return self.network.modalities

    def taste_reader(self, catalogue: Dataset) -> TasteReader | None:
        """Reads tastes in histories with a catalogue's videos; None where the model knows none."""
        return None if self.tastes is None else TasteReader(self.tastes, self.vocabulary, catalogue, self.kinds)

    def catalogue_standards(self, dataset: Dataset) -> Mapping[str, Standard]:
        """What the vectors of a data set's videos are standardised by: training's, or anew by those of all its videos.

        Raises:
            ArtifactError: The data set lacks a modality, or has it at another width.
        """
        for name, standard in self.standards.items():
            width = dataset.content[name].values_VD.shape[1] if name in dataset.content else None
            if width != len(standard.mean_E):
                raise ArtifactError(
                    f"the model was trained with {name} vectors of {len(standard.mean_E)} numbers, the data has "
                    f"{width or 'none'}: train again with 'swipewise train', or set [encoders] back"
                )
        if self.config.norm == "adaptive":
            every_V = np.ones(len(dataset.video_ids), bool)
            return measure_standards(dataset.content, self.modalities, every_V)
        return self.standards

    def table(self, dataset: Dataset, standards: Mapping[str, Standard] | None = None) -> VideoTable:
        """A data set's videos as the network reads them.

        Args:
            dataset: Whose videos.
            standards: What their vectors are standardised by, by default :meth:`catalogue_standards` of them.

        Raises:
            ArtifactError: The data set lacks a modality, or has it at another width.
        """
        standards = self.catalogue_standards(dataset) if standards is None else standards
        return VideoTable.build(
            modalities=self.modalities,
            content=dataset.content,
            video_ids=dataset.video_ids,
            attributes_VA=dataset.attributes_VA,
            attribute_values=dataset.attribute_values,
            vocabulary=self.vocabulary,
            standards=standards,
        )

    def save(self, path: Path) -> None:
        """Write one safetensors file.

        Raises:
            ArtifactError: It cannot be written.
        """
        tensors = {f"network/{name}": value for name, value in self.network.state_dict().items()}
        for name, standard in self.standards.items():
            tensors[f"standard/{name}/mean"] = torch.from_numpy(standard.mean_E)
            tensors[f"standard/{name}/scale"] = torch.from_numpy(standard.scale_E)
        if self.neighbourhood is not None:
            parts = self.neighbourhood.as_tensors()
            tensors |= {f"neighbours/{name}": value for name, value in parts.items()}
        if self.groups is not None:
            tensors |= {f"groups/{name}": value for name, value in self.groups.as_tensors().items()}
        facts: dict[str, Any] = {
            "version": FORMAT_VERSION,
            "config": asdict(self.config),
            "vocabulary": self.vocabulary.as_dict(),
            "encoders": dict(self.encoders),
            "weights": asdict(self.weights),
            "calibration": self.calibration.as_dict(),
        }
        if self.tastes is not None:
            arrays, facts["tastes"] = tastes_as_tensors(self.tastes)
            tensors |= {f"tastes/{name}": value for name, value in arrays.items()}
        if self.kinds is not None:
            arrays, facts["kinds"] = kinds_as_tensors(self.kinds)
            tensors |= {f"kinds/{name}": value for name, value in arrays.items()}
        save_tensors(path, tensors, facts)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            ArtifactError: It is missing, damaged, or of a format that is newer or too old.
        """
        tensors, facts = load_tensors(path)
        try:
            parts = upgraded(tensors, facts)
            if parts is not None:
                return cls._from_parts(*parts)
        except (KeyError, TypeError, RuntimeError, ValueError) as error:
            cause = str(error).splitlines()[0]  # torch goes on with a line a tensor
            raise ArtifactError(f"{path} is damaged ({cause}): train again with 'swipewise train'") from error
        version = facts.get("version")
        older = isinstance(version, int) and version < FORMAT_VERSION
        way_out = "train again with 'swipewise train'" if older else "upgrade swipewise"
        reads = f"{OLDEST_FORMAT} to {FORMAT_VERSION}"
        raise ArtifactError(f"{path} has format {version!r}, this version reads {reads}: {way_out}")

    @classmethod
    def _from_parts(cls, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> Self:
        settings = facts["config"]
        listed = {name: tuple(value) for name, value in settings.items() if isinstance(value, list)}
        config = ModelConfig(**settings | listed)
        vocabulary = Vocabulary.from_dict(facts["vocabulary"])
        standards = {
            name: Standard(
                mean_E=tensors[f"standard/{name}/mean"].numpy(), scale_E=tensors[f"standard/{name}/scale"].numpy()
            )
            for name in map(str, CONTENT_MODALITIES)
            if f"standard/{name}/mean" in tensors
        }
        network = _network(config, vocabulary, standards)
        network.load_state_dict(_kept(tensors, "network"))
        tastes = _kept_tastes(tensors, facts)
        return cls(
            config=config,
            vocabulary=vocabulary,
            standards=standards,
            encoders=facts["encoders"],
            network=network.eval(),
            neighbourhood=_kept_neighbourhood(tensors),
            groups=_kept_groups(tensors, vocabulary),
            tastes=tastes,
            kinds=_kept_kinds(tensors, facts, tastes),
            weights=Weights(**{name: float(weight) for name, weight in facts["weights"].items()}),
            calibration=Calibration.from_dict(facts["calibration"]),
        )


def _neighbourhood(config: ModelConfig, vocabulary: Vocabulary, dataset: Dataset) -> Neighbourhood | None:
    if not config.neighbours or Modality.ID not in config.modalities:
        return None
    shape = (len(dataset.viewer_ids), len(vocabulary.video_ids))
    return Neighbourhood.of(_in_vocabulary(vocabulary, dataset), shape, config.neighbours)


def _groups(config: ModelConfig, vocabulary: Vocabulary, dataset: Dataset) -> GroupPopularity | None:
    if "profile" in config.without or not vocabulary.profile_values or Modality.ID not in config.modalities:
        return None
    return GroupPopularity.of(
        _in_vocabulary(vocabulary, dataset),
        vocabulary.profile_codes(dataset.profile_values)[dataset.profile_UP],
        len(vocabulary.profile_values),
        len(vocabulary.video_ids),
    )


def _in_vocabulary(vocabulary: Vocabulary, dataset: Dataset) -> Interactions:
    """The interactions with videos numbered as in the vocabulary."""
    rows = dataset.interactions
    return replace(rows, video_I=vocabulary.video_rows(dataset.video_ids)[rows.video_I])


def _kept(tensors: Mapping[str, torch.Tensor], part: str) -> dict[str, torch.Tensor]:
    prefix = f"{part}/"
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _kept_neighbourhood(tensors: Mapping[str, torch.Tensor]) -> Neighbourhood | None:
    parts = _kept(tensors, "neighbours")
    return Neighbourhood.from_tensors(parts) if parts else None


def _kept_groups(tensors: Mapping[str, torch.Tensor], vocabulary: Vocabulary) -> GroupPopularity | None:
    parts, groups, videos = _kept(tensors, "groups"), len(vocabulary.profile_values), len(vocabulary.video_ids)
    return GroupPopularity.from_tensors(parts, groups, videos) if parts else None


def _kept_tastes(tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> TasteModel | None:
    return tastes_from_tensors(_kept(tensors, "tastes"), facts["tastes"]) if "tastes" in facts else None


def _kept_kinds(
    tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any], tastes: TasteModel | None
) -> Kinds | None:
    if tastes is None or "kinds" not in facts:
        return None
    return kinds_from_tensors(_kept(tensors, "kinds"), facts["kinds"], tastes)


def _network(config: ModelConfig, vocabulary: Vocabulary, standards: Mapping[str, Standard]) -> InterestModel:
    available = {Modality.ID: True, Modality.ATTRIBUTES: bool(vocabulary.attribute_values)}
    modalities = tuple(name for name in config.modalities if available.get(Modality(name), name in standards))
    if not modalities:
        raise ArtifactError(
            f"none of the modalities {', '.join(config.modalities)} of [model] is in the data: add one to "
            "model.modalities, or encode it with 'swipewise videos add'"
        )
    return InterestModel(
        modalities=modalities,
        content_dims={name: len(standard.mean_E) for name, standard in standards.items()},
        videos=len(vocabulary.video_ids),
        attribute_values=len(vocabulary.attribute_values),
        profile_values=len(vocabulary.profile_values),
        flags=len(FLAG_ACTIONS),
        statistics=STATISTICS,
        width=config.width,
        layers=config.layers,
        heads=config.heads,
        history=config.history,
        dropout=config.dropout,
        norm=config.norm,
        adapter=config.adapter,
        parts=Parts(**{part: part not in config.without for part in Parts.__slots__}),
    )
