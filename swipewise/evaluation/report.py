"""The report on disk: ``report.json`` and the self-contained page ``index.html`` drawn from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from swipewise.errors import ArtifactError
from swipewise.evaluation.view import page_values
from swipewise.staging import write_durably


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
    agreement = (values["attention"] or {}).get("agreement")
    for part in (values["learning"], values["attention"], agreement, values["activity"], values["actions"]):
        if part:
            part["plot"] = Markup(part["plot"])  # drawn here from numbers, not from what users wrote
    return environment.get_template("report.html.j2").render(values)


def write_report(report: Mapping[str, Any], directory: Path) -> Path:
    """Write both files into ``directory``; an earlier report is replaced whole. Returns the page's path.

    Raises:
        ArtifactError: They cannot be written.
    """
    page = render(report)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArtifactError(f"cannot write the report to {directory}: {error.strerror}") from error
    write_durably(directory / "report.json", json_of(report))
    write_durably(directory / "index.html", page.encode())
    return directory / "index.html"


def json_of(report: Mapping[str, Any]) -> bytes:
    """What ``report.json`` holds."""
    return json.dumps(report, indent=2, allow_nan=False).encode() + b"\n"
