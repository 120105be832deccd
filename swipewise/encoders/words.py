"""Captions that are read together with the words spoken and shown in a clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from swipewise.encoders.contract import Encoder, Recognizer, identity
from swipewise.schema import Clip, Modality, Words, words_mark

# Most text encoders read the first few hundred tokens: each part leaves room for the next. Part of what the vectors
# are made of, so other limits need another mark.
_LONGEST = {Words.SPEECH: 1000, Words.SCREEN: 500}


class TextWithWords:
    """A text encoder that reads the caption, then spoken words, then words on the screen.

    Args:
        encoder: What encodes text.
        recognizers: The identities of those that find the words.
    """

    modality = Modality.TEXT

    def __init__(self, encoder: Encoder, recognizers: Mapping[Words, str]) -> None:
        self._encoder, self._kinds = encoder, tuple(kind for kind in Words if kind in recognizers)
        self.name = encoder.name
        marks = "".join(f"{words_mark(kind)}{recognizers[kind]}" for kind in self._kinds)
        self.version = encoder.version + marks

    @property
    def dim(self) -> int:
        """The width of its vectors."""
        return self._encoder.dim

    def encode(self, clips: Sequence[Clip]) -> list[NDArray[np.float32] | None]:
        """A vector for each clip that has a caption or words."""
        return self._encoder.encode([replace(clip, caption=self._read(clip)) for clip in clips])

    def _read(self, clip: Clip) -> str | None:
        found = {Words.SPEECH: clip.speech, Words.SCREEN: clip.screen_text}
        parts = [clip.caption, *(shortened(found[kind] or "", _LONGEST[kind]) for kind in self._kinds)]
        return "\n".join(part for part in parts if part and part.strip()) or None


def with_words(text: Encoder, recognizers: Mapping[Words, Recognizer]) -> Encoder:
    """The encoder as it is where no words are looked for, else one that reads them too."""
    names = {kind: identity(recognizer) for kind, recognizer in recognizers.items()}
    return TextWithWords(text, names) if names else text


def shortened(text: str, longest: int) -> str:
    """The start of a text up to so many characters, whole words where there are blanks.

    >>> shortened("one two three", 9)
    'one two'
    """
    if len(text) <= longest:
        return text
    start = text[: longest + 1]
    return start.rsplit(None, 1)[0] if any(map(str.isspace, start.strip())) else text[:longest]
