"""How the commands put numbers into words."""

from __future__ import annotations


def counted(count: int, what: str) -> str:
    """A number of things.

    >>> counted(1, "video"), counted(2000, "video")
    ('1 video', '2,000 videos')
    """
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
