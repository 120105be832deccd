"""A world is what its configuration says: drawn from one seed, with effects that can be found again."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from swipewise.schema import CONTENT_MODALITIES, Modality
from swipewise.simulate.world import DAY_MS, NO_SHIFT, PROFILE_FIELDS, THEMES, World, WorldConfig, draw_world

CONFIG = WorldConfig(videos=1500, viewers=1200, seed=1)
VISUAL, TEXT, AUDIO = (CONTENT_MODALITIES.index(m) for m in (Modality.VISUAL, Modality.TEXT, Modality.AUDIO))


@pytest.fixture(scope="module")
def world() -> World:
    return draw_world(CONFIG)


def arrays(world: World) -> dict[str, NDArray[np.generic]]:
    return {each.name: getattr(world, each.name) for each in fields(World) if each.name != "config"}


def test_the_same_seed_gives_the_same_world(world: World) -> None:
    again = arrays(draw_world(CONFIG))
    assert all(np.array_equal(array, again[name]) for name, array in arrays(world).items())


def test_another_seed_gives_another_world(world: World) -> None:
    other = arrays(draw_world(replace(CONFIG, seed=2)))
    same = [name for name, array in arrays(world).items() if np.array_equal(array, other[name])]
    assert same == ["taste_group_U"]  # nobody is of one


def test_ids_are_distinct_and_in_row_order(world: World) -> None:
    assert world.video_ids[:2] == ["clip00000", "clip00001"]
    assert world.viewer_ids[-1] == f"viewer{CONFIG.viewers - 1:05d}"
    assert len(set(world.video_ids)) == CONFIG.videos
    assert len(set(world.viewer_ids)) == CONFIG.viewers


@pytest.mark.parametrize(("one", "other"), [(VISUAL, TEXT), (VISUAL, AUDIO), (TEXT, AUDIO)])
def test_a_theme_says_nothing_about_the_theme_of_another_modality(world: World, one: int, other: int) -> None:
    both_VM = world.theme_VM[(world.theme_VM >= 0).all(axis=1)][:, [one, other]]
    counts = np.zeros((THEMES, THEMES))
    np.add.at(counts, tuple(both_VM.T), 1)
    expected = counts.sum(1, keepdims=True) * counts.sum(0) / counts.sum()
    # Chi-squared of independence: mean 49 and deviation 10 at 49 degrees of freedom.
    assert ((counts - expected) ** 2 / expected).sum() < 49 + 4 * 10


def test_every_theme_occurs_and_some_videos_lack_sound_or_words(world: World) -> None:
    for column in range(len(CONTENT_MODALITIES)):
        assert set(range(THEMES)) <= set(world.theme_VM[:, column]) <= set(range(-1, THEMES))
    silent, wordless = (world.theme_VM[:, column] < 0 for column in (AUDIO, TEXT))
    assert silent.mean() == pytest.approx(CONFIG.without_sound, abs=0.03)
    assert wordless.mean() == pytest.approx(CONFIG.without_caption, abs=0.03)
    assert (silent & wordless).any()
    assert (world.theme_VM[:, VISUAL] >= 0).all()


def test_weights_sum_to_one_and_differ_between_viewers(world: World) -> None:
    assert (world.weight_UM >= 0).all()
    assert np.allclose(world.weight_UM.sum(axis=1), 1)
    assert set(world.weight_UM.argmax(axis=1)) == {VISUAL, TEXT, AUDIO}


def test_tastes_have_no_mean_and_one_scale(world: World) -> None:
    for taste_UMT in (world.taste_UMT, world.shifted_taste_UMT):
        assert np.allclose(taste_UMT.mean(axis=2), 0)
        assert np.allclose(taste_UMT.std(axis=2), 1)


def test_a_share_of_the_viewers_shifts_within_the_period(world: World) -> None:
    shifts_U = world.shift_at_U != NO_SHIFT
    assert shifts_U.mean() == pytest.approx(CONFIG.shifting_viewers, abs=0.05)
    moment = world.shift_at_U[shifts_U]
    assert CONFIG.start_ms < moment.min() < moment.max() < CONFIG.start_ms + CONFIG.days * DAY_MS


def test_what_shifts_is_the_taste_that_weighs_most(world: World) -> None:
    differs_UM = (world.taste_UMT != world.shifted_taste_UMT).any(axis=2)
    assert np.array_equal(differs_UM.argmax(axis=1), world.weight_UM.argmax(axis=1))
    assert (differs_UM.sum(axis=1) == 1).all()


def test_a_viewer_who_shifts_likes_other_videos_afterwards(world: World) -> None:
    shifting = np.flatnonzero(world.shift_at_U != NO_SHIFT)
    moment = world.shift_at_U[shifting]
    before, just_before = world.utility(shifting, moment - DAY_MS), world.utility(shifting, moment - 1)
    after = world.utility(shifting, moment)
    assert np.array_equal(before, just_before)
    correlations = [np.corrcoef(a, b)[0, 1] for a, b in zip(before, after, strict=True)]
    assert np.median(correlations) < 0.7
    staying = np.flatnonzero(world.shift_at_U == NO_SHIFT)[:50]
    first, last = (np.full(50, CONFIG.start_ms + day * DAY_MS) for day in (0, CONFIG.days))
    assert np.array_equal(world.utility(staying, first), world.utility(staying, last))


def test_a_profile_mostly_names_the_group_and_the_group_shapes_the_taste(world: World) -> None:
    # A field names the group by truth or, else, by chance one time in four.
    expected = CONFIG.profile_truth + (1 - CONFIG.profile_truth) / 4
    assert [len(values) for values in PROFILE_FIELDS.values()] == [4] * len(CONTENT_MODALITIES)
    for m in range(len(CONTENT_MODALITIES)):
        group_U, claimed_U = world.group_UM[:, m], world.profile_UM[:, m]
        assert (group_U == claimed_U).mean() == pytest.approx(expected, abs=0.05)
        likeness = np.corrcoef(world.taste_UMT[:, m])
        claims_the_same = claimed_U[:, None] == claimed_U
        assert likeness[claims_the_same].mean() > likeness[~claims_the_same].mean() + 0.2


def by_hand(theme_VM: list[list[int]], weight_UM: list[list[float]], shift_at: int) -> World:
    """Two tastes: theme 0 is worth 2, 3 and 5 in the three modalities, and the opposite after the shift."""
    taste_UMT = np.zeros((len(weight_UM), 3, THEMES))
    taste_UMT[:, :, 0] = [2.0, 3.0, 5.0]
    videos, viewers = len(theme_VM), len(weight_UM)
    return World(
        config=WorldConfig(videos=videos, viewers=viewers),
        theme_VM=np.array(theme_VM),
        creator_V=np.zeros(videos, np.int64),
        appeal_V=0.25 * np.arange(videos),
        uploaded_at_V=np.zeros(videos, np.int64),
        joined_at_U=np.zeros(viewers, np.int64),
        activity_U=np.ones(viewers),
        weight_UM=np.array(weight_UM),
        taste_UMT=taste_UMT,
        shifted_taste_UMT=-taste_UMT,
        shift_at_U=np.full(viewers, shift_at),
        group_UM=np.zeros((viewers, 3), np.int64),
        profile_UM=np.zeros((viewers, 3), np.int64),
        common_MGT=np.zeros((3, 4, THEMES)),
        taste_group_U=np.full(viewers, -1),
    )


def test_utility_by_hand() -> None:
    world = by_hand([[0, 0, 0], [0, 0, -1], [0, -1, -1], [1, 0, 0]], [[0.5, 0.25, 0.25], [0.2, 0.3, 0.5]], 10)
    before = world.utility(np.array([0, 1]), np.array([9, 9]))
    assert before == pytest.approx(
        np.array(
            [
                [
                    0.5 * 2 + 0.25 * 3 + 0.25 * 5,
                    (0.5 * 2 + 0.25 * 3) / 0.75 + 0.25,  # without sound the other two carry the whole weight
                    2 + 0.5,
                    0.25 * 3 + 0.25 * 5 + 0.75,
                ],
                [0.2 * 2 + 0.3 * 3 + 0.5 * 5, (0.2 * 2 + 0.3 * 3) / 0.5 + 0.25, 2 + 0.5, 0.3 * 3 + 0.5 * 5 + 0.75],
            ]
        )
    )
    # Viewers are asked for in any order, each at a moment of their own; appeal does not shift.
    mixed = world.utility(np.array([1, 0]), np.array([10, 9]))
    appeal_V = 0.25 * np.arange(4)
    assert mixed == pytest.approx(np.stack([2 * appeal_V - before[1], before[0]]))


def test_some_videos_come_late_and_some_viewers_too(world: World) -> None:
    end = CONFIG.start_ms + CONFIG.days * DAY_MS
    assert (world.uploaded_at_V < CONFIG.start_ms).mean() == pytest.approx(CONFIG.uploaded_before, abs=0.05)
    assert (world.uploaded_at_V > end - 3 * DAY_MS).any()
    assert (world.joined_at_U > end - 3 * DAY_MS).any()
    assert world.joined_at_U.min() >= CONFIG.start_ms
    assert max(world.uploaded_at_V.max(), world.joined_at_U.max()) < end


def test_videos_of_one_creator_share_their_appeal_and_a_few_creators_make_many(world: World) -> None:
    made = np.bincount(world.creator_V, minlength=CONFIG.creators)
    assert made.max() > 5 * np.median(made)
    pairs = [np.flatnonzero(world.creator_V == creator)[:2] for creator in np.flatnonzero(made >= 2)]
    appeal_P2 = world.appeal_V[np.array(pairs)]
    # Half of the variance is the creator's, so two of one creator correlate by a half, two of any by nothing.
    assert 0.25 < np.corrcoef(appeal_P2.T)[0, 1] < 0.75
    assert abs(np.corrcoef(appeal_P2[:-1, 0], appeal_P2[1:, 1])[0, 1]) < 0.3
    assert world.appeal_V.std() == pytest.approx(CONFIG.appeal, rel=0.25)


def test_the_settings_survive_json() -> None:
    settings = WorldConfig(videos=7, seed=3).as_dict()
    assert WorldConfig(**settings) == WorldConfig(videos=7, seed=3)  # type: ignore[arg-type]


def test_a_video_without_any_modality_is_worth_its_appeal(world: World) -> None:
    bare = replace(world, theme_VM=np.where(np.arange(CONFIG.videos)[:, None] == 3, -1, world.theme_VM))
    viewers, at = np.arange(5), np.zeros(5, np.int64)
    assert bare.utility(viewers, at)[:, 3] == pytest.approx(world.appeal_V[3])
    assert np.delete(bare.utility(viewers, at), 3, axis=1) == pytest.approx(
        np.delete(world.utility(viewers, at), 3, axis=1)
    )


def test_planted_taste_groups_are_alike_and_leave_the_rest_of_the_world_as_it_is(world: World) -> None:
    planted = draw_world(replace(CONFIG, taste_groups=5))
    group_U, taste_UX = planted.taste_group_U, planted.taste_UMT.reshape(CONFIG.viewers, -1)
    assert set(group_U) == set(range(5))
    for values_UX in (taste_UX, planted.weight_UM):
        mean_GX = np.stack([values_UX[group_U == group].mean(axis=0) for group in range(5)])
        within = float(((values_UX - mean_GX[group_U]) ** 2).mean())
        assert within < 0.55 * float(values_UX.var(axis=0).mean())
    assert planted.weight_UM.sum(axis=1) == pytest.approx(1.0)
    told = (planted.profile_UM == planted.group_UM).mean()
    assert 0.85 < told < 0.95  # a field that tells nothing may still be right
    others = {
        "taste_UMT",
        "shifted_taste_UMT",
        "weight_UM",
        "group_UM",
        "profile_UM",
        "taste_group_U",
        "shift_at_U",
    }
    same = {name for name, array in arrays(world).items() if np.array_equal(array, getattr(planted, name))}
    assert same >= set(arrays(world)) - others
