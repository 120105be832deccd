"""What goes over the wire about one viewer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, WithJsonSchema
from pydantic_core import from_json

from swipewise.errors import DataError
from swipewise.events.controls import HIGHEST_FACTOR, MOST_ENTRIES, Controls
from swipewise.events.rules import ID_PATTERN, stated
from swipewise.feed.standing import Standing
from swipewise.schema import Col, Modality, Profile
from swipewise.server.intake import BadRequestError, invalid

Share = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Factor = Annotated[float, Field(ge=0, le=HIGHEST_FACTOR, allow_inf_nan=False)]

MAX_ENTRIES = 10_000
"""Topics, creators or hidden videos in one request that are looked at one by one."""


Entries = TypeVar("Entries", dict[str, float], list[str])


def _not_too_many(entries: Entries) -> Entries:
    if len(entries) > MOST_ENTRIES:
        raise ValueError(f"{len(entries)} entries are too many: at most {MOST_ENTRIES}")
    return entries


_AN_ID: Final = {"pattern": ID_PATTERN}
Shares = Annotated[
    dict[str, Share],
    AfterValidator(_not_too_many),
    Field(json_schema_extra={"propertyNames": _AN_ID, "maxProperties": MOST_ENTRIES}),
]
Hidden = Annotated[
    list[Annotated[str, Field(json_schema_extra=_AN_ID)]],
    AfterValidator(_not_too_many),
    Field(json_schema_extra={"maxItems": MOST_ENTRIES}),
]
Factors = Annotated[dict[str, Factor], Field(json_schema_extra={"propertyNames": {"enum": list(Modality)}})]

_FEATURES = TypeAdapter(dict[str, Any])
_SCALARS: Final = [{"type": kind} for kind in ("string", "number", "boolean")]
FEATURES_SCHEMA: Final = {
    "type": "object",
    "propertyNames": {"not": {"const": Col.VIEWER_ID}},
    "additionalProperties": {
        "anyOf": [*_SCALARS, {"type": "null"}, {"type": "array", "items": {"anyOf": _SCALARS}}]
    },
}
"""Of a viewer's features."""


class Learning(StrEnum):
    """Whether what a viewer does changes their feed."""

    ON = "on"
    PAUSED = "paused"


LearningName = Annotated[Learning, WithJsonSchema({"type": "string", "enum": [each.value for each in Learning]})]


class ProfileAnswer(BaseModel):
    """A viewer's static features."""

    viewer_id: str
    features: dict[str, Any]


class PostedControls(BaseModel):
    """All that a viewer asks of the feed: what is left out is as if it had never been asked."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    topics: Shares = Field(default_factory=dict, description="How much of a tag is wanted: 0 none, below 1 less.")
    creators: Shares = Field(default_factory=dict, description="The same of creators.")
    hidden_videos: Hidden = Field(default_factory=list, description="Not to be shown, nor their near-duplicates.")
    modalities: Factors = Field(
        default_factory=dict, description="A factor a modality on its part of the score; 1 where not named."
    )
    learning: LearningName = Field(
        default=Learning.ON, description="While paused, events are taken and do not count for the viewer's feed."
    )
    reset_learning: bool = Field(default=False, description="What happened before now is not to count any more.")

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Check a body.

        Raises:
            BadRequestError: It is not as it should be; names the field.
        """
        _check_lengths(body)
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            raise invalid(error.errors(include_url=False), cls.model_fields) from error

    def wanted(self) -> Controls:
        """What is asked, without learning."""
        return Controls(
            topics=self.topics,
            creators=self.creators,
            hidden=tuple(dict.fromkeys(self.hidden_videos)),
            modalities=self.modalities,
        )


def _check_lengths(body: bytes) -> None:
    """Before entries are looked at one by one, of which each may have its own complaint.

    Raises:
        BadRequestError: There are too many.
    """
    try:
        read = from_json(body)
    except ValueError:
        return  # which is complained about with its place
    for name, given in read.items() if isinstance(read, dict) else ():
        if isinstance(given, dict | list) and len(given) > MAX_ENTRIES:
            raise BadRequestError(413, f"{name}: {len(given)} entries, send at most {MAX_ENTRIES}")


