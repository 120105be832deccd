"""A model of one small world on another: what it may know of it, and what it is held against."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from swipewise.errors import ArtifactError
from swipewise.evaluation.protocol import Metric
from swipewise.evaluation.segments import Segment
from swipewise.evaluation.transfer import (
    OWN,
    PREFIX,
    TRANSFERRED,
    Transfer,
    check_encoders,
    foreign,
    transfer,
    with_every_modality,
)
from swipewise.evaluation.transfer_report import as_transfer_report, print_transfer, summary
from swipewise.training.fitted import FittedModel
from swipewise.training.loop import fit_network
from swipewise.training.recommender import InterestRecommender
from tests.training.tiny import tiny_config, tiny_dataset, tiny_split


@pytest.fixture(scope="module")
def fitted() -> FittedModel:
    """Of the first world."""
    split = tiny_split()
    return fit_network(split.train, split.validation, tiny_config(epochs=1)).fitted


@pytest.fixture(scope="module")
def own() -> FittedModel:
    """Of the second world."""
    split = tiny_split(1)
    return fit_network(split.train, split.validation, tiny_config(epochs=1)).fitted


@pytest.fixture(scope="module")
def found(fitted: FittedModel, own: FittedModel) -> Transfer:
    split = tiny_split(1)
    return transfer(
        fitted,
        tiny_dataset(1),
        valid_start=split.valid_start,
        test_start=split.test_start,
        own=own,
        trials=2,
    )


def test_a_foreign_platform_shares_no_id_but_its_words() -> None:
    dataset = replace(tiny_dataset(), attribute_values=("creator=ann", "music=m1", "tags=cats", "language=en"))
    stranger = foreign(dataset)
    assert stranger.attribute_values == (
        f"creator={PREFIX}ann",
        f"music={PREFIX}m1",
        "tags=cats",
        "language=en",
    )
    assert set(stranger.video_ids).isdisjoint(dataset.video_ids)
    assert set(stranger.viewer_ids).isdisjoint(dataset.viewer_ids)
    assert stranger.profile_values == dataset.profile_values
    assert stranger.interactions is dataset.interactions


def test_ids_that_coincide_are_not_known(fitted: FittedModel) -> None:
    # Both worlds name their videos alike, so that without renaming the model would take one for the other.
    other = tiny_dataset(1)
    assert set(other.video_ids) & set(fitted.vocabulary.video_ids)
    column = fitted.modalities.index("id")
    assert fitted.table(other).present_VM[:, column].any()
    assert not fitted.table(foreign(other)).present_VM[:, column].any()


def test_the_transferred_model_ranks_as_it_would_with_unknown_ids(fitted: FittedModel, found: Transfer) -> None:
    history = found.protocol.history
    strange = InterestRecommender.of(fitted, foreign(history))
    known = InterestRecommender.of(fitted, history)
    viewers_B, best_BK = found.protocol.task.viewers_B, found.measured[0].best_BK
    everything_N = np.arange(len(history.video_ids))
    uploaded_B = found.protocol.task.last_at_B
    agree = {"strange": 0, "known": 0}
    for row, viewer in enumerate(viewers_B):
        seen = set(history.interactions.video_I[history.interactions.viewer_I == viewer].tolist())
        allowed = [
            video
            for video in everything_N.tolist()
            if video not in seen and history.uploaded_at_V[video] <= uploaded_B[row]
        ]
        for name, model in (("strange", strange), ("known", known)):
            scores_V = model.score(np.array([viewer]), everything_N)[0]
            agree[name] += max(allowed, key=lambda video: scores_V[video]) == best_BK[row, 0]
    assert agree["strange"] == len(viewers_B)
    assert agree["known"] < len(viewers_B)


def test_it_is_held_against_the_own_model_and_the_baselines(found: Transfer) -> None:
    assert found.names == (TRANSFERRED, OWN, "itemcf", "popularity")
    figures = found.comparison.figures[Segment.ALL]
    for other in found.names[1:]:
        against = found.comparison.find(other)
        assert against is not None
        assert against.ratio is not None
        ours, theirs = (figures[name][Metric.NDCG_10].value for name in (TRANSFERRED, other))
        assert against.ratio.value == pytest.approx(ours / theirs)
        assert against.p_holm is not None
    assert found.lacking == ()
    assert found.known_attributes == 0.0  # only creators
    assert found.known_profiles == 1.0


def test_without_an_own_model_the_baselines_are_left(fitted: FittedModel) -> None:
    split = tiny_split(1)
    found = transfer(
        fitted,
        tiny_dataset(1),
        valid_start=split.test_start,  # nothing to tune on
        test_start=split.test_start,
        against=("popularity",),
    )
    assert found.names == (TRANSFERRED, "popularity")


def test_a_modality_that_the_platform_lacks_is_absent(fitted: FittedModel) -> None:
    dataset = tiny_dataset(1)
    silent = replace(dataset, content={"visual": dataset.content["visual"]})
    filled, lacking = with_every_modality(silent, fitted)
    assert lacking == ("text",)
    assert not filled.content["text"].present_V.any()
    assert filled.content["visual"] is dataset.content["visual"]
    column = fitted.modalities.index("text")
    assert not fitted.table(filled).present_VM[:, column].any()


def test_vectors_of_another_width_are_refused(fitted: FittedModel) -> None:
    split, dataset = tiny_split(1), tiny_dataset(1)
    other = replace(dataset, content=dict(dataset.content, text=dataset.content["visual"]))
    with pytest.raises(ArtifactError, match="text vectors of 5 numbers, the data has 8"):
        transfer(fitted, other, valid_start=split.valid_start, test_start=split.test_start)


def test_encoders_have_to_agree() -> None:
    trained = {"visual": "descriptor@1", "text": "minilm@1"}
    check_encoders(trained, {"visual": "descriptor@1"}, run="r1", where="shop")
    with pytest.raises(
        ArtifactError, match=r'text vectors by minilm@1, shop .* descriptor@1: set text = "minilm"'
    ):
        check_encoders(trained, {"visual": "descriptor@1", "text": "descriptor@1"}, run="r1", where="shop")
    with pytest.raises(ArtifactError, match="run r1 was trained with vectors of visual, text, shop has none"):
        check_encoders(trained, {"audio": "descriptor@1"}, run="r1", where="shop")
    check_encoders({}, {}, run="r1", where="shop")


def test_the_report_in_words(found: Transfer) -> None:
    split = tiny_split(1)
    report = as_transfer_report(
        found,
        source={"workspace": "a", "run": "r1"},
        target={"workspace": "b", "run": "r2"},
        valid_start=split.valid_start,
    )
    assert [model["title"] for model in report["models"]] == [
        "Transferred model",
        "Own model",
        "ItemCF",
        "Popularity",
    ]
    lines = summary(report)
    assert len(lines) == 4
    assert "times as well as the platform's own model" in lines[0]
    assert "knows no video and no creator of the platform, 0% of its attribute values" in lines[-1]
    assert any("no sound" in line for line in summary(report | {"lacking": ["sound"]}))
    out = StringIO()
    print_transfer(report, Console(file=out, width=200))
    for line in lines:
        assert line in out.getvalue()
    assert f"{report['segments']['all']['figures'][TRANSFERRED]['recall@50']['value']:.3f}" in out.getvalue()
