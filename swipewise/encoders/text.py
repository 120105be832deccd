"""The weight-free text descriptor: hashed words and character n-grams.

One part of the vector counts words, the other character n-grams, so that a misspelt or inflected word, or a script
without spaces, still lands near its kin. Hashes are stable across processes and versions.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from swipewise.schema import Clip, Modality

_WORDS = 256
_GRAMS = 128
_LONGEST_CAPTION = 10_000

# Words, with a hashtag's text as a word; any other sign on its own, so that an emoji is a token too.
_TOKEN = re.compile(r"\w+(?:'\w+)?|[^\w\s]")


class TextDescriptor:
    """Signed feature hashing, L2-normalised; each hashed feature falls into one of a fixed number of places."""

    name = "descriptor"
    version = "1"
    batch = 1
    modality = Modality.TEXT
    dim = _WORDS + _GRAMS

    def encode(self, clips: Sequence[Clip]) -> list[NDArray[np.float32] | None]:
        """A unit vector for each clip whose caption holds a word or a sign other than punctuation."""
        return [_describe(clip.caption) for clip in clips]


def _describe(caption: str | None) -> NDArray[np.float32] | None:
    words = _words(caption or "")
    if not words:
        return None
    vector = np.concatenate(
        [
            _hashed(words, _WORDS),
            0.5 * _hashed([gram for word in words for gram in _grams(word)], _GRAMS),
        ]
    )
    vector /= np.linalg.norm(vector)
    return vector.astype(np.float32)


def _words(caption: str) -> list[str]:
    """Words and symbols, folded so that case and typographic variants agree.

    >>> _words("Café Déjà-vu!! #FYP 🔥")
    ['café', 'déjà', 'vu', 'fyp', '🔥']
    """
    folded = unicodedata.normalize("NFKC", caption[:_LONGEST_CAPTION]).casefold()
    return [token for token in _TOKEN.findall(folded) if unicodedata.category(token[0])[0] not in "PZC"]


def _grams(word: str) -> Iterator[str]:
    """Character n-grams of 3 to 5 with marks for the word's ends.

    >>> list(_grams("at"))
    ['<at', 'at>', '<at>']
    """
    marked = f"<{word}>"
    for size in (3, 4, 5):
        for start in range(len(marked) - size + 1):
            yield marked[start : start + size]


def _hashed(features: list[str], places: int) -> NDArray[np.float64]:
    """Damped counts in places with a sign, both from the hash; of unit length, or zeros without features."""
    vector = np.zeros(places)
    for feature, count in Counter(features).items():
        code = crc32(feature.encode("utf-8", "surrogatepass"))
        sign = 1.0 if code >> 31 else -1.0
        # Short words say little in any language; this stands in for the document frequencies a stateless
        # encoder cannot have.
        weight = min(len(feature), 6) / 6
        vector[code % places] += sign * weight * (1.0 + np.log(count))
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
