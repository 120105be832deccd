"""A model on a platform that it has never seen: other videos, other viewers, and nothing of them in its vocabulary.

Legend of shape suffixes: V = videos, D = width of a vector.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from swipewise.baselines.peers import PEERS
from swipewise.errors import ArtifactError
from swipewise.evaluation.comparison import Comparison, compare
from swipewise.evaluation.exam import Search, tuned
from swipewise.evaluation.protocol import Measured, Protocol, evaluate
from swipewise.schema import Col, Modality
from swipewise.training.dataset import ContentFeature, Dataset, Recommender
from swipewise.training.fitted import FittedModel
from swipewise.training.recommender import InterestRecommender

TRANSFERRED: Final = "transferred"
"""The model that has never seen the platform."""

OWN: Final = "own"
"""The model that was trained on the platform."""

AGAINST: Final = ("itemcf", "popularity")
"""The platform's baselines."""

PREFIX: Final = "elsewhere:"
"""Before the ids of a foreign platform, so that none of them can coincide with an id that the model knows."""

_PERSONAL: Final = (Col.CREATOR, Col.MUSIC)


def foreign(dataset: Dataset, prefix: str = PREFIX) -> Dataset:
    """The same data set with ids that nobody else uses.

    Videos and viewers are renamed, and so are creators and pieces of music, which are ids of a platform as well: two
    that bear one name on two platforms are not the same. Tags, languages, durations and profiles are words, and stay.
    """
    return replace(
        dataset,
        viewer_ids=tuple(f"{prefix}{name}" for name in dataset.viewer_ids),
        video_ids=tuple(f"{prefix}{name}" for name in dataset.video_ids),
        attribute_values=tuple(_foreign_value(value, prefix) for value in dataset.attribute_values),
    )


def _foreign_value(value: str, prefix: str) -> str:
    column, _, meaning = value.partition("=")
    return f"{column}={prefix}{meaning}" if column in _PERSONAL else value


def check_encoders(trained_with: Mapping[str, str], here: Mapping[str, str], *, run: str, where: str) -> None:
    """See to it that every modality both sides have was encoded by the same encoder.

    Args:
        trained_with: The model's encoder of each modality.
        here: The platform's.
        run: Name of the model's run, for the message.
        where: The platform's workspace, for the message.

    Raises:
        ArtifactError: One differs, or the two share none.
    """
    for modality, encoder in trained_with.items():
        if here.get(modality, encoder) != encoder:
            raise ArtifactError(
                f"run {run} was trained with {modality} vectors by {encoder}, {where} has them by {here[modality]}: "
                f"{_set_back(modality, encoder, here[modality])} in [encoders] of {where} and run 'swipewise videos "
                "encode'"
            )
    if trained_with and not set(trained_with) & set(here):
        raise ArtifactError(
            f"run {run} was trained with vectors of {', '.join(trained_with)}, {where} has none of these: encode its "
            "videos with 'swipewise videos add'"
        )


def _set_back(modality: str, wanted: str, found: str) -> str:
    """Which keys to set so that an encoder of another identity is configured."""
    name, other = (identity.partition("@")[0] for identity in (wanted, found))
    if modality == Modality.TEXT and name == other:
        return "set speech and screen, whose words are read with captions, as they were for that run"
    return f'set {modality} = "{name}"'


def with_every_modality(dataset: Dataset, fitted: FittedModel) -> tuple[Dataset, tuple[str, ...]]:
    """The data set with a feature for each modality the model reads; those that it lacks are absent everywhere.

    Returns:
        The data set, and the names of what it lacks.
    """
    lacking = tuple(name for name in fitted.standards if name not in dataset.content)
    videos = len(dataset.video_ids)
    absent = {
        name: ContentFeature(
            values_VD=np.zeros((videos, len(fitted.standards[name].mean_E)), np.float32),
            present_V=np.zeros(videos, bool),
        )
        for name in lacking
    }
    return replace(dataset, content={**dataset.content, **absent}), lacking


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """The transferred model against the platform's own and its baselines, on the platform's test period.

    comparison: of TRANSFERRED with each of the others. measured: all of them, the transferred one first. lacking:
    modalities that the model reads and the platform does not have. known_attributes: the share of the platform's
    attribute values that the model has met, known_profiles likewise.
    """

    protocol: Protocol
    comparison: Comparison
    measured: tuple[Measured, ...]
    lacking: tuple[str, ...]
    known_attributes: float
    known_profiles: float

    @property
    def names(self) -> tuple[str, ...]:
        """Of all that were measured, the transferred model first."""
        return self.comparison.names


