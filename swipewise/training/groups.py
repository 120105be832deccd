"""What viewers of like profile watch: the popularity of videos within each group, against that among everybody.

A group is all viewers with one value of a profile field. A viewer belongs to one group a field.

Legend of shape suffixes: U = viewers, V = videos, G = groups and nobody's, code 0, B = viewers asked for, P = profile
fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from swipewise.training.dataset import Interactions
from swipewise.training.kin import VideoValues
from swipewise.training.neighbours import EXPOSURE_WEIGHT, taste

_PRIOR_WORTH = 6.0  # interactions with an average video that the popularity among everybody is worth in a group


@dataclass(frozen=True, kw_only=True)
class GroupPopularity:
    """Log-lifts of the videos of a run's vocabulary in its groups: lift_GV, sparse with sorted columns, at least 0.

    The share that a video has of what a group watches, shrunk towards its share among everybody, over the latter; in
    logs, less the log that a video has which the group never watched.
    """

    lift_GV: sp.csr_array

    @classmethod
    def of(cls, rows: Interactions, profile_UP: NDArray[np.int64], groups: int, videos: int) -> Self:
        """Count them in a log.

        Args:
            rows: Interactions with videos numbered 0 to ``videos``.
            profile_UP: The groups of all viewers, 1 to ``groups``; 0 where a field is missing.
            groups: How many.
            videos: V.
        """
        taste_UV = taste(rows, (len(profile_UP), videos), exposure_weight=EXPOSURE_WEIGHT)
        count_GV = sp.csr_array(_members(profile_UP, groups).T @ taste_UV)
        everybody_V = taste_UV.sum(axis=0)
        mean = everybody_V.mean() if videos else 0.0
        # The prior of a video is _PRIOR_WORTH interactions if it is as popular as the mean, and in proportion.
        scale_V = np.divide(mean, _PRIOR_WORTH * everybody_V, out=np.zeros(videos), where=everybody_V > 0)
        lift_GV = sp.csr_array(count_GV @ sp.diags_array(scale_V)).astype(np.float32)
        lifted_GV = lift_GV.log1p()
        lifted_GV.sort_indices()
        return cls(lift_GV=lifted_GV)

    def lift(self, profile_BP: NDArray[np.int64]) -> VideoValues:
        """How much more than everybody the groups of each viewer watch each video, 0 on average.

        Args:
            profile_BP: Groups of the viewers.
        """
        member_BG = _members(profile_BP, self.lift_GV.shape[0] - 1)
        usual_B = -(member_BG @ self._mean_G).astype(np.float32)
        return VideoValues(above_RV=self.lift_GV, usual_U=usual_B, member_UR=member_BG)

    @cached_property
    def _mean_G(self) -> NDArray[np.float64]:
        groups, videos = self.lift_GV.shape
        return np.asarray(self.lift_GV.sum(axis=1, dtype=np.float64)).reshape(groups) / max(videos, 1)

    def as_tensors(self) -> dict[str, torch.Tensor]:
        """For a safetensors file."""
        return {
            "starts": torch.from_numpy(self.lift_GV.indptr.astype(np.int64)),
            "videos": torch.from_numpy(self.lift_GV.indices.astype(np.int32)),
            "values": torch.from_numpy(self.lift_GV.data),
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, torch.Tensor], groups: int, videos: int) -> Self:
        """The inverse of :meth:`as_tensors`.

        Raises:
            ValueError: They do not describe a sparse matrix of so many groups and videos.
        """
        starts, columns, values = (tensors[name].numpy() for name in ("starts", "videos", "values"))
        lift_GV = sp.csr_array((values, columns.astype(np.int64), starts), shape=(groups + 1, videos))
        lift_GV.check_format(full_check=True)
        lift_GV.sort_indices()
        return cls(lift_GV=lift_GV)


def _members(profile_BP: NDArray[np.int64], groups: int) -> sp.csr_array:
    """Who belongs to which group: (B, G) of ones; nobody belongs to group 0."""
    member_B, field_B = np.nonzero((profile_BP > 0) & (profile_BP <= groups))
    place = (member_B, profile_BP[member_B, field_B])
    return sp.csr_array((np.ones(len(member_B), np.float32), place), shape=(len(profile_BP), groups + 1))
