"""The interest model behind the face that it shares with every baseline.

Legend of shape suffixes: B = viewers, N = videos, K = places of a ranking, M = modalities, U = all viewers.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from swipewise.config import Config
from swipewise.schema import FLAG_ACTIONS
from swipewise.training.dataset import Dataset, Interactions
from swipewise.training.fitted import FittedModel
from swipewise.training.inference import Projected
from swipewise.training.loop import Epoch, Fit, fit_network
from swipewise.training.predicting import predict_logits
from swipewise.training.ranking import top_k_unseen
from swipewise.training.runs import MODEL_NAME

_BLOCK_VIEWERS = 256


class InterestRecommender:
    """Equations 1 to 4, fitted and ready to rank.

    Args:
        config: The ``model`` and ``training`` sections are used.
        validation: Interactions after those it will be fitted on, for early stopping and for the calibration of
            :meth:`predict`; None trains for all epochs and leaves probabilities as the network gives them.
        on_epoch: Told after every epoch.
    """

    name = "swipewise"

    def __init__(
        self,
        config: Config | None = None,
        *,
        validation: Dataset | None = None,
        on_epoch: Callable[[Epoch], None] = lambda _: None,
    ) -> None:
        self._config = config or Config()
        self._validation, self._on_epoch = validation, on_epoch
        self._fitted: FittedModel | None = None
        self._dataset: Dataset | None = None
        self._projected: Projected | None = None

    @classmethod
    def load(cls, run_dir: Path, dataset: Dataset) -> Self:
        """The model of a finished run, with the histories of ``dataset``.

        Raises:
            ArtifactError: The model is missing, damaged or does not fit the data set.
        """
        return cls.of(FittedModel.load(run_dir / MODEL_NAME), dataset)

    @classmethod
    def of(cls, fitted: FittedModel, dataset: Dataset) -> Self:
        """A fitted model with the histories of ``dataset``."""
        recommender = cls()
        recommender._fitted = fitted
        return recommender.observe(dataset)

    def fit(self, dataset: Dataset) -> Self:
        """Train on the interactions of ``dataset``.

        Raises:
            DataError: It holds no positive interaction.
        """
        fit: Fit = fit_network(dataset, self._validation, self._config, on_epoch=self._on_epoch)
        self._fitted = fit.fitted
        return self.observe(dataset)

    def observe(self, dataset: Dataset) -> Self:
        """Rank with the histories and the videos of ``dataset`` from now on."""
        self._dataset = dataset
        self._projected = Projected(self._model, dataset)
        return self

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the columns of :meth:`modality_weights`."""
        return self._model.modalities

    def score(self, viewers_B: NDArray[np.int64], videos_N: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores by which videos are ranked, z_u · f(u, i) and what counts beside it: (B, N)."""
        dataset, projected = self._ready
        return projected.score(projected.interest(dataset, viewers_B), videos_N).cpu().numpy()

    @property
    def index_vectors_VD(self) -> NDArray[np.float32]:
        """f of every video under the viewer-independent preference, as an index holds it: (V, D)."""
        vectors_VD: NDArray[np.float32] = self._ready[1].index_vectors_VD.cpu().numpy()
        return vectors_VD

    def recommend(self, viewers_B: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        """The best k unseen videos of each viewer: (B, k)."""
        return top_k_unseen(self.score, self._ready[0], viewers_B, k)

    def modality_weights(self, viewers_B: NDArray[np.int64]) -> NDArray[np.float32]:
        """Mean α of each viewer over the catalogue: (B, M), rows sum to 1 where a video has any modality."""
        dataset, projected = self._ready
        everything_N = np.arange(len(dataset.video_ids))
        blocks = []
        for start in range(0, len(viewers_B), _BLOCK_VIEWERS):
            interests = projected.interest(dataset, viewers_B[start : start + _BLOCK_VIEWERS])
            blocks.append(projected.weights(interests, everything_N).mean(dim=1).cpu().numpy())
        weights_BM: NDArray[np.float32] = np.concatenate(blocks)
        return weights_BM

    @property
    def actions(self) -> tuple[str, ...]:
        """Names of the columns of :meth:`predict`."""
        return tuple(map(str, FLAG_ACTIONS))

    def predict(self, exposures: Interactions) -> NDArray[np.float32]:
        """Probability of each action for exposures of the observed data set, from what came before each: (I, A).

        Raises:
            DataError: An exposure is not among the observed interactions.
        """
        return self._model.calibration(predict_logits(self._model, self._ready[0], exposures, self._ready[1]))

    @property
    def _model(self) -> FittedModel:
        assert self._fitted is not None, "fit or load the model first"
        return self._fitted

    @property
    def _ready(self) -> tuple[Dataset, Projected]:
        assert self._dataset is not None, "fit or observe first"
        assert self._projected is not None, "fit or observe first"
        return self._dataset, self._projected
