"""Ray clusters for tests."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def ray_cluster(cpus: int = 2) -> Iterator[str]:
    """The address of a cluster on this machine, as one that was there before; without Ray the test is skipped.

    Args:
        cpus: As how many it counts this machine.
    """
    ray = pytest.importorskip("ray")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "lance is not fork-safe")  # Ray's forks become other programs at once
        ray.init(
            num_cpus=cpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="error",
            object_store_memory=80 << 20,
        )
    try:
        yield ray.get_runtime_context().gcs_address
    finally:
        ray.shutdown()
