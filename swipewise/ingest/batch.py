"""What waits to be written, and the commit that writes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from swipewise.catalog import Catalog, Rejection
from swipewise.schema import Col, Fingerprint, Modality, Video

Vectors = dict[tuple[Modality, str], NDArray[np.float32] | None]


@dataclass(slots=True, kw_only=True)
class _Pending:
    video: Video
    vectors: Vectors = field(default_factory=dict)
    fingerprint: Fingerprint | None = None


class Batch:
    """Videos and rejections on their way into the catalogue.

    Args:
        catalog: The catalogue.
        lists: Whether files that are rejected come on its list.
    """

    def __init__(self, catalog: Catalog, *, lists: bool = True) -> None:
        self.written = False
        self._lists = lists
        self._catalog = catalog
        self._listed = set(catalog.rejected()[Col.URI])
        self._videos: dict[str, _Pending] = {}
        self._rejections: list[Rejection] = []
        self._mended: list[str] = []
        self._lifted: list[str] = []

    def __len__(self) -> int:
        return len(self._videos) + len(self._rejections) + len(self._mended)

    def store(
        self,
        video: Video,
        vectors: Mapping[tuple[Modality, str], NDArray[np.float32] | None],
        fingerprint: Fingerprint | None = None,
    ) -> None:
        """Write a video; vectors and a fingerprint that an earlier call gave for it in this batch stay."""
        pending = self._videos.setdefault(video.video_id, _Pending(video=video))
        pending.video = video
        pending.vectors.update(vectors)
        pending.fingerprint = fingerprint or pending.fingerprint

    def lift(self, video_ids: Sequence[str]) -> None:
        """Let removed videos be in the catalogue again."""
        self._lifted += video_ids

    def keep_thumbnail(self, video_id: str, jpeg: bytes | None) -> None:
        """Write a video's thumbnail at once: it may be there before the video, but not lack while that is."""
        self._catalog.thumbnails.write(video_id, jpeg)

    def reject(self, rejection: Rejection) -> None:
        """Put a file on the rejected list, if there is to be one."""
        if self._lists:
            self._rejections.append(rejection)

    def accept(self, uri: str) -> None:
        """Take a file off the rejected list if an earlier run has put it there."""
        if uri in self._listed:
            self._listed.remove(uri)
            self._mended.append(uri)

    def commit(self) -> None:
        """Write everything; when this returns it is in the catalogue.

        Raises:
            StoreError: The catalogue cannot be written.
        """
        if not self:
            return
        # First, as what has a tombstone is purged.
        self._catalog.removals.lift(self._lifted)
        # One commit for each set of encoders, so that none is recorded for a video it has not looked at.
        groups: dict[frozenset[tuple[Modality, str]], list[_Pending]] = {}
        for pending in self._videos.values():
            groups.setdefault(frozenset(pending.vectors), []).append(pending)
        for encoders, group in groups.items():
            vectors = {encoder: [each.vectors[encoder] for each in group] for encoder in encoders}
            prints = {each.video.video_id: each.fingerprint for each in group if each.fingerprint}
            self._catalog.upsert([each.video for each in group], vectors, prints)
        # Off the list only now: a file must never be in neither place.
        self._catalog.unreject(self._mended)
        self._catalog.reject_all(self._rejections)
        self.written = True
        self._videos, self._rejections, self._mended, self._lifted = {}, [], [], []
