"""The global time split: everybody's interactions are cut at the same two moments, so nothing leaks backwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swipewise.config import SplitConfig
from swipewise.errors import DataError
from swipewise.training.dataset import Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSplit:
    """One data set in three periods; each part keeps all viewers and videos and only its own interactions.

    ``valid_start`` and ``test_start`` are milliseconds since 1970 UTC. The train part lies before ``valid_start``,
    the validation part in [valid_start, test_start), the test part from ``test_start`` on.
    """

    train: Dataset
    validation: Dataset
    test: Dataset
    valid_start: int
    test_start: int


def split_by_time(dataset: Dataset, config: SplitConfig) -> TimeSplit:
    """Cut a data set at the moments after which the configured shares of all interactions happen.

    Interactions at the very same millisecond stay together and fall into the later part, so the earlier parts may
    be a little smaller than asked.

    Raises:
        DataError: No interaction would be left to train on, or a part that was asked for would be empty.
    """
    at_I = np.sort(dataset.interactions.at_I)
    count = len(at_I)
    valid_start = _moment(at_I, count - round(count * (config.validation + config.test)))
    test_start = _moment(at_I, count - round(count * config.test))
    end = _moment(at_I, count)
    split = TimeSplit(
        train=dataset.before(valid_start),
        validation=dataset.between(valid_start, test_start),
        test=dataset.between(test_start, end),
        valid_start=valid_start,
        test_start=test_start,
    )
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    asked = {"train": True, "validation": config.validation > 0, "test": config.test > 0}
    for name, part in parts.items():
        if asked[name] and not len(part.interactions):
            raise DataError(
                f"the {name} part of the time split holds none of the {count} interactions: import more "
                f"behaviour, or change split.validation = {config.validation} and split.test = {config.test}"
            )
    return split


def _moment(at_I: NDArray[np.int64], place: int) -> int:
    """The time of the sorted interaction at ``place``; just after the last where there is none."""
    if place < len(at_I):
        return int(at_I[place])
    return int(at_I[-1]) + 1 if len(at_I) else 0
