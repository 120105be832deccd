"""JSON Lines: clean files quickly; in others each broken line is set aside with its reason."""

from __future__ import annotations

from collections.abc import Collection
from io import BytesIO
from itertools import islice
from typing import Any, Final

import msgspec
import polars as pl

from swipewise.events.tables import POLARS_ERRORS, ROW, Objects, Table, as_broken

_LOOKED_AT: Final = 1000


def read_jsonl(data: bytes, wanted: Collection[str]) -> Table:
    """Read the wanted columns of a JSON Lines file's bytes as text; lines that are no object are set aside."""
    seen = _first_keys(data)
    schema = {name: pl.String for name in [*seen, *wanted] if name in wanted}
    try:
        rows = pl.read_ndjson(BytesIO(data), schema=schema) if b"\n\n" not in data else None
    except POLARS_ERRORS:
        rows = None
    # Fewer rows than lines: blank ones. More cannot be told apart either way: find out line by line.
    if rows is not None and len(rows) == len(data.rstrip().split(b"\n")):
        rows = rows.with_row_index(ROW, offset=1)
        broken = as_broken()
    else:
        objects = decode_lines(data)
        values = {name: [_as_text(row.get(name)) for _, row in objects.rows] for name in schema}
        rows = pl.DataFrame(
            {ROW: [place for place, _ in objects.rows], **values}, schema={ROW: pl.Int64, **schema}
        )
        broken = objects.broken
    filled = [name for name in schema if name in seen or rows[name].null_count() < len(rows)]
    return Table(columns=tuple(dict.fromkeys([*seen, *filled])), rows=rows.select(ROW, *filled), broken=broken)


def _first_keys(data: bytes) -> list[str]:
    """The keys of the first objects, in the order they come."""
    keys: dict[str, None] = {}
    for line in islice(BytesIO(data), _LOOKED_AT):
        try:
            keys.update(dict.fromkeys(msgspec.json.decode(line, type=dict[str, Any])))
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
    return list(keys)


def decode_lines(data: bytes) -> Objects:
    """Read all of a JSON Lines file's bytes; lines that are no object are set aside."""
    decoder = msgspec.json.Decoder(dict[str, Any])
    rows: list[tuple[int, dict[str, Any]]] = []
    broken: list[tuple[int, str, str]] = []
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            rows.append((number, decoder.decode(line)))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            content = line.decode("utf-8", "replace")
            broken.append((number, f"not a JSON object: {error}", content))
    return Objects(rows=rows, broken=as_broken(broken))


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
