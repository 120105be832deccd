"""Reaching a Ray cluster: one that is there, or one that is started for what is to be done on it."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

from swipewise.errors import ConfigError, MissingExtraError


def ray_for(setting: str, part: str = "ray") -> Any:
    """A module of Ray.

    Args:
        setting: What asks for it, for the error.
        part: The module.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return import_module(part)
    except ImportError as error:
        raise MissingExtraError(setting, "ray") from error


def reach(ray: Any, address: str, setting: str) -> bool:
    """Connect this process to a cluster, unless it is connected: whether that was done, and is the caller's to end.

    Args:
        ray: The module.
        address: Of the cluster; "" is for Ray to find: by RAY_ADDRESS, on this machine, or one started here.
        setting: The key that holds the address.

    Raises:
        ConfigError: There is no such cluster.
    """
    if ray.is_initialized():
        return False
    try:
        with warnings.catch_warnings():
            # Where Ray starts a cluster its forks become other programs at once.
            warnings.filterwarnings("ignore", "lance is not fork-safe")
            ray.init(address=address or None, log_to_driver=False, logging_level="error")
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"{setting} = {address!r}: no Ray cluster can be reached: {error}; start one with "
            "'ray start --head', or leave the key empty"
        ) from error
    return True
