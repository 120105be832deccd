"""Pages beside the report's own: one file each, without script and without request, in the same dress."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from swipewise.errors import ArtifactError
from swipewise.evaluation.report import json_of
from swipewise.evaluation.wording import Figure, interval, signed
from swipewise.staging import write_durably


def render_page(template: str, values: Mapping[str, Any]) -> str:
    """Fill a template; what a plot is in ``values`` has to be Markup, all else is escaped."""
    environment = Environment(
        loader=PackageLoader("swipewise.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(values)


def write_page(page: str, report: Mapping[str, Any], directory: Path, *, name: str, figures: str) -> Path:
    """Write a page and the figures behind it; earlier ones are replaced whole. Returns the page's path.

    Raises:
        ArtifactError: They cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArtifactError(f"cannot write {directory / name}: {error.strerror}") from error
    write_durably(directory / figures, json_of(report))
    write_durably(directory / name, page.encode())
    return directory / name


def change_rows(changes: Sequence[tuple[str, Figure]], *, digits: int = 4) -> list[dict[str, str]]:
    """Changes as bars to both sides of zero, all on one scale.

    Args:
        changes: What changed, and by how much.
        digits: Of the figures beside the bars.

    Returns:
        For each its title, value and range, ``tone`` (loss, gain or unsure: whether the interval leaves out 0) and, in
        percent of the track, where zero, the bar and the whisker begin and how wide they are.
    """
    ends = [_ends(found) for _, found in changes]
    low: float = min([0.0, *(start for start, _ in ends), *(found["value"] for _, found in changes)])
    high: float = max([0.0, *(end for _, end in ends), *(found["value"] for _, found in changes)])
    span: float = (high - low) or 1.0

    def at(value: float) -> float:
        return 100 * (value - low) / span

    rows = []
    for (title, found), (start, end) in zip(changes, ends, strict=True):
        value = found["value"]
        rows.append(
            {
                "title": title,
                "value": signed(value, digits),
                "range": interval(found, digits),
                "tone": "loss" if end < 0 else "gain" if start > 0 else "unsure",
                "zero": f"{at(0.0):.2f}",
                "left": f"{at(min(value, 0.0)):.2f}",
                "wide": f"{at(max(value, 0.0)) - at(min(value, 0.0)):.2f}",
                "start": f"{at(start):.2f}",
                "width": f"{at(end) - at(start):.2f}",
            }
        )
    return rows


def _ends(found: Figure) -> tuple[float, float]:
    """The ends of the interval; the value itself where there is none."""
    low, high = (found["value"] if found[end] is None else found[end] for end in ("low", "high"))
    return float(low), float(high)
