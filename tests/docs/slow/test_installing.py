"""The lines that install Swipewise do, from a copy of what git knows, into environments of their own.

What it needs is there already, by way of PYTHONPATH: nothing is fetched but what builds a wheel, as for `make dist`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from swipewise import __version__
from tests.docs.pages import ROOT
from tests.docs.shell import Line
from tests.docs.slow.shells import PROGRAMS, give, with_programs
from tests.docs.test_commands import OTHERS
from tests.docs.test_other_programs import text_of

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("make") is None, reason="needs make")]

INSTALLING = [line for line in OTHERS if line.words[:2] == ("pip", "install")]
(ENTERING,) = (line for line in OTHERS if line.words[0] == "source")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this checkout, in which ``make dist`` was run; that needs an index with hatchling."""
    folder = tmp_path_factory.mktemp("installing") / "checkout"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("needs a checkout")
    for name in filter(None, tracked.stdout.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    asked = ["download", "--quiet", "--no-deps", "--dest", str(folder / "wheels"), "hatchling"]
    if subprocess.run([sys.executable, "-m", "pip", *asked], capture_output=True, check=False).returncode:
        pytest.skip("no index offers hatchling, which builds the wheel")
    give(["make", "--silent", "-o", "setup", "dist", f"BIN={PROGRAMS}"], folder, with_programs())
    return folder


@pytest.fixture(scope="module")
def installed(checkout: Path) -> Path:
    """A folder with all that is installed here, but for Swipewise."""
    folder = checkout.parent / "installed"
    folder.mkdir()
    (there,) = {Path(str(distribution(name).locate_file(""))) for name in ("torch", "click")}
    for path in there.iterdir():
        if "swipewise" not in path.name.lower():
            (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture(scope="module")
def offered(checkout: Path) -> Path:
    """A folder with the wheel, and an empty one of each dependency of an extra that is not installed here."""
    folder = checkout / "dist"
    assert list(folder.glob(f"swipewise-{__version__}*.whl"))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for requirement in (Requirement(text) for listed in extras.values() for text in listed):
        try:
            distribution(requirement.name)
        except PackageNotFoundError:
            lowest = min(each.version for each in requirement.specifier)
            empty_wheel(folder, requirement.name, lowest)
    return folder


def empty_wheel(folder: Path, name: str, version: str) -> None:
    """A package that holds nothing."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture(scope="module")
def own(checkout: Path, installed: Path) -> dict[str, str]:
    """The surroundings of an environment that is entered, in which all is found that is installed here."""
    folder = checkout.parent / "own"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return with_programs(folder / "bin") | {"PYTHONPATH": str(installed), "VIRTUAL_ENV": str(folder)}


@pytest.mark.parametrize("line", INSTALLING, ids=text_of)
def test_it_is_installed_with_what_its_extras_ask_for(
    line: Line, checkout: Path, own: dict[str, str], offered: Path, tmp_path: Path
) -> None:
    by_name = "." not in line.words[-1]
    index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(offered)} if by_name else {}
    told = give(line.words, checkout, own | index)
    assert f"swipewise-{__version__}" in told.splitlines()[-1]
    where = give(["python", "-c", "import swipewise; print(swipewise.__file__)"], tmp_path, own)
    assert where.startswith(own["VIRTUAL_ENV"])
    assert give(["swipewise", "--version"], tmp_path, own).split()[-1] == __version__
    give(["pip", "uninstall", "--yes", "swipewise"], tmp_path, own)


def test_what_make_sets_up_can_be_entered(checkout: Path, installed: Path) -> None:
    surroundings = with_programs() | {"PYTHONPATH": str(installed)}
    give(["make", "setup", f"PYTHON={sys.executable}"], checkout, surroundings)
    text = f"{text_of(ENTERING)} && swipewise --version && command -v swipewise"
    told = give(["bash", "-c", text], checkout, surroundings | {"PATH": os.defpath})
    assert told.split()[-2:] == [__version__, str(checkout / ".venv" / "bin" / "swipewise")]
    assert give(["make", "setup"], checkout, surroundings).strip() == "make: Nothing to be done for 'setup'."
