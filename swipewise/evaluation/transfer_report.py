"""What ``swipewise transfer`` says: plain values for JSON, and the tables and sentences made of them.

::

    schema_version, seed
    source, target   workspace and run of the model, workspace and (if any) run of the platform's own model
    split            valid_start, test_start
    viewers          how many were examined
    lacking          modalities that the model reads and the platform lacks
    known            attributes, profiles: the share of the platform's values that the model has met
    models           [name, title], the transferred model first
    segments         segment -> viewers, figures: model -> metric -> value, low, high
    against          [other, segment, metric, difference, ratio, p, p_holm]: the transferred model against each other
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from swipewise.baselines.peers import PEERS
from swipewise.errors import ArtifactError
from swipewise.evaluation.protocol import Metric
from swipewise.evaluation.report import json_of
from swipewise.evaluation.segments import Segment
from swipewise.evaluation.transfer import OWN, TRANSFERRED, Transfer
from swipewise.evaluation.view import METRIC_TITLES
from swipewise.evaluation.wording import interval, number, p_value, verdict
from swipewise.staging import write_durably

Report = Mapping[str, Any]

SCHEMA_VERSION: Final = 1

TRANSFERS: Final = "transfers"
"""The folder of a workspace's reports where those of transferred models lie, one a run."""

_SEGMENTS: Final = (Segment.ALL, Segment.WARM_VIEWERS, Segment.COLD_VIEWERS, Segment.COLD_VIDEOS)
_TITLES: Final = {TRANSFERRED: "Transferred model", OWN: "Own model"} | {
    peer.name: peer.title for peer in PEERS.values()
}


def as_transfer_report(
    found: Transfer,
    *,
    source: Mapping[str, str],
    target: Mapping[str, str | None],
    valid_start: int,
    seed: int = 0,
) -> dict[str, Any]:
    """Plain values for JSON; no number in it is infinite or NaN."""
    segments = [segment for segment in _SEGMENTS if segment in found.comparison.figures]
    return {
        "schema_version": SCHEMA_VERSION,
        "seed": seed,
        "source": dict(source),
        "target": dict(target),
        "split": {"valid_start": _moment(valid_start), "test_start": _moment(found.protocol.start)},
        "viewers": len(found.protocol.task.viewers_B),
        "lacking": list(found.lacking),
        "known": {"attributes": found.known_attributes, "profiles": found.known_profiles},
        "models": [{"name": name, "title": _TITLES[name]} for name in found.names],
        "segments": {
            str(segment): {
                "viewers": len(found.protocol.segments[segment].rows_B),
                "figures": {
                    name: {metric.value: figure.as_dict() for metric, figure in figures.items()}
                    for name, figures in found.comparison.figures[segment].items()
                },
            }
            for segment in segments
        },
        "against": [
            {
                "other": against.other,
                "segment": str(against.segment),
                "metric": against.metric.value,
                "difference": against.difference.as_dict(),
                "ratio": against.ratio.as_dict() if against.ratio else None,
                "p": against.p,
                "p_holm": against.p_holm,
            }
            for against in found.comparison.against
            if against.segment in segments
        ],
    }


def write_transfer(report: Report, directory: Path) -> Path:
    """Write a report beside those of other sources; an earlier one of the same run is replaced. Returns its path.

    Args:
        report: As of ``as_transfer_report``.
        directory: Of the platform's reports.

    Raises:
        ArtifactError: It cannot be written.
    """
    folder = directory / TRANSFERS
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArtifactError(f"cannot write the report to {folder}: {error.strerror}") from error
    path = folder / f"{report['source']['run']}.json"
    write_durably(path, json_of(report))
    return path


def transfer_reports(directory: Path) -> list[Path]:
    """The reports that ``write_transfer`` has written to a directory, the latest first."""
    return sorted((directory / TRANSFERS).glob("*.json"), key=lambda path: -path.stat().st_mtime_ns)


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")


def summary(report: Report) -> list[str]:
    """What was found, a sentence for each that the transferred model is held against."""
    lines = []
    for model in report["models"][1:]:
        against = _against(report, model["name"])
        ratio = against["ratio"]
        title = "the platform's own model" if model["name"] == OWN else model["title"]
        times = (
            f"{ratio['value']:.2f} times as well as {title} ({interval(ratio, 2)})"
            if ratio
            else f"against {title}, whose NDCG@10 is 0"
        )
        reading = {1: "better by more than chance", -1: "worse by more than chance", 0: "it may be chance"}
        lines.append(f"The transferred model ranks {times}: {reading[verdict(against)]}.")
    if report["lacking"]:
        lines.append(
            f"The platform has no {', '.join(report['lacking'])}, which the model reads where there is any."
        )
    known = report["known"]
    lines.append(
        f"The model knows no video and no creator of the platform, {known['attributes']:.0%} of its attribute values "
        f"and {known['profiles']:.0%} of its profile values."
    )
    return lines


def _against(report: Report, other: str) -> Mapping[str, Any]:
    wanted = (other, Segment.ALL, Metric.NDCG_10)
    found: Mapping[str, Any] = next(
        one for one in report["against"] if (one["other"], one["segment"], one["metric"]) == wanted
    )
    return found


def print_transfer(report: Report, console: Console) -> None:
    """Figures over all viewers with ratio and p-value, NDCG@10 by segment, and the summary."""
    columns = ["recommender", "NDCG@10", "95% interval", "R@50", "ratio", "95% interval", "p"]
    title = f"{report['source']['run']} on {report['target']['workspace']}"
    table = Table(*columns, title=title, title_justify="left", box=None)
    for model in report["models"]:
        found = report["segments"][Segment.ALL]["figures"][model["name"]]
        ndcg, own = found[Metric.NDCG_10], model["name"] == TRANSFERRED
        against = None if own else _against(report, model["name"])
        ratio = against["ratio"] if against else None
        table.add_row(
            model["title"],
            number(ndcg["value"]),
            interval(ndcg),
            number(found[Metric.RECALL_50]["value"]),
            number(ratio["value"], 2) if ratio else "–",
            interval(ratio, 2) if ratio else "–",
            p_value(against["p_holm"]) if against else "–",
            style="bold" if own else None,
        )
    table.caption = (
        "ratio: NDCG@10 of the transferred model to this one's; p: sign-flip test, corrected after Holm"
    )
    table.caption_justify = "left"
    console.print(table)
    console.print()
    parts = [segment for segment in report["segments"] if segment != Segment.ALL]
    if parts:
        console.print(_by_segment(report, parts))
        console.print()
    for line in summary(report):
        console.print(line)


def _by_segment(report: Report, segments: list[str]) -> Table:
    names = [f"{segment} ({report['segments'][segment]['viewers']:,})" for segment in segments]
    title = f"{METRIC_TITLES[Metric.NDCG_10]} by segment"
    table = Table("recommender", *names, title=title, title_justify="left", box=None)
    for model in report["models"]:
        figures = [report["segments"][segment]["figures"][model["name"]][Metric.NDCG_10] for segment in segments]
        table.add_row(model["title"], *(number(figure["value"]) for figure in figures))
    return table
