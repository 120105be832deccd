"""A model on disk: the same scores when it comes back, an error where it does not fit, and no code in it."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from swipewise.config import ModelConfig
from swipewise.errors import ArtifactError
from swipewise.model.interest import Parts
from swipewise.schema import FLAG_ACTIONS, Modality
from swipewise.training.calibration import Calibration
from swipewise.training.checkpoint import load_tensors, save_tensors
from swipewise.training.dataset import ContentFeature, Dataset
from swipewise.training.fitted import FittedModel
from swipewise.training.recommender import InterestRecommender
from swipewise.training.upgrades import FORMAT_VERSION, OLDEST_FORMAT
from tests.training.test_checkpoint import Trap
from tests.training.tiny import tiny_config, tiny_dataset

ENCODERS = {"visual": "fake@1", "text": "fake@2", "audio": "fake@3"}


@pytest.fixture
def model() -> FittedModel:
    """Fresh weights do as well as trained ones for what is tested here."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = FittedModel.untrained(tiny_config().model, tiny_dataset(), ENCODERS)
    made.network.eval()
    return made


@pytest.fixture
def path(model: FittedModel, tmp_path: Path) -> Path:
    model.save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def scores(model: FittedModel, dataset: Dataset) -> np.ndarray:
    return InterestRecommender.of(model, dataset).score(np.arange(9), np.arange(len(dataset.video_ids)))


def test_a_model_that_comes_back_gives_the_same_scores(model: FittedModel, path: Path) -> None:
    loaded = FittedModel.load(path)
    assert not loaded.network.training
    assert np.array_equal(scores(loaded, tiny_dataset()), scores(model, tiny_dataset()))
    assert (loaded.config, loaded.vocabulary, loaded.encoders) == (model.config, model.vocabulary, model.encoders)
    assert loaded.modalities == model.modalities