def transfer(
    fitted: FittedModel,
    dataset: Dataset,
    *,
    valid_start: int,
    test_start: int,
    own: FittedModel | None = None,
    against: Sequence[str] = AGAINST,
    trials: int = 20,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
) -> Transfer:
    """Rank for the viewers of a platform with a model of another one.

    The model reads the platform's histories up to the cut and its trends; its parameters stay as they are, and no
    video has an id that it knows.

    Args:
        fitted: The model, trained elsewhere.
        dataset: The platform, everything, also what happened after the cut.
        valid_start: Milliseconds; baselines are tuned on what happened from then to ``test_start``.
        test_start: Milliseconds; what follows is predicted.
        own: A model trained on the platform on nothing later than ``test_start``, if there is one.
        against: Names of baselines.
        trials: Settings that are tried for each of them.
        seed: Of the search and of the resamples.
        on_step: Told what is about to be done.

    Raises:
        DataError: Nobody likes anything new after ``test_start``.
        ArtifactError: A modality has vectors of another width than the model was trained with.
    """
    protocol = Protocol.at(dataset, test_start)
    stranger, lacking = with_every_modality(foreign(protocol.history), fitted)
    on_step(f"ranking, {TRANSFERRED}")
    measured = [evaluate(_Renamed(InterestRecommender.of(fitted, stranger), stranger), protocol)]
    if own is not None:
        on_step(f"ranking, {OWN}")
        found = evaluate(InterestRecommender.of(own, protocol.history), protocol)
        measured.append(replace(found, name=OWN))
    train, validation = dataset.before(valid_start), dataset.between(valid_start, test_start)
    for name in against:
        on_step(f"tuning {name}")
        measured.append(evaluate(_baseline(name, train, validation, protocol.history, trials, seed), protocol))
    words = fitted.vocabulary
    return Transfer(
        protocol=protocol,
        comparison=compare(measured, model=TRANSFERRED, seed=seed),
        measured=tuple(measured),
        lacking=lacking,
        known_attributes=_share_known(stranger.attribute_values, words.attribute_values),
        known_profiles=_share_known(stranger.profile_values, words.profile_values),
    )


class _Renamed:
    """A recommender of a data set whose ids were renamed, asked about the one they were renamed from.

    Both have the same rows, so indices mean the same; ``observe`` keeps the renamed one, whose histories are those of
    the exam.
    """

    name = TRANSFERRED

    def __init__(self, recommender: InterestRecommender, renamed: Dataset) -> None:
        self._recommender, self._renamed = recommender, renamed
        self.score = recommender.score
        self.recommend = recommender.recommend

    def fit(self, dataset: Dataset) -> _Renamed:
        """Nothing is learned."""
        return self.observe(dataset)

    def observe(self, dataset: Dataset) -> _Renamed:
        """Only the histories that it was made with."""
        assert dataset.interactions is self._renamed.interactions, "made for another exam"
        return self


def _baseline(
    name: str, train: Dataset, validation: Dataset, history: Dataset, trials: int, seed: int
) -> Recommender:
    """A baseline with the settings that the validation period favours, fitted on all of the history."""
    peer = PEERS[name]
    settings = tuned(peer, train, validation, Search(trials=trials, seed=seed)).settings or peer.defaults
    return peer.build(settings, validation=None, on_epoch=lambda _: None).fit(history)


def _share_known(values: Sequence[str], known: Sequence[str]) -> float:
    return len(set(values) & set(known)) / len(values) if values else 0.0