class ControlsAnswer(BaseModel):
    """What a viewer asked of the feed, as it stands."""

    viewer_id: str
    topics: dict[str, float]
    creators: dict[str, float]
    hidden_videos: list[str]
    modalities: dict[str, float]
    learning: LearningName
    paused_at: datetime | None = Field(description="Since when learning has been paused.")
    reset_at: datetime | None = Field(description="What happened before does not count.")

    @classmethod
    def of(cls, viewer_id: str, controls: Controls) -> Self:
        """Put controls into words for the wire."""
        return cls(
            viewer_id=viewer_id,
            topics=dict(controls.topics),
            creators=dict(controls.creators),
            hidden_videos=list(controls.hidden),
            modalities=dict(controls.modalities),
            learning=Learning.ON if controls.paused_at is None else Learning.PAUSED,
            paused_at=controls.paused_at,
            reset_at=controls.reset_at,
        )


class NamedTheme(BaseModel):
    """A theme, by words of its captions where it is one of those, and by its most typical videos."""

    words: list[str]
    videos: list[str]


class LikedTheme(NamedTheme):
    """A theme that the viewer likes. `taste`: log-odds of watching beyond what is usual."""

    modality: str
    taste: float


class ShiftAnswer(BaseModel):
    """The viewer's interest in a modality may have shifted; `chance` says how sure that is."""

    at: datetime = Field(description="When the viewer came back with another interest.")
    noticed_at: datetime = Field(description="When that could be seen.")
    interactions: int = Field(description="How many there had been since, by then.")
    modality: str
    chance: float = Field(description="How sure that was then.")
    left: NamedTheme = Field(serialization_alias="from")
    joined: NamedTheme = Field(serialization_alias="to")


class InterestsAnswer(BaseModel):
    """What the model believes of a viewer now."""

    viewer_id: str
    level: str = Field(description="What feeds lean on: model, profile or popular.")
    note: str | None
    interactions: int = Field(description="How many count.")
    controls: list[str]
    modality_weights: dict[str, float] = Field(description="On average over the catalogue; they sum to 1 at most.")
    themes: list[LikedTheme] = Field(description="Those liked more than is usual, the best first.")
    shifts: list[ShiftAnswer] = Field(description="Shifts of interest, the newest first.")

    @classmethod
    def of(cls, standing: Standing, name: Callable[..., dict[str, Any]]) -> Self:
        """Put beliefs into words; ``name`` gives a theme's words and videos."""
        beliefs = standing.beliefs
        return cls(
            viewer_id=standing.viewer_id,
            level=standing.level,
            note=standing.note,
            interactions=standing.interactions,
            controls=list(standing.controls),
            modality_weights=dict(beliefs.modality_weights) if beliefs else {},
            themes=[
                LikedTheme(modality=theme.modality, taste=theme.taste, **name(theme, standing))
                for theme in (beliefs.themes if beliefs else ())
            ],
            shifts=[
                ShiftAnswer(
                    at=shift.at,
                    noticed_at=shift.noticed_at,
                    interactions=shift.interactions,
                    modality=shift.modality,
                    chance=shift.chance,
                    left=NamedTheme(**name(shift.left, standing)),
                    joined=NamedTheme(**name(shift.joined, standing)),
                )
                for shift in standing.shifts
            ],
        )


class ErasureAnswer(BaseModel):
    """What became of a viewer."""

    viewer_id: str
    state: str = Field(
        description="erased, or pending while files cannot be written; the server finishes by itself."
    )
    events: int = Field(description="How many of the viewer's were found.")
    reason: str | None = Field(description="What holds it up.")


def parse_profile(viewer_id: str, body: bytes) -> Profile:
    """The profile of a body: an object of features.

    Raises:
        BadRequestError: It is not an object, or names the viewer.
    """
    try:
        features = _FEATURES.validate_json(body)
    except ValidationError as error:
        raise invalid(error.errors(include_url=False)) from error
    if Col.VIEWER_ID in features:
        raise BadRequestError(422, f"{Col.VIEWER_ID} is no feature: the viewer is named in the address")
    return Profile(viewer_id=viewer_id, features=stated(features))


def complaint(error: DataError) -> BadRequestError:
    """What is wrong with what was asked."""
    return BadRequestError(422, str(error))
