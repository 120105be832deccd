"""Print the versions that are installed here of Swipewise's dependencies, of its extras and of what these need.

Usage: constraints.py > constraints.txt. Then 'pip install swipewise -c constraints.txt' installs the same.
"""

from __future__ import annotations

import platform
import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement

_PROJECT = "swipewise"


def main() -> None:
    extras = set(distribution(_PROJECT).metadata.get_all("Provides-Extra") or [])
    found: dict[str, str] = {}
    collect(distribution(_PROJECT), extras, found, set())
    found.pop(_PROJECT, None)
    print(f"# Made by 'make constraints' with Python {platform.python_version()} on {platform.system()}.")
    for name, version in sorted(found.items()):
        print(f"{name}=={version}")


def collect(package: Distribution, extras: set[str], found: dict[str, str], seen: set[tuple[str, str]]) -> None:
    """Add the versions of a package's requirements, and of theirs."""
    for text in package.requires or []:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker and not any(marker.evaluate({"extra": extra}) for extra in {"", *extras}):
            continue
        try:
            needed = distribution(requirement.name)
        except PackageNotFoundError:
            continue  # an extra that is not installed here
        name = re.sub(r"[-_.]+", "-", needed.metadata["Name"]).lower()
        # A build such as +cpu is this machine's choice.
        found[name] = needed.version.partition("+")[0]
        for extra in {"", *requirement.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                collect(needed, {extra}, found, seen)


if __name__ == "__main__":
    main()
