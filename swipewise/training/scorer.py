"""A run's model on today's catalogue, one viewer at a time: what the feed asks.

Legend of shape suffixes: V = videos of the catalogue, N = candidates, M = modalities, D = model width,
J = videos of the viewer's history, P = profile fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from swipewise.catalog import Catalog
from swipewise.config import EventsConfig
from swipewise.errors import ArtifactError
from swipewise.events.folded import interaction_parts
from swipewise.events.history import History
from swipewise.schema import FLAG_ACTIONS, WATCH, Action, Col, Evidence, Interaction, Profile
from swipewise.training.beliefs import Beliefs, InterestShift
from swipewise.training.building import catalogue_dataset, categories, code_log, upload_times
from swipewise.training.dataset import Dataset, Interactions, is_positive
from swipewise.training.exported import EAGER, HistoryReader, choose_reader
from swipewise.training.fitted import FittedModel
from swipewise.training.inference import Interests, Projected
from swipewise.training.runs import MODEL_NAME
from swipewise.training.together import Together
from swipewise.workspace import Workspace

_READ_TOGETHER = 8  # viewers; of more the longest history makes too much padding for the others
_WAITING = 256

_Known = tuple[Interactions, NDArray[np.int64]]
"""A viewer's interactions in time order, and the profile's codes (1, P)."""

_Several = tuple[Interactions, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Viewers as the parts of a data set: interactions, offsets, profiles and the numbers of them all."""

