"""What keys may say beyond type and limits, where that has a grammar of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swipewise.config.sections import ServerConfig

HUGGINGFACE = "huggingface:"
"""What the name of a published model begins with."""

PYTHON = "python:"
"""What the name of an encoder of one's own begins with; ``module:Class`` follows."""

ENCODER_NAMES = {
    "visual": ("descriptor", "dataset"),
    "audio": ("descriptor", "dataset"),
    "text": ("descriptor", "minilm", "dataset"),
    "speech": (),
    "screen": ("rapidocr",),
}
"""What these keys of [encoders] may name, beside ``huggingface:``, ``python:``, ``none`` and the ``fake`` of tests."""

_OWN = ("visual", "audio", "text")
"""The keys that may name a class of one's own."""


def unknown_encoder(key: str, name: str) -> str | None:
    """What is wrong with the name of an encoder, with the nearest; None where nothing is known to be.

    Args:
        key: Of ``[encoders]``: the modality or the kind of words.
        name: What stands there.
    """
    valid = ENCODER_NAMES[key]
    published = key != "screen"
    if name in (*valid, "none", "fake") or (published and name.startswith(HUGGINGFACE)):
        return None
    if key in _OWN and name.startswith(PYTHON):
        if re.fullmatch(r"[\w.]+:\w+", name.removeprefix(PYTHON)):
            return None
        return (
            f"names an encoder {name!r}: write {PYTHON}module:Class, as in {PYTHON}mypackage.encoders:Brightness"
        )
    if published and name and Path(name).is_dir():
        return f"names an unknown encoder {name!r}: did you mean {HUGGINGFACE + name!r}?"
    named = [*valid, *([f"{HUGGINGFACE}<id or folder>"] if published else [])]
    named += [*([f"{PYTHON}<module>:<class>"] if key in _OWN else []), "none"]
    return f"names an unknown encoder {name!r}{nearest(name, named)}"


def origins_fault(server: ServerConfig) -> str | None:
    """What is wrong with ``server.origins``, None where nothing is."""
    for origin in server.origins:
        if origin == "*" and server.keys == "off":
            return (
                "must name the pages where server.keys is off: with '*' any page could read what a browser reaches"
            )
        if origin != "*" and not re.fullmatch(r"https?://[^/\s?#@*]+", origin):
            return f"names {origin!r}: write scheme, host and port as in https://app.example.com, without a path"
    return None


def database_fault(address: str) -> str | None:
    """What is wrong with an address of a database, None where nothing is known to be; it may hold a password.

    Args:
        address: A URL as SQLAlchemy has them.
    """
    if re.match(r"postgresql(\+psycopg)?://", address):
        return None
    scheme = address.partition("://")[0] if "://" in address else ""
    return (
        f"must be postgresql://user@host:5432/name or empty, not {f'{scheme}://...' if scheme else 'without ://'}"
    )


def nearest(name: str, valid: Iterable[str]) -> str:
    """The end of a sentence about a wrong name: the nearest valid one, or all of them."""
    known = [str(each) for each in valid]
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f": did you mean {close[0]!r}?" if close else f": valid are {', '.join(known)}"
