"""Print the versions that are installed here of Swipewise's dependencies, of its extras and of what these need.

Usage: constraints.py > constraints.txt. Then 'pip install swipewise -c constraints.txt' installs the same.
"""

from __future__ import annotations

import platform
import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def main() -> None:
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    found: dict[str, str] = {}
    collect(wanted, {""}, found, set())
    print(f"# Made by 'make constraints' with Python {platform.python_version()} on {platform.system()}.")
    print(*sorted(f"{name}=={version}" for name, version in found.items()), sep="\n")


def collect(wanted: Iterable[str], extras: set[str], found: dict[str, str], seen: set[tuple[str, str]]) -> None:
    """Add the installed versions of requirements, and of what these require."""
    for requirement in map(Requirement, wanted):
        marker = requirement.marker
        if marker and not any(marker.evaluate({"extra": extra}) for extra in extras):
            continue
        try:
            package = distribution(requirement.name)
        except PackageNotFoundError:
            continue  # an extra that is not installed here
        name = re.sub(r"[-_.]+", "-", package.metadata["Name"]).lower()
        # A build such as +cpu is this machine's choice.
        found[name] = package.version.partition("+")[0]
        for extra in {"", *requirement.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                collect(package.requires or [], {extra}, found, seen)


if __name__ == "__main__":
    main()
