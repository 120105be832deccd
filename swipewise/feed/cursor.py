"""How far a session has paged: what it was shown travels with it, so that no server has to remember.

A cursor holds four bytes a video, whichever server, catalogue or model showed it. Where two videos share these four
bytes, once in four billion, one is left out because the other was shown. It is no secret and opens nothing: whoever
forges one changes what they themselves are not shown.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from swipewise.errors import DataError

MOST_SHOWN: Final = 1000
"""Videos after which a session ends, as a cursor has to fit into an address."""
LONGEST: Final = 4 * (4 * MOST_SHOWN + 13) // 3 + 4
"""Characters of the longest cursor."""

_FORMAT: Final = 1
_HEAD: Final = struct.Struct(">BII")  # format, whose, checksum of the rest


def mark(name: str) -> int:
    """The four bytes that stand for a video or a viewer."""
    return zlib.crc32(name.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """What a viewer was shown in this session: the ``mark`` of each video, in order."""

    viewer_id: str
    shown: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: str, viewer_id: str) -> Cursor:
        """Read a cursor that was given out for this viewer.

        Raises:
            DataError: It is damaged, or of another viewer or version.
        """
        fault = f"cursor {text[:20] + '...' if len(text) > 20 else text!r}"
        way_out = "send one as it came in the answer before, or none to begin anew"
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            version, whose, checksum = _HEAD.unpack_from(raw)
        except (binascii.Error, ValueError, struct.error) as error:
            raise DataError(f"{fault} is damaged: {way_out}") from error
        body = raw[_HEAD.size :]
        if version != _FORMAT:
            raise DataError(f"{fault} is damaged, or of another version: {way_out}")
        if len(body) % 4 or zlib.crc32(body, whose) != checksum:
            raise DataError(f"{fault} is damaged: {way_out}")
        if whose != mark(viewer_id):
            raise DataError(f"{fault} is that of another viewer, not of {viewer_id!r}: {way_out}")
        return cls(viewer_id=viewer_id, shown=struct.unpack(f">{len(body) // 4}I", body))

    def after(self, video_ids: Sequence[str]) -> Cursor:
        """The cursor once these were shown too."""
        return Cursor(viewer_id=self.viewer_id, shown=self.shown + tuple(map(mark, video_ids)))

    @property
    def text(self) -> str | None:
        """As it is given out; None once the session has been shown all it can hold."""
        if len(self.shown) > MOST_SHOWN:
            return None
        whose = mark(self.viewer_id)
        body = struct.pack(f">{len(self.shown)}I", *self.shown)
        raw = _HEAD.pack(_FORMAT, whose, zlib.crc32(body, whose)) + body
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")
