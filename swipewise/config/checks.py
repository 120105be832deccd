"""What of a configuration involves more than one key, or more than a type, limits and names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from swipewise.config.names import ENCODER_NAMES, database_fault, nearest, origins_fault, unknown_encoder

if TYPE_CHECKING:
    from swipewise.config.whole import Config

_LEAST_MEMORY_MB: Final = 256

Fault = tuple[str, str, str]
"""Section, key, and what is wrong with it."""


def faults(config: Config) -> Iterator[Fault]:
    """All that is wrong with a configuration whose keys are right one by one."""
    yield from _of_model(config)
    for key in ENCODER_NAMES:
        if fault := unknown_encoder(key, getattr(config.encoders, key)):
            yield "encoders", key, fault
    yield from _of_events(config)
    if 0 < config.media.max_memory_mb < _LEAST_MEMORY_MB:
        least = f"must be 0 or at least {_LEAST_MEMORY_MB}, as libraries take some for themselves"
        yield "media", "max_memory_mb", f"{least}, not {config.media.max_memory_mb}"
    if fault := origins_fault(config.server):
        yield "server", "origins", fault
    if config.server.tls_key and not config.server.tls_cert:
        yield "server", "tls_key", "is of no use without server.tls_cert"


def _of_model(config: Config) -> Iterator[Fault]:
    from swipewise.schema import Modality

    if config.model.width % config.model.heads:
        yield "model", "heads", f"= {config.model.heads} must divide model.width = {config.model.width}"
    for name in config.model.modalities:
        if name not in set(Modality):
            yield "model", "modalities", f"names {name!r}{nearest(name, Modality)}"
        if config.model.modalities.count(name) > 1:
            yield "model", "modalities", f"names {name!r} more than once"
    if not config.model.modalities:
        yield "model", "modalities", f"must name at least one of {', '.join(Modality)}"


def _of_events(config: Config) -> Iterator[Fault]:
    from swipewise.schema import FLAG_ACTIONS

    for name in config.events.positive:
        if name not in set(FLAG_ACTIONS):
            yield "events", "positive", f"names {name!r}{nearest(name, FLAG_ACTIONS)}"
    if config.events.database and (fault := database_fault(config.events.database)):
        yield "events", "database", fault
