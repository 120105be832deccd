"""The reference of the HTTP API, from the description that the server gives of itself."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docs.generate.markdown import in_cell, prose, table

Answer = tuple[str, str]
"""Status and description of what a route answers."""

_HEAD = """# HTTP API

What `GET /openapi.json` of a running server says, for people. [Serving](serving.md) tells how it is used. Every error
is answered as `{"error": …}`, with `fields` where it is about some; a parameter that a route does not have is one, but
for routes that have none. Where `[server]` has `keys = "required"`, a request names its key as
`Authorization: Bearer KEY`, and the key needs the scope given here.
"""
_METHODS = ("get", "post", "put", "delete")


def described() -> dict[str, Any]:
    """The OpenAPI document of a server on an empty workspace."""
    from swipewise.server import create_app
    from swipewise.workspace import Workspace

    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Workspace.create(Path(folder) / "empty"))
        try:
            document: dict[str, Any] = json.loads(json.dumps(app.openapi()))
        finally:
            app.state.records.close()
            app.state.engine.close()
    return document


def http_page(document: dict[str, Any] | None = None) -> str:
    """The whole page, of a description or the server's own."""
    document = document or described()
    lines = [_HEAD, "## Routes", ""]
    operations = [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in _METHODS
    ]
    usual = _usual([operation for _, _, operation in operations])
    lines += [
        "Beside what is told of each route:",
        "",
        *table(("answer", ""), ((a, in_cell(b)) for a, b in usual)),
    ]
    for method, path, operation in sorted(operations, key=lambda each: each[1:2]):
        lines += _operation(method, path, operation, usual)
    lines += ["## Objects", ""]
    for name, schema in sorted(document["components"]["schemas"].items()):
        lines += _object(name, schema)
    return "\n".join(lines)


def _usual(operations: list[dict[str, Any]]) -> list[Answer]:
    """The refusals that more than half of all routes may answer, told once."""
    counts = Counter(
        (status, response.get("description", ""))
        for operation in operations
        for status, response in operation["responses"].items()
        if status >= "4"
    )
    return sorted(answer for answer, count in counts.items() if 2 * count > len(operations))


def _operation(method: str, path: str, operation: dict[str, Any], usual: list[Answer]) -> list[str]:
    scopes = [scope for each in operation.get("security", []) for scopes in each.values() for scope in scopes]
    takes = f"Scope `{scopes[0]}`." if scopes else "Takes no key."
    lines = [f"### {method.upper()} {path}", "", takes, "", prose(operation.get("description", "")), ""]
    lines += table(
        ("parameter", "in", "type", ""),
        (
            (
                f"`{each['name']}`{' (required)' if each.get('required') else ''}",
                each["in"],
                _type(each.get("schema", {})),
                in_cell(_told(each)),
            )
            for each in operation.get("parameters", [])
        ),
    )
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        schema = content.get("schema", {})
        lines += [f"Body, `{kind}`: {_type(schema)}.", "", *_fields(_written_out(schema))]
    return lines + table(("answer", "body", ""), _answers(operation["responses"], usual))


def _written_out(schema: dict[str, Any]) -> dict[str, Any]:
    """The object that a body is described by in place, where it is none of those with a name."""
    for each in [schema, *schema.get("anyOf", []), *schema.get("oneOf", [])]:
        if "properties" in each:
            return dict(each)
    return {}


def _answers(responses: dict[str, Any], usual: list[Answer]) -> Iterator[tuple[str, str, str]]:
    for status, response in sorted(responses.items()):
        if (status, response.get("description", "")) in usual:
            continue
        content = response.get("content", {})
        body = ", ".join(
            _type(each["schema"]) if each.get("schema") else f"`{kind}`" for kind, each in content.items()
        )
        yield status, body, in_cell(response.get("description", ""))


def _told(parameter: dict[str, Any]) -> str:
    schema = parameter.get("schema", {})
    told = parameter.get("description") or schema.get("description", "")
    return f"{told} Default: {schema['default']}." if schema.get("default") not in (None, "") else told


def _object(name: str, schema: dict[str, Any]) -> list[str]:
    return [f"### {name}", "", prose(schema.get("description", "")), "", *_fields(schema)]


def _fields(schema: dict[str, Any]) -> list[str]:
    required = schema.get("required", [])
    return table(
        ("field", "type", ""),
        (
            (
                f"`{field}`{' (required)' if field in required else ''}",
                _type(each),
                in_cell(_told({"schema": each})),
            )
            for field, each in schema.get("properties", {}).items()
        ),
    )


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words, with a link to the object it names."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for key, word in (("anyOf", " or "), ("oneOf", " or "), ("allOf", " and ")):
        if key in schema:
            return word.join(dict.fromkeys(_type(each) for each in schema[key] if each.get("type") != "null"))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "anything")
    unit = " characters" if kind == "string" else ""
    bounds = [f"{word} {schema[key]:,.10g}{unit}" for key, word in _BOUNDS.items() if schema.get(key) is not None]
    return " ".join([{"string": "text"}.get(kind, kind), *([f"({', '.join(bounds)})"] if bounds else [])])


_BOUNDS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "above",
    "exclusiveMaximum": "below",
    "maxLength": "at most",
}
