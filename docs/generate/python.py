"""The reference of the Python API: every name in an ``__all__``, and modules that are read as they stand."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import swipewise

_HEAD = """# Python API

Names that a package lists in its `__all__` are public: they keep their meaning, and a change of them is in the
[changelog](changelog.md). Importing `swipewise` loads neither torch nor polars; names are looked up on first use.
Shapes stand as suffixes of names, as in `scores_BN`; each module's legend says what the letters count.
"""

MODULES = (
    "swipewise.schema",
    "swipewise.errors",
    "swipewise.catalog.catalog",
    "swipewise.retrieval.index",
    "swipewise.behavior.activity",
    "swipewise.behavior.funnel",
    "swipewise.behavior.retention",
    "swipewise.behavior.watching",
    "swipewise.behavior.segments",
    "swipewise.behavior.shifts",
    "swipewise.behavior.interest_map",
    "swipewise.feed.engine",
    "swipewise.feed.stages",
    "swipewise.feed.pipeline",
    "swipewise.feed.recipes",
    "swipewise.training.session",
    "swipewise.training.ranking",
    "swipewise.evaluation.protocol",
    "swipewise.evaluation.comparison",
    "swipewise.evaluation.off_policy",
)
"""Modules without an ``__all__`` whose public names people take, see the how-to pages."""


def public_names() -> dict[str, tuple[str, ...]]:
    """Each package or module with an ``__all__``, and the names in it."""
    return {module.__name__: tuple(module.__all__) for module in _modules() if hasattr(module, "__all__")}


def python_page() -> str:
    """The page, whose ``:::`` lines mkdocstrings fills in."""
    lines = [_HEAD]
    for module, names in public_names().items():
        lines += [f"## {module}", "", *_intro(module)]
        lines += [line for name in names if name != "__version__" for line in (f"::: {module}.{name}", "")]
    for module in MODULES:
        lines += [f"## {module}", "", f"::: {module}", "    options:", "      show_root_heading: false", ""]
    return "\n".join(lines)


def _intro(module: str) -> list[str]:
    told = importlib.import_module(module).__doc__ or ""
    return [told.split("\n\n", 1)[0], ""]


def _modules() -> Iterator[ModuleType]:
    """The modules of Swipewise whose source says ``__all__``; the others are not even imported."""
    yield swipewise
    for found in pkgutil.walk_packages(swipewise.__path__, "swipewise."):
        spec = importlib.util.find_spec(found.name)
        assert spec is not None
        assert spec.origin is not None
        with open(spec.origin, encoding="utf-8") as file:  # noqa: PTH123
            if _says_all(ast.parse(file.read())):
                yield importlib.import_module(found.name)


def _says_all(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Assign) and any(getattr(target, "id", None) == "__all__" for target in node.targets)
        for node in tree.body
    )
