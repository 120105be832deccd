"""What a run's model makes of all viewers at once, for segments and the interest map.

Legend of shape suffixes: U = viewers, V = videos, M = modalities, D = model width, T = topics, the themes of all
content modalities side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from swipewise.behavior.interest_map import InterestMap
from swipewise.behavior.segments import segment_viewers
from swipewise.behavior.themes import Themes
from swipewise.behavior.wording import CaptionWords
from swipewise.catalog import Catalog
from swipewise.errors import ArtifactError
from swipewise.schema import Col, Modality
from swipewise.training.dataset import Dataset
from swipewise.training.fitted import FittedModel
from swipewise.training.histories import latest_windows
from swipewise.training.inference import Projected
from swipewise.training.runs import MODEL_NAME
from swipewise.training.tastes import LEAST_INTERACTIONS, TasteReader
from swipewise.training.workspace_data import load_dataset
from swipewise.workspace import Workspace

_BLOCK_VIEWERS = 256
_EXAMPLES = 5
_WEIGHED_VIDEOS = 256  # over which a viewer's weights are averaged


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """The viewers of a workspace and the model that reads them.

    interactions_U: int64, how many each has had.
    """

    fitted: FittedModel
    dataset: Dataset
    interactions_U: NDArray[np.int64]

    @classmethod
    def read(cls, workspace: Workspace, run_dir: Path) -> Self:
        """All viewers of a workspace, and a finished run.

        Raises:
            ArtifactError: The model is missing or damaged.
            DataError: There are no videos, or nobody has done anything.
            StoreError: A store cannot be read.
        """
        fitted, dataset = FittedModel.load(run_dir / MODEL_NAME), load_dataset(workspace)
        active = np.diff(dataset.viewer_offsets())
        return cls(fitted=fitted, dataset=dataset, interactions_U=active.astype(np.int64))

    def topics(self, words: CaptionWords) -> list[str]:
        """A name for each topic: words of its captions, or videos that look or sound like it.

        Raises:
            ArtifactError: The model knows no tastes.
        """
        return _topic_names(self._reader().themes, self.dataset.video_ids, words)

    def tastes(self) -> NDArray[np.float32]:
        """What each viewer makes of each topic now, in log-odds of watching: (U, T).

        Raises:
            ArtifactError: The model knows no tastes.
        """
        config, everybody = self.fitted.config, np.arange(len(self.dataset.viewer_ids))
        offsets_U = self.dataset.viewer_offsets()
        windows = latest_windows(offsets_U, config.history, everybody, memory=config.memory)
        profile_UP = self.fitted.vocabulary.profile_codes(self.dataset.profile_values)[self.dataset.profile_UP]
        now = self._reader().now(self.dataset.interactions, windows, profile_UP, changes=config.ordered)
        return now.taste_UT.astype(np.float32)

    def segments(
        self, *, least: int, most: int, count: int | None, seed: int
    ) -> tuple[pl.DataFrame, NDArray[np.float32]]:
        """viewer_id, interactions and segment (0: too little is known) of every viewer, and the tastes behind it.

        Arguments as of ``segment_viewers``.

        Raises:
            ArtifactError: The model knows no tastes.
            DataError: Too few viewers did enough.
        """
        taste_UT = self.tastes()
        found = segment_viewers(taste_UT, self.interactions_U, least=least, most=most, count=count, seed=seed)
        columns = {
            Col.VIEWER_ID: list(self.dataset.viewer_ids),
            Col.INTERACTIONS: self.interactions_U,
            Col.SEGMENT: found.segment_U,
        }
        return pl.DataFrame(columns), taste_UT

    def interest_map(self, *, landmarks: int, seed: int) -> pl.DataFrame:
        """Videos and viewers in one plane: kind, id, x and y within [-1, 1], and the modality that weighs most.

        Videos lie by f and viewers by z_u, as in the index; those of whom only a profile is known too.

        Raises:
            ArtifactError: The catalogue lacks a modality that the model reads.
            DataError: There are too few videos.
        """
        projected = Projected(self.fitted, self.dataset)
        vectors_VD = projected.index_vectors_VD.cpu().numpy()
        drawn = InterestMap.draw(vectors_VD, landmarks=landmarks, seed=seed)
        some_N = np.unique(np.linspace(0, len(vectors_VD) - 1, _WEIGHED_VIDEOS).astype(np.int64))
        places, heeded = [drawn.place(vectors_VD)], [projected.common_weights().argmax(dim=1).cpu().numpy()]
        for block_B in self._blocks():
            interests = projected.interest(self.dataset, block_B)
            places.append(drawn.place(interests.z_BD.cpu().numpy()))
            heeded.append(projected.weights(interests, some_N).mean(dim=1).argmax(dim=1).cpu().numpy())
        place_N2 = np.concatenate(places)
        names = np.array(self.fitted.modalities)
        kinds = ["video"] * len(vectors_VD) + ["viewer"] * len(self.dataset.viewer_ids)
        return pl.DataFrame(
            {
                Col.KIND: kinds,
                Col.ID: [*self.dataset.video_ids, *self.dataset.viewer_ids],
                Col.X: place_N2[:, 0],
                Col.Y: place_N2[:, 1],
                Col.MODALITY: names[np.concatenate(heeded)],
            }
        )

    def _reader(self) -> TasteReader:
        reader = self.fitted.taste_reader(self.dataset)
        if reader is None:
            raise ArtifactError(
                "segments are told by tastes, and this model knows none: train again with "
                f"{LEAST_INTERACTIONS} interactions or more, model.themes above 0, and videos that have vectors"
            )
        return reader

    def _blocks(self) -> list[NDArray[np.int64]]:
        everybody = np.arange(len(self.dataset.viewer_ids))
        return [everybody[start : start + _BLOCK_VIEWERS] for start in range(0, len(everybody), _BLOCK_VIEWERS)]


def caption_words(workspace: Workspace, video_ids: Sequence[str]) -> CaptionWords:
    """The words of the catalogue's captions, for videos in this order."""
    videos = Catalog(workspace.catalog_dir).videos().select(Col.VIDEO_ID, Col.CAPTION, Col.TAGS)
    return CaptionWords(videos.iter_rows(), video_ids)


def _topic_names(themes: Themes, video_ids: Sequence[str], words: CaptionWords) -> list[str]:
    names = []
    for modality in themes.modalities:
        for theme in range(themes.count):
            typical = [int(video) for video in themes.typical(modality, theme, _EXAMPLES)]
            # Only what a caption says is named by its words: those beside a picture or a sound belong to other themes.
            said = words.naming(typical) if modality == Modality.TEXT else []
            like = " ".join(video_ids[video] for video in typical[:2]) or "nothing"
            names.append(f"{modality}: {' '.join(said)}" if said else f"{modality} like {like}")
    return names
