"""Names for themes: the words that their videos' captions and tags share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from copy import copy

_WORDS = 3
_SHORTEST_WORD = 3


class CaptionWords:
    """The words of captions and tags, and how often each is used in the whole catalogue.

    Args:
        videos: Id, caption and tags of each video.
        video_ids: The order in which videos are then named by their place.
    """

    def __init__(
        self, videos: Iterable[tuple[str, str | None, Sequence[str] | None]], video_ids: Sequence[str]
    ) -> None:
        said = {video_id: _words(caption, tags) for video_id, caption, tags in videos}
        self._said = [said.get(video_id, frozenset()) for video_id in video_ids]
        self._uses = Counter(word for words in self._said for word in words)

    def extended(
        self, videos: Iterable[tuple[str, str | None, Sequence[str] | None]], video_ids: Sequence[str]
    ) -> CaptionWords:
        """The same with further videos behind those that are there; the arguments are those of these alone."""
        new, joined = CaptionWords(videos, video_ids), copy(self)
        joined._said = self._said + new._said
        joined._uses = self._uses + new._uses
        return joined

    def naming(self, videos: Sequence[int]) -> list[str]:
        """Words that several of the videos share, those first that are rarest elsewhere."""
        here = Counter(word for video in videos for word in self._said[video])
        shared = [word for word, count in here.items() if count > 1]
        return sorted(shared, key=lambda word: (-(here[word] ** 2) / self._uses[word], word))[:_WORDS]


def _words(caption: str | None, tags: Sequence[str] | None) -> frozenset[str]:
    text = " ".join([caption or "", *(tags or ())])
    spelled = ("".join(sign if sign.isalnum() else " " for sign in text)).casefold().split()
    return frozenset(word for word in spelled if len(word) >= _SHORTEST_WORD)
