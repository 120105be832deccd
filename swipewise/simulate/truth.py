"""What a simulated world truly is, read back from its folder: the standard every claim can be held against."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from swipewise.errors import InputFileError, UnknownIdError
from swipewise.schema import CONTENT_MODALITIES, Col
from swipewise.simulate.world import NO_SHIFT, World, WorldConfig, draw_world

TRUTH_NAME = "truth.parquet"
WORLD_NAME = "world.json"


class Truth:
    """A world and the ids by which its viewers and videos go."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._viewer = {viewer_id: row for row, viewer_id in enumerate(world.viewer_ids)}
        self._video = {video_id: row for row, video_id in enumerate(world.video_ids)}

    @classmethod
    def load(cls, directory: Path) -> Self:
        """The truth of the world that ``swipewise simulate`` wrote to a folder, drawn again from its seed.

        Raises:
            InputFileError: The folder holds no world, or one that this version draws differently.
        """
        try:
            recorded = json.loads((directory / WORLD_NAME).read_text(encoding="utf-8"))
            kept = pl.read_parquet(directory / TRUTH_NAME)
            world = draw_world(WorldConfig(**recorded))
        except (OSError, ValueError, TypeError, pl.exceptions.PolarsError) as error:
            raise InputFileError(
                f"{directory} holds no simulated world ({error}): make one with 'swipewise simulate {directory}'"
            ) from error
        if not truth_table(world).equals(kept):
            made = world.config
            groups = f" --taste-groups {made.taste_groups}" if made.taste_groups else ""
            raise InputFileError(
                f"{directory / TRUTH_NAME} differs from what this version draws from the same seed: simulate it "
                f"again with 'swipewise simulate {directory} --videos {made.videos} --viewers {made.viewers} "
                f"--days {made.days} --seed {made.seed}{groups}'"
            )
        return cls(world)

    def utilities(
        self, viewer_ids: Sequence[str], video_ids: Sequence[str], at_B: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """True utilities (B, N) of videos for viewers at times (B,) in milliseconds.

        Raises:
            UnknownIdError: An id is not of this world.
        """
        viewers_B = _rows(self._viewer, viewer_ids, "viewer")
        videos_N = _rows(self._video, video_ids, "video")
        return self.world.utility(viewers_B, at_B)[:, videos_N]

    def weights(self, viewer_ids: Sequence[str]) -> NDArray[np.float64]:
        """Planted modality weights (U, M), columns as CONTENT_MODALITIES, rows sum to 1.

        Raises:
            UnknownIdError: A viewer is not of this world.
        """
        return self.world.weight_UM[_rows(self._viewer, viewer_ids, "viewer")]


def truth_table(world: World) -> pl.DataFrame:
    """A row a viewer: weights, tastes before and after the shift, when it is (null: never), and the group if any."""
    shift_U = pl.Series(Col.SHIFT_AT, world.shift_at_U).replace({NO_SHIFT: None})
    columns: dict[str, pl.Series] = {Col.VIEWER_ID: pl.Series(world.viewer_ids)}
    for m, modality in enumerate(CONTENT_MODALITIES):
        columns[f"weight_{modality}"] = pl.Series(world.weight_UM[:, m])
    for m, modality in enumerate(CONTENT_MODALITIES):
        columns[f"taste_{modality}"] = pl.Series(world.taste_UMT[:, m].tolist())
        columns[f"shifted_taste_{modality}"] = pl.Series(world.shifted_taste_UMT[:, m].tolist())
    columns[Col.SHIFT_AT] = shift_U.cast(pl.Datetime("ms", "UTC"))
    if world.config.taste_groups:
        columns["taste_group"] = pl.Series(world.taste_group_U)
    return pl.DataFrame(columns)


def _rows(known: dict[str, int], ids: Sequence[str], what: str) -> NDArray[np.int64]:
    try:
        return np.array([known[given] for given in ids], np.int64)
    except KeyError as error:
        raise UnknownIdError(
            f"{what} {error} is not of this simulated world: name the folder of the right one"
        ) from None
