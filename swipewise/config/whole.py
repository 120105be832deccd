"""All sections together, read from and written as ``swipewise.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, get_type_hints

from swipewise.config.checks import faults
from swipewise.config.names import nearest
from swipewise.config.reading import line_of, parse_section
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
from swipewise.errors import ConfigError

_NOT_RECORDED: Final = (
    ("events", "database"),
    *(("training", key) for key in ("executor", "workers", "ray_address", "ray_gpus", "shard_rows")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole configuration; each field is a section of ``swipewise.toml``."""

    media: MediaConfig = field(default_factory=MediaConfig)
    encoders: EncodersConfig = field(default_factory=EncodersConfig)
    ingest: IngestConfig = field(default_factory=IngestConfig)
    events: EventsConfig = field(default_factory=EventsConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    feed: FeedConfig = field(default_factory=FeedConfig)
    server: ServerConfig = field(default_factory=ServerConfig)

    def as_record(self) -> dict[str, Any]:
        """Every key, as a run records it.

        Not where the live log lies, which may hold a password, nor who trains: neither changes a run.
        """
        record = asdict(self)
        for section, key in _NOT_RECORDED:
            del record[section][key]
        return record

    @classmethod
    def load(cls, path: Path) -> Config:
        """Read a ``swipewise.toml``.

        Args:
            path: Of the file.

        Returns:
            What it says, and defaults for the rest.

        Raises:
            ConfigError: The file is unreadable, or a key is unknown, of the wrong type or out of range. The
                message names file, line, key and the nearest valid key.
        """
        try:
            text = path.read_text(encoding="utf-8-sig")  # some editors put a mark at the beginning
            tables = tomllib.loads(text)
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path} is not UTF-8 text: save it as UTF-8") from error
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{path}: {error}{_way_out(str(error))}") from error
        return _parse(tables, text, path)


def _way_out(told: str) -> str:
    """What mends a file whose parser found a thing twice."""
    if told.startswith("Cannot declare"):
        return ": a section stands once, so write the key below the one that is there"
    return ": a key stands once" if told.startswith("Cannot overwrite") else ""


def _parse(tables: dict[str, Any], text: str, path: Path) -> Config:
    sections = _sections()
    parsed = {}
    for name, table in tables.items():
        where = f"{path}:{line_of(text, name)}"
        if name not in sections and (homes := [each for each, cls in sections.items() if name in _keys(cls)]):
            raise ConfigError(f"{where}: {name} is a key: write it below [{'] or ['.join(homes)}]")
        if name not in sections:
            raise ConfigError(f"{where}: unknown section [{name}]{nearest(name, sections)}")
        if not isinstance(table, dict):
            raise ConfigError(f"{where}: {name} is a section: write [{name}] on a line of its own")
        parsed[name] = parse_section(name, sections[name], table, text, path)
    config = Config(**parsed)
    for section, key, fault in faults(config):
        raise ConfigError(f"{path}:{line_of(text, section, key)}: {section}.{key} {fault}")
    return config


def _sections() -> dict[str, type[Any]]:
    """The class of each section."""
    return get_type_hints(Config)


def _keys(cls: type[Any]) -> set[str]:
    return {key.name for key in fields(cls)}


def template() -> str:
    """The commented ``swipewise.toml`` of a new workspace: every key, its default and what it means.

    >>> template().splitlines()[0]
    '# Swipewise workspace. A key left out keeps the default shown here.'
    """
    lines = ["# Swipewise workspace. A key left out keeps the default shown here.", ""]
    for name, cls in _sections().items():
        lines += [f"# {cls.__doc__}", f"[{name}]"]
        for key in fields(cls):
            lines += [f"# {key.metadata['help']}", f"# {key.name} = {as_toml(key.default)}"]
        lines.append("")
    return "\n".join(lines)


def as_toml(value: Any) -> str:
    """A value as a file of TOML has it."""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return repr(value)