_Viewer = tuple[Sequence[Interaction], Profile | None]
"""A viewer's history, in any order, and profile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerState:
    """What the model makes of a viewer now.

    interests: of this one viewer; liked_J: int64 catalogue rows of the history's videos that spoke for the viewer's
    taste, newest first; factors: what the parts of the named modalities in a score are multiplied by.
    """

    interests: Interests
    liked_J: NDArray[np.int64]
    factors: Mapping[str, float] = field(default_factory=dict)

    @property
    def interest_D(self) -> NDArray[np.float32]:
        """z_u, (D,) float32, to search the index with."""
        interest_D: NDArray[np.float32] = self.interests.z_BD[0].cpu().numpy()
        return interest_D

    @property
    def preference_D(self) -> NDArray[np.float32]:
        """The preference vector u, (D,) float32."""
        preference_D: NDArray[np.float32] = self.interests.u_BD[0].cpu().numpy()
        return preference_D


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """values_N: (N,) float32, higher is better; weights_NM: (N, M) float32, the α of each candidate, rows sum to 1."""

    values_N: NDArray[np.float32]
    weights_NM: NDArray[np.float32]


class Scorer:
    """Scores the videos of a catalogue, also those newer than the run, which have no ``id``.

    Trends are those of the log as it was when this was loaded.

    encoders: of each content modality the identity of what it reads; vocabulary: what it knows; inference: what reads
    histories, and why it is not what was asked for.
    video_ids: the rows that ``score`` and ``evidence`` speak of; index_vectors_VD: (V, D) float32, f under the
    viewer-independent preference, to be searched by inner product with ``ViewerState.interest_D``.
    """

    def __init__(
        self,
        fitted: FittedModel,
        catalogue: Dataset,
        events: EventsConfig,
        *,
        reader: HistoryReader | None = None,
        inference: str = EAGER,
    ) -> None:
        self.modalities = fitted.modalities
        self.encoders = fitted.encoders
        self.vocabulary = fitted.vocabulary
        self.video_ids = catalogue.video_ids
        self._row = {video_id: row for row, video_id in enumerate(catalogue.video_ids)}
        self._fitted = fitted
        self._events = events
        self._profile_code = {value: code for code, value in enumerate(fitted.vocabulary.profile_values, 1)}
        self._projected = Projected(fitted, catalogue)
        if reader is not None:
            self._projected = self._projected.reading_with(reader)
        self.inference = inference
        self._read_together = self._reading()
        self.index_vectors_VD: NDArray[np.float32] = self._projected.index_vectors_VD.cpu().numpy()

    @classmethod
    def load(cls, run_dir: Path, workspace: Workspace) -> Scorer:
        """The model of a finished run on the catalogue as it is now, read by what ``server.inference`` names.

        Raises:
            MissingExtraError: An export is asked for, and ONNX Runtime is not installed.
            ArtifactError: The model is missing or damaged, or the catalogue lacks the encoders it was trained with.
        """
        fitted = FittedModel.load(run_dir / MODEL_NAME)
        catalog = Catalog(workspace.catalog_dir)
        encoded = set(catalog.encoders())
        content = {}
        for modality, encoder in fitted.encoders.items():
            if (modality, encoder) not in encoded:
                raise ArtifactError(
                    f"run {run_dir.name} needs {modality} vectors by {encoder}, which the catalogue lacks: "
                    "train again with 'swipewise train'"
                )
            content[modality] = catalog.vectors(modality, encoder)
            width, expected = content[modality][1].shape[1], len(fitted.standards[modality].mean_E)
            if width != expected:
                raise ArtifactError(
                    f"run {run_dir.name} reads {modality} vectors of {expected} numbers, those of {encoder} have "
                    f"{width}: train again with 'swipewise train'"
                )
        videos = catalog.videos().sort(Col.VIDEO_ID)
        catalogue = catalogue_dataset(videos, content, fitted.vocabulary.profile_values)
        if fitted.config.trends:
            durations = videos.lazy().select(Col.VIDEO_ID, Col.DURATION)
            rows = History(workspace.events_dir).collected(
                lambda: code_log(
                    interaction_parts(workspace, durations), catalogue.video_ids, workspace.config.events
                )
            )
            catalogue = replace(catalogue, interactions=rows, uploaded_at_V=upload_times(videos, rows))
        reader, inference = choose_reader(run_dir, workspace.config.server.inference)
        return cls(fitted, catalogue, workspace.config.events, reader=reader, inference=inference)

    def extended(self, catalog: Catalog, video_ids: Sequence[str]) -> Scorer:
        """The same with further videos of the catalogue behind its own; only these are read and projected.

        Args:
            catalog: Where they are.
            video_ids: Theirs; none that is here already.

        Raises:
            StoreError: The catalogue cannot be read.
        """
        content = {
            modality: catalog.vectors(modality, encoder, video_ids)
            for modality, encoder in self._fitted.encoders.items()
        }
        added = catalogue_dataset(
            catalog.videos(video_ids).sort(Col.VIDEO_ID), content, self._fitted.vocabulary.profile_values
        )
        joined = copy(self)
        joined._projected = self._projected.extended(added)
        joined._read_together = joined._reading()
        joined.video_ids = self.video_ids + added.video_ids
        joined._row = {video_id: row for row, video_id in enumerate(joined.video_ids)}
        joined.index_vectors_VD = joined._projected.index_vectors_VD.cpu().numpy()
        return joined

    def viewer(self, history: Sequence[Interaction], profile: Profile | None, now: datetime) -> ViewerState:
        """Read a viewer; with no history the profile speaks alone, with neither the average viewer does.

        Viewers that several threads ask for at the same time are read together; what is read of each is the same.

        Args:
            history: Interactions in any order; those with videos the catalogue lacks, or later than ``now``, are
                left out.
            profile: Static features, if known.
            now: The moment of the request.
        """
        rows = self._past(history, now)
        liked_J = rows.video_I[rows.positive_I][::-1].copy()
        return ViewerState(interests=self._read_together((rows, self._profile(profile))), liked_J=liked_J)

    def interests(self, viewers: Sequence[_Viewer], now: datetime) -> NDArray[np.float32]:
        """z_u of many viewers, given by history and profile, as :meth:`viewer` reads each of them: (B, D) float32."""
        z_BD = np.zeros((len(viewers), self.index_vectors_VD.shape[1]), np.float32)
        for places, read in self._in_blocks(viewers, now):
            z_BD[places] = self._projected.latest(*read).z_BD.cpu().numpy()
        return z_BD

    def weights_of(
        self, viewers: Sequence[_Viewer], videos_N: NDArray[np.int64], now: datetime
    ) -> NDArray[np.float32]:
        """The α of videos for many viewers, as :meth:`weights` gives those of each: (B, N, M)."""
        alpha_BNM = np.zeros((len(viewers), len(videos_N), len(self.modalities)), np.float32)
        for places, read in self._in_blocks(viewers, now):
            alpha_BNM[places] = self._projected.weights(self._projected.latest(*read), videos_N).cpu().numpy()
        return alpha_BNM

    def _in_blocks(self, viewers: Sequence[_Viewer], now: datetime) -> Iterator[tuple[list[int], _Several]]:
        """A few viewers at a time, by their places; those of like length together, for padding costs."""
        known = [(self._past(history, now), self._profile(profile)) for history, profile in viewers]
        order = sorted(range(len(known)), key=lambda place: len(known[place][0]))
        for start in range(0, len(order), _READ_TOGETHER):
            places = order[start : start + _READ_TOGETHER]
            yield places, _joined([known[place] for place in places])

    def weighed(self, state: ViewerState, factors: Mapping[str, float]) -> ViewerState:
        """The viewer with other weights of modalities in scores; a modality that is not named counts once."""
        return replace(state, factors=factors)

    def beliefs(self, history: Sequence[Interaction], profile: Profile | None, now: datetime) -> Beliefs:
        """What the model believes of a viewer; its videos are rows of ``video_ids``. Arguments as of :meth:`viewer`."""
        rows, codes = self._past(history, now), self._profile(profile)
        return self._projected.beliefs(rows, codes, self._interests(rows, codes))

    def shifts(
        self, history: Sequence[Interaction], profile: Profile | None, now: datetime
    ) -> tuple[InterestShift, ...]:
        """The viewer's shifts of interest, the newest first. Arguments as of :meth:`viewer`."""
        return self._projected.shifts(self._past(history, now), self._profile(profile))

    def score(self, state: ViewerState, videos_N: NDArray[np.int64]) -> Scores:
        """Score candidates, given as rows of ``video_ids``."""
        scores_BN, alpha_BNM = self._projected.score_and_weights(state.interests, videos_N, state.factors)
        return Scores(values_N=scores_BN[0].cpu().numpy(), weights_NM=alpha_BNM[0].cpu().numpy())

    def weights(self, state: ViewerState, videos_N: NDArray[np.int64]) -> NDArray[np.float32]:
        """The α of candidates (N, M), as :meth:`score` gives them with the scores."""
        alpha_NM: NDArray[np.float32] = self._projected.weights(state.interests, videos_N)[0].cpu().numpy()
        return alpha_NM

    def predict(self, state: ViewerState, videos_N: NDArray[np.int64]) -> Mapping[str, NDArray[np.float32]]:
        """Calibrated probability of each action of FLAG_ACTIONS, and the share watched (WATCH): (N,) each."""
        logits_BNA, watch_BN = self._projected.predict(state.interests, videos_N)
        probability_NA = self._fitted.calibration(logits_BNA[0].cpu().numpy())
        named = {str(action): probability_NA[:, column] for column, action in enumerate(FLAG_ACTIONS)}
        return named | {WATCH: torch.sigmoid(watch_BN[0]).cpu().numpy()}

    def evidence(
        self, state: ViewerState, videos_N: NDArray[np.int64], k: int
    ) -> tuple[tuple[Evidence, ...], ...]:
        """For each video the k liked ones of the history most like it, by the cosine of f under the viewer's weights.

        Fewer where fewer are alike at all: a cosine of 0 or less is no reason, nor is the video itself.
        """
        liked_J = np.unique(state.liked_J)
        if not len(liked_J) or k < 1:
            return ((),) * len(videos_N)
        f_D = self._projected.fused(state.interests.u_BD, np.concatenate([liked_J, videos_N]))
        unit_D = functional.normalize(f_D, dim=-1).cpu().numpy()
        cosine_NJ = unit_D[len(liked_J) :] @ unit_D[: len(liked_J)].T
        cosine_NJ[videos_N[:, None] == liked_J] = -1.0
        best_NK = np.argsort(-cosine_NJ, axis=1, kind="stable")[:, :k]
        cosine_NK = np.take_along_axis(cosine_NJ, best_NK, axis=1)
        return tuple(
            tuple(
                Evidence(video_id=self.video_ids[row], similarity=cosine)
                for row, cosine in zip(rows, cosines, strict=True)
                if cosine > 0
            )
            for rows, cosines in zip(liked_J[best_NK].tolist(), cosine_NK.tolist(), strict=True)
        )

    def _past(self, history: Sequence[Interaction], now: datetime) -> Interactions:
        """The latest interactions up to a moment with videos of the catalogue."""
        known = sorted(
            (row for row in history if row.video_id in self._row and row.at <= now), key=lambda row: row.at
        )
        return self._coded(known[-(self._fitted.config.history + self._fitted.config.memory) :])

    def _reading(self) -> Together[_Known, Interests]:
        return Together(self._interests_of, most=_READ_TOGETHER, waiting=_WAITING)

    def _interests_of(self, viewers: Sequence[_Known]) -> list[Interests]:
        """What the model makes of each of some viewers."""
        if len(viewers) == 1:
            return [self._interests(*viewers[0])]
        interests = self._projected.interest_of(*_joined(viewers))
        return [interests.alone(number) for number in range(len(viewers))]

    def _interests(self, rows: Interactions, profile_1P: NDArray[np.int64]) -> Interests:
        return self._projected.interest_of(rows, np.array([0, len(rows)]), profile_1P, np.zeros(1, np.int64))

    def _coded(self, history: Sequence[Interaction]) -> Interactions:
        flags_IF = np.array([_flags(row.actions) for row in history], bool).reshape(
            len(history), len(FLAG_ACTIONS)
        )
        ratio_I = np.array([np.nan if row.watch_ratio is None else row.watch_ratio for row in history], np.float32)
        return Interactions(
            viewer_I=np.zeros(len(history), np.int64),
            video_I=np.array([self._row[row.video_id] for row in history], np.int64),
            at_I=(np.array([row.at.timestamp() for row in history], np.float64) * 1000).astype(np.int64),
            watch_ratio_I=ratio_I,
            actions_IF=flags_IF,
            positive_I=is_positive(ratio_I, flags_IF, self._events),
        )

    def _profile(self, profile: Profile | None) -> NDArray[np.int64]:
        """Codes (1, P) of the profile's values in the model's own vocabulary."""
        features = profile.features if profile else {}
        values = [value for name, given in features.items() for value in categories(name, given)]
        known = [self._profile_code[value] for value in values if value in self._profile_code]
        return np.array([known or [0]], np.int64)


def _joined(viewers: Sequence[_Known]) -> _Several:
    rows = [replace(own, viewer_I=np.full(len(own), number)) for number, (own, _) in enumerate(viewers)]
    joined = Interactions(
        **{name: np.concatenate([getattr(own, name) for own in rows]) for name in Interactions.__slots__}
    )
    offsets_U = np.cumsum([0, *map(len, rows)])
    profile_BP = np.zeros((len(viewers), max(codes_1P.shape[1] for _, codes_1P in viewers)), np.int64)
    for number, (_, codes_1P) in enumerate(viewers):
        profile_BP[number, : codes_1P.shape[1]] = codes_1P[0]
    return joined, offsets_U, profile_BP, np.arange(len(viewers))


@cache
def _flags(actions: frozenset[Action]) -> tuple[bool, ...]:
    """Which of FLAG_ACTIONS are among some actions, of which there are few sets."""
    return tuple(flag in actions for flag in FLAG_ACTIONS)
