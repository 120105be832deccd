"""What is told of a viewer is what the model believes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import torch

from swipewise.catalog import Catalog
from swipewise.schema import Interaction, Profile
from swipewise.training.beliefs import EXAMPLES, MOST_THEMES
from swipewise.training.finishing import with_kinds
from swipewise.training.fitted import FittedModel
from swipewise.training.runs import MODEL_NAME
from swipewise.training.scorer import Scorer
from swipewise.training.tastes import TasteReader
from swipewise.training.workspace_data import chosen_encoders, load_dataset
from swipewise.workspace import Workspace

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
LATE = FIRST + timedelta(days=90)


@pytest.fixture
def fitted(shop: Workspace) -> FittedModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        dataset, encoders = load_dataset(shop), chosen_encoders(shop, Catalog(shop.catalog_dir))
        fitted = FittedModel.untrained(replace(shop.config.model, history=60), dataset, encoders)
    return with_kinds(fitted, dataset, shop.config.training)


@pytest.fixture
def scorer(fitted: FittedModel, shop: Workspace) -> Scorer:
    folder: Path = shop.runs_dir / "r1"
    folder.mkdir(parents=True)
    fitted.save(folder / MODEL_NAME)
    return Scorer.load(folder, shop)


def reader(fitted: FittedModel, shop: Workspace) -> TasteReader:
    found = fitted.taste_reader(load_dataset(shop))
    assert found is not None
    return found


def largest(reader: TasteReader, modality: str) -> list[int]:
    """The themes of a modality, those with most videos first."""
    column = reader.themes.modalities.index(modality)
    sizes = np.bincount(reader.themes.theme_VM[:, column] + 1, minlength=reader.themes.count + 1)[1:]
    return [int(theme) for theme in np.argsort(-sizes, kind="stable")]


def watching(video_ids: Sequence[str], ratios: dict[int, float], start: int, sessions: int) -> list[Interaction]:
    """Sessions of one a day; a video with its share watched, a minute each."""
    return [
        Interaction(
            viewer_id="ann",
            video_id=video_ids[row],
            at=FIRST + timedelta(days=start + session, minutes=minute),
            watch_ratio=ratio,
        )
        for session in range(sessions)
        for minute, (row, ratio) in enumerate(ratios.items())
    ]


def two_themes(fitted: FittedModel, shop: Workspace) -> tuple[list[int], list[int]]:
    """Videos of two themes of words."""
    tastes = reader(fitted, shop)
    first, second = (tastes.themes.typical("text", theme, 8).tolist() for theme in largest(tastes, "text")[:2])
    return first, second


def two_kinds(fitted: FittedModel, shop: Workspace, scorer: Scorer) -> tuple[list[Interaction], list[Interaction]]:
    """A session of somebody who likes one theme of words and not another, and one a month later of the opposite."""
    ones, others = two_themes(fitted, shop)
    return (
        watching(scorer.video_ids, dict.fromkeys(ones, 1.0) | dict.fromkeys(others, 0.03), 0, 1),
        watching(scorer.video_ids, dict.fromkeys(ones, 0.03) | dict.fromkeys(others, 1.0), 30, 1),
    )


def test_what_was_watched_is_the_theme_that_is_liked(scorer: Scorer, fitted: FittedModel, shop: Workspace) -> None:
    tastes = reader(fitted, shop)
    loved, left = largest(tastes, "text")[:2]
    ratios = {int(row): 1.0 for row in tastes.themes.typical("text", loved, 3)}
    ratios |= {int(row): 0.03 for row in tastes.themes.typical("text", left, 3)}
    beliefs = scorer.beliefs(watching(scorer.video_ids, ratios, 0, 4), None, LATE)
    of_text = [theme for theme in beliefs.themes if theme.modality == "text"]
    assert of_text[0].videos == tuple(tastes.themes.typical("text", loved, EXAMPLES).tolist())
    assert all(theme.taste > 0 for theme in beliefs.themes)
    assert [theme.taste for theme in beliefs.themes] == sorted((t.taste for t in beliefs.themes), reverse=True)
    assert len(beliefs.themes) <= MOST_THEMES


def test_modality_weights_are_those_of_the_scores_on_average(scorer: Scorer, shop: Workspace) -> None:
    profile = Profile(viewer_id="ann", features={"age": "18-24"})
    state = scorer.viewer([], profile, LATE)
    weights_NM = scorer.score(state, np.arange(len(scorer.video_ids))).weights_NM
    beliefs = scorer.beliefs([], profile, LATE)
    assert list(beliefs.modality_weights) == list(scorer.modalities)
    assert list(beliefs.modality_weights.values()) == pytest.approx(weights_NM.mean(axis=0).tolist(), abs=1e-5)


def test_a_shift_of_interest_is_told(scorer: Scorer, fitted: FittedModel, shop: Workspace) -> None:
    ones, others = two_themes(fitted, shop)
    before, after = two_kinds(fitted, shop, scorer)
    assert scorer.shifts(before, None, LATE) == ()
    (shift,) = scorer.shifts(before + after, None, LATE)
    assert (shift.at, shift.modality) == (FIRST + timedelta(days=30), "text")
    assert (shift.left.videos[0], shift.joined.videos[0]) == (ones[0], others[0])
    assert 0.3 < shift.chance <= 1
    assert shift.noticed_at == shift.at + timedelta(minutes=shift.interactions - 1)


def test_who_reckons_with_no_order_tells_no_shifts(scorer: Scorer, fitted: FittedModel, shop: Workspace) -> None:
    before, after = two_kinds(fitted, shop, scorer)
    folder: Path = shop.runs_dir / "r2"
    folder.mkdir(parents=True)
    replace(fitted, config=replace(fitted.config, without=("positions",))).save(folder / MODEL_NAME)
    assert len(scorer.shifts(before + after, None, LATE)) == 1
    assert Scorer.load(folder, shop).shifts(before + after, None, LATE) == ()


def test_a_shift_shows_at_once_and_stays(scorer: Scorer, fitted: FittedModel, shop: Workspace) -> None:
    ones, others = two_kinds(fitted, shop, scorer)
    history = ones + others
    (shift,) = scorer.shifts(history, None, LATE)
    seen = len(ones) + shift.interactions
    assert shift.interactions <= 5
    assert scorer.shifts(history[: seen - 1], None, LATE) == ()
    (early,) = scorer.shifts(history[:seen], None, LATE)
    assert (early.at, early.noticed_at, early.chance) == (shift.at, shift.noticed_at, shift.chance)


def test_of_several_shifts_the_newest_is_told_first(scorer: Scorer, fitted: FittedModel, shop: Workspace) -> None:
    ones, others = two_kinds(fitted, shop, scorer)
    back = [replace(each, at=each.at + timedelta(days=60)) for each in ones]
    newest, oldest = scorer.shifts(ones + others + back, None, LATE)
    assert (oldest.at, newest.at) == (others[0].at, back[0].at)
    assert (oldest.left.videos, oldest.joined.videos) == (newest.joined.videos, newest.left.videos)


def test_of_who_did_nothing_or_came_once_no_shift_is_told(scorer: Scorer) -> None:
    assert scorer.shifts([], Profile(viewer_id="ann", features={"age": "18-24"}), LATE) == ()
    once = watching(scorer.video_ids, {0: 1.0}, 0, 1)
    assert scorer.shifts(once, None, LATE) == ()
    elsewhere = [replace(each, video_id="unknown") for each in once]
    assert scorer.shifts(elsewhere, None, LATE) == ()


def test_a_run_without_kinds_of_viewers_tells_no_shifts(fitted: FittedModel, shop: Workspace) -> None:
    folder = shop.runs_dir / "r2"
    folder.mkdir(parents=True)
    replace(fitted, kinds=None).save(folder / MODEL_NAME)
    scorer = Scorer.load(folder, shop)
    ones, others = two_kinds(fitted, shop, scorer)
    assert scorer.shifts(ones + others, None, LATE) == ()
    assert scorer.beliefs(ones + others, None, LATE).themes


def test_a_model_that_knows_no_tastes_tells_weights_alone(shop: Workspace, fitted: FittedModel) -> None:
    folder = shop.runs_dir / "r2"
    folder.mkdir(parents=True)
    replace(fitted, tastes=None).save(folder / MODEL_NAME)
    beliefs = Scorer.load(folder, shop).beliefs([], None, LATE)
    assert beliefs.themes == ()
    assert sum(beliefs.modality_weights.values()) == pytest.approx(1, abs=1e-5)
