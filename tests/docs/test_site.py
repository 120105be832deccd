"""The documentation as it is built: without a warning, and without a request to anybody else."""

from __future__ import annotations

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from docs.generate.python import public_names
from tests.docs.pages import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All pages, built with warnings as errors."""
    folder = tmp_path_factory.mktemp("site")
    # Not --quiet: what is not said is not counted as a warning either.
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


class Page(HTMLParser):
    """What a page loads, what it links to, and what can be linked to in it."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.linked: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors |= {name for key in ("id", "name") if (name := given.get(key))}
        if source := given.get("src"):
            self.loaded.append(source)
        if target := given.get("href"):
            (self.loaded if tag == "link" else self.linked).append(target)


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """Every page, read."""
    found = {}
    for path in site.rglob("*.html"):
        found[path] = Page()
        found[path].feed(path.read_text(encoding="utf-8"))
    return found


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    assert len(pages) > 20
    for path, page in pages.items():
        for source in page.loaded:
            assert not urlsplit(source).netloc, f"{path} loads {source}"
    for path in site.rglob("*.css"):
        assert "url(http" not in path.read_text(encoding="utf-8")


def test_every_link_within_leads_to_something(site: Path, pages: dict[Path, Page]) -> None:
    for path, page in pages.items():
        if path.name == "404.html":
            continue
        for target in page.linked:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            led = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            led = led / "index.html" if led.is_dir() else led
            assert led.exists(), f"{path.relative_to(site)} links to {target}"
            if parts.fragment and led in pages and not parts.fragment.startswith("__"):
                assert unquote(parts.fragment) in pages[led].anchors, f"{path.relative_to(site)} links to {target}"


def test_every_public_name_can_be_linked_to(site: Path, pages: dict[Path, Page]) -> None:
    anchors = pages[site / "python" / "index.html"].anchors
    for module, names in public_names().items():
        for name in names:
            assert name == "__version__" or f"{module}.{name}" in anchors


def test_equations_are_drawn_without_a_script(site: Path) -> None:
    page = (site / "model" / "index.html").read_text(encoding="utf-8")
    assert page.count("<math") >= 4
    assert "\\mathrm" not in page
