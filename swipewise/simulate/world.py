"""A world: videos with planted themes, viewers with planted tastes and weights, drawn from one seed.

Legend of shape suffixes: U = viewers, V = videos, M = content modalities (as CONTENT_MODALITIES), T = themes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from swipewise.schema import CONTENT_MODALITIES

THEMES = 8
"""Themes of each content modality."""

DAY_MS = 86_400_000

_ALIKENESS = 20.0  # of weights within a group of viewers alike; infinite would make them equal

OWN = 0.6
"""Spread of the part of a taste that is the viewer's own; that of what groups share is 1."""

WEIGHT_PRIOR = 0.8  # of the symmetric Dirichlet distribution of weights

NO_SHIFT = np.iinfo(np.int64).max

# A profile field is an observed, noisy sign of the group a viewer's taste in one modality comes from.
PROFILE_FIELDS = {
    "region": ("north", "south", "east", "west"),
    "language": ("en", "es", "hi", "id"),
    "age": ("13-17", "18-24", "25-34", "35+"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldConfig:
    """How large a world is and how loud its effects are; lengths of time are in days."""

    videos: int = 1000
    viewers: int = 1000
    days: int = 30
    seed: int = 0
    start_ms: int = 1_735_689_600_000  # 2025-01-01 UTC
    uploaded_before: float = 0.35  # share of videos that exist on the first day
    without_sound: float = 0.1
    without_caption: float = 0.1
    shifting_viewers: float = 0.25
    profile_truth: float = 0.8  # chance that a profile field names the true group
    sessions: float = 10.0  # mean sessions a viewer, long-tailed
    session_length: float = 7.0  # mean exposures a session
    appeal: float = 0.15  # scale of a video's quality, the same for everybody
    creators: int = 100  # who upload; half of a video's appeal is its creator's
    targeting: float = 2.0  # how strongly the platform shows what the viewer likes
    herding: float = 0.1  # how strongly it shows what is popular
    exploration: float = 0.15  # share of exposures drawn evenly from all videos
    taste_groups: int = (
        0  # of viewers alike in weights and all tastes; 0: each taste comes from a group of its own
    )

    def as_dict(self) -> dict[str, float | int]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The planted truth.

    theme_VM: int64, -1 where the video lacks the modality; creator_V: int64; appeal_V: float64; uploaded_at_V,
    joined_at_U and shift_at_U: int64 milliseconds, NO_SHIFT where there is none; weight_UM: float64, rows sum to 1;
    taste_UMT and shifted_taste_UMT: float64, zero mean and unit variance over the themes; group_UM and profile_UM:
    int64, the group a taste comes from and the one the profile claims; common_MGT: float64, what the tastes of a group
    are drawn around; activity_U: mean sessions; taste_group_U: int64, which of the configured groups a viewer is of, -1
    where there are none.
    """

    config: WorldConfig
    theme_VM: NDArray[np.int64]
    creator_V: NDArray[np.int64]
    appeal_V: NDArray[np.float64]
    uploaded_at_V: NDArray[np.int64]
    joined_at_U: NDArray[np.int64]
    activity_U: NDArray[np.float64]
    weight_UM: NDArray[np.float64]
    taste_UMT: NDArray[np.float64]
    shifted_taste_UMT: NDArray[np.float64]
    shift_at_U: NDArray[np.int64]
    group_UM: NDArray[np.int64]
    profile_UM: NDArray[np.int64]
    common_MGT: NDArray[np.float64]
    taste_group_U: NDArray[np.int64]

    @property
    def video_ids(self) -> list[str]:
        """The ids that the manifest and the events use."""
        return [f"clip{number:05d}" for number in range(len(self.theme_VM))]

    @property
    def viewer_ids(self) -> list[str]:
        """The ids that profiles and events use."""
        return [f"viewer{number:05d}" for number in range(len(self.weight_UM))]

    def utility(self, viewers_B: NDArray[np.int64], at_B: NDArray[np.int64]) -> NDArray[np.float64]:
        """What each viewer would truly get from every video at a time: (B, V).

        The weighted mean of the tastes for the themes the video has, weights renormalised over the modalities
        present, plus the video's appeal; the appeal alone where no modality is.
        """
        shifted_B = at_B >= self.shift_at_U[viewers_B]
        taste_BMT = np.where(
            shifted_B[:, None, None], self.shifted_taste_UMT[viewers_B], self.taste_UMT[viewers_B]
        )
        present_VM = self.theme_VM >= 0
        liking_BMV = np.stack(
            [taste_BMT[:, m, self.theme_VM[:, m]] for m in range(len(CONTENT_MODALITIES))], axis=1
        )
        weight_BMV = self.weight_UM[viewers_B][:, :, None] * present_VM.T
        total_B1V = weight_BMV.sum(axis=1, keepdims=True)
        weight_BMV = np.divide(weight_BMV, total_B1V, out=np.zeros_like(weight_BMV), where=total_B1V > 0)
        utility_BV: NDArray[np.float64] = (weight_BMV * liking_BMV).sum(axis=1) + self.appeal_V
        return utility_BV


def draw_world(config: WorldConfig) -> World:
    """Draw a world; the same configuration gives the same world."""
    rng = np.random.default_rng(config.seed)
    span = config.days * DAY_MS
    theme_VM = _themes(rng, config)
    creator_V, appeal_V = _creators(rng, config)
    new_V = rng.random(config.videos) >= config.uploaded_before
    uploaded_at_V = config.start_ms + np.where(
        new_V, rng.uniform(0, 0.97 * span, config.videos), -rng.uniform(0, span, config.videos)
    ).astype(np.int64)

    modalities = len(CONTENT_MODALITIES)
    weight_UM = rng.dirichlet(np.full(modalities, WEIGHT_PRIOR), config.viewers)
    group_UM = rng.integers(0, 4, (config.viewers, modalities))
    profile_UM = np.where(
        rng.random(group_UM.shape) < config.profile_truth, group_UM, rng.integers(0, 4, group_UM.shape)
    )
    drawn_UM = group_UM
    common_MGT = rng.standard_normal((modalities, 4, THEMES))
    taste_UMT = _tastes(rng, common_MGT, group_UM)
    taste_group_U = np.full(config.viewers, -1)
    if config.taste_groups:
        taste_group_U, weight_UM, taste_UMT = _alike(config)
        group_UM = np.repeat(taste_group_U[:, None] % 4, modalities, axis=1)
        profile_UM = np.where(profile_UM == drawn_UM, group_UM, profile_UM)
    shifted_taste_UMT = taste_UMT.copy()
    # What shifts is the taste that matters most to the viewer; a shift nobody could notice would teach nothing.
    main_U = weight_UM.argmax(axis=1)
    everyone = np.arange(config.viewers)
    shifted_taste_UMT[everyone, main_U] = -taste_UMT[everyone, main_U][:, rng.permutation(THEMES)]
    shift_at_U = np.full(config.viewers, NO_SHIFT)
    shifts_U = rng.random(config.viewers) < config.shifting_viewers
    moment = rng.uniform(0.35 * span, 0.7 * span, shifts_U.sum()).astype(np.int64)
    shift_at_U[shifts_U] = config.start_ms + moment

    # Half the viewers are there from the start; the others arrive one by one, so that some are cold at the end.
    late_U = rng.random(config.viewers) < 0.5
    joined_at_U = config.start_ms + np.where(
        late_U, rng.uniform(0, 0.95 * span, config.viewers), rng.uniform(0, 0.05 * span, config.viewers)
    ).astype(np.int64)
    activity_U = config.sessions * rng.lognormal(-0.32, 0.8, config.viewers)
    return World(
        config=config,
        theme_VM=theme_VM,
        creator_V=creator_V,
        appeal_V=appeal_V,
        uploaded_at_V=uploaded_at_V,
        joined_at_U=joined_at_U,
        activity_U=activity_U,
        weight_UM=weight_UM,
        taste_UMT=taste_UMT,
        shifted_taste_UMT=shifted_taste_UMT,
        shift_at_U=shift_at_U,
        group_UM=group_UM,
        profile_UM=profile_UM,
        common_MGT=common_MGT,
        taste_group_U=taste_group_U,
    )


def _alike(config: WorldConfig) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Groups of viewers alike: (U,), and their weights (U, M) and tastes (U, M, T), which differ within a group too."""
    # A generator of its own, so that worlds without groups stay as they are.
    rng = np.random.default_rng([config.seed, 5])
    modalities = len(CONTENT_MODALITIES)
    group_U = rng.integers(0, config.taste_groups, config.viewers)
    heeded_GM = rng.dirichlet(np.full(modalities, WEIGHT_PRIOR), config.taste_groups)
    loved_MGT = rng.standard_normal((modalities, config.taste_groups, THEMES))
    weight_UM = np.stack([rng.dirichlet(_ALIKENESS * heeded_GM[group] + 0.1) for group in group_U])
    return group_U, weight_UM, _tastes(rng, loved_MGT, np.repeat(group_U[:, None], modalities, axis=1))


def _themes(rng: np.random.Generator, config: WorldConfig) -> NDArray[np.int64]:
    """Themes drawn independently for each modality; every video can be seen, some lack sound or words."""
    theme_VM = rng.integers(0, THEMES, (config.videos, len(CONTENT_MODALITIES)))
    for modality, share in (("text", config.without_caption), ("audio", config.without_sound)):
        column = CONTENT_MODALITIES.index(modality)
        theme_VM[rng.random(config.videos) < share, column] = -1
    return theme_VM


def _creators(rng: np.random.Generator, config: WorldConfig) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Who made each video, a few of them most, and its appeal: as much the creator's as the video's own."""
    output = rng.pareto(1.5, config.creators) + 1
    creator_V = rng.choice(config.creators, config.videos, p=output / output.sum())
    shared = rng.standard_normal(config.creators)[creator_V]
    appeal_V: NDArray[np.float64] = config.appeal * (shared + rng.standard_normal(config.videos)) / 2**0.5
    return creator_V, appeal_V


def _tastes(
    rng: np.random.Generator, common_MGT: NDArray[np.float64], group_UM: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Half a viewer's taste is the group's, half is their own."""
    viewers, modalities = group_UM.shape
    shared_UMT = common_MGT[np.arange(modalities), group_UM]
    return pronounced(shared_UMT + OWN * rng.standard_normal((viewers, modalities, THEMES)))


def pronounced(raw_NT: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tastes with zero mean and unit variance over the themes (last axis); a power makes favourites stand out."""
    raw_NT = np.sign(raw_NT) * np.abs(raw_NT) ** 1.5
    centred_NT = raw_NT - raw_NT.mean(axis=-1, keepdims=True)
    scaled_NT: NDArray[np.float64] = centred_NT / centred_NT.std(axis=-1, keepdims=True)
    return scaled_NT
