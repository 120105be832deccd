"""The words of the domain: its records and the one place where a column name is spelled."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Modality(StrEnum):
    """What a video is known by."""

    VISUAL = "visual"
    TEXT = "text"
    AUDIO = "audio"
    ATTRIBUTES = "attributes"
    ID = "id"


CONTENT_MODALITIES: Final = (Modality.VISUAL, Modality.TEXT, Modality.AUDIO)
"""The modalities an encoder turns into vectors, in the order used everywhere."""


class Words(StrEnum):
    """Words of a clip beside its caption, and what is recognised in them."""

    SPEECH = "speech"
    SCREEN = "screen"


LONGEST_ID: Final = 256
"""Characters of a viewer's, a video's or an event's id."""


class Action(StrEnum):
    """What happened between a viewer and a video; ``exposure`` opens an interaction."""

    EXPOSURE = "exposure"
    VIEW = "view"
    FINISH = "finish"
    LIKE = "like"
    COMMENT = "comment"
    SHARE = "share"
    FOLLOW = "follow"
    SKIP = "skip"
    HIDE = "hide"


FLAG_ACTIONS: Final = (
    Action.FINISH,
    Action.LIKE,
    Action.COMMENT,
    Action.SHARE,
    Action.FOLLOW,
    Action.SKIP,
    Action.HIDE,
)
"""The actions an interaction keeps as booleans, in column order."""

WATCH: Final = "watch"
"""Beside the actions: what is predicted of how much of a video will be watched."""


class Col:
    """Names of the columns of every table Swipewise reads or writes."""

    # videos
    VIDEO_ID = "video_id"
    URI = "uri"
    CONTENT_HASH = "content_hash"
    CAPTION = "caption"
    CREATOR = "creator"
    MUSIC = "music"
    TAGS = "tags"
    LANGUAGE = "language"
    REGIONS = "regions"
    AVAILABLE_FROM = "available_from"
    AVAILABLE_UNTIL = "available_until"
    UPLOADED_AT = "uploaded_at"
    INGESTED_AT = "ingested_at"
    ENCODERS = "encoders"
    DURATION = "duration_seconds"
    WIDTH = "width"
    HEIGHT = "height"
    SPEECH = "speech"
    SPEECH_BY = "speech_by"
    SCREEN_TEXT = "screen_text"
    SCREEN_BY = "screen_by"
    VISUAL_FINGERPRINT = "visual_fingerprint"
    MOTION_FINGERPRINT = "motion_fingerprint"
    AUDIO_FINGERPRINT = "audio_fingerprint"
    LINK_ORDER = "link_order"
    DUPLICATE_OF = "duplicate_of"
    REASON = "reason"

    # events and interactions
    EVENT_ID = "event_id"
    VIEWER_ID = "viewer_id"
    ACTION = "action"
    AT = "at"
    WATCH_SECONDS = "watch_seconds"
    WATCH_RATIO = "watch_ratio"
    POSITION = "position"
    DAY = "day"
    FINISH = "finish"
    LIKE = "like"
    COMMENT = "comment"
    SHARE = "share"
    FOLLOW = "follow"
    SKIP = "skip"
    HIDE = "hide"

    # answered feeds
    REQUEST_ID = "request_id"
    LEVEL = "level"
    POLICY = "policy"
    PLACES = "places"
    POOL = "pool"
    SOURCE = "source"
    SCORE = "score"
    PROPENSITY = "propensity"
    FEEDS = "feeds"
    VIDEOS = "videos"

    # what is counted of them
    EVENTS = "events"
    INTERACTIONS = "interactions"
    VIEWERS = "viewers"
    WATCHERS = "watchers"
    UNMEASURED = "unmeasured"
    FIRST_EXPOSURE_AT = "first_exposure_at"
    STEP = "step"
    COHORT = "cohort"
    SIZE = "size"
    PERIOD = "period"
    ACTIVE = "active"
    WATCHED = "watched"
    REMAINING = "remaining"
    SEGMENT = "segment"
    TOPICS = "topics"
    LIFTS = "lifts"
    KIND = "kind"
    ID = "id"
    X = "x"
    Y = "y"
    MODALITY = "modality"

    # figures
    RECOMMENDER = "recommender"
    METRIC = "metric"

    # reasons
    EVIDENCE = "evidence"
    TASTE = "taste"
    WORDS = "words"
    VIDEOS = "videos"
    SIMILARITY = "similarity"

    # jobs
    JOB_ID = "job_id"
    LOCATION = "location"
    STATED = "stated"
    STATE = "state"
    STAGE = "stage"
    OUTCOME = "outcome"
    ATTEMPTS = "attempts"
    SECONDS = "seconds"
    CREATED_AT = "created_at"
    STARTED_AT = "started_at"
    FINISHED_AT = "finished_at"

    # viewers
    PROFILE = "profile"
    UPDATED_AT = "updated_at"
    SHIFT_AT = "shift_at"


