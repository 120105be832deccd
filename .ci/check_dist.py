"""Prove the wheel and the sdist: they install into an empty environment and do the whole job outside the checkout.

Usage: check_dist.py [DIST]. Builds both into DIST (dist), and exits with 1 where anything is missing or fails.
"""

from __future__ import annotations

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
    dist = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist").resolve()
    began = time.monotonic()
    # The wheel is built from the sdist, so that what the sdist lacks the wheel lacks too.
    run(sys.executable, "-m", "build", "--quiet", "--outdir", dist, ROOT, cwd=ROOT)
    version = re.search(r'__version__ = "(.+)"', (ROOT / "swipewise/__init__.py").read_text())
    assert version is not None, "swipewise/__init__.py has no version"
    wheel, sdist = dist / f"swipewise-{version[1]}-py3-none-any.whl", dist / f"swipewise-{version[1]}.tar.gz"
    check_files(wheel)
    with tempfile.TemporaryDirectory(prefix="swipewise-dist-") as name:
        folder = Path(name)
        run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
        python = folder / "venv/bin/python"
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run(*pip, f"{wheel}[console]", "--constraint", ROOT / "constraints.txt", cwd=folder)
        swipewise = folder / "venv/bin/swipewise"
        run(swipewise, "demo", "--quick", "try", cwd=folder)
        page = folder / "try/report/index.html"
        assert "<style>" in page.read_text(encoding="utf-8"), f"{page} has no styles"
        run(swipewise, "doctor", "-w", "try", cwd=folder)
        check_server(swipewise, folder)
        run(*pip, "--no-deps", "--force-reinstall", sdist, cwd=folder)
        run(swipewise, "feed", "viewer00001", "--size", "3", "-w", "try", cwd=folder)
    print(f"wheel and sdist in {dist} install and run outside the checkout; {time.monotonic() - began:.0f} s")


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
