"""Which sessions are looked at for a change of taste."""

from __future__ import annotations

import numpy as np
import pytest

from swipewise.behavior.changes import standing_for


@pytest.mark.parametrize("sessions", [0, 1, 64, 65, 68, 69, 100, 5000])
def test_every_session_is_stood_for_once(sessions: int) -> None:
    stands_for_S = standing_for(np.repeat([3, 7], [sessions, 2]))
    assert stands_for_S[:sessions].sum() == sessions
    assert (stands_for_S[max(0, sessions - 64) :] == 1).all(), "the latest are each looked at"
    assert np.count_nonzero(stands_for_S) <= 2 + 64 + 17 * np.log(max(1, sessions / 50))


def test_of_a_stretch_the_middle_stands_for_all() -> None:
    # 70 sessions: of the six oldest, two make the oldest stretch and four the next.
    assert standing_for(np.zeros(70, np.int64))[:8].tolist() == [2, 0, 0, 4, 0, 0, 1, 1]