GIVEN_ENCODER: Final = "dataset"
"""The name of the encoder that stands for vectors which came with a data set: nothing here can make them again."""


WORD_COLUMNS: Final = {
    Words.SPEECH: (Col.SPEECH, Col.SPEECH_BY),
    Words.SCREEN: (Col.SCREEN_TEXT, Col.SCREEN_BY),
}
"""The columns of the words of a kind: the words, and the recogniser that looked for them."""


def words_mark(kind: Words) -> str:
    """Before the recogniser's identity in that of a text encoder which reads its words.

    >>> words_mark(Words.SPEECH)
    '+speech='

    Args:
        kind: Of words.
    """
    return f"+{kind}="


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """One catalogue entry, without its vectors.

    Times are timezone-aware UTC. ``content_hash`` is the SHA-256 of the file's bytes: the same file is the
    same video wherever it lies. ``speech_by`` and ``screen_by`` name the recogniser that looked for spoken words and
    for words on the screen; None: none has. ``regions`` are those where the video may be shown, none: everywhere, from
    ``available_from`` until before ``available_until``; None: without such an end.
    """

    video_id: str
    uri: str
    content_hash: str
    caption: str | None = None
    creator: str | None = None
    music: str | None = None
    tags: tuple[str, ...] = ()
    language: str | None = None
    uploaded_at: datetime | None = None
    duration_seconds: float | None = None
    width: int | None = None
    height: int | None = None
    speech: str | None = None
    speech_by: str | None = None
    screen_text: str | None = None
    screen_by: str | None = None
    regions: tuple[str, ...] = ()
    available_from: datetime | None = None
    available_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What an encoder wants of a clip beside what every encoder gets.

    frame_side: longer side of its frames, pixels; sample_rate: of its sound, Hz; 0: what there is will do.
    """

    frame_side: int = 0
    sample_rate: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """What encoders see of a video: the decoded picture and sound, and its words.

    frames_FHWC: (F, H, W, 3) uint8 RGB, upright, F frames in order of time; None without a picture.
    frame_times_F: (F,) float64, seconds from the start.
    waveform_S: (S,) float32 mono in [-1, 1] at ``sample_rate`` Hz; None without sound.
    fine_frames_FHWC, fine_waveform_S: the same frames and sound, larger and at ``fine_rate`` Hz; None where no encoder
        ``Needs`` them.
    """

    frames_FHWC: NDArray[np.uint8] | None = None
    frame_times_F: NDArray[np.float64] | None = None
    waveform_S: NDArray[np.float32] | None = None
    sample_rate: int = 16_000
    fine_frames_FHWC: NDArray[np.uint8] | None = None
    fine_waveform_S: NDArray[np.float32] | None = None
    fine_rate: int = 0
    caption: str | None = None
    speech: str | None = None
    screen_text: str | None = None
    duration_seconds: float | None = None
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What a clip is known by after it was encoded anew; a part is None where the clip tells too little.

    ``visual`` holds a uint64 a frame, ``motion`` an int8 a cell and frame, ``audio`` a uint32 a step, little-endian;
    ``media.fingerprint`` says what they mean.
    """

    visual: bytes | None = None
    motion: bytes | None = None
    audio: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing a viewer did with a video; the unit of the event log."""

    event_id: str
    viewer_id: str
    video_id: str
    action: Action
    at: datetime
    watch_seconds: float | None = None
    position: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """An exposure folded with the actions that followed it; the training row."""

    viewer_id: str
    video_id: str
    at: datetime
    watch_seconds: float | None = None
    watch_ratio: float | None = None
    position: int | None = None
    actions: frozenset[Action] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The static features of a viewer (the paper's s_u): names to strings, numbers or lists of strings."""

    viewer_id: str
    features: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A video of the viewer's history that speaks for a recommendation; ``similarity`` is a cosine."""

    video_id: str
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """One place of a feed and why it is there.

    ``modality_weights`` are the fusion's α for this viewer and video and sum to 1; empty when no model spoke.
    ``controls`` says what the viewer asked for that lowered it. ``propensity`` is the probability with which the feed's
    policy puts this video at this place, given the places before it: 1 where nothing was drawn.
    """

    video_id: str
    position: int
    score: float
    source: str
    modality_weights: dict[str, float] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    controls: tuple[str, ...] = ()
    propensity: float = 1.0