@pytest.mark.parametrize(
    "settings",
    [
        {"norm": "rms", "adapter": "gated"},
        {"norm": "none", "trends": False, "neighbours": 0},
        {"without": ("positions", "attention"), "memory": 0},
        {"group_weight": 0.5, "neighbour_weight": 0.5},
    ],
    ids=[
        "rms and gated",
        "no norm and nothing but the network",
        "parts left out",
        "groups and neighbours weighed",
    ],
)
def test_a_model_of_any_make_comes_back_with_its_scores_and_predictions(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    dataset = tiny_dataset()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = FittedModel.untrained(replace(tiny_config().model, **settings), dataset, ENCODERS)
        torch.nn.init.normal_(made.network.trend.weight)
    flags = len(FLAG_ACTIONS)
    bent = Calibration(scale_A=np.linspace(0.3, 3, flags), shift_A=np.linspace(-1, 1, flags))
    made = replace(made, calibration=bent)
    made.save(tmp_path / "model.safetensors")
    loaded = FittedModel.load(tmp_path / "model.safetensors")
    assert loaded.config == made.config
    assert loaded.network.parts == made.network.parts
    without = settings.get("without", ())
    assert {part for part in Parts.__slots__ if not getattr(made.network.parts, part)} == set(without)
    assert np.array_equal(scores(loaded, dataset), scores(made, dataset))
    predictions = [InterestRecommender.of(one, dataset).predict(dataset.interactions) for one in (loaded, made)]
    assert np.array_equal(*predictions)
    assert not np.array_equal(
        predictions[0],
        InterestRecommender.of(replace(loaded, calibration=Calibration.none(flags)), dataset).predict(
            dataset.interactions
        ),
    )


def test_only_the_modalities_that_the_data_has_are_fused(model: FittedModel) -> None:
    assert set(model.modalities) == {"visual", "text", "attributes", "id"}
    assert model.encoders == {"visual": "fake@1", "text": "fake@2"}


def test_scores_do_not_depend_on_the_order_of_the_catalogue(model: FittedModel) -> None:
    """Another data set of the same videos and viewers codes to the same rows of the embeddings."""
    dataset = tiny_dataset()
    order = np.random.default_rng(0).permutation(len(dataset.video_ids))
    shuffled = replace(
        dataset,
        video_ids=tuple(dataset.video_ids[row] for row in order),
        interactions=replace(dataset.interactions, video_I=np.argsort(order)[dataset.interactions.video_I]),
        uploaded_at_V=dataset.uploaded_at_V[order],
        content={
            name: ContentFeature(values_VD=one.values_VD[order], present_V=one.present_V[order])
            for name, one in dataset.content.items()
        },
        # The values in another order too.
        attributes_VA=(len(dataset.attribute_values) + 1 - dataset.attributes_VA)[order],
        attribute_values=dataset.attribute_values[::-1],
    )
    assert scores(model, shuffled) == pytest.approx(scores(model, dataset)[:, order], abs=1e-4)


def narrower(dataset: Dataset) -> Dataset:
    visual = dataset.content["visual"]
    return replace(
        dataset, content=dataset.content | {"visual": replace(visual, values_VD=visual.values_VD[:, 1:])}
    )


def without_pictures(dataset: Dataset) -> Dataset:
    return replace(dataset, content={"text": dataset.content["text"]})


@pytest.mark.parametrize(("change", "has"), [(narrower, "7"), (without_pictures, "none")])
def test_vectors_of_another_width_are_an_error(
    model: FittedModel, change: Callable[[Dataset], Dataset], has: str
) -> None:
    with pytest.raises(
        ArtifactError,
        match=rf"trained with visual vectors of 8 numbers, the data has {has}: train again .* set \[encoders\] back",
    ):
        model.table(change(tiny_dataset()))


def test_no_configured_modality_in_the_data_is_an_error() -> None:
    config = ModelConfig(modalities=(Modality.AUDIO,))
    with pytest.raises(
        ArtifactError, match=r"none of the modalities audio of \[model\] is in the data: add one to"
    ):
        FittedModel.untrained(config, tiny_dataset(), {})


@pytest.mark.parametrize(
    ("version", "way_out"),
    [
        (FORMAT_VERSION + 1, "upgrade swipewise"),
        (None, "upgrade swipewise"),
        ("1", "upgrade swipewise"),
        (OLDEST_FORMAT - 1, "train again with 'swipewise train'"),
    ],
)
def test_another_format_is_an_error(path: Path, version: Any, way_out: str) -> None:
    tensors, facts = load_tensors(path)
    save_tensors(path, tensors, facts | {"version": version})
    with pytest.raises(
        ArtifactError,
        match=f"has format {version!r}, this version reads {OLDEST_FORMAT} to {FORMAT_VERSION}: {way_out}",
    ):
        FittedModel.load(path)


def without_vocabulary(tensors: dict[str, Any], facts: dict[str, Any]) -> None:
    del facts["vocabulary"]


def with_an_unknown_setting(tensors: dict[str, Any], facts: dict[str, Any]) -> None:
    facts["config"]["depth"] = 3


def without_a_tensor(tensors: dict[str, Any], facts: dict[str, Any]) -> None:
    tensors.pop(next(name for name in sorted(tensors) if name.startswith("network/")))


def without_a_scale(tensors: dict[str, Any], facts: dict[str, Any]) -> None:
    del tensors["standard/visual/scale"]


def without_calibration(tensors: dict[str, Any], facts: dict[str, Any]) -> None:
    del facts["calibration"]


def with_neighbours_of_no_video(tensors: dict[str, Any], facts: dict[str, Any]) -> None:
    tensors["neighbours/videos"] = torch.full_like(tensors["neighbours/videos"], 10_000)


def with_a_group_too_few(tensors: dict[str, Any], facts: dict[str, Any]) -> None:
    tensors["groups/values"] = tensors["groups/values"][:-1].clone()


def with_an_unknown_weight(tensors: dict[str, Any], facts: dict[str, Any]) -> None:
    facts["weights"]["whim"] = 1.0


def with_another_width(tensors: dict[str, Any], facts: dict[str, Any]) -> None:
    facts["config"]["width"] = 32


@pytest.mark.parametrize(
    "damage",
    [
        without_vocabulary,
        without_calibration,
        with_an_unknown_setting,
        without_a_tensor,
        without_a_scale,
        with_neighbours_of_no_video,
        with_a_group_too_few,
        with_an_unknown_weight,
        with_another_width,
    ],
)
def test_parts_that_do_not_belong_together_are_an_error(
    path: Path, damage: Callable[[dict[str, Any], dict[str, Any]], None]
) -> None:
    tensors, facts = load_tensors(path)
    damage(tensors, facts)
    save_tensors(path, tensors, facts)
    with pytest.raises(ArtifactError, match=r"(?s)is damaged .*: train again with 'swipewise train'"):
        FittedModel.load(path)


def test_a_missing_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"there is no .*model.safetensors: train again"):
        InterestRecommender.load(tmp_path, tiny_dataset())


def test_a_pickled_model_is_refused_and_not_executed(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(ArtifactError, match="is damaged"):
        FittedModel.load(tmp_path / "model.safetensors")
    assert not (tmp_path / "sprung").exists()


def test_adaptive_standards_follow_the_catalogue_and_others_keep_to_training() -> None:
    dataset = tiny_dataset()
    name = next(iter(dataset.content))
    feature = dataset.content[name]
    louder = replace(feature, values_VD=(3 * feature.values_VD + 1) * feature.present_V[:, None])
    changed = replace(dataset, content={**dataset.content, name: louder})
    for norm, follows in (("adaptive", True), ("layer", False)):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            fitted = FittedModel.untrained(replace(tiny_config().model, norm=norm), dataset, {})
        every_V = torch.arange(len(dataset.video_ids))
        one, other = (fitted.table(data).content[name].rows(every_V) for data in (dataset, changed))
        assert torch.allclose(one, other, atol=1e-4) == follows
