"""Which column of a file is which: long or wide form, the user's mapping, and what to say when one is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from pathlib import Path
from typing import Final

from swipewise.errors import InputFileError
from swipewise.schema import FLAG_ACTIONS, Col

EVENT_COLUMNS: Final = (
    Col.EVENT_ID,
    Col.VIEWER_ID,
    Col.VIDEO_ID,
    Col.ACTION,
    Col.AT,
    Col.WATCH_SECONDS,
    Col.POSITION,
    *map(str, FLAG_ACTIONS),
)
"""What a column of a behaviour file may be mapped to."""

_REQUIRED: Final = (Col.VIEWER_ID, Col.VIDEO_ID, Col.AT)
_OF_OBJECTS: Final = (".jsonl", ".ndjson")
_A_VALUE: Final = re.compile(r"\d{4}-\d{2}-\d{2}|\d{9,}$|\d+\.\d+$")  # a moment or a number, not a name
_WIDE: Final = (Col.WATCH_SECONDS, *map(str, FLAG_ACTIONS))

# What other systems call these, for the hint in an error; nothing is mapped by itself.
_ALSO_CALLED: Final = {
    Col.VIEWER_ID: ("user_id", "user", "uid", "member_id", "account_id", "customer_id"),
    Col.VIDEO_ID: ("item_id", "item", "vid", "clip_id", "photo_id", "content_id", "post_id"),
    Col.AT: ("time", "timestamp", "ts", "time_ms", "datetime", "date", "created_at", "event_time"),
    Col.ACTION: ("event", "event_type", "type", "behavior", "action_type"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a behaviour file is to be read: ``sources`` gives for each of our names the file's column."""

    is_long: bool
    sources: Mapping[str, str]


def check_mapping(mapping: Mapping[str, str], valid: Iterable[str]) -> None:
    """See that a mapping names only columns there are.

    Raises:
        InputFileError: It names another.
    """
    names = list(valid)
    for name, source in mapping.items():
        if name not in names:
            close = get_close_matches(name, names, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]!r}?" if close else f"valid are {', '.join(names)}"
            raise InputFileError(f"--map {name}={source}: no column {name!r} is looked for: {hint}")


def find_layout(path: Path, columns: Sequence[str], mapping: Mapping[str, str]) -> Layout:
    """Find each of EVENT_COLUMNS in a file's columns.

    Raises:
        InputFileError: A mapped column is not in the file; a required one is missing; or nothing tells what the
            viewers did.
    """
    sources = find_columns(path, columns, mapping, EVENT_COLUMNS, _REQUIRED)
    if Col.ACTION in sources:
        return Layout(is_long=True, sources={k: v for k, v in sources.items() if k not in FLAG_ACTIONS})
    if not any(name in sources for name in _WIDE):
        raise InputFileError(
            f"{path}: no column 'action' (one event a row) and none of {', '.join(_WIDE)} "
            f"(one interaction a row); {_there_is(columns)}: {_map_hint(Col.ACTION, columns, sources)}"
        )
    return Layout(is_long=False, sources=sources)


def find_columns(
    path: Path,
    columns: Sequence[str],
    mapping: Mapping[str, str],
    names: Iterable[str],
    required: Iterable[str],
) -> dict[str, str]:
    """For each of our names that a file has, the file's column.

    Raises:
        InputFileError: A mapped column is not in the file, or a required one is missing.
    """
    if not columns:
        lines = ": write a JSON object a line" if path.suffix.lower() in _OF_OBJECTS else ""
        raise InputFileError(f"{path}: no row of it can be read: is it the right file?{lines}")
    for name, source in mapping.items():
        if source not in columns:
            close = get_close_matches(source, columns, n=1, cutoff=0.5)
            hint = f": did you mean --map {name}={close[0]}?" if close else ""
            raise InputFileError(
                f"{path}: no column {source!r}, which is mapped to {name}; {_there_is(columns)}{hint}"
            )
    sources = {name: mapping.get(name, name) for name in names}
    sources = {name: source for name, source in sources.items() if source in columns}
    for name in required:
        if name not in sources:
            raise InputFileError(
                f"{path}: no column {name!r}; {_there_is(columns)}: {_map_hint(name, columns, sources)}"
            )
    return sources


def _there_is(columns: Sequence[str]) -> str:
    shown = ", ".join(columns[:30])
    return f"it has {shown}" + (f" and {len(columns) - 30} more" if len(columns) > 30 else "")


def _map_hint(name: str, columns: Sequence[str], taken: Mapping[str, str]) -> str:
    """The --map that would mend a missing column, with the name in the file that comes nearest to it."""
    if any(_A_VALUE.match(column) for column in columns):
        return "that looks like a row, and the first line has to name the columns"
    free = [column for column in columns if column not in taken.values()]
    wanted = (name, *_ALSO_CALLED.get(name, ()))

    def likeness(column: str) -> float:
        return max(SequenceMatcher(None, column.lower(), other).ratio() for other in wanted)

    best = max(free, key=likeness, default=None)
    if best is None or likeness(best) < 0.5:
        return f"name the one that holds it with --map {name}=COLUMN"
    return f"if {best!r} holds it, add --map {name}={best}"
