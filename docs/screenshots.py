"""Takes the pictures of the pages.

Those of docs/console.md from a server that runs: ``python docs/screenshots.py http://127.0.0.1:8000``, and that of the
report from its file: ``python docs/screenshots.py demo/report/index.html``.
"""

from __future__ import annotations

import shutil
import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.console.chromium import FLAGS

IMAGES = Path(__file__).parent / "images"
WIDTHS = (1440, 390)
MOST_BYTES = 150_000
LONGEST = 1800
"""Pixels of a page that are shown, from its top."""


PAGES = {
    "overview": "/",
    "feed": "/feed?viewer=viewer00000",
    "viewer": "/viewers?id=viewer00009",
    "video": "/videos?id=clip00015",
    "map": "/map?colour=segment",
    "models": "/models",
    "ingestion": "/ingestion",
    "ask": "/ask?q=guitar",
}


def main(server: str, only: list[str]) -> None:
    """Take all pictures, or those named."""
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=[*FLAGS, "--hide-scrollbars"]
        )
        for width in WIDTHS:
            for theme in ("light", "dark"):
                context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
                page = context.new_page()
                for name, path in PAGES.items():
                    if only and name not in only:
                        continue
                    page.goto(f"{server}/console{path}", wait_until="networkidle")
                    page.locator(".nicegui-echart svg, .card").last.wait_for()
                    page.wait_for_timeout(1500)
                    height = min(LONGEST, page.evaluate("document.documentElement.scrollHeight"))
                    page.set_viewport_size({"width": width, "height": height})
                    page.wait_for_timeout(300)
                    _keep(page.screenshot(), IMAGES / f"{name}-{width}-{theme}.png")
                    page.set_viewport_size({"width": width, "height": 900})
                context.close()
        browser.close()


def report(page_file: Path) -> None:
    """Take the top of a report."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=[*FLAGS, "--hide-scrollbars"]
        )
        page = browser.new_page(viewport={"width": 1180, "height": 1330})
        page.goto(page_file.resolve().as_uri())
        page.wait_for_timeout(500)
        _keep(page.screenshot(), IMAGES / "report.png")
        browser.close()


def _keep(png: bytes, path: Path) -> None:
    """Store a picture in few enough bytes: with fewer colours, then smaller."""
    picture = Image.open(BytesIO(png)).convert("RGB")
    for colours, scale in ((256, 1.0), (128, 1.0), (128, 0.75), (96, 0.6), (64, 0.5)):
        size = (round(picture.width * scale), round(picture.height * scale))
        reduced = picture.resize(size, Image.Resampling.LANCZOS).quantize(colours, dither=Image.Dither.NONE)
        reduced.save(path, optimize=True)
        if path.stat().st_size <= MOST_BYTES:
            return
    raise SystemExit(f"{path} has {path.stat().st_size} bytes, more than {MOST_BYTES}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(f"name a server that runs without keys: python {sys.argv[0]} http://127.0.0.1:8000 [PAGE ...]")
    if sys.argv[1].endswith(".html"):
        report(Path(sys.argv[1]))
    else:
        main(sys.argv[1].rstrip("/"), sys.argv[2:])
