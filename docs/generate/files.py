"""Pages made of files of the repository: the README as the first one, and the examples."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
COPIED = {"index.md": "README.md", "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
"""Pages that are files of the repository's root."""

_LINK = re.compile(r"(\]\()([^)\s]+)(\))")


def copied_page(name: str) -> str:
    """A file of the root with its links as they lead from a page."""
    pages = {source: page for page, source in COPIED.items()}

    def led(match: re.Match[str]) -> str:
        path, hash_, anchor = match[2].partition("#")
        path = path.removeprefix("docs/")
        return f"{match[1]}{pages.get(path, path)}{hash_}{anchor}{match[3]}"

    return _LINK.sub(led, (ROOT / COPIED[name]).read_text(encoding="utf-8"))


def example_page() -> str | None:
    """Every script of ``examples/`` with what its docstring says; None where there is none."""
    scripts = sorted(EXAMPLES.glob("*.py"))
    if not scripts:
        return None
    lines = [
        "# Examples",
        "",
        "Each runs as it stands, `python examples/NAME.py` from a checkout, and is run by the tests.",
        "",
    ]
    for script in scripts:
        source = script.read_text(encoding="utf-8")
        title, _, rest = (ast.get_docstring(ast.parse(source)) or script.stem).partition("\n\n")
        body = ast.parse(source).body
        code = "\n".join(source.splitlines()[body[0].end_lineno if ast.get_docstring(ast.parse(source)) else 0 :])
        heading = title.replace("``", "`").rstrip(".:")
        lines += [f"## {heading}", "", rest.replace("``", "`"), ""]
        lines += [f'```python title="examples/{script.name}"', code.strip("\n"), "```", ""]
    return "\n".join(lines)
