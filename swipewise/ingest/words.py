"""The words of clips, as the worker finds them on the way to their vectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from swipewise.encoders import Recognizer, identity
from swipewise.schema import WORD_COLUMNS, Clip, Words


def find_words(
    clips: Sequence[Clip], recognizers: Mapping[Words, Recognizer], kinds: Iterable[Words]
) -> list[dict[str, str | None]]:
    """What these kinds of recognisers find in each clip: the columns of the words, and of who found them."""
    found: list[dict[str, str | None]] = [{} for _ in clips]
    for kind in kinds:
        column, found_by = WORD_COLUMNS[kind]
        for row, words in enumerate(recognizers[kind].recognize(clips)):
            found[row] |= {column: words, found_by: identity(recognizers[kind])}
    return found


def heard_and_seen(words: Mapping[str, str | None]) -> dict[str, str | None]:
    """Of such columns those that are fields of a clip."""
    return {column: words[column] for column, _ in WORD_COLUMNS.values() if column in words}
