"""The sections of ``swipewise.toml``: each a dataclass, whose fields are its keys with default, limits and comment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from swipewise.config.rules import RuleConfig

DEVICES: Final = ("auto", "cpu", "cuda")


def _key(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    names: tuple[str, ...] | None = None,
) -> Any:
    """A configuration key: its default, the comment beside it, its inclusive limits and the names that it may have."""
    return field(default=default, metadata={"help": help, "low": low, "high": high, "names": names})


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaConfig:
    """How clips are decoded."""

    frames: int = _key(
        8, "frames taken of a clip; a change counts for files that are decoded later", low=1, high=256
    )
    sampling: str = _key(
        "even",
        "when they are taken: even, at evenly spaced times; shots, of every shot, which takes longer to decode",
        names=("even", "shots"),
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
        "descriptor: colour, texture, edges, motion; huggingface:<hub id or folder>; python:<module>:<class>; dataset: "
        "vectors it came with",
    )
    audio: str = _key(
        "descriptor", "descriptor: log-mel statistics, rhythm and timbre; huggingface:...; python:...; or dataset"
    )
    text: str = _key(
        "descriptor",
        "descriptor: hashed words and n-grams; minilm: the [text] extra; huggingface:...; python:...; or dataset",
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
    device: str = _key(
        "auto", "where models run: cpu, cuda, or auto, which takes a GPU where there is one", names=DEVICES
    )
    precision: str = _key(
        "float32",
        "numbers that models reckon with: float32 or bfloat16; changes the vectors",
        names=("float32", "bfloat16"),
    )
    batch: int = _key(8, "clips that go through a model at a time, where several are at hand", low=1, high=4096)
    noncommercial: bool = _key(False, "whether models may be used whose licences forbid commercial use")


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestConfig:
    """How a catalogue is filled."""

    executor: str = _key(
        "processes",
        "who decodes and encodes: processes of this machine; ray: a cluster, the [ray] extra; or inline: nobody else",
        names=("processes", "inline", "ray"),
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
    adapter: str = _key(
        "linear", "map of an encoder's vector to the model's width: linear or gated", names=("linear", "gated")
    )
    norm: str = _key(
        "layer",
        "normalisation of each modality: layer, rms, none, or adaptive: layer on vectors standardised anew",
        names=("layer", "rms", "adaptive", "none"),
    )
    trends: bool = _key(True, "whether the score heeds how much a video is shown and liked by everybody lately")
    neighbours: int = _key(200, "neighbours kept of each video, by who watched both; 0: none", low=0)
    neighbour_weight: float = _key(
        -1.0, "weight of the nearness to what the viewer watched; below 0: chosen on the validation period", low=-1
    )
    group_weight: float = _key(
        -1.0,
        "weight of how much more viewers of like profile watch a video; below 0: chosen on the validation period",
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
        (),
        "parts left out, for comparison: sequence, positions, behavior, profile, attention",
        names=("sequence", "positions", "behavior", "profile", "attention"),
    )

    @property
    def ordered(self) -> bool:
        """Whether the order of events counts; without it there are no changes of taste either."""
        return "positions" not in self.without


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
    sparse_rows: int = _key(
        100_000,
        "rows from which on a table of embeddings is updated by the rows that a step reads alone",
        low=1,
    )
    shard_rows: int = _key(
        10_000_000,
        "rows from which on such a table is divided among the workers, where there are several",
        low=1,
    )
    warm_start: str = _key(
        "",
        "run whose weights training starts from: its name, or latest for the last one if any; empty: from scratch",
    )
    sample_interactions: int = _key(
        20_000_000,
        "interactions at most that neighbours, groups, tastes and the validation period's figures are taken from: on "
        "larger logs those of viewers drawn by chance, so that memory does not grow",
        low=1,
    )
    checkpoint_seconds: float = _key(30.0, "time between checkpoints within an epoch", low=0)
    device: str = _key("auto", "auto, cpu or cuda", names=DEVICES)
    precision: str = _key(
        "float32",
        "numbers that the layers of the Transformer reckon with in training: float32, or bfloat16, for a GPU",
        names=("float32", "bfloat16"),
    )
    compile: bool = _key(False, "whether training compiles these layers by torch.compile, for a GPU")
    executor: str = _key(
        "processes",
        "who trains: processes of this machine; or ray: workers of a cluster, the [ray] extra",
        names=("processes", "ray"),
    )
    workers: int = _key(1, "processes or Ray workers that share every batch", low=1, high=1024)
    ray_address: str = _key("", "of the Ray cluster; empty: as for ingest.ray_address")
    ray_gpus: float = _key(0.0, "GPUs that each Ray worker reserves, parts of one as well", low=0)


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
    trending: int = _key(20, "candidates added from what is liked faster than before", low=0)
    followed: int = _key(50, "candidates added from creators that the viewer follows, the newest", low=0)
    fresh: int = _key(20, "candidates added from the newest uploads", low=0)
    explore: float = _key(
        0.05, "share of the places that are drawn from uploads which few were shown; 0: none is", low=0, high=0.5
    )
    explore_pool: int = _key(50, "newest of these uploads from which they are drawn", low=1, high=1000)
    explore_exposures: int = _key(
        100, "viewers a video was shown to in popular_days, from which on it is no longer drawn", low=1
    )
    explore_temperature: float = _key(
        1.0, "a video is drawn in proportion to exp(score / temperature); high: all alike", low=0.01
    )
    log_days: float = _key(
        30.0,
        "days for which the server keeps what it answered, so that policies can be compared; 0: not at all",
        low=0,
    )
    rules: tuple[RuleConfig, ...] = _key(
        (), "what is left out for whom: a [[feed.rules]] each, with reason, block or require, when and unless"
    )
    trending_hours: float = _key(24.0, "hours that are held against the rest of popular_days", low=1)
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
    followed_weight: float = _key(0.5, "weight in the blended score of a creator that the viewer follows", low=0)
    freshness_weight: float = _key(0.0, "weight of recency in the blended score", low=0)
    diversity: float = _key(
        0.91,
        "0 ranks by score alone, towards 1 like videos are spread out, the more the more varied a viewer's likes are",
        low=0,
        high=1,
    )
    creator_cap: int = _key(0, "videos of a feed that may have the same creator; 0: any number", low=0)
    topic_cap: int = _key(
        0, "the same of a tag; gives way before creator_cap where a feed could not be filled; 0: any number", low=0
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """Where `swipewise serve` listens, whom it answers, and how much it takes."""

    host: str = _key("127.0.0.1", "address to listen on; one that others reach takes keys")
    port: int = _key(8000, "port to listen on", low=0, high=65535)
    publish: str = _key(
        "newest",
        "which run is served: newest, the last that finished; manual, the one that was published",
        names=("newest", "manual"),
    )
    inference: str = _key(
        "auto",
        "what reads histories: eager, torch; onnx, the exported encoder, the [onnx] extra; onnx-int8, in 8 bits; auto: "
        "onnx where it is there",
        names=("auto", "eager", "onnx", "onnx-int8"),
    )
    threads: int = _key(
        0, "requests that are worked on at a time, the others wait; 0: as many as suit the cores", low=0, high=1024
    )
    keys: str = _key(
        "off",
        "off: whoever reaches this machine's own address may do everything; required: see `swipewise keys`",
        names=("off", "required"),
    )
    origins: tuple[str, ...] = _key(
        (), 'web pages whose scripts may call the API, such as https://app.example.com; "*" with keys only'
    )
    tls_cert: str = _key("", "PEM file with the certificate and those that lead to it; empty: plain HTTP")
    tls_key: str = _key("", "PEM file with the certificate's private key; empty: it is in tls_cert")
    workers: int = _key(
        1, "processes that answer; each holds the model, and grants its share of the rates", low=1, high=256
    )
    session_hours: float = _key(
        12.0, "time after which somebody who signed in to the console signs in again", low=0.01
    )
    rate_events: float = _key(
        1000.0, "requests a second with scope events, of one key or without keys one address; 0: any", low=0
    )
    rate_feed: float = _key(1000.0, "the same with scope feed", low=0)
    rate_admin: float = _key(100.0, "the same with scope admin, and of routes that take no key", low=0)
    rate_burst_seconds: float = _key(5.0, "seconds of these rates that may come at once", low=0.1)
    connections: int = _key(
        1000, "connections of each worker at a time; on more, requests are answered 503", low=1
    )
    header_seconds: float = _key(10.0, "time a client may take for a request's head", low=0.1)
    body_seconds: float = _key(
        20.0, "time a client may take for a body, and a second more for each 8 KiB that have come", low=0.1
    )
    drain_seconds: float = _key(
        0.0, "time between the signal to stop, when /readyz turns to 503, and the last new connection", low=0
    )
    shutdown_seconds: int = _key(10, "time that requests under way then have to end", low=0)
    traces: bool = _key(
        False,
        "whether requests are traced with OpenTelemetry, the [otel] extra; OTEL_EXPORTER_OTLP_ENDPOINT says where to",
    )
    open_metrics: bool = _key(False, "whether /metrics takes no key where keys are required")
    refresh_seconds: float = _key(
        10.0, "time between looks for new videos, a new run and what is popular now", low=0.1
    )
