"""DIN (arXiv:1706.06978): every candidate activates its own part of the history.

Legend of shape suffixes: B = viewers or windows in a batch, L = events, C = candidates of a window, I = exposures,
U = viewers, V = videos, N = videos asked for, A = actions, P = profile fields.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from swipewise.baselines.activation import DIN
from swipewise.baselines.din_learner import DINLearner
from swipewise.baselines.din_scores import exposure_logits, full_scorer
from swipewise.baselines.schedule import Schedule, fit_learner, nothing
from swipewise.schema import FLAG_ACTIONS, Action
from swipewise.training.calibration import Calibration
from swipewise.training.dataset import Dataset, Interactions
from swipewise.training.loop import Epoch
from swipewise.training.ranking import ScoreFn, top_k_unseen
from swipewise.training.vocabulary import Vocabulary

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

_NEVER_FORETOLD = (Action.HIDE,)


def din_space(trial: BaseTrial) -> dict[str, Any]:
    """The settings that DIN is searched over."""
    return {
        "width": trial.suggest_categorical("width", [16, 32, 64]),
        "units": trial.suggest_categorical("units", [8, 16, 32]),
        "hidden": trial.suggest_categorical("hidden", [32, 64, 128]),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
        "learning_rate": trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True),
        "negatives": trial.suggest_int("negatives", 1, 12, log=True),
        "exposure_weight": trial.suggest_float("exposure_weight", 0.0, 1.0),
    }


class DINRecommender:
    """Deep interest network, fitted and ready to rank and to foretell actions.

    Args:
        width: Of the embedding of an id, and of that of attributes.
        units: Of the local activation.
        hidden: Of the MLP's first layer; the second has half of it.
        dropout: In the MLP.
        learning_rate: Peak step size of AdamW.
        history: Events that are read.
        negatives: Videos drawn evenly for each positive one, for ranking.
        exposure_weight: What an exposure that was not liked counts as a negative of ranking, where a drawn one
            counts 1.
        action_weight: Of the loss that foretells actions, against the one that ranks.
        schedule: How it is trained.
        validation: Interactions after those it will be fitted on, for early stopping and for the calibration of
            :meth:`predict`. None trains for all epochs and leaves probabilities as the network gives them.
        on_epoch: Told after every epoch.
    """

    name = "din"

    def __init__(
        self,
        *,
        width: int = 32,
        units: int = 16,
        hidden: int = 64,
        dropout: float = 0.3,
        learning_rate: float = 2e-3,
        history: int = 50,
        negatives: int = 8,
        exposure_weight: float = 0.0,
        action_weight: float = 1.0,
        schedule: Schedule | None = None,
        validation: Dataset | None = None,
        on_epoch: Callable[[Epoch], None] = nothing,
    ) -> None:
        self.width, self.units, self.hidden, self.dropout = width, units, hidden, dropout
        self.learning_rate, self.history, self.negatives = learning_rate, history, negatives
        self.exposure_weight, self.action_weight = exposure_weight, action_weight
        self.schedule = schedule or Schedule()
        self._validation, self._on_epoch = validation, on_epoch
        self._columns: tuple[int, ...] = ()
        self._calibration = Calibration.none(0)
        self._network: DIN | None = None
        self._vocabulary: Vocabulary | None = None
        self._dataset: Dataset | None = None
        self._score: ScoreFn | None = None

    @property
    def actions(self) -> tuple[str, ...]:
        """The actions that occurred in training."""
        return tuple(FLAG_ACTIONS[column].value for column in self._columns)

    def fit(self, dataset: Dataset) -> Self:
        """Train on the interactions of ``dataset``, and calibrate on those of the validation.

        Raises:
            DataError: It holds no positive interaction, or the loss is not a number.
        """
        count_F = dataset.interactions.actions_IF.sum(axis=0)
        self._columns = tuple(
            column
            for column, action in enumerate(FLAG_ACTIONS)
            if count_F[column] and action not in _NEVER_FORETOLD
        )
        self._vocabulary = Vocabulary.of(dataset)

        def make(device: torch.device) -> DINLearner:
            self._network = self._untrained(dataset).to(device)
            return DINLearner(
                self._network,
                dataset,
                self.profiles(dataset),
                columns=self._columns,
                history=self.history,
                negatives=self.negatives,
                exposure_weight=self.exposure_weight,
                action_weight=self.action_weight,
                schedule=self.schedule,
                scorer=self.scorer,
            )

        fit_learner(make, self.schedule, self.learning_rate, dataset, self._validation, self._on_epoch)
        self._calibration = Calibration.none(len(self._columns))
        if self._validation is not None and len(self._validation.interactions):
            self._calibrate(dataset, self._validation)
        return self.observe(dataset)

    def _untrained(self, dataset: Dataset) -> DIN:
        vocabulary = self._vocabulary
        assert vocabulary is not None
        codes = vocabulary.attribute_codes(dataset.attribute_values)
        return DIN(
            video_row_V=torch.from_numpy(vocabulary.video_rows(dataset.video_ids)),
            attributes_VS=torch.from_numpy(codes[dataset.attributes_VA]),
            attribute_values=len(vocabulary.attribute_values),
            profile_values=len(vocabulary.profile_values),
            width=self.width,
            units=self.units,
            hidden=self.hidden,
            outputs=1 + len(self._columns),
            dropout=self.dropout,
        )

    def _calibrate(self, train: Dataset, validation: Dataset) -> None:
        self.observe(_joined(train, validation))
        happened_IA = validation.interactions.actions_IF[:, list(self._columns)]
        self._calibration = Calibration.fit(self._logits(validation.interactions), happened_IA)

    def observe(self, dataset: Dataset) -> Self:
        """Rank and foretell with the histories of ``dataset`` from now on."""
        self._dataset = dataset
        self._score = self.scorer(dataset)
        return self

    def profiles(self, dataset: Dataset) -> NDArray[np.int64]:
        """Codes (U, P) of profiles as training knows them."""
        assert self._vocabulary is not None
        return self._vocabulary.profile_codes(dataset.profile_values)[dataset.profile_UP]

    def scorer(self, dataset: Dataset) -> ScoreFn:
        """Scores of the network under the histories of ``dataset``."""
        assert self._network is not None, "fit first"
        return full_scorer(self._network, dataset, self.profiles(dataset), self.history)

    def score(self, viewers_B: NDArray[np.int64], videos_N: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits of the output that ranks (B, N)."""
        assert self._score is not None, "fit first"
        return self._score(viewers_B, videos_N)

    def recommend(self, viewers_B: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        """The best k unseen videos of each viewer (B, k)."""
        assert self._dataset is not None, "fit first"
        return top_k_unseen(self.score, self._dataset, viewers_B, k)

    def predict(self, exposures: Interactions) -> NDArray[np.float32]:
        """Probability of each of :attr:`actions` for each exposure, from what its viewer did before it: (I, A)."""
        return self._calibration(self._logits(exposures))

    def _logits(self, exposures: Interactions) -> NDArray[np.float32]:
        assert self._network is not None, "fit first"
        assert self._dataset is not None, "fit first"
        profile_UP = self.profiles(self._dataset)
        return exposure_logits(self._network, self._dataset, profile_UP, self.history, exposures)[:, 1:]


def _joined(first: Dataset, second: Dataset) -> Dataset:
    """Both periods of the same viewers and videos."""
    parts = first.interactions, second.interactions
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in Interactions.__slots__}
    order_I = np.lexsort((joined["at_I"], joined["viewer_I"]))
    return replace(first, interactions=Interactions(**{name: values[order_I] for name, values in joined.items()}))
