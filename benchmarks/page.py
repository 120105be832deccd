"""One page of all figures that were written with --json: ``python benchmarks/page.py FOLDER``, as ``make bench`` ends.

The page is Markdown, goes to the standard output, and has a table a benchmark: each figure, its bar, and whether it is
met; and the command, the day and the machine. That of ``docs/figures`` is part of the documentation.
"""

from __future__ import annotations

import argparse
import json
import math
import shlex
import sys
from pathlib import Path
from typing import Any

from figures import Figure, written

_ABOUT = (
    "What benchmarks printed, each as it was run last; one that was run in parts has a table for each. All of this is "
    "made by `make bench`, which writes it to `bench/`; with `BENCH=docs/figures` it becomes the page of the "
    "documentation, which has what was run so."
)


def page(told: list[dict[str, Any]]) -> str:
    """The page of what benchmarks told, in their order."""
    parts = ["# Figures", _ABOUT]
    for each in told:
        chosen = [option for option in each["options"] if option != "--quick"]
        parts.append(f"## {shlex.join([each['benchmark'], *chosen])}{', run small' if each['quick'] else ''}")
        command = shlex.join([f"benchmarks/{each['benchmark']}.py", *each["options"]])
        parts.append(f"{each['measures']}\n\nBy `{command}`, on {each['day']}; {each['machine']}.")
        parts.append("\n".join(["| figure | value | bar | |", "|---|---|---|---|", *map(_row, each["figures"])]))
    return "\n\n".join(parts) + "\n"


def _row(kept: dict[str, Any]) -> str:
    value = math.nan if kept["value"] is None else kept["value"]
    figure = Figure(**{name: kept[name] for name in kept if name != "met"} | {"value": value})
    verdict = "**missed**" if figure.verdict == "missed" else figure.verdict
    name = figure.figure.replace("|", "\\|")
    return f"| {name} | {written(figure.value)}{figure.unit} | {figure.bar} | {verdict} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the files of --json lie")
    folder: Path = parser.parse_args().folder
    files = sorted(folder.glob("*.json"))
    if not files:
        sys.exit(f"{folder} holds no figures: run benchmarks with --json {folder / 'NAME.json'}, or 'make bench'")
    print(page([json.loads(path.read_text(encoding="utf-8")) for path in files]), end="")


if __name__ == "__main__":
    main()
