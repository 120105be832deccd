"""Ray clusters for tests."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def ray_cluster() -> Iterator[None]:
    """A cluster of two CPUs on this machine, as one that was there before; without Ray the test is skipped."""
    ray = pytest.importorskip("ray")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "lance is not fork-safe")  # Ray's forks become other programs at once
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="error",
            object_store_memory=80 << 20,
        )
    try:
        yield
    finally:
        ray.shutdown()
