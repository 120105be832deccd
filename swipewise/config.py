"""``swipewise.toml`` as frozen dataclasses; an unknown key is an error that names the nearest valid one.

A section is a dataclass below, a key is one of its fields, and the template that ``swipewise init`` writes is
generated from both, so that file, defaults and help cannot drift apart.
"""

from __future__ import annotations

import math
import re
import tomllib
import types
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from swipewise.errors import ConfigError


def _key(default: Any, help: str, *, low: float | None = None, high: float | None = None) -> Any:
    """A configuration key: its default, the comment beside it and its inclusive limits."""
    return field(default=default, metadata={"help": help, "low": low, "high": high})


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaConfig:
    """How clips are decoded."""

    frames: int = _key(
        8, "frames taken of a clip; a change counts for files that are decoded later", low=1, high=256
    )
    sampling: str = _key(
        "even",
        "when they are taken: even, at evenly spaced times; shots, of every shot, which takes longer to decode",
    )
    max_frame_side: int = _key(256, "longer side of a decoded frame, pixels; larger ones are scaled", low=16)
    audio_track: int = _key(
        0, "track that is heard, 0 the first; a clip with sound but without it is rejected", low=0
    )
    max_seconds: float = _key(600.0, "seconds of a clip that are looked at; the rest is left out", low=0.1)
    thumbnails: bool = _key(
        True, "whether a small JPEG of each video is kept, of at most 320 pixels and max_frame_side"
    )
    timeout_seconds: float = _key(120.0, "wall time allowed for one file before it is rejected", low=1)
    max_pixels: int = _key(
        36_000_000, "width times height of a picture; a clip of larger ones is rejected. 8K has 33,177,600", low=1
    )
    max_memory_mb: int = _key(
        4096,
        "memory that a worker may take beside its models, MiB; a file that takes more is rejected; 0: any",
        low=0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodersConfig:
    """Which encoder stands for each modality; `none` leaves it out."""

    visual: str = _key(
        "descriptor",
        "descriptor: colour, texture, edges, motion; huggingface:<hub id or folder>; dataset: vectors it came with",
    )
    audio: str = _key(
        "descriptor", "descriptor: log-mel statistics, rhythm and timbre; huggingface:...; or dataset"
    )
    text: str = _key(
        "descriptor", "descriptor: hashed words and n-grams; minilm: the [text] extra; huggingface:...; or dataset"
    )
    speech: str = _key(
        "none", "what hears words, which are read after the caption: huggingface:<a Whisper>, or none"
    )
    speech_language: str = _key(
        "auto", "language that is spoken, by its code such as en or zh; auto: Whisper tells"
    )
    screen: str = _key(
        "none", "what reads words on the screen, which come after those: rapidocr, the [screen] extra; or none"
    )
    hub: bool = _key(False, "whether models that are not on this machine may be fetched from the Hugging Face hub")
    device: str = _key("auto", "where models run: cpu, cuda, or auto, which takes a GPU where there is one")
    precision: str = _key("float32", "numbers that models reckon with: float32 or bfloat16; changes the vectors")
    batch: int = _key(8, "clips that go through a model at a time, where several are at hand", low=1, high=4096)
    noncommercial: bool = _key(False, "whether models may be used whose licences forbid commercial use")


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestConfig:
    """How a catalogue is filled."""

    executor: str = _key(
        "processes",
        "who decodes and encodes: processes of this machine; ray: a cluster, the [ray] extra; or inline: nobody else",
    )
    workers: int = _key(0, "processes or Ray actors that decode and encode; 0 takes one a core", low=0, high=4096)
    decoders: int = _key(1, "threads of each worker that decode ahead of its encoders", low=1, high=64)
    ray_address: str = _key(
        "", "of the Ray cluster; empty: RAY_ADDRESS, else a cluster on this machine, else one for the run alone"
    )
    ray_gpus: float = _key(0.0, "GPUs that each Ray actor reserves, parts of one as well", low=0)
    batch: int = _key(64, "videos written to the catalogue in one commit", low=1, high=4096)
    duplicates: bool = _key(
        True, "whether near-duplicates are found by picture and sound; of those alike a feed shows one"
    )
    roots: tuple[str, ...] = _key(
        (),
        "folders, and beginnings of remote uris (s3://bucket/clips), that videos may come from; "
        "none: anywhere, but no place that the HTTP API is asked for",
    )
    http: bool = _key(False, "whether videos may be fetched from http:// and https:// addresses")
    max_bytes: int = _key(2_147_483_648, "size of a file that is fetched or sent to the server, bytes", low=1)
    fetch_seconds: float = _key(600.0, "wall time allowed for fetching one remote file", low=0.1)
    attempts: int = _key(
        3, "times a posted job is begun, where the process dies over it, before it is rejected", low=1
    )
    lease_seconds: float = _key(
        15.0, "time after which the jobs of a server that was killed are taken up by another", low=1
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsConfig:
    """Where the live event log lies, and what counts as liking a video."""

    database: str = _key(
        "",
        "of the live log: postgresql://user@host/name, the [postgres] extra, its password in "
        "SWIPEWISE_DATABASE_PASSWORD; empty: a file of the workspace",
    )

    positive: tuple[str, ...] = _key(
        ("finish", "like", "comment", "share", "follow"), "any of these actions makes an interaction positive"
    )
    positive_watch_ratio: float = _key(
        0.8, "so does watching this share of the clip, unless it was skipped or hidden", low=0
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """The network (equations 1 to 4)."""

    width: int = _key(64, "d, the width of every vector", low=8, high=4096)
    layers: int = _key(2, "Transformer layers over the history", low=1, high=48)
    heads: int = _key(4, "attention heads; must divide the width", low=1, high=64)
    history: int = _key(100, "latest events of the history that are read one by one", low=1, high=10_000)
    memory: int = _key(400, "events before those that are read as a summary; 0 forgets them", low=0, high=100_000)
    dropout: float = _key(0.2, "dropout in the Transformer and the heads", low=0, high=0.9)
    id_dropout: float = _key(
        0.8, "share of training steps that hide a video's id, so that content carries it", low=0, high=1
    )
    attribute_dropout: float = _key(
        0.8, "the same of a video's attributes, by which videos can be told apart as well", low=0, high=1
    )
    modalities: tuple[str, ...] = _key(("visual", "text", "audio", "attributes", "id"), "what a video is known by")
    adapter: str = _key("linear", "map of an encoder's vector to the model's width: linear or gated")
    norm: str = _key(
        "layer",
        "normalisation of each modality: layer, rms, none, or adaptive: layer on vectors standardised anew",
    )
    trends: bool = _key(True, "whether the score heeds how much a video is shown and liked by everybody lately")
    neighbours: int = _key(200, "neighbours kept of each video, by who watched both; 0: none", low=0)
    neighbour_weight: float = _key(
        -1.0, "weight of the nearness to what the viewer watched; below 0: chosen on the validation period", low=-1
    )
    group_weight: float = _key(
        -1.0,
        "weight of how popular a video is among viewers of like profile; below 0: chosen on the validation period",
        low=-1,
    )
    themes: int = _key(
        8,
        "themes of each content modality between which viewers' tastes are told; 0: no model of tastes",
        low=0,
        high=64,
    )
    taste_weight: float = _key(
        -1.0, "weight of these tastes in the score; below 0: chosen on the validation period", low=-1
    )
    without: tuple[str, ...] = _key(
        (), "parts left out, for comparison: sequence, positions, behavior, profile, attention"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How the network is fitted."""

    seed: int = _key(0, "seed of every random choice", low=0)
    epochs: int = _key(40, "passes over the data at most", low=1)
    patience: int = _key(5, "epochs without a better validation NDCG@10 before stopping", low=1)
    batch_events: int = _key(2048, "events in one batch; sequences of like length share it", low=1)
    negatives: int = _key(256, "sampled negatives shared by a batch", low=1)
    places: int = _key(0, "places of each history that are asked what comes next in an epoch; 0 asks all", low=0)
    ahead: int = _key(1, "how far ahead: one of the viewer's next so many positives is the target", low=1)
    half_life_days: float = _key(
        0.0, "time in which what is learnt from counts half as much, back from the end; 0: all alike", low=0
    )
    hidden_share: float = _key(
        0.2, "share of a history's events that are hidden, so that no single one is relied on", low=0, high=0.9
    )
    hidden_weight: float = _key(
        1.0, "weight of the loss that asks the rest of a history for the liked videos hidden from it", low=0
    )
    retrieval_weight: float = _key(0.3, "weight of the loss that fits the vectors of the index", low=0)
    watch_weight: float = _key(10.0, "weight of the loss on how much of each shown video was watched", low=0)
    action_weight: float = _key(1.0, "weight of the loss on what viewers do with each shown video", low=0)
    shown_weight: float = _key(0.0, "weight of the loss on what the platform shows next", low=0)
    alignment_weight: float = _key(0.0, "weight of the agreement between the modalities of a video", low=0)
    alignment_epochs: int = _key(0, "passes over the videos that train this agreement before all else", low=0)
    learning_rate: float = _key(2e-3, "peak step size of AdamW", low=0)
    average: float = _key(
        0.99, "the model kept is a running average of the parameters; share kept at each step", low=0, high=0.9999
    )
    weight_decay: float = _key(0.01, "decay of AdamW", low=0)
    checkpoint_seconds: float = _key(30.0, "time between checkpoints within an epoch", low=0)
    device: str = _key("auto", "auto, cpu or cuda")


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitConfig:
    """The global time split: train, then validation, then test, by share of all interactions."""

    validation: float = _key(0.1, "share of interactions, by time, that early stopping looks at", low=0, high=0.5)
    test: float = _key(0.15, "share of interactions, by time, that only evaluation looks at", low=0, high=0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedConfig:
    """How a feed is put together."""

    size: int = _key(20, "videos in a feed", low=1, high=1000)
    retrieve: int = _key(500, "candidates taken from the index", low=1)
    popular: int = _key(50, "candidates added from what is popular now", low=0)
    fresh: int = _key(20, "candidates added from the newest uploads", low=0)
    popular_days: float = _key(7.0, "days over which popularity is counted", low=0)
    finish_weight: float = _key(0.0, "weight in the blended score of the chance that the video is finished")
    like_weight: float = _key(0.0, "weight of the chance of a like")
    comment_weight: float = _key(0.0, "weight of the chance of a comment")
    share_weight: float = _key(0.0, "weight of the chance of a share")
    follow_weight: float = _key(0.0, "weight of the chance that the creator is followed")
    skip_weight: float = _key(0.0, "weight of the chance of a skip; below 0 keeps it out")
    hide_weight: float = _key(0.0, "weight of the chance that the video is hidden; below 0 keeps it out")
    watch_weight: float = _key(0.0, "weight of the share of the video that is expected to be watched")
    popularity_weight: float = _key(0.05, "weight of popularity in the blended score", low=0)
    freshness_weight: float = _key(0.0, "weight of recency in the blended score", low=0)
    diversity: float = _key(0.2, "0 ranks by score alone, towards 1 like videos are spread out", low=0, high=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """Where `swipewise serve` listens, whom it answers, and how much it takes."""

    host: str = _key("127.0.0.1", "address to listen on; one that others reach takes keys")
    port: int = _key(8000, "port to listen on", low=0, high=65535)
    publish: str = _key(
        "newest", "which run is served: newest, the last that finished; manual, the one that was published"
    )
    keys: str = _key(
        "off", "off: whoever reaches this machine's own address may do everything; required: see `swipewise keys`"
    )
    origins: tuple[str, ...] = _key(
        (), 'web pages whose scripts may call the API, such as https://app.example.com; "*" with keys only'
    )
    tls_cert: str = _key("", "PEM file with the certificate and those that lead to it; empty: plain HTTP")
    tls_key: str = _key("", "PEM file with the certificate's private key; empty: it is in tls_cert")
    rate_events: float = _key(
        1000.0, "requests a second with scope events, of one key or without keys one address; 0: any", low=0
    )
    rate_feed: float = _key(1000.0, "the same with scope feed", low=0)
    rate_admin: float = _key(100.0, "the same with scope admin, and of routes that take no key", low=0)
    rate_burst_seconds: float = _key(5.0, "seconds of these rates that may come at once", low=0.1)
    connections: int = _key(1000, "connections at a time; on more, requests are answered 503", low=1)
    header_seconds: float = _key(10.0, "time a client may take for a request's head", low=0.1)
    body_seconds: float = _key(
        20.0, "time a client may take for a body, and a second more for each 8 KiB that have come", low=0.1
    )
    drain_seconds: float = _key(
        0.0, "time between the signal to stop, when /readyz turns to 503, and the last new connection", low=0
    )
    shutdown_seconds: int = _key(10, "time that requests under way then have to end", low=0)
    open_metrics: bool = _key(False, "whether /metrics takes no key where keys are required")
    refresh_seconds: float = _key(
        10.0, "time between looks for new videos, a new run and what is popular now", low=0.1
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole configuration; each field is a section of ``swipewise.toml``."""

    media: MediaConfig = MediaConfig()
    encoders: EncodersConfig = EncodersConfig()
    ingest: IngestConfig = IngestConfig()
    events: EventsConfig = EventsConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    split: SplitConfig = SplitConfig()
    feed: FeedConfig = FeedConfig()
    server: ServerConfig = ServerConfig()

    def as_record(self) -> dict[str, Any]:
        """Every key, as a run records it; not where the live log lies, which changes no run and may hold a password."""
        record = asdict(self)
        del record["events"]["database"]
        return record

    @classmethod
    def load(cls, path: Path) -> Config:
        """Read a ``swipewise.toml``.

        Raises:
            ConfigError: The file is unreadable, or a key is unknown, of the wrong type or out of range. The
                message names file, line, key and the nearest valid key.
        """
        try:
            text = path.read_text(encoding="utf-8")
            tables = tomllib.loads(text)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{path}: {error}") from error
        return _parse(tables, text, path)


def _parse(tables: dict[str, Any], text: str, path: Path) -> Config:
    sections = {f.name: f for f in fields(Config)}
    parsed = {}
    for name, table in tables.items():
        where = f"{path}:{_line_of(text, name)}"
        if name not in sections:
            raise ConfigError(f"{where}: unknown section [{name}]{_nearest(name, sections)}")
        if not isinstance(table, dict):
            raise ConfigError(f"{where}: {name} is a section: write [{name}] on a line of its own")
        parsed[name] = _parse_section(name, type(sections[name].default), table, text, path)
    config = Config(**parsed)
    _check_together(config, text, path)
    return config


def _parse_section(section: str, cls: type, table: dict[str, Any], text: str, path: Path) -> Any:
    known = {f.name: f for f in fields(cls)}
    hints = get_type_hints(cls)
    values = {}
    for key, value in table.items():
        where = f"{path}:{_line_of(text, section, key)}"
        if key not in known:
            raise ConfigError(f"{where}: unknown key {key!r} in [{section}]{_nearest(key, known)}")
        values[key] = _convert(value, hints[key], known[key].metadata, f"{where}: {section}.{key}")
    return cls(**values)


def _convert(value: Any, hint: Any, limits: Any, where: str) -> Any:
    """Check a TOML value against a field's type and limits."""
    if get_origin(hint) is tuple:
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise ConfigError(f"{where} must be a list of strings, not {value!r}")
        return tuple(value)
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(arg for arg in get_args(hint) if arg is not type(None))
    if hint is float and type(value) is int:
        value = float(value)
    if type(value) is not hint:
        raise ConfigError(f"{where} must be {_TYPE_NAMES[hint]}, not {value!r}")
    if hint is float and not math.isfinite(value):
        raise ConfigError(f"{where} must be a finite number, not {value!r}")
    low, high = limits["low"], limits["high"]
    if (low is not None and value < low) or (high is not None and value > high):
        bounds = f"at least {low}" if high is None else f"between {low if low is not None else '-inf'} and {high}"
        raise ConfigError(f"{where} must be {bounds}, not {value!r}")
    return value


_TYPE_NAMES = {int: "a whole number", float: "a number", str: "a string in quotes", bool: "true or false"}


_LEAST_MEMORY_MB = 256

MODEL_NAMES = {
    "adapter": ("linear", "gated"),
    "norm": ("layer", "rms", "adaptive", "none"),
    "without": ("sequence", "positions", "behavior", "profile", "attention"),
}
"""What these keys of [model] may name: what the network knows, which cannot be asked here without loading torch."""


EXECUTORS = ("processes", "inline", "ray")
"""What ``ingest.executor`` may name."""


def _check_together(config: Config, text: str, path: Path) -> None:
    """Limits that involve more than one key or a closed set of names."""
    from swipewise.schema import FLAG_ACTIONS, Modality

    def fail(section: str, key: str, message: str) -> None:
        raise ConfigError(f"{path}:{_line_of(text, section, key)}: {section}.{key} {message}")

    if config.model.width % config.model.heads:
        fail("model", "heads", f"= {config.model.heads} must divide model.width = {config.model.width}")
    for name in config.model.modalities:
        if name not in set(Modality):
            fail("model", "modalities", f"names {name!r}{_nearest(name, list(Modality))}")
        if config.model.modalities.count(name) > 1:
            fail("model", "modalities", f"names {name!r} more than once")
    if not config.model.modalities:
        fail("model", "modalities", f"must name at least one of {', '.join(Modality)}")
    for key, valid in MODEL_NAMES.items():
        given = getattr(config.model, key)
        for name in (given,) if isinstance(given, str) else given:
            if name not in valid:
                fail("model", key, f"names {name!r}{_nearest(name, valid)}")
    for name in config.events.positive:
        if name not in set(FLAG_ACTIONS):
            fail("events", "positive", f"names {name!r}{_nearest(name, list(FLAG_ACTIONS))}")
    if config.events.database and (fault := database_fault(config.events.database)):
        fail("events", "database", fault)
    for key in ENCODER_NAMES:
        if fault := unknown_encoder(key, getattr(config.encoders, key)):
            fail("encoders", key, fault)
    for section, device in (("encoders", config.encoders.device), ("training", config.training.device)):
        if device not in ("auto", "cpu", "cuda"):
            fail(section, "device", f"must be auto, cpu or cuda, not {device!r}")
    if config.media.sampling not in ("even", "shots"):
        fail("media", "sampling", f"must be even or shots, not {config.media.sampling!r}")
    if config.server.publish not in ("newest", "manual"):
        fail("server", "publish", f"must be newest or manual, not {config.server.publish!r}")
    if 0 < config.media.max_memory_mb < _LEAST_MEMORY_MB:
        least = f"must be 0 or at least {_LEAST_MEMORY_MB}, as libraries take some for themselves"
        fail("media", "max_memory_mb", f"{least}, not {config.media.max_memory_mb}")
    if config.ingest.executor not in EXECUTORS:
        hint = _nearest(config.ingest.executor, EXECUTORS)
        fail("ingest", "executor", f"names {config.ingest.executor!r}{hint}")
    if fault := _origins_fault(config.server):
        fail("server", "origins", fault)
    if config.server.keys not in KEYS:
        fail("server", "keys", f"must be {' or '.join(KEYS)}, not {config.server.keys!r}")
    if config.server.tls_key and not config.server.tls_cert:
        fail("server", "tls_key", "is of no use without server.tls_cert")
    if config.encoders.precision not in ("float32", "bfloat16"):
        fail("encoders", "precision", f"must be float32 or bfloat16, not {config.encoders.precision!r}")


KEYS = ("off", "required")
"""What ``server.keys`` may be."""


def _origins_fault(server: ServerConfig) -> str | None:
    for origin in server.origins:
        if origin == "*" and server.keys == "off":
            return (
                "must name the pages where server.keys is off: with '*' any page could read what a browser reaches"
            )
        if origin != "*" and not re.fullmatch(r"https?://[^/\s?#@*]+", origin):
            return f"names {origin!r}: write scheme, host and port as in https://app.example.com, without a path"
    return None


def database_fault(address: str) -> str | None:
    """What is wrong with an address of a database, None where nothing is known to be; it may hold a password."""
    if re.match(r"postgresql(\+psycopg)?://", address):
        return None
    scheme = address.partition("://")[0] if "://" in address else ""
    return (
        f"must be postgresql://user@host:5432/name or empty, not {f'{scheme}://...' if scheme else 'without ://'}"
    )


HUGGINGFACE = "huggingface:"
"""What the name of a published model begins with."""

ENCODER_NAMES = {
    "visual": ("descriptor", "dataset"),
    "audio": ("descriptor", "dataset"),
    "text": ("descriptor", "minilm", "dataset"),
    "speech": (),
    "screen": ("rapidocr",),
}
"""What these keys of [encoders] may name, beside ``huggingface:`` models, ``none`` and the ``fake`` of tests."""


def unknown_encoder(key: str, name: str) -> str | None:
    """What is wrong with the name of an encoder, with the nearest; None where nothing is known to be."""
    valid = ENCODER_NAMES[key]
    published = key != "screen"
    if name in (*valid, "none", "fake") or (published and name.startswith(HUGGINGFACE)):
        return None
    if published and Path(name).is_dir():
        return f"names an unknown encoder {name!r}: did you mean {HUGGINGFACE + name!r}?"
    named = [*valid, *([f"{HUGGINGFACE}<id or folder>"] if published else []), "none"]
    return f"names an unknown encoder {name!r}{_nearest(name, named)}"


def _nearest(name: str, valid: Any) -> str:
    close = get_close_matches(name, [str(each) for each in valid], n=1, cutoff=0.5)
    return f": did you mean {close[0]!r}?" if close else f": valid are {', '.join(valid)}"


def _line_of(text: str, section: str, key: str | None = None) -> int:
    """The line of a key, or of its section where the key has none of its own; tomllib keeps no positions."""
    current: list[str] = []
    first = None
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([\w.\"'-]+)\s*\]", line):
            path = current = _parts(header[1])
        elif assigned := re.match(r"\s*([\w.\"'-]+)\s*=", line):
            path = current + _parts(assigned[1])
        else:
            continue
        if path[0] == section:
            first = first or number
            if path[1:2] == [key]:
                return number
    return first or 1


def _parts(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in dotted.split(".")]


def template() -> str:
    """The commented ``swipewise.toml`` of a new workspace: every key, its default and what it means.

    >>> template().splitlines()[0]
    '# Swipewise workspace. A key left out keeps the default shown here.'
    """
    lines = ["# Swipewise workspace. A key left out keeps the default shown here.", ""]
    for section in fields(Config):
        cls = type(section.default)
        lines += [f"# {cls.__doc__}", f"[{section.name}]"]
        for key in fields(cls):  # type: ignore[arg-type]
            lines += [f"# {key.metadata['help']}", f"# {key.name} = {_as_toml(key.default)}"]
        lines.append("")
    return "\n".join(lines)


def _as_toml(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_as_toml, value)) + "]"
    return repr(value)
