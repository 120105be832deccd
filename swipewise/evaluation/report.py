"""The report on disk: ``report.json`` and the self-contained page ``index.html`` drawn from it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from swipewise.evaluation.view import page_values


def render(report: Mapping[str, Any]) -> str:
    """The page as one HTML document that asks for nothing else: styles and plots are in it."""
    environment = Environment(
        loader=PackageLoader("swipewise.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    values = page_values(report)
    for part in (values["learning"], values["attention"], (values["attention"] or {}).get("agreement")):
        if part:
            part["plot"] = Markup(part["plot"])  # drawn here from numbers, not from what users wrote
    return environment.get_template("report.html.j2").render(values)


def write_report(report: Mapping[str, Any], directory: Path) -> Path:
    """Write both files into ``directory``; an earlier report is replaced whole. Returns the page's path."""
    directory.mkdir(parents=True, exist_ok=True)
    page = render(report)
    write_text(directory / "report.json", json.dumps(report, indent=2, allow_nan=False) + "\n")
    write_text(directory / "index.html", page)
    return directory / "index.html"


def write_text(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
