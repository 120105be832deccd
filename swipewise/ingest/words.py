"""The words of clips, as the worker finds them on the way to their vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from swipewise.encoders import Recognizer, identity
from swipewise.schema import WORD_COLUMNS, Clip


def find_words(clips: Sequence[Clip], recognizer: Recognizer) -> list[dict[str, str | None]]:
    """What a recogniser finds in each clip: the columns of the words, and of who found them."""
    column, found_by = WORD_COLUMNS[recognizer.kind]
    return [{column: words, found_by: identity(recognizer)} for words in recognizer.recognize(clips)]


def heard_and_seen(words: Mapping[str, str | None]) -> dict[str, str | None]:
    """Of such columns those that are fields of a clip."""
    return {column: words[column] for column, _ in WORD_COLUMNS.values() if column in words}
