"""What is packed and with what it installs; `make check-dist` proves the rest."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def requirements() -> list[Requirement]:
    project = PROJECT["project"]
    listed = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    return [Requirement(each) for each in listed]


def constraints() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    assert all(len(pair) == 2 for pair in pairs)
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def test_the_extras_that_the_documentation_names_are_there() -> None:
    assert {"text", "ray", "onnx", "otel", "dev", "console"} <= set(PROJECT["project"]["optional-dependencies"])


# The extras of object storage are not installed in the environment that the file is made of.
STORAGE = {"s3fs", "gcsfs", "adlfs"}


@pytest.mark.parametrize("requirement", requirements(), ids=lambda requirement: requirement.name)
def test_the_constraints_are_within_what_is_asked_for(requirement: Requirement) -> None:
    name = canonicalize_name(requirement.name)
    if name in STORAGE and name not in constraints():
        return
    if name not in constraints():
        pytest.fail(f"constraints.txt lacks {name}: make constraints")
    assert requirement.specifier.contains(constraints()[name]), "make constraints"


def test_the_command_writes_the_file_in_its_form() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / ".ci" / "constraints.py")], capture_output=True, text=True, check=True
    )
    head, *lines = done.stdout.splitlines()
    assert head.startswith("# Made by 'make constraints' with Python 3.")
    assert lines == sorted(lines)
    assert all(re.fullmatch(r"[a-z0-9-]+==[^+\s]+", line) for line in lines)
    assert "swipewise" not in done.stdout.replace("make constraints", "").split("==")[0]
    torch = distribution("torch").version.partition("+")[0]
    assert f"torch=={torch}" in lines


def test_the_package_says_that_it_is_typed_and_the_sdist_holds_what_the_tests_need() -> None:
    assert (ROOT / "swipewise" / "py.typed").exists()
    included = PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert {"swipewise", "tests", "docs", "examples", "constraints.txt"} <= set(included)
    assert all((ROOT / each).exists() for each in included)
