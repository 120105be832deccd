"""Pages made of files of the repository: the README as the first one, and the examples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
COPIED = {"index.md": "README.md", "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
"""Pages that are files of the repository's root."""

_CELL = re.compile(r"^# %%", re.MULTILINE)
_LINK = re.compile(r"(\]\()([^)\s]+)(\))")


def copied_page(name: str) -> str:
    """A file of the root with its links as they lead from a page."""
    pages = {source: page for page, source in COPIED.items()}

    def led(match: re.Match[str]) -> str:
        path, hash_, anchor = match[2].partition("#")
        path = path.removeprefix("docs/")
        path = "examples.md" if path == "examples/README.md" else pages.get(path, path)
        return f"{match[1]}{path}{hash_}{anchor}{match[3]}"

    return _LINK.sub(led, (ROOT / COPIED[name]).read_text(encoding="utf-8"))


def example_page() -> str | None:
    """Every script of ``examples/``, whose cells are text or code; None where there is none."""
    scripts = sorted(EXAMPLES.glob("*.py"))
    if not scripts:
        return None
    lines = [
        "# Examples",
        "",
        "Scripts of `examples/`, which the tests run as they stand; editors open them as notebooks.",
        "",
    ]
    for script in scripts:
        lines += _cells(script)
    return "\n".join(lines)


def _cells(script: Path) -> Iterator[str]:
    """A script as Markdown: its cells of text, with headings a level lower, and its cells of code."""
    title = f' title="examples/{script.name}"'
    for cell in re.split(_CELL, script.read_text(encoding="utf-8")):
        kind, _, body = cell.partition("\n")
        if kind.strip() == "[markdown]":
            text = re.sub(r"^# ?", "", body.strip("\n"), flags=re.MULTILINE)
            yield from (re.sub(r"^#", "##", text, flags=re.MULTILINE), "")
        elif code := (body if kind.strip() == "" else cell).strip("\n"):
            # What other scripts import has no cells, and so no heading either.
            if cell == script.read_text(encoding="utf-8"):
                yield from (f"## {script.name}", "")
            yield from (f"```python{title}", code, "```", "")
            title = ""
