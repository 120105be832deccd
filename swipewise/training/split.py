"""The global time split: everybody's interactions are cut at the same two moments, so nothing leaks backwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swipewise.config import SplitConfig
from swipewise.errors import DataError
from swipewise.training.dataset import Dataset
from swipewise.training.mapped import stretches

_SPANS = 4096


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
    at_I = dataset.interactions.at_I
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
    """The time that is at ``place`` when all are sorted; just after the last where there is none.

    What lies in each of many equal spans is counted, and then in parts of the span that holds the place.
    """
    if place >= len(at_I):
        return int(at_I.max()) + 1 if len(at_I) else 0
    low, high = int(at_I.min()), int(at_I.max()) + 1
    while high - low > 1:
        span = -(-(high - low) // _SPANS)
        count_S = np.zeros(_SPANS, np.int64)
        for here in stretches(len(at_I)):
            since_I = at_I[here] - low
            count_S += np.bincount(since_I[(since_I >= 0) & (since_I < high - low)] // span, minlength=_SPANS)
        until_S = count_S.cumsum()
        chosen = int(np.searchsorted(until_S, place, side="right"))
        place -= int(until_S[chosen] - count_S[chosen])
        low, high = low + chosen * span, min(high, low + (chosen + 1) * span)
    return low
