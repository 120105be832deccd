"""Takes the pictures of the pages.

Those of docs/console.md from a server that runs: ``python docs/screenshots.py http://127.0.0.1:8000``, and that of the
report from its file: ``python docs/screenshots.py demo/report/index.html``.
"""

from __future__ import annotations

import shutil
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.console.chromium import FLAGS

IMAGES = Path(__file__).parent / "images"
WIDTHS = (1440, 390)
MOST_BYTES = 150_000
PLAIN_COLOURS, PLAIN_PIXELS = 64, 300
"""Colours that are kept as they are: so many, of areas that are so large."""
WAITING = ("Being drawn", "Being tried")
"""What stands on a page until the rest has come."""
LONGEST = 1800
"""Pixels of a page that are shown, from its top."""


PAGES = {
    "overview": "/",
    "feed": "/feed?viewer=viewer00000",
    "viewer": "/viewers?id=viewer00195",
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
        # One page after the other, as to play a feed changes what the others show.
        for name, path in PAGES.items():
            for width in WIDTHS if not only or name in only else ():
                for theme in ("light", "dark"):
                    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
                    _keep(
                        _taken(context.new_page(), f"{server}/console{path}"),
                        IMAGES / f"{name}-{width}-{theme}.png",
                    )
                    context.close()
        browser.close()


def _taken(page: Page, address: str) -> bytes:
    """A picture of a page, once all of it has come."""
    page.goto(address, wait_until="networkidle")
    page.locator(".nicegui-echart svg, .card").last.wait_for()
    for told in WAITING:
        page.get_by_text(told, exact=True).wait_for(state="hidden", timeout=300_000)
    page.wait_for_timeout(1500)
    height = min(LONGEST, page.evaluate("document.documentElement.scrollHeight"))
    page.set_viewport_size({"width": page.viewport_size["width"], "height": height})
    page.wait_for_timeout(300)
    return page.screenshot()


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
    for colours, scale in ((256, 1.0), (160, 1.0), (160, 0.75), (128, 0.6), (96, 0.5)):
        size = (round(picture.width * scale), round(picture.height * scale))
        reduced = picture.resize(size, Image.Resampling.LANCZOS)
        _in_colours(reduced, _palette(picture, colours)).save(path, optimize=True)
        if path.stat().st_size <= MOST_BYTES:
            return
    raise SystemExit(f"{path} has {path.stat().st_size} bytes, more than {MOST_BYTES}")


def _palette(picture: Image.Image, colours: int) -> NDArray[np.int32]:
    """The colours of plain areas as they are, and so many more that the clips are told by: (colours, 3)."""
    counts = picture.getcolors(picture.width * picture.height) or []
    plain = [colour for count, colour in sorted(counts, reverse=True)[:PLAIN_COLOURS] if count >= PLAIN_PIXELS]
    rest = np.array(picture.quantize(colours - len(plain)).getpalette() or [], np.int32).reshape(-1, 3)
    return np.concatenate([np.array(plain, np.int32).reshape(-1, 3), rest])[:colours]


def _in_colours(picture: Image.Image, palette_C3: NDArray[np.int32]) -> Image.Image:
    """Each point in the nearest colour; Pillow's own way is only roughly so, which tints plain areas."""
    found_U3, place_N = np.unique(np.asarray(picture).reshape(-1, 3), axis=0, return_inverse=True)
    nearest_U = np.empty(len(found_U3), np.uint8)
    for start in range(0, len(found_U3), 4096):
        away_UC3 = found_U3[start : start + 4096, None].astype(np.int32) - palette_C3
        nearest_U[start : start + 4096] = (away_UC3**2).sum(axis=2).argmin(axis=1)
    reduced = Image.fromarray(nearest_U[place_N].reshape(picture.height, picture.width), "P")
    reduced.putpalette(palette_C3.astype(np.uint8).tobytes())
    return reduced


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(f"name a server that runs without keys: python {sys.argv[0]} http://127.0.0.1:8000 [PAGE ...]")
    if sys.argv[1].endswith(".html"):
        report(Path(sys.argv[1]))
    else:
        main(sys.argv[1].rstrip("/"), sys.argv[2:])
