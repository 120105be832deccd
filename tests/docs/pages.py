"""What stands in the README and the pages of ``docs/``: blocks of code, and pieces of it within sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "examples/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
)

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\S*)(?P<more>.*)$")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code in a page."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(*languages: str) -> list[Block]:
    """All blocks in some languages, in order."""
    return [block for page in PAGES for block in _blocks(page) if block.language in languages]


def name_of(page: Path) -> str:
    """What tests call a page."""
    return page.name if page.parent in (ROOT, ROOT / "docs") else str(page.relative_to(ROOT))


def _blocks(page: Path) -> Iterator[Block]:
    inside: tuple[int, str, int] | None = None
    lines: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if inside is None and fence:
            inside, lines = (number, fence["language"], len(fence["indent"])), []
        elif inside is not None and fence and not fence["language"]:
            yield Block(name_of(page), inside[0], inside[1], "\n".join(lines) + "\n")
            inside = None
        elif inside is not None:
            lines.append(line[inside[2] :])
    assert inside is None, f"{page}:{inside} is never closed"


def spans(page: Path) -> list[str]:
    """The pieces of code within the sentences and tables of a page, each on one line."""
    prose = re.sub(r"^( *)```.*?^\1```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(code.split()) for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", prose)]
