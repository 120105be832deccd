"""What stays is not looked through for garbage, and what is let go of is freed all the same."""

from __future__ import annotations

import gc
import weakref

from swipewise.server.memory import settle


class Held:
    pass


def test_what_is_held_is_frozen_and_freed_when_it_is_let_go_of() -> None:
    held = Held()
    gone = weakref.ref(held)
    settle()
    try:
        assert not any(each is held for each in gc.get_objects())
        del held
        assert gone() is None
    finally:
        gc.unfreeze()
