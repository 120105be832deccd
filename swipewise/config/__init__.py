"""``swipewise.toml`` as frozen dataclasses; an unknown key is an error that names the nearest valid one.

A section is a dataclass, a key is one of its fields, and the template that ``swipewise init`` writes is generated from
both, so that file, defaults and help cannot drift apart.
"""

from swipewise.config.names import ENCODER_NAMES, HUGGINGFACE, PYTHON, database_fault, unknown_encoder
from swipewise.config.rules import RuleConfig
from swipewise.config.sections import (
    EncodersConfig,
    EventsConfig,
    FeedConfig,
    IngestConfig,
    MediaConfig,
    ModelConfig,
    ServerConfig,
    SplitConfig,
    TrainingConfig,
)
from swipewise.config.whole import Config, template

__all__ = [
    "ENCODER_NAMES",
    "HUGGINGFACE",
    "PYTHON",
    "Config",
    "EncodersConfig",
    "EventsConfig",
    "FeedConfig",
    "IngestConfig",
    "MediaConfig",
    "ModelConfig",
    "RuleConfig",
    "ServerConfig",
    "SplitConfig",
    "TrainingConfig",
    "database_fault",
    "template",
    "unknown_encoder",
]
