"""DIN (arXiv:1706.06978): every candidate activates its own part of the history.

Legend of shape suffixes: B = viewers or windows in a batch, L = events, C = candidates of a window, I = exposures,
U = viewers, V = videos, N = videos asked for, A = actions, P = profile fields.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from swipewise.baselines.activation import DIN
from swipewise.baselines.din_learner import DINLearner
from swipewise.baselines.din_scores import exposure_logits, full_scorer
from swipewise.baselines.neural import NeuralRecommender
from swipewise.baselines.schedule import Schedule, nothing
from swipewise.schema import FLAG_ACTIONS, Action
from swipewise.training.calibration import Calibration
from swipewise.training.dataset import Dataset, Interactions, told_actions
from swipewise.training.learner import Learner
from swipewise.training.loop import Epoch
from swipewise.training.ranking import ScoreFn
from swipewise.training.vocabulary import Vocabulary

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

_NEVER_PREDICTED = (Action.HIDE,)


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


class DINRecommender(NeuralRecommender[DIN]):
    """Deep interest network, fitted and ready to rank and to predict actions.

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
        action_weight: Of the loss that predicts actions, against the one that ranks.
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
        super().__init__(
            learning_rate=learning_rate,
            schedule=schedule or Schedule(),
            validation=validation,
            on_epoch=on_epoch,
        )
        self.width, self.units, self.hidden, self.dropout = width, units, hidden, dropout
        self.history, self.negatives = history, negatives
        self.exposure_weight, self.action_weight = exposure_weight, action_weight
        self._columns: tuple[int, ...] = ()
        self._calibration = Calibration.none(0)
        self._vocabulary: Vocabulary | None = None

    @property
    def actions(self) -> tuple[str, ...]:
        """The actions that occurred in training."""
        return tuple(FLAG_ACTIONS[column].value for column in self._columns)

    def fit(self, dataset: Dataset) -> Self:
        """Train on the interactions of ``dataset``, and calibrate on those of the validation.

        Raises:
            DataError: It holds no positive interaction, or the loss is not a number.
        """
        super().fit(dataset)
        if self._validation is not None and len(self._validation.interactions):
            self._calibrate(dataset, self._validation)
        return self.observe(dataset)

    def _prepare(self, dataset: Dataset) -> None:
        count_F = dataset.interactions.actions_IF.sum(axis=0)
        self._columns = tuple(
            column
            for column, action in enumerate(FLAG_ACTIONS)
            if count_F[column] and action not in _NEVER_PREDICTED
        )
        self._vocabulary = Vocabulary.of(dataset)
        self._calibration = Calibration.none(len(self._columns))

    def _learner(self, network: DIN, dataset: Dataset) -> Learner[Any]:
        return DINLearner(
            network,
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
        self.observe(train.followed_by(validation))
        rows, columns = validation.interactions, list(self._columns)
        self._calibration = Calibration.fit(
            self._logits(rows), rows.actions_IF[:, columns], told_actions(rows)[:, columns]
        )

    def profiles(self, dataset: Dataset) -> NDArray[np.int64]:
        """Codes (U, P) of profiles as training knows them."""
        assert self._vocabulary is not None
        return self._vocabulary.profile_codes(dataset.profile_values)[dataset.profile_UP]

    def scorer(self, dataset: Dataset) -> ScoreFn:
        """Scores of the network under the histories of ``dataset``."""
        return full_scorer(self._fitted, dataset, self.profiles(dataset), self.history)

    def predict(self, exposures: Interactions) -> NDArray[np.float32]:
        """Probability of each of :attr:`actions` for each exposure, from what its viewer did before it: (I, A)."""
        return self._calibration(self._logits(exposures))

    def _logits(self, exposures: Interactions) -> NDArray[np.float32]:
        profile_UP = self.profiles(self._observed)
        return exposure_logits(self._fitted, self._observed, profile_UP, self.history, exposures)[:, 1:]
