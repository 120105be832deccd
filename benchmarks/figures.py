"""What every benchmark shares: its figures are held against bars, printed one a line, and decide the exit code.

A benchmark is a function that records figures, and a last line that runs it::

    from figures import Figures, Options, run

    def measure(figures: Figures, options: Options) -> None:
        figures.record("NDCG@10 against the best baseline", 1.31, at_least=1.25, unit="x")

    if __name__ == "__main__":
        run(measure, __doc__)
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured value and what it has to be; a figure without a bar only informs."""

    figure: str
    value: float
    at_least: float | None = None
    at_most: float | None = None
    unit: str = ""

    @property
    def bar(self) -> str:
        """The bar in words, "-" without one."""
        limits = [(">=", self.at_least), ("<=", self.at_most)]
        return (
            " and ".join(f"{sign} {written(limit)}{self.unit}" for sign, limit in limits if limit is not None)
            or "-"
        )

    @property
    def met(self) -> bool:
        """Whether the value is on the right side of its bar; NaN never is."""
        low = -math.inf if self.at_least is None else self.at_least
        high = math.inf if self.at_most is None else self.at_most
        return low <= self.value <= high

    @property
    def verdict(self) -> str:
        """``met`` or ``missed``; nothing is met where there is no bar."""
        if not self.met:
            return "missed"
        return "" if self.bar == "-" else "met"


@dataclass(slots=True, kw_only=True)
class Figures:
    """The figures of a benchmark, in the order they were recorded; without ``bars`` they only inform."""

    recorded: list[Figure] = field(default_factory=list)
    bars: bool = True

    def record(
        self,
        name: str,
        value: float,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        unit: str = "",
    ) -> None:
        """Add a figure; a name says what is measured and is used once."""
        assert name not in {figure.figure for figure in self.recorded}, f"{name!r} is recorded twice"
        if not self.bars:
            at_least = at_most = None
        self.recorded.append(
            Figure(figure=name, value=float(value), at_least=at_least, at_most=at_most, unit=unit)
        )

    @property
    def missed(self) -> list[Figure]:
        """The figures that are on the wrong side of their bar."""
        return [figure for figure in self.recorded if not figure.met]

    def lines(self) -> list[str]:
        """``figure  value  bar  verdict``, in columns."""
        rows = [
            (figure.figure, f"{written(figure.value)}{figure.unit}", figure.bar, figure.verdict)
            for figure in self.recorded
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(4)] if rows else []
        return [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a benchmark was called; ``own`` holds the options that only it has."""

    quick: bool = False
    own: argparse.Namespace = field(default_factory=argparse.Namespace)


def run(
    measure: Callable[[Figures, Options], None],
    description: str | None,
    arguments: Sequence[str] | None = None,
    *,
    add_options: Callable[[argparse.ArgumentParser], None] = lambda _: None,
    quick_bars: bool = True,
) -> None:
    """Run a benchmark as a script: print its figures, write them if asked to, exit with 1 when a bar is missed.

    What was recorded before an error is printed too. Without ``quick_bars`` a small run has no bars, as where what it
    measures is drowned by what a run costs at all.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file as well")
    parser.add_argument("--quick", action="store_true", help="run it small")
    add_options(parser)
    chosen = parser.parse_args(arguments)
    figures = Figures(bars=quick_bars or not chosen.quick)
    try:
        measure(figures, Options(quick=chosen.quick, own=chosen))
    finally:
        for line in figures.lines():
            print(line)
    if chosen.json is not None:
        told = {
            "benchmark": Path(sys.argv[0]).stem,
            "measures": (description or "").split("\n\n")[0].strip(),
            "quick": chosen.quick,
            "options": _without_json(sys.argv[1:] if arguments is None else arguments),
            "day": datetime.now(UTC).date().isoformat(),
            "machine": machine(),
            "figures": _as_dicts(figures),
        }
        chosen.json.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    sys.exit(1 if figures.missed else 0)


def machine() -> str:
    """On what this runs: system, processor, cores and memory."""
    about = Path("/proc/cpuinfo")
    models = (
        [line for line in about.read_text().splitlines() if line.startswith("model name")]
        if about.exists()
        else []
    )
    processor = models[0].partition(":")[2].strip() if models else platform.processor() or platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    size = f"{os.cpu_count()} cores, {memory:.0f} GB"
    return f"{platform.system()}, {processor}, {size}, Python {platform.python_version()}"


def _without_json(arguments: Sequence[str]) -> list[str]:
    """The options that say what was measured, folders by their names: where they lie is this machine's own."""
    kept, words = [], iter(arguments)
    for word in words:
        if word == "--json":
            next(words)
        elif not word.startswith("--json="):
            kept.append(Path(word).name if Path(word).is_absolute() else word)
    return kept


def _as_dicts(figures: Figures) -> list[dict[str, object]]:
    return [
        asdict(figure) | {"value": figure.value if math.isfinite(figure.value) else None, "met": figure.met}
        for figure in figures.recorded
    ]


def written(value: float) -> str:
    """Whole numbers whole, others with four significant digits."""
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.4g}"
