"""The model of tastes beside the network: what it says of windows, how it counts in the score, and that it is kept.

Legend of shape suffixes: W = windows, L = places, M = modalities, N = videos.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from swipewise.behavior.taste_model import TasteModel
from swipewise.errors import ArtifactError
from swipewise.training import loop
from swipewise.training.checkpoint import load_tensors, save_tensors
from swipewise.training.dataset import Dataset
from swipewise.training.finishing import TASTE_WEIGHTS, with_best_weights, with_kinds
from swipewise.training.fitted import FittedModel, Weights
from swipewise.training.histories import Windows, latest_windows, training_windows
from swipewise.training.inference import Projected
from swipewise.training.loop import fit_network
from swipewise.training.ranking import RankingTask, mean_ndcg, ranking_task
from swipewise.training.recommender import InterestRecommender
from swipewise.training.tastes import LEAST_INTERACTIONS, TasteReader, WindowStrengths, likings, log_of
from tests.training.tiny import tiny_config, tiny_dataset, tiny_split

EVERYBODY, EVERYTHING = np.arange(60), np.arange(60)


def model(dataset: Dataset | None = None, **settings: Any) -> FittedModel:
    config = replace(tiny_config().model, **{"neighbours": 0, "themes": 4, "taste_weight": 1.0} | settings)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = FittedModel.untrained(config, dataset or tiny_split().train, {})
    made.network.eval()
    return made


@cache
def fitted() -> FittedModel:
    return model()


def tastes() -> TasteModel:
    kept = fitted().tastes
    assert kept is not None
    return kept


def reader(dataset: Dataset | None = None) -> TasteReader:
    return TasteReader(tastes(), fitted().vocabulary, dataset or tiny_dataset())


def profiles(dataset: Dataset, windows: Windows) -> Any:
    codes = fitted().vocabulary.profile_codes(dataset.profile_values)
    return codes[dataset.profile_UP[windows.viewer_W]]


def test_nothing_is_learned_where_there_is_nothing_to_learn_from() -> None:
    train = tiny_split().train
    few = replace(train, interactions=train.interactions.where(np.arange(LEAST_INTERACTIONS - 1)))
    assert len(train.interactions) > LEAST_INTERACTIONS
    assert fitted().tastes is not None
    assert model(few).tastes is None
    assert model(themes=0).tastes is None
    assert model(modalities=("id", "attributes")).tastes is None


def test_only_what_the_network_reads_is_read() -> None:
    told = model(modalities=("text", "id")).tastes
    assert told is not None
    assert tuple(told.themes.axes) == ("text",)
    assert fitted().tastes is not None
    assert tastes().profile_values == len(fitted().vocabulary.profile_values) > 0
    without = model(without=("profile",)).tastes
    assert without is not None
    assert without.profile_values == 0


def test_strengths_are_those_of_the_belief_at_the_last_renewal() -> None:
    dataset = tiny_dataset()
    rows, windows = dataset.interactions, training_windows(dataset.viewer_offsets(), 12, memory=30)
    profile_WP = profiles(dataset, windows)
    found_WLM = reader().strengths(rows, windows, profile_WP)
    assert found_WLM.sum(axis=2) == pytest.approx(np.zeros(found_WLM.shape[:2]), abs=1e-5)
    window = int(np.flatnonzero((windows.length_W == 12) & (windows.start_W > windows.older_W))[0])
    values_LM = found_WLM[window]
    for place, renewed in ((0, 0), (1, 1), (3, 2), (7, 4), (8, 8), (12, 8)):
        start, end = int(windows.older_W[window]), int(windows.start_W[window]) + renewed
        alone = replace(
            windows.where(np.array([window])),
            older_W=np.array([start]),
            start_W=np.array([start]),
            end_W=np.array([end]),
        )
        mean_T = _believed(dataset, alone, profile_WP[[window]])
        log_M = 0.5 * np.log(mean_T.reshape(len(tastes().themes.axes), -1).var(axis=1) + 1e-4)
        assert values_LM[place] == pytest.approx(log_M - log_M.mean(), abs=1e-5)
    assert not np.allclose(values_LM[0], values_LM[1])
    short = int(windows.length_W.argmin())
    assert (found_WLM[short, windows.length_W[short] :] == found_WLM[short, windows.length_W[short]]).all()


def _believed(dataset: Dataset, alone: Windows, profile_1P: Any) -> Any:
    """Tastes as if they never changed, of one window all of whose events are recent."""
    [taste_T] = reader().now(dataset.interactions, alone, profile_1P, changes=False).taste_UT
    return taste_T


def test_what_comes_later_has_no_influence_on_strengths() -> None:
    dataset = tiny_dataset()
    rows, windows = dataset.interactions, training_windows(dataset.viewer_offsets(), 12, memory=30)
    profile_WP = profiles(dataset, windows)
    late_I = rows.at_I >= np.median(rows.at_I)
    other = replace(
        rows,
        video_I=np.where(late_I, (rows.video_I + 1) % 60, rows.video_I),
        watch_ratio_I=np.where(late_I, 1 - rows.watch_ratio_I, rows.watch_ratio_I),
    )
    one_WLM, other_WLM = (reader().strengths(each, windows, profile_WP) for each in (rows, other))
    place_L = np.arange(one_WLM.shape[1])
    row_WL = np.minimum(windows.start_W[:, None] + place_L - 1, len(rows) - 1)
    inside_WL = (place_L > 0) & (place_L <= windows.length_W[:, None])
    early_WL = inside_WL & ~late_I[row_WL]
    assert np.array_equal(one_WLM[early_WL], other_WLM[early_WL])
    assert not np.allclose(one_WLM[inside_WL & late_I[row_WL]], other_WLM[inside_WL & late_I[row_WL]])


def test_what_is_kept_of_all_windows_is_what_a_reading_gives() -> None:
    dataset = tiny_dataset()
    rows, windows = dataset.interactions, training_windows(dataset.viewer_offsets(), 12, memory=30)
    codes = fitted().vocabulary.profile_codes(dataset.profile_values)
    kept = WindowStrengths.of(reader(), rows, windows, codes[dataset.profile_UP])
    some = np.array([5, 0, 17])
    plain_BLM = reader().strengths(rows, windows.where(some), profiles(dataset, windows.where(some)))
    assert kept.padded(some, plain_BLM.shape[1]) == pytest.approx(plain_BLM, abs=1e-6)


def test_a_viewer_is_read_alike_alone_and_among_others_and_as_far_back_as_the_memory() -> None:
    dataset = tiny_dataset()
    rows, offsets = dataset.interactions, dataset.viewer_offsets()
    together = latest_windows(offsets, 12, EVERYBODY, memory=200)
    everybody = reader().now(rows, together, profiles(dataset, together))
    alone = together.where(np.array([7]))
    found = reader().now(rows, alone, profiles(dataset, alone))
    assert found.taste_UT[0] == pytest.approx(everybody.taste_UT[7], abs=1e-5)
    assert found.misled_U[0] == pytest.approx(everybody.misled_U[7], abs=1e-5)
    viewer = int(np.diff(offsets).argmax())
    longest = latest_windows(offsets, 6, np.array([viewer]), memory=6)
    turned_I = np.arange(len(rows)) == offsets[viewer + 1] - 13
    other = replace(rows, watch_ratio_I=np.where(turned_I, 1 - rows.watch_ratio_I, rows.watch_ratio_I))
    profile_1P = profiles(dataset, longest)
    one, another = (reader().now(each, longest, profile_1P).taste_UT for each in (rows, other))
    assert np.array_equal(one, another)


def test_a_video_is_worth_the_tastes_for_what_it_has() -> None:
    taste_BT = torch.tensor([[1.0, -1.0, 3.0, -3.0]])
    theme_NMK = torch.tensor(
        [
            [[1.0, 0.0], [0.0, 1.0]],  # both modalities
            [[1.0, 0.0], [0.0, 0.0]],  # the first alone, which is a quarter of what tells
            [[0.0, 0.0], [1.0, 0.0]],  # the second alone
            [[0.0, 0.0], [0.0, 0.0]],
        ]
    )
    assert likings(taste_BT, theme_NMK)[0].tolist() == pytest.approx([1 - 3, 4 * 1, 3 * 4 / 3, 0], rel=1e-3)


def test_tastes_count_in_the_score_in_their_weight_and_new_videos_have_no_appeal() -> None:
    dataset = tiny_dataset()
    known_V = np.isin(dataset.video_ids, fitted().vocabulary.video_ids)
    assert 0 < (~known_V).sum() < 30
    projected = Projected(fitted(), dataset)
    interests = projected.interest(dataset, EVERYBODY)
    taste_BT = interests.taste_BT
    assert taste_BT is not None
    worth = likings(taste_BT, torch.from_numpy(reader().theme_VMK)).numpy() + reader().appeal_V
    plain, doubled = (
        InterestRecommender.of(replace(fitted(), weights=Weights(taste=weight)), dataset).score(
            EVERYBODY, EVERYTHING
        )
        for weight in (0.0, 2.0)
    )
    assert doubled - plain == pytest.approx(2.0 * worth, abs=1e-4)
    assert not reader().appeal_V[~known_V].any()
    assert reader().appeal_V[known_V].any()


def test_what_goes_by_the_whole_of_a_history_counts_less_where_the_taste_has_changed_since() -> None:
    dataset, made = tiny_dataset(), model(neighbours=20)
    misled_B = Projected(made, dataset).interest(dataset, EVERYBODY).misled_B
    assert misled_B is not None
    assert 0.2 < misled_B.max() < 1

    def scores(**weights: float) -> Any:
        one = replace(made, weights=Weights(**weights))
        return InterestRecommender.of(one, dataset).score(EVERYBODY, EVERYTHING)

    plain, near, lift = scores(), scores(neighbour=0.5), scores(group=3.0) - scores()
    tastes_alone = scores(taste=2.0) - plain
    heeded_B1 = 1 - misled_B.numpy()[:, None]
    assert np.abs(near - plain).max() > 0.1
    assert np.abs(lift).max() > 0.1
    found = scores(neighbour=0.5, group=3.0, taste=2.0, misled=1.0)
    assert found == pytest.approx(heeded_B1 * near + lift + tastes_alone, abs=1e-4)


def test_where_the_order_of_events_is_left_out_tastes_do_not_change() -> None:
    dataset = tiny_dataset()
    blind = replace(fitted(), config=replace(fitted().config, without=("positions",)))
    windows = latest_windows(dataset.viewer_offsets(), 12, EVERYBODY, memory=400)
    steady = reader().now(dataset.interactions, windows, profiles(dataset, windows), changes=False).taste_UT
    found, heeding = (Projected(one, dataset).interest(dataset, EVERYBODY) for one in (blind, fitted()))
    assert found.taste_BT is not None
    assert heeding.taste_BT is not None
    assert found.taste_BT.numpy() == pytest.approx(steady, abs=1e-6)
    assert found.misled_B is not None
    assert not found.misled_B.any()
    assert not np.allclose(heeding.taste_BT.numpy(), steady, atol=1e-3)


def test_weights_are_chosen_for_a_model_that_knows_the_kinds_of_viewers(monkeypatch: pytest.MonkeyPatch) -> None:
    known: list[bool] = []

    def chosen(fitted: FittedModel, task: RankingTask) -> FittedModel:
        known.append(fitted.kinds is not None)
        return with_best_weights(fitted, task)

    monkeypatch.setattr(loop, "with_best_weights", chosen)
    split = tiny_split()
    assert fit_network(split.train, split.validation, tiny_config(epochs=1)).fitted.kinds is not None
    assert known == [True]


def test_the_weight_that_ranks_the_validation_period_best_is_chosen() -> None:
    split = tiny_split()
    made = model(taste_weight=-1.0)
    assert made.weights.taste == 0
    task = ranking_task(split.train, split.validation)
    by_hand = [
        mean_ndcg(
            Projected(replace(made, weights=replace(made.weights, taste=weight)), task.history).ranker(
                task.history
            ),
            task,
        )
        for weight in TASTE_WEIGHTS
    ]
    assert with_best_weights(made, task).weights.taste == TASTE_WEIGHTS[int(np.argmax(by_hand))]
    given = model(taste_weight=0.75)
    assert with_best_weights(given, task).weights.taste == 0.75


def test_the_model_of_tastes_is_kept_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    dataset, path = tiny_dataset(), tmp_path / "model.safetensors"
    fitted().save(path)
    loaded = FittedModel.load(path)
    assert loaded.weights.taste == 1.0
    scores = [InterestRecommender.of(one, dataset).score(EVERYBODY, EVERYTHING) for one in (fitted(), loaded)]
    assert np.array_equal(*scores)
    tensors, facts = load_tensors(path)
    del tensors["tastes/covariance"]
    save_tensors(path, tensors, facts)
    with pytest.raises(ArtifactError, match="damaged"):
        FittedModel.load(path)
    tensors["tastes/covariance"] = torch.eye(3, dtype=torch.float64)
    save_tensors(path, tensors, facts)
    with pytest.raises(ArtifactError, match="does not fit its themes"):
        FittedModel.load(path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("tastes/theme", torch.zeros(2, 2), "the themes of videos do not fit"),
        ("tastes/theme", torch.full((60, 2), 4), "the themes of videos do not fit"),
        ("kinds/weight", torch.ones(3, 1), "the kinds of viewers do not fit"),
        ("kinds/covariance", torch.ones(2, 3, 3), "the kinds of viewers do not fit"),
        ("kinds/share", None, "'share'"),
    ],
)
def test_themes_and_kinds_that_do_not_belong_together_are_refused(
    name: str, value: torch.Tensor | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    with_kinds(fitted(), tiny_split().train, tiny_config().training).save(path)
    assert FittedModel.load(path).kinds is not None
    tensors, facts = load_tensors(path)
    del tensors[name]
    save_tensors(path, tensors | ({} if value is None else {name: value}), facts)
    with pytest.raises(ArtifactError, match=f"damaged .*{message}"):
        FittedModel.load(path)


def test_kinds_of_viewers_are_kept(tmp_path: Path) -> None:
    made = with_kinds(fitted(), tiny_split().train, tiny_config().training)
    made.save(tmp_path / "model.safetensors")
    kept = FittedModel.load(tmp_path / "model.safetensors").kinds
    assert kept is not None
    assert made.kinds is not None
    assert (kept.rate, kept.profile_values) == (made.kinds.rate, made.kinds.profile_values)
    for name in ("weight_GM", "share_G", "coefficients_FT", "covariance_MKK", "spread_MKK"):
        np.testing.assert_array_equal(getattr(kept.viewers, name), getattr(made.kinds.viewers, name))
    assert kept.viewers.base.noise == made.kinds.viewers.base.noise


def test_a_model_that_was_kept_before_viewers_told_themes_goes_by_vectors(tmp_path: Path) -> None:
    dataset, path = tiny_dataset(), tmp_path / "model.safetensors"
    fitted().save(path)
    tensors, facts = load_tensors(path)
    del tensors["tastes/theme"]
    save_tensors(path, tensors, facts)
    loaded = FittedModel.load(path)
    assert loaded.kinds is None
    found = loaded.taste_reader(dataset)
    assert found is not None
    np.testing.assert_array_equal(found.themes.theme_VM, tastes().themes.of(log_of(dataset).content).theme_VM)


def test_tastes_are_told_by_the_kinds_of_viewers_where_they_are_known() -> None:
    dataset = tiny_dataset()
    knowing = with_kinds(fitted(), tiny_split().train, tiny_config().training)
    assert knowing.kinds is not None
    windows = latest_windows(dataset.viewer_offsets(), 12, EVERYBODY, memory=400)
    profile_WP = profiles(dataset, windows)
    log, signals = reader().heard(dataset.interactions, windows)
    by_kinds = knowing.kinds.tastes_now(tastes(), log, signals, profile_WP)
    found = Projected(knowing, dataset).interest(dataset, EVERYBODY)
    assert found.taste_BT is not None
    assert found.misled_B is not None
    assert found.taste_BT.numpy() == pytest.approx(by_kinds.taste_UT, abs=1e-4)
    assert found.misled_B.numpy() == pytest.approx(by_kinds.misled_U, abs=1e-4)
    assert not np.allclose(
        found.taste_BT.numpy(), tastes().tastes_now(log, signals, profile_WP).taste_UT, atol=1e-2
    )


def test_who_reckons_with_no_order_knows_kinds_of_viewers_all_the_same() -> None:
    split, settings = tiny_split(), tiny_config().training
    blind = with_kinds(model(without=("positions",)), split.train, settings)
    assert blind.kinds is not None
    assert with_kinds(model(themes=0), split.train, settings).kinds is None


def test_the_theme_of_a_video_that_was_met_is_the_one_that_was_told() -> None:
    dataset, kept = tiny_dataset(), tastes()
    place = {video_id: row for row, video_id in enumerate(dataset.video_ids)}
    rows = np.array([place[video_id] for video_id in fitted().vocabulary.video_ids])
    other_VM = np.where(kept.theme_VM >= 0, (kept.theme_VM + 1) % kept.themes.count, -1)
    told = TasteReader(replace(kept, theme_VM=other_VM), fitted().vocabulary, dataset).themes.theme_VM
    alone = kept.themes.of(log_of(dataset).content).theme_VM
    np.testing.assert_array_equal(told[rows], other_VM)
    new = np.setdiff1d(np.arange(len(dataset.video_ids)), rows)
    assert len(new)
    np.testing.assert_array_equal(told[new], alone[new])


def test_elsewhere_themes_are_recognised_and_a_modality_that_is_lacking_tells_nothing() -> None:
    dataset = tiny_dataset()
    elsewhere = replace(
        dataset,
        video_ids=tuple(f"other{name}" for name in dataset.video_ids),
        content={"visual": dataset.content["visual"]},
    )
    there = TasteReader(tastes(), fitted().vocabulary, elsewhere)
    assert np.array_equal(there.theme_VMK[:, 0], reader().theme_VMK[:, 0])
    assert not there.theme_VMK[:, 1].any()
    assert not there.appeal_V.any()
