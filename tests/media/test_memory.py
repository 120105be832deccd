import resource
from pathlib import Path

import numpy as np
import pytest

from swipewise.config import MediaConfig
from swipewise.errors import MediaError
from swipewise.media import decode
from swipewise.media.memory import limited_memory
from tests.media.filming import film, grey


def test_a_picture_that_takes_too_much_memory_is_rejected(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mov", [grey(90, 7680, 4320)])  # 95 MiB a picture
    with limited_memory(1024):
        assert decode(path, MediaConfig(frames=1)).width == 7680
    with (
        pytest.raises(MediaError, match=r"more memory to decode than media\.max_memory_mb = 48 allows"),
        limited_memory(48),
    ):
        decode(path, MediaConfig(frames=1))


def test_the_bound_lasts_as_long_as_the_work() -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    with pytest.raises(MediaError), limited_memory(16):
        np.ones(64 << 20, np.uint8)
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    assert len(np.ones(64 << 20, np.uint8)) == 64 << 20


def test_without_a_bound_memory_runs_out_where_the_machine_has_none() -> None:
    with limited_memory(0):
        assert len(np.ones(64 << 20, np.uint8)) == 64 << 20
    with pytest.raises(MediaError, match="too large for the memory of this machine"), limited_memory(0):
        raise MemoryError
