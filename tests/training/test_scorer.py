"""A run's model on today's catalogue, one viewer at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from swipewise.catalog import Catalog
from swipewise.errors import ArtifactError
from swipewise.events import viewer_interactions
from swipewise.schema import Action, Col, Evidence, Interaction, Modality, Profile, Video
from swipewise.training.building import catalogue_dataset
from swipewise.training.dataset import Dataset
from swipewise.training.fitted import FittedModel, Weights
from swipewise.training.recommender import InterestRecommender
from swipewise.training.runs import MODEL_NAME
from swipewise.training.scorer import Scorer, Scores, ViewerState
from swipewise.training.workspace_data import chosen_encoders, load_dataset
from swipewise.workspace import Workspace

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def run_dir(shop: Workspace) -> Path:
    """A model of the shop; fresh weights do as well as trained ones here, those of trends but zeros aside."""
    encoders = chosen_encoders(shop, Catalog(shop.catalog_dir))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        fitted = FittedModel.untrained(shop.config.model, load_dataset(shop), encoders)
        torch.nn.init.normal_(fitted.network.trend.weight)
    folder = shop.runs_dir / "r1"
    folder.mkdir(parents=True)
    fitted.save(folder / MODEL_NAME)
    return folder


@pytest.fixture
def scorer(run_dir: Path, shop: Workspace) -> Scorer:
    return Scorer.load(run_dir, shop)


def history_of(shop: Workspace, viewer_id: str, limit: int = 100) -> list[Interaction]:
    durations = Catalog(shop.catalog_dir).videos().lazy().select(Col.VIDEO_ID, Col.DURATION)
    return viewer_interactions(shop.events_dir, viewer_id, durations, limit)


def busiest(shop: Workspace) -> tuple[str, list[Interaction]]:
    dataset = load_dataset(shop)
    viewer_id = dataset.viewer_ids[np.diff(dataset.viewer_offsets()).argmax()]
    return viewer_id, history_of(shop, viewer_id)


def everything(scorer: Scorer, state: ViewerState) -> Scores:
    return scorer.score(state, np.arange(len(scorer.video_ids)))


def same(one: ViewerState, other: ViewerState) -> bool:
    return (
        np.array_equal(one.interest_D, other.interest_D)
        and np.array_equal(one.preference_D, other.preference_D)
        and np.array_equal(near_of(one), near_of(other))
        and np.array_equal(one.liked_J, other.liked_J)
    )


def near_of(state: ViewerState) -> NDArray[np.float32]:
    near = state.interests.near
    return np.zeros((1, 0), np.float32) if near is None else near.dense()


def reasons(scorer: Scorer, state: ViewerState, video: int, k: int) -> tuple[Evidence, ...]:
    """Those of one video, which are the same among others."""
    among, [alone] = scorer.evidence(state, np.array([5, video]), k), scorer.evidence(state, np.array([video]), k)
    assert [each.video_id for each in among[1]] == [each.video_id for each in alone]
    return alone


def watched(*video_ids: str, ratio: float = 1.0, actions: Sequence[Action] = ()) -> list[Interaction]:
    """One video a minute, the last one an hour ago."""
    first = NOW - timedelta(minutes=60 + len(video_ids))
    return [
        Interaction(
            viewer_id="ann",
            video_id=video_id,
            at=first + timedelta(minutes=place),
            watch_ratio=ratio,
            actions=frozenset(actions),
        )
        for place, video_id in enumerate(video_ids)
    ]


def test_a_viewer_is_scored_as_in_evaluation(shop: Workspace, run_dir: Path, scorer: Scorer) -> None:
    dataset = load_dataset(shop)
    recommender = InterestRecommender.load(run_dir, dataset)
    assert scorer.video_ids == dataset.video_ids
    for row in (3, 17, 40):
        viewer_id = dataset.viewer_ids[row]
        [age] = [dataset.profile_values[code - 1] for code in dataset.profile_UP[row]]
        profile = Profile(viewer_id=viewer_id, features={"age": age.removeprefix("age=")})
        found = everything(scorer, scorer.viewer(history_of(shop, viewer_id), profile, NOW))
        expected = recommender.score(np.array([row]), np.arange(len(dataset.video_ids)))[0]
        assert found.values_N == pytest.approx(expected, abs=1e-5)


def test_many_interests_are_those_of_each(shop: Workspace, scorer: Scorer) -> None:
    """More than are read at once, of unlike lengths, in the order in which they were given."""
    ids = load_dataset(shop).viewer_ids[:20]
    viewers = [(history_of(shop, viewer_id, limit=3 + 7 * (n % 4)), None) for n, viewer_id in enumerate(ids)]
    found_BD = scorer.interests([*viewers, ([], None)], NOW)
    expected_BD = [scorer.viewer(history, profile, NOW).interest_D for history, profile in [*viewers, ([], None)]]
    np.testing.assert_allclose(found_BD, expected_BD, atol=1e-5)
    assert scorer.interests([], NOW).shape == (0, scorer.index_vectors_VD.shape[1])


def test_many_viewers_weights_are_those_of_each(shop: Workspace, scorer: Scorer) -> None:
    ids, videos_N = load_dataset(shop).viewer_ids[:12], np.array([5, 0, 33])
    viewers = [(history_of(shop, viewer_id, limit=2 + 9 * (n % 3)), None) for n, viewer_id in enumerate(ids)]
    found_BNM = scorer.weights_of(viewers, videos_N, NOW)
    expected_BNM = [scorer.weights(scorer.viewer(*viewer, NOW), videos_N) for viewer in viewers]
    np.testing.assert_allclose(found_BNM, expected_BNM, atol=1e-5)
    assert not np.allclose(found_BNM[0], found_BNM[1], atol=1e-3)


def test_a_video_newer_than_the_run_is_scored_without_an_id(shop: Workspace, run_dir: Path) -> None:
    vector = np.random.default_rng(9).standard_normal(8).astype(np.float32)
    new = Video(video_id="a new one", uri="new.mp4", content_hash="new", creator="nobody known")
    Catalog(shop.catalog_dir).upsert(
        [new], {(Modality.VISUAL, "fake@1"): [vector], (Modality.TEXT, "fake@1"): [None]}
    )
    scorer = Scorer.load(run_dir, shop)
    assert len(scorer.video_ids) == len(scorer.index_vectors_VD) == 61
    row = scorer.video_ids.index("a new one")
    _, history = busiest(shop)
    scores = everything(scorer, scorer.viewer(history, None, NOW))
    assert np.isfinite(scores.values_N).all()
    assert np.isfinite(scorer.index_vectors_VD).all()
    # Pictures are all that the run knows of it.
    weights = dict(zip(scorer.modalities, scores.weights_NM[row].tolist(), strict=True))
    assert weights == pytest.approx({name: float(name == "visual") for name in scorer.modalities})
    assert scores.weights_NM.sum(axis=1) == pytest.approx(np.ones(61), abs=1e-5)


def test_a_new_video_with_nothing_that_the_run_knows_scores_zero(shop: Workspace, run_dir: Path) -> None:
    """Nor do trends speak for or against what was not there to be shown."""
    blank = Video(video_id="blank", uri="blank.mp4", content_hash="blank", uploaded_at=NOW + timedelta(days=999))
    Catalog(shop.catalog_dir).upsert([blank], {})
    scorer = Scorer.load(run_dir, shop)
    row = np.array([scorer.video_ids.index("blank")])
    scores = scorer.score(scorer.viewer(busiest(shop)[1], None, NOW), row)
    assert scores.values_N.tolist() == [0]
    assert scores.weights_NM.sum() == 0


def test_a_catalogue_without_the_runs_encoder_is_an_error(run_dir: Path, shop: Workspace) -> None:
    fitted = FittedModel.load(run_dir / MODEL_NAME)
    replace(fitted, encoders={"visual": "other@7", "text": "fake@1"}).save(run_dir / MODEL_NAME)
    with pytest.raises(
        ArtifactError, match="run r1 needs visual vectors by other@7, which the catalogue lacks: train again with"
    ):
        Scorer.load(run_dir, shop)


def test_vectors_of_another_width_are_an_error(
    run_dir: Path, shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Catalog, "vectors", lambda *_: ([], np.zeros((0, 3), np.float32)))
    with pytest.raises(ArtifactError, match=r"run r1 reads \w+ vectors of \d+ numbers, those of .* have 3: train"):
        Scorer.load(run_dir, shop)


def test_what_a_viewer_did_and_who_the_viewer_is_both_count(scorer: Scorer, shop: Workspace) -> None:
    history = busiest(shop)[1]
    young = Profile(viewer_id="ann", features={"age": "13-17"})
    states = [scorer.viewer(past, who, NOW) for past in (history, []) for who in (young, None)]
    for row, one in enumerate(states):
        assert np.isfinite(one.interest_D).all()
        assert not any(np.array_equal(one.preference_D, other.preference_D) for other in states[:row])


def test_with_nothing_at_all_the_average_viewer_speaks(scorer: Scorer) -> None:
    nobody = scorer.viewer([], None, NOW)
    unknown = {"age": "as old as time", "shoe size": 44}
    assert same(scorer.viewer([], Profile(viewer_id="bob", features=unknown), NOW), nobody)
    assert same(scorer.viewer(watched("no such video"), Profile(viewer_id="bob"), NOW), nobody)
    assert len(nobody.liked_J) == 0
    assert np.ptp(everything(scorer, nobody).values_N) > 0


def test_videos_that_the_catalogue_lacks_are_left_out_of_a_history(scorer: Scorer) -> None:
    a, b, c = scorer.video_ids[:3]
    gone = watched("gone", a, "gone too", b, c)
    known = [row for row in gone if row.video_id in scorer.video_ids]
    assert same(scorer.viewer(gone, None, NOW), scorer.viewer(known, None, NOW))
    assert not same(scorer.viewer(known, None, NOW), scorer.viewer(known[1:], None, NOW))


def test_the_order_in_which_a_history_is_given_does_not_matter(scorer: Scorer, shop: Workspace) -> None:
    history = busiest(shop)[1]
    assert same(scorer.viewer(history[::-1], None, NOW), scorer.viewer(history, None, NOW))


def test_what_comes_later_than_now_is_left_out(scorer: Scorer, shop: Workspace) -> None:
    history = busiest(shop)[1]
    assert history[4].at < history[5].at
    assert same(scorer.viewer(history, None, history[4].at), scorer.viewer(history[:5], None, NOW))


def test_only_the_end_of_a_long_history_is_read(scorer: Scorer, shop: Workspace) -> None:
    _, history = busiest(shop)
    read = shop.config.model.history + shop.config.model.memory
    assert len(history) > read
    last = scorer.viewer(history[-read:], None, NOW)
    assert np.array_equal(scorer.viewer(history, None, NOW).interest_D, last.interest_D)
    without_memory = scorer.viewer(history[-shop.config.model.history :], None, NOW)
    assert not np.array_equal(without_memory.interest_D, last.interest_D)


def test_only_what_was_liked_is_evidence_newest_first(scorer: Scorer) -> None:
    a, b, c, d = scorer.video_ids[:4]
    history = [
        *watched(a, b),
        *(replace(row, at=NOW - timedelta(minutes=9)) for row in watched(c, ratio=0.1, actions=[Action.LIKE])),
        *(replace(row, at=NOW - timedelta(minutes=5)) for row in watched(d, ratio=0.1, actions=[Action.SKIP])),
    ]
    assert scorer.viewer(history, None, NOW).liked_J.tolist() == [2, 1, 0]


def test_evidence_are_the_liked_videos_most_like_the_one_shown(scorer: Scorer) -> None:
    state = scorer.viewer(watched(*scorer.video_ids[:6]), None, NOW)
    all_others = reasons(scorer, state, 2, 100)
    assert {one.video_id for one in all_others} <= set(scorer.video_ids[:6]) - {scorer.video_ids[2]}
    assert len(all_others) >= 2
    similarities = [one.similarity for one in all_others]
    assert similarities == sorted(similarities, reverse=True)
    assert all(0 < similarity <= 1.001 for similarity in similarities)
    assert reasons(scorer, state, 2, 2) == all_others[:2]
    assert reasons(scorer, state, 30, 1)[0].video_id in scorer.video_ids[:6]


def test_a_video_is_evidence_once_and_only_if_it_is_alike(scorer: Scorer) -> None:
    liked = np.array([1, 1, 3, 3, 5, 8, 13, 21])
    state = replace(scorer.viewer([], None, NOW), liked_J=liked)
    for video in range(0, 30, 2):
        found = reasons(scorer, state, video, 100)
        assert len({one.video_id for one in found}) == len(found)
        assert all(one.similarity > 0 for one in found)


def test_there_is_no_evidence_where_none_is_to_be_had(scorer: Scorer) -> None:
    liked_one = scorer.viewer(watched(scorer.video_ids[0]), None, NOW)
    assert reasons(scorer, liked_one, 0, 3) == ()
    assert reasons(scorer, liked_one, 1, 0) == ()
    assert reasons(scorer, scorer.viewer([], None, NOW), 1, 3) == ()


def test_an_event_without_a_watch_ratio_is_read(scorer: Scorer) -> None:
    unknown = [replace(row, watch_ratio=None) for row in watched(*scorer.video_ids[:3])]
    broken = [replace(row, watch_ratio=float("nan")) for row in unknown]
    assert same(scorer.viewer(unknown, None, NOW), scorer.viewer(broken, None, NOW))
    assert np.isfinite(scorer.viewer(broken, None, NOW).interest_D).all()


def add_two(shop: Workspace) -> None:
    """Two videos with vectors of their own; the second has only a creator."""
    catalog = Catalog(shop.catalog_dir)
    rng = np.random.default_rng(3)
    encoders = {Modality(name): encoder for name, encoder in chosen_encoders(shop, catalog).items()}
    widths = {encoder: catalog.vectors(*encoder)[1].shape[1] for encoder in encoders.items()}
    vectors = {encoder: [rng.normal(size=width).astype(np.float32), None] for encoder, width in widths.items()}
    new = [
        Video(video_id=name, uri=name, content_hash=name, creator="ann", uploaded_at=NOW + timedelta(days=400))
        for name in ("0new", "znew")
    ]
    catalog.upsert(new, vectors)


def changed_model(run_dir: Path, **changes: object) -> None:
    fitted = FittedModel.load(run_dir / MODEL_NAME)
    replace(fitted, **changes).save(run_dir / MODEL_NAME)  # type: ignore[arg-type]


def test_added_videos_score_as_if_everything_were_read_anew(run_dir: Path, shop: Workspace) -> None:
    changed_model(run_dir, weights=Weights(neighbour=1.0, group=1.0, taste=1.0))
    scorer = Scorer.load(run_dir, shop)
    add_two(shop)
    extended, anew = scorer.extended(Catalog(shop.catalog_dir), ["0new", "znew"]), Scorer.load(run_dir, shop)
    assert extended.video_ids == (*scorer.video_ids, "0new", "znew")
    assert set(anew.video_ids) == set(extended.video_ids)
    _, history = busiest(shop)
    history += watched("0new", actions=[Action.LIKE])
    order = [anew.video_ids.index(video_id) for video_id in extended.video_ids]
    states = [each.viewer(history, None, NOW) for each in (extended, anew)]
    found, wanted = everything(extended, states[0]), everything(anew, states[1])
    np.testing.assert_allclose(extended.index_vectors_VD, anew.index_vectors_VD[order], atol=1e-5)
    np.testing.assert_allclose(found.values_N, wanted.values_N[order], atol=1e-4)
    np.testing.assert_allclose(found.weights_NM, wanted.weights_NM[order], atol=1e-5)
    assert len(scorer.index_vectors_VD) == len(scorer.video_ids) == len(extended.video_ids) - 2


def test_added_videos_are_standardised_as_the_rest_was(run_dir: Path, shop: Workspace) -> None:
    changed_model(run_dir, config=replace(shop.config.model, norm="adaptive"))
    scorer, catalog = Scorer.load(run_dir, shop), Catalog(shop.catalog_dir)
    add_two(shop)
    together = scorer.extended(catalog, ["0new", "znew"])
    one_by_one = scorer.extended(catalog, ["0new"]).extended(catalog, ["znew"])
    apart = Scorer(FittedModel.load(run_dir / MODEL_NAME), catalogue_of(shop, ["0new"]), shop.config.events)
    np.testing.assert_allclose(together.index_vectors_VD, one_by_one.index_vectors_VD, atol=1e-6)
    np.testing.assert_array_equal(together.index_vectors_VD[:-2], scorer.index_vectors_VD)
    assert not np.allclose(together.index_vectors_VD[-2], apart.index_vectors_VD[0]), (
        "by itself it is its own mean"
    )


def catalogue_of(shop: Workspace, video_ids: list[str]) -> Dataset:
    catalog = Catalog(shop.catalog_dir)
    content = {
        name: catalog.vectors(name, encoder, video_ids) for name, encoder in chosen_encoders(shop, catalog).items()
    }
    return catalogue_dataset(catalog.videos(video_ids), content)


def test_sliders_take_modalities_out_of_the_score(scorer: Scorer, shop: Workspace) -> None:
    viewer_id, history = busiest(shop)
    state = scorer.viewer(history, None, NOW)
    plain = everything(scorer, state)
    ones = everything(scorer, scorer.weighed(state, dict.fromkeys(scorer.modalities, 1.0)))
    assert ones.values_N == pytest.approx(plain.values_N, abs=1e-5), viewer_id
    twice = everything(scorer, scorer.weighed(state, {"text": 2.0}))
    assert np.array_equal(twice.weights_NM, plain.weights_NM)
    none = everything(scorer, scorer.weighed(state, {"text": 0.0}))
    assert not np.allclose(none.values_N, plain.values_N)
    silent = everything(scorer, scorer.weighed(state, {"audio": 0.0}))
    assert silent.values_N == pytest.approx(plain.values_N, abs=1e-5), "the model has no audio"


def test_viewers_that_are_asked_for_at_the_same_time_are_read_as_each_alone(shop: Workspace) -> None:
    encoders = chosen_encoders(shop, Catalog(shop.catalog_dir))
    config = replace(shop.config.model, neighbour_weight=1.0, group_weight=1.0, taste_weight=1.0)
    dataset = load_dataset(shop)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        fitted = FittedModel.untrained(config, dataset, encoders)
    catalogue = catalogue_dataset(
        Catalog(shop.catalog_dir).videos().sort(Col.VIDEO_ID),
        {name: Catalog(shop.catalog_dir).vectors(Modality(name), encoder) for name, encoder in encoders.items()},
        fitted.vocabulary.profile_values,
    )
    scorer = Scorer(fitted, catalogue, shop.config.events)
    profile = Profile(viewer_id="ann", features={"age": "18-24"})
    viewers = [(history_of(shop, each), profile) for each in dataset.viewer_ids[:4]]
    viewers += [([], profile), (viewers[0][0][:3], None), ([], None)]
    known = [(scorer._past(history, NOW), scorer._profile(each)) for history, each in viewers]
    every_N = np.arange(len(scorer.video_ids))
    for (history, each), interests in zip(viewers, scorer._interests_of(known), strict=True):
        alone = scorer.viewer(history, each, NOW)
        among = replace(alone, interests=interests)
        assert among.interest_D == pytest.approx(alone.interest_D, abs=1e-5)
        assert scorer.score(among, every_N).values_N == pytest.approx(
            scorer.score(alone, every_N).values_N, abs=1e-4
        )
        for name, chance_N in scorer.predict(among, every_N).items():
            assert chance_N == pytest.approx(scorer.predict(alone, every_N)[name], abs=1e-5)
