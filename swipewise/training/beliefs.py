"""What the model believes of one viewer, in terms that can be told: modalities, themes, and shifts of interest.

Legend of shape suffixes: T = themes of the content modalities side by side, P = profile fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import numpy as np
from numpy.typing import NDArray

from swipewise.behavior.judging import Shift
from swipewise.training.dataset import Interactions
from swipewise.training.histories import Windows
from swipewise.training.tastes import TasteReader

MOST_THEMES = 6
EXAMPLES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """A kind of videos: ``videos`` are the most typical ones, rows."""

    modality: str
    videos: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LikedTheme(Theme):
    """A theme that a viewer likes. taste: log-odds of watching beyond what is usual."""

    taste: float


@dataclass(frozen=True, slots=True, kw_only=True)
class InterestShift:
    """The viewer came back ``at`` a time with another interest in a modality, away from one theme to another.

    It was noticed after so many ``interactions`` since; ``chance`` is how sure that was then.
    """

    at: datetime
    noticed_at: datetime
    interactions: int
    chance: float
    left: Theme
    joined: Theme

    @classmethod
    def of(cls, shift: Shift) -> Self:
        """A shift in the log of one viewer alone."""
        return cls(
            at=_moment(shift.at),
            noticed_at=_moment(shift.noticed_at),
            interactions=shift.place - shift.opened,
            chance=shift.odds / (1 + shift.odds),
            left=Theme(modality=shift.modality, videos=shift.left),
            joined=Theme(modality=shift.modality, videos=shift.joined),
        )

    @property
    def modality(self) -> str:
        """In which the interest is another."""
        return self.joined.modality


@dataclass(frozen=True, slots=True, kw_only=True)
class Beliefs:
    """What the model believes of a viewer.

    modality_weights: α on average over the catalogue; themes: those liked most, the best first.
    """

    modality_weights: Mapping[str, float]
    themes: tuple[LikedTheme, ...] = ()


def liked_themes(
    reader: TasteReader,
    rows: Interactions,
    window: Windows,
    profile_1P: NDArray[np.int64],
    *,
    changes: bool,
    taste_T: NDArray[np.floating] | None = None,
) -> tuple[LikedTheme, ...]:
    """The themes that one viewer likes more than is usual.

    Args:
        reader: Of the catalogue.
        rows: The viewer's interactions.
        window: One, of them.
        profile_1P: The viewer's profile in codes of the run.
        changes: Whether the model reckons with changes.
        taste_T: What the reader makes of the viewer now, where that has been asked already.
    """
    if taste_T is None:
        taste_T = reader.now(rows, window, profile_1P, changes=changes).taste_UT[0]
    liked = [_theme(reader, int(code), float(taste_T[code])) for code in np.argsort(-taste_T, kind="stable")]
    return tuple(theme for theme in liked if theme.taste > 0 and theme.videos)[:MOST_THEMES]


def _theme(reader: TasteReader, code: int, taste: float) -> LikedTheme:
    column, theme = divmod(code, reader.themes.count)
    modality = reader.themes.modalities[column]
    videos = reader.themes.typical(modality, theme, EXAMPLES)
    return LikedTheme(modality=modality, taste=taste, videos=tuple(map(int, videos)))


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
