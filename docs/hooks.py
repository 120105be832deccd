"""Hooks of mkdocs: pages that are made of the code are added while the documentation is built."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

# mkdocs loads this file by its path, from wherever it is called.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from docs.generate.commands import command_page
from docs.generate.configuration import configuration_page
from docs.generate.files import COPIED, copied_page, example_page
from docs.generate.http import http_page
from docs.generate.python import python_page

_EXAMPLES = "examples.md"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Have equations drawn, and leave the examples out of the navigation where there are none."""
    fences = [
        {"name": "math", "class": "math", "format": math_format},
    ]
    config.mdx_configs.setdefault("pymdownx.superfences", {})["custom_fences"] = fences
    if example_page() is None and config.nav is not None:
        config.nav = _without(config.nav, _EXAMPLES)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made of the code and of files elsewhere."""
    pages = {name: copied_page(name) for name in COPIED} | {
        "cli.md": command_page(),
        "configuration.md": configuration_page(),
        "http.md": http_page(),
        "python.md": python_page(),
    }
    if (examples := example_page()) is not None:
        pages[_EXAMPLES] = examples
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def math_format(source: str, *_: Any, **__: Any) -> str:
    """A block of LaTeX as MathML, which browsers draw without a script."""
    from latex2mathml.converter import convert

    lines = [convert(line.strip(), display="block") for line in source.split(r"\\")]
    for line in lines:
        ElementTree.fromstring(line)
    return f'<div class="math">{"".join(lines)}</div>'


def _without(nav: list[Any], page: str) -> list[Any]:
    kept: list[Any] = []
    for entry in nav:
        if isinstance(entry, dict):
            ((title, below),) = entry.items()
            if isinstance(below, list):
                kept.append({title: _without(below, page)})
            elif below != page:
                kept.append(entry)
        elif entry != page:
            kept.append(entry)
    return kept
