"""How often interests change is what the returns so far make likeliest."""

from __future__ import annotations

import numpy as np
import pytest

from swipewise.behavior.change_rate import USUAL, ChangeRate

CERTAIN = 12.0  # in logs, so that hardly any doubt is left


def noted(changed: int, steady: int, *, away: float = 2.0, at: int = 0) -> ChangeRate:
    rate = ChangeRate()
    ratio_S = np.repeat([CERTAIN, -CERTAIN], [changed, steady])
    rate.note(ratio_S, np.full(len(ratio_S), away), np.full(len(ratio_S), at))
    return rate


def test_before_anything_is_noted_the_rate_is_the_usual_one() -> None:
    assert ChangeRate().before(100) == USUAL
    assert noted(50, 50).before(0) == pytest.approx(USUAL)


def test_returns_that_tell_for_certain_are_counted() -> None:
    # 400 changes in 20,000 days away, beside ten in the thousand days that the usual rate is worth.
    assert noted(400, 9600).before(1) == pytest.approx((10 + 400) / 21_000, rel=0.02)
    assert noted(0, 10_000).before(1) == pytest.approx(10 / 21_000, rel=0.02)


def test_returns_that_tell_nothing_change_nothing() -> None:
    rate = ChangeRate()
    rate.note(np.zeros(5000), np.full(5000, 0.01), np.zeros(5000, np.int64))
    assert rate.before(1) == pytest.approx(USUAL, rel=0.01)


def test_what_is_done_later_does_not_count() -> None:
    rate = noted(400, 9600, at=5)
    rate.note(np.full(100, CERTAIN), np.full(100, 2.0), np.full(100, 7))
    assert rate.before(6) == noted(400, 9600, at=5).before(6)
    assert rate.before(8) > 1.2 * rate.before(6)
