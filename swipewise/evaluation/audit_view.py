"""What an audit's page and its tables say, worked out from ``audit.json`` alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from swipewise.evaluation.audit_attention import Family
from swipewise.evaluation.audit_findings import Verdict
from swipewise.evaluation.pages import change_rows, render_page, write_page
from swipewise.evaluation.plots import reliability_plot, weights_plot
from swipewise.evaluation.segments import Segment
from swipewise.evaluation.wording import day, interval, minute, number, segment_title

Report = Mapping[str, Any]

PAGE: Final = "audit.html"
FIGURES: Final = "audit.json"

_FAMILY_TITLES: Final = {
    Family.ACTIVITY: "Viewers by activity",
    Family.PROFILE: "Viewers by profile",
    Family.CATEGORY: "Videos by category, all viewers",
}
_STYLES: Final = {Verdict.PASS: "green", Verdict.WARN: "bold red", Verdict.SKIP: "dim"}


def write_audit(report: Report, directory: Path) -> Path:
    """Write ``audit.html`` and ``audit.json``; returns the page's path.

    Raises:
        ArtifactError: They cannot be written.
    """
    page = render_page("audit.html.j2", page_values(report))
    return write_page(page, report, directory, name=PAGE, figures=FIGURES)


def headline(report: Report) -> str:
    """How many checks warn, and which, in one sentence."""
    judged = [one for one in report["findings"] if one["verdict"] != Verdict.SKIP]
    warned = [one for one in judged if one["verdict"] == Verdict.WARN]
    if not warned:
        return f"All {len(judged)} checks pass"
    return f"{len(warned)} of {len(judged)} checks warn"


def page_values(report: Report) -> dict[str, Any]:
    """Everything the template places, by the names it uses."""
    return {
        "run_id": report["run"],
        "headline": headline(report),
        "summary": f"Run {report['run']}, looked into with what {report['viewers']:,} viewers liked after "
        f"{day(report['test_start'])}. A check passes or warns by a threshold; a warning says what to look at, not "
        "that the model is broken.",
        "findings": [_finding(one) for one in report["findings"]],
        "losses": _losses(report),
        "attention": _attention(report),
        "alignments": [
            {
                "title": f"{one['first']} and {one['second']}",
                "videos": f"{one['videos']:,}",
                **{key: number(one[key]) for key in ("same", "different", "rank")},
                "found": f"{one['found']:.1%}",
            }
            for one in report["alignments"]
        ],
        "actions": _reliability(report),
        "footer": [
            f"Audited {minute(report['audited_at'])} UTC, seed {report['seed']}. All figures are in {FIGURES} beside "
            "this page."
        ],
    }


def _finding(finding: Mapping[str, Any]) -> dict[str, str]:
    figure = finding["figure"]
    written = ""
    if figure is not None:
        written = number(figure["value"], 4).replace("-", "−")
        if figure["low"] is not None:
            written += f" ({interval(figure, 4)})"
    return {
        "verdict": finding["verdict"],
        "title": finding["title"],
        "figure": written,
        "bound": finding["bound"],
        "text": finding["text"],
        "mend": finding["mend"] if finding["verdict"] == Verdict.WARN else "",
    }


def _losses(report: Report) -> list[dict[str, Any]]:
    parts = []
    for segment in dict.fromkeys(one["segment"] for one in report["effects"]):
        changes = [
            (one["name"], negated(one["difference"])) for one in report["effects"] if one["segment"] == segment
        ]
        title = "Videos nobody had seen before" if segment == Segment.COLD_VIDEOS else segment_title(segment)
        parts.append({"title": title, "rows": change_rows(changes)})
    return parts


def negated(found: Mapping[str, Any]) -> dict[str, float | None]:
    """A difference seen from the other side."""
    low, high = found["low"], found["high"]
    return {
        "value": 0.0 - found["value"],  # not -x, which of 0 makes -0
        "low": None if high is None else 0.0 - high,
        "high": None if low is None else 0.0 - low,
    }


def _attention(report: Report) -> dict[str, Any] | None:
    attention = report["attention"]
    if attention is None:
        return None
    families = []
    for family, title in _FAMILY_TITLES.items():
        rows = [_segment(one) for one in report["segments"] if one["family"] == family]
        if rows:
            families.append({"title": title, "rows": rows})
    return {
        "text": f"Mean weight of each modality over {attention['viewers']:,} viewers with a history and all videos; a "
        "modality that a video lacks counts 0. Distance: the share of the weight that lies elsewhere than on average. "
        f"α deviates from uniform by {attention['deviation']:.0%} of it, its entropy is {attention['entropy']:.3f} of "
        f"the highest possible, and a modality's weight varies by {attention['variation']:.3f} between viewers.",
        "plot": Markup(weights_plot(attention["modalities"])),  # drawn here from numbers
        "modalities": list(attention["modalities"]),
        "families": families,
    }


def _segment(line: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": line["name"],
        "members": f"{line['members']:,}",
        "parts": [{"name": name, "share": number(share)} for name, share in line["weights"].items()],
        "distance": number(line["distance"]),
    }


def _reliability(report: Report) -> Markup | None:
    if not report["actions"]:
        return None
    series = {one["action"]: [("the model", "model", one["reliability"])] for one in report["actions"]}
    return Markup(reliability_plot(series))  # drawn here from numbers


def print_audit(report: Report, console: Console) -> None:
    """The findings, what is likely to mend those that warn, and attention by segment."""
    table = Table("check", "verdict", "figure", "should be", title="Audit", title_justify="left", box=None)
    for finding in report["findings"]:
        shown = _finding(finding)
        table.add_row(
            shown["title"],
            f"[{_STYLES[Verdict(shown['verdict'])]}]{shown['verdict']}[/]",
            shown["figure"] or "–",
            shown["bound"] or "–",
        )
    console.print(table)
    console.print()
    for finding in map(_finding, report["findings"]):
        console.print(f"{finding['title']}: {escape(finding['text'])}")
        if finding["mend"]:
            console.print(f"  mend: {escape(finding['mend'])}")
    if report["segments"]:
        console.print()
        console.print(_segments(report))
    console.print()
    console.print(f"{headline(report)}.")


def _segments(report: Report) -> Table:
    names = list(report["attention"]["modalities"])
    columns = ["segment", "members", *names, "distance"]
    table = Table(*columns, title="Attention by segment and category", title_justify="left", box=None)
    for line in map(_segment, report["segments"]):
        shares = [part["share"] for part in line["parts"]]
        table.add_row(escape(line["name"]), line["members"], *shares, line["distance"])
    return table
