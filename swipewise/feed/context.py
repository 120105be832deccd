"""What a request says of where and how the feed is watched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from swipewise.config.rules import plain
from swipewise.schema import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What is known of a request.

    Attributes:
        language: The language that is wanted, by its code such as en or pt-BR; only its first part counts.
        region: Where the feed is watched, as videos' ``regions`` name it.
        more: Anything else that rules may ask for.
    """

    language: str | None = None
    region: str | None = None
    more: Mapping[str, str] = field(default_factory=dict)


def facts(context: Context, profile: Profile | None) -> dict[str, frozenset[str]]:
    """What rules can ask for, as they compare it: the profile's features, and before them what the request says."""
    features = {} if profile is None else profile.features
    known = {name: value if isinstance(value, list) else [value] for name, value in features.items()}
    known |= {name: [value] for name, value in context.more.items()}
    if context.language is not None:
        known["language"] = [context.language, language_code(context.language)]
    if context.region is not None:
        known["region"] = [context.region]
    return {name: frozenset(plain(value) for value in values) for name, values in known.items()}


@lru_cache(maxsize=4096)
def language_code(language: str) -> str:
    """The part of a language's name that says which it is.

    >>> language_code("pt-BR"), language_code("EN_us")
    ('pt', 'en')
    """
    return plain(language).replace("_", "-").partition("-")[0]
