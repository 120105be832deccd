"""Prove the wheel and the sdist: they install into an empty environment and do the whole job outside the checkout.

Usage: check_dist.py [--light] [DIST]. Builds both into DIST (dist); exits with 1 where anything is missing or fails.
With --light the wheel alone, without a server: what CI runs each time.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[1]
_SERVER_SECONDS = 120


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--light", action="store_true")
    given.add_argument("dist", type=Path, nargs="?", default=ROOT / "dist")
    told = given.parse_args()
    dist, began = told.dist.resolve(), time.monotonic()
    # The wheel is built from the sdist, so that what the sdist lacks the wheel lacks too.
    run(sys.executable, "-m", "build", "--quiet", "--outdir", dist, ROOT, cwd=ROOT)
    version = re.search(r'__version__ = "(.+)"', (ROOT / "swipewise/__init__.py").read_text())
    assert version is not None, "swipewise/__init__.py has no version"
    wheel, sdist = dist / f"swipewise-{version[1]}-py3-none-any.whl", dist / f"swipewise-{version[1]}.tar.gz"
    check_files(wheel)
    with tempfile.TemporaryDirectory(prefix="swipewise-dist-") as name:
        folder = Path(name)
        pip = install(wheel, folder)
        swipewise = folder / "venv/bin/swipewise"
        check_job(swipewise, folder)
        if not told.light:
            check_server(swipewise, folder)
            run(*pip, "--no-deps", "--force-reinstall", sdist, cwd=folder)
            run(swipewise, "feed", "viewer00001", "--size", "3", "-w", "try", cwd=folder)
    what = "wheel" if told.light else "wheel and sdist"
    print(f"{what} in {dist}: installed, and ran outside the checkout; {time.monotonic() - began:.0f} s")


def install(wheel: Path, folder: Path) -> list[object]:
    """Install it with the constraints into an environment that holds nothing else; returns how pip is called there."""
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    pip = [folder / "venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(*pip, f"{wheel}[console]", "--constraint", ROOT / "constraints.txt", cwd=folder)
    return pip


def check_job(swipewise: Path, folder: Path) -> None:
    """See that the demo runs, and that nothing is wrong with the installation and the workspace that it made."""
    run(swipewise, "demo", "--quick", "try", cwd=folder)
    page = folder / "try/report/index.html"
    assert "<style>" in page.read_text(encoding="utf-8"), f"{page} has no styles"
    run(swipewise, "doctor", "-w", "try", cwd=folder)


def check_files(wheel: Path) -> None:
    """See that every file of the package is in the wheel, and nothing else of the checkout."""
    tracked = run("git", "ls-files", "swipewise", cwd=ROOT, quiet=True).split()
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    missing, strange = sorted(set(tracked) - packed), sorted(packed - set(tracked))
    assert not missing, f"the wheel lacks {', '.join(missing)}"
    assert not strange, f"the wheel holds {', '.join(strange)}, which git does not know"


def check_server(swipewise: Path, folder: Path) -> None:
    """See that the API answers, and that the console's pages and styles are served."""
    command = [str(swipewise), "serve", "--port", "0", "-w", "try"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=folder, env=environment(), text=True, **streams) as server:
        try:
            assert server.stdout is not None
            found = re.search(r"http://\S+", server.stdout.readline())
            assert found is not None, "the server names no address"
            address = found[0]
            for path, wanted in (
                ("/v1/feed?viewer_id=viewer00001&limit=3", '"recommendations"'),
                ("/", "console.css"),
            ):
                with urlopen(address + path, timeout=_SERVER_SECONDS) as answer:
                    assert wanted in answer.read().decode(), f"{path} does not hold {wanted}"
        finally:
            server.terminate()


def environment() -> dict[str, str]:
    """That of the shell, without what would lead back into the checkout."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


def run(*words: object, cwd: Path, quiet: bool = False) -> str:
    """Run a command; its output is shown where it fails."""
    if not quiet:
        print("+", *words, flush=True)
    done = subprocess.run(
        [*map(str, words)], cwd=cwd, env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}\n{' '.join(map(str, words))} ended with {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    main()
