"""What the model believes of one viewer, in terms that can be told: modalities, themes, and the latest change.

Legend of shape suffixes: N = videos, M = content modalities, K = themes of a modality, T = M * K, S = sessions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from swipewise.training.dataset import Interactions
from swipewise.training.histories import Windows
from swipewise.training.tastes import TasteReader

MOST_THEMES = 6
EXAMPLES = 5
SURE = 0.5
"""Chance from which a change of taste is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """A kind of videos. taste: log-odds of watching beyond what is usual; videos: the most typical ones, rows."""

    modality: str
    taste: float
    videos: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The taste in a modality was likely drawn anew before ``at``, away from one theme and towards another."""

    at: datetime
    modality: str
    chance: float
    left: Theme
    joined: Theme


@dataclass(frozen=True, slots=True, kw_only=True)
class Beliefs:
    """What the model believes of a viewer.

    modality_weights: α on average over the catalogue; themes: those liked most, the best first; change: the
    likeliest of the history, None where it is likelier that there was none.
    """

    modality_weights: Mapping[str, float]
    themes: tuple[Theme, ...] = ()
    change: Change | None = None


def themes_and_change(
    reader: TasteReader,
    rows: Interactions,
    window: Windows,
    profile_1P: NDArray[np.int64],
    *,
    changes: bool,
    taste_T: NDArray[np.float32] | None = None,
) -> tuple[tuple[Theme, ...], Change | None]:
    """The themes that one viewer likes more than is usual, and the likeliest change of taste.

    Args:
        reader: Of the catalogue.
        rows: The viewer's interactions.
        window: One, of them.
        profile_1P: The viewer's profile in codes of the run.
        changes: Whether the model reckons with changes.
        taste_T: What the reader makes of the viewer now, where that has been asked already.
    """
    if taste_T is None:
        taste_T = reader.now(rows, window, profile_1P, changes=changes)[0]
    liked = [_theme(reader, int(code), float(taste_T[code])) for code in np.argsort(-taste_T, kind="stable")]
    top = tuple(theme for theme in liked if theme.taste > 0 and theme.videos)[:MOST_THEMES]
    return top, _change(reader, rows, window, profile_1P) if changes else None


def _change(
    reader: TasteReader, rows: Interactions, window: Windows, profile_1P: NDArray[np.int64]
) -> Change | None:
    log, signals = reader.heard(rows, window)
    accounts = list(reader.model.accounts(log, signals, profile_1P))
    total = 1.0 + sum(float(account.odds_S.sum()) for account in accounts)
    best = max(accounts, key=lambda account: float(account.odds_S.sum()), default=None)
    if best is None or float(best.odds_S.sum()) / total <= SURE:
        return None
    session, count = int(best.odds_S.argmax()), reader.themes.count
    first = best.column * count
    after_T, before_T = best.after.mean_BT[session], best.before.mean_BT[session]
    change_K = (after_T - before_T)[first : first + count]
    left, joined = first + int(change_K.argmin()), first + int(change_K.argmax())
    return Change(
        at=datetime.fromtimestamp(int(log.at_I[best.opens_S[session]]) / 1000, UTC),
        modality=reader.themes.modalities[best.column],
        chance=float(best.odds_S.sum()) / total,
        left=_theme(reader, left, float(after_T[left])),
        joined=_theme(reader, joined, float(after_T[joined])),
    )


def _theme(reader: TasteReader, code: int, taste: float) -> Theme:
    column, theme = divmod(code, reader.themes.count)
    modality = reader.themes.modalities[column]
    videos = reader.themes.typical(modality, theme, EXAMPLES)
    return Theme(modality=modality, taste=taste, videos=tuple(map(int, videos)))
