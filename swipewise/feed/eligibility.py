"""Which videos may be shown at all, to this viewer, here and now: availability, language and policy rules.

Legend of shape suffixes: V = videos on the shelf, N = candidates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swipewise.config import RuleConfig
from swipewise.config.rules import Named, plain
from swipewise.feed.closed import Closed
from swipewise.feed.context import Context, facts, language_code
from swipewise.feed.shelf import Shelf
from swipewise.feed.stages import Query
from swipewise.schema import Profile

NOT_HERE: Final = "not available in this region"
NOT_NOW: Final = "not available now"
OTHER_LANGUAGE: Final = "in another language"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedFilter:
    """Nothing that may not be shown, for one of the reasons."""

    reason: str

    def keeps(self, query: Query, numbers_N: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which may be shown, as far as this reason goes: (N,)."""
        return ~query.closed.by(self.reason, numbers_N)


@dataclass(frozen=True, kw_only=True)
class Eligibility:
    """Knows of a shelf's videos who may be shown them.

    A video with regions is shown only where the request names one of them. Where a language is asked for, a video of
    which another is known is left out. A rule leaves out what it blocks, or all but what it requires.
    """

    shelf: Shelf
    rules: Sequence[RuleConfig] = ()
    _open_in: Mapping[str, NDArray[np.bool_]] = field(init=False, repr=False)
    _anywhere_V: NDArray[np.bool_] = field(init=False, repr=False)
    _from_V: NDArray[np.float64] = field(init=False, repr=False)
    _until_V: NDArray[np.float64] = field(init=False, repr=False)
    _spoken: Mapping[str, NDArray[np.bool_]] = field(init=False, repr=False)
    _ruled_out: Sequence[NDArray[np.bool_]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        shelf = self.shelf
        regions = ((video_id, map(plain, regions)) for video_id, regions in shelf.regions_of.items())
        spoken = ((video_id, [language_code(language)]) for video_id, language in shelf.language_of.items())
        made = {
            "_open_in": self._masks(regions),
            "_anywhere_V": ~self._mask(shelf.regions_of),
            "_from_V": np.full(len(shelf.video_ids), -np.inf),
            "_until_V": np.full(len(shelf.video_ids), np.inf),
            "_spoken": self._masks(spoken),
            "_ruled_out": [self._by_rule(rule) for rule in self.rules],
        }
        for name, value in made.items():
            object.__setattr__(self, name, value)
        for video_id, window in shelf.window_of.items():
            if (row := shelf.row_of.get(video_id)) is not None:
                self._from_V[row], self._until_V[row] = window

    @property
    def filters(self) -> list[ClosedFilter]:
        """A filter for each reason that there may be."""
        reasons = [NOT_HERE] if self.shelf.regions_of else []
        reasons += [NOT_NOW] if self.shelf.window_of else []
        reasons += [OTHER_LANGUAGE] if self.shelf.language_of else []
        reasons += [rule.reason for rule in self.rules]
        return [ClosedFilter(reason=reason) for reason in dict.fromkeys(reasons)]

    def closed(self, context: Context, profile: Profile | None, now: datetime) -> Closed:
        """The videos that may not be shown, each with the first reason."""
        why_V = np.zeros(len(self.shelf.video_ids), np.int16)
        reasons: list[str] = []
        for reason, shut_V in self._shut(context, profile, now):
            reasons.append(reason)
            why_V[shut_V & (why_V == 0)] = len(reasons)
        why_V[list(self.shelf.removed)] = 0
        return Closed(why_V=why_V, reasons=tuple(reasons)) if reasons else Closed()

    def _shut(
        self, context: Context, profile: Profile | None, now: datetime
    ) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        if self.shelf.regions_of:
            yield NOT_HERE, ~(self._anywhere_V | self._open_in.get(plain(context.region or ""), False))
        if self.shelf.window_of:
            moment = now.timestamp()
            yield NOT_NOW, (self._from_V > moment) | (self._until_V <= moment)
        if context.language and self.shelf.language_of:
            wanted = language_code(context.language)
            others = [mask_V for language, mask_V in self._spoken.items() if language != wanted]
            yield OTHER_LANGUAGE, np.logical_or.reduce(others) if others else self._mask(())
        known = facts(context, profile)
        for rule, shut_V in zip(self.rules, self._ruled_out, strict=True):
            if _said(rule.when, known) and not (rule.unless and _said(rule.unless, known)):
                yield rule.reason, shut_V

    def _by_rule(self, rule: RuleConfig) -> NDArray[np.bool_]:
        """The videos (V,) that a rule leaves out while it holds."""
        parts = (rule.block or rule.require).items()
        named_V: NDArray[np.bool_] = np.logical_and.reduce([self._named(*part) for part in parts])
        return named_V if rule.block else ~named_V

    def _named(self, what: str, values: Iterable[str]) -> NDArray[np.bool_]:
        if what == "languages":
            wanted = {language_code(value) for value in values}
            return self._mask(
                video_id for video_id, name in self.shelf.language_of.items() if language_code(name) in wanted
            )
        if what == "videos":
            wanted = set(values)
            return self._mask(video_id for video_id in self.shelf.video_ids if plain(video_id) in wanted)
        if what == "tags":
            return self._mask(video_id for value in values for video_id in self.shelf.of_tag.get(value, ()))
        wanted = set(values)
        return self._mask(video_id for video_id, name in self.shelf.creator_of.items() if plain(name) in wanted)

    def _mask(self, video_ids: Iterable[str]) -> NDArray[np.bool_]:
        mask_V = np.zeros(len(self.shelf.video_ids), np.bool_)
        mask_V[self.shelf.rows_of(video_ids)] = True
        return mask_V

    def _masks(self, named: Iterable[tuple[str, Iterable[str]]]) -> dict[str, NDArray[np.bool_]]:
        videos: dict[str, list[str]] = {}
        for video_id, names in named:
            for name in names:
                videos.setdefault(name, []).append(video_id)
        return {name: self._mask(video_ids) for name, video_ids in videos.items()}


def _said(wanted: Named, known: Mapping[str, frozenset[str]]) -> bool:
    """Whether one of the values of each name is there."""
    return all(not known.get(name, frozenset()).isdisjoint(values) for name, values in wanted.items())
