"""The reference: what the code has stands on its pages, and public names say what they are."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from types import FunctionType
from typing import get_type_hints

import pytest
import sqlalchemy as sa

from docs.generate.commands import command_page, commands
from docs.generate.configuration import VARIABLES, configuration_page
from docs.generate.files import COPIED, copied_page
from docs.generate.http import http_page
from docs.generate.python import MODULES, public_names, python_page
from swipewise.backup import manifest
from swipewise.baselines import tuning
from swipewise.catalog.catalog import MIGRATIONS as CATALOGUE_MIGRATIONS
from swipewise.cli import cli
from swipewise.config import Config
from swipewise.evaluation import ablation_report, ablation_store, audit_report, results, transfer_report
from swipewise.evaluation.protocol import Metric
from swipewise.evaluation.segments import Segment
from swipewise.events import folded, history, rollups
from swipewise.events.database import Database
from swipewise.events.migrations import MIGRATIONS
from swipewise.feed import bundles
from swipewise.retrieval import storage
from swipewise.schema import Event, Video
from swipewise.server.access import ROUTES
from swipewise.training import exported, exported_videos, runs, upgrades
from tests.docs.pages import PAGES, ROOT

GENERATED = {*COPIED, "cli.md", "configuration.md", "http.md", "python.md", "examples.md"}
"""Pages that are there only in the built documentation."""

NAMES = [(module, name) for module, names in public_names().items() for name in names if name != "__version__"]


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_every_public_name_says_what_it_is(module: str, name: str) -> None:
    value = getattr(importlib.import_module(module), name)
    told = inspect.getdoc(value) if inspect.isclass(value) or inspect.isroutine(value) else constant(module, name)
    assert told
    # What a dataclass is given where nobody wrote anything.
    assert not told.startswith(f"{name}(")


def constant(module: str, name: str) -> str | None:
    """The text below an assignment somewhere in a package."""
    home = Path(inspect.getfile(importlib.import_module(module))).parent
    for path in home.rglob("*.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for node, after in pairwise(body):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if any(getattr(target, "id", None) == name for target in targets) and isinstance(after, ast.Expr):
                return str(getattr(after.value, "value", "")) or None
    return None


COMMANDS = re.compile(
    r"(Add|Ask|Copy|Count|Cut|Decode|Describe|Draw|Encode|Erase|Fill|Find|Fit|Go|Import|Index|Lay|Let|Load|Make|Measure"
    r"|Move|Open|Put|Rank|Read|Set|Store|Take|Write)\b"
)
"""How a summary begins that says what is done; one that does not says what is returned."""


def callables() -> Iterator[tuple[str, FunctionType]]:
    """Every public function, and every public method of a public class, of the page of the Python API."""
    listed = [getattr(importlib.import_module(module), name) for module, name in NAMES]
    for name in MODULES:
        module = vars(importlib.import_module(name))
        public = (key for key in module if not key.startswith("_"))
        listed += [module[key] for key in public if getattr(module[key], "__module__", "") == name]
    seen = set()
    for each in (each for each in listed if isinstance(each, type | FunctionType)):
        inside = vars(each).items() if isinstance(each, type) else [(each.__name__, each)]
        for name, value in inside:
            function = getattr(value, "__func__", value)
            if isinstance(function, FunctionType) and not name.startswith("_") and function not in seen:
                seen.add(function)
                yield f"{function.__module__}.{function.__qualname__}", function


def test_every_public_function_says_what_it_takes_and_gives() -> None:
    faults, count = [], 0
    for name, function in callables():
        count += 1
        told, signature = inspect.getdoc(function) or "", inspect.signature(function)
        arguments = told.partition("Args:\n")[2].partition("\n\n")[0]
        for parameter in signature.parameters:
            is_told = f" {parameter}:" in arguments or f"``{parameter}``" in told
            if parameter not in ("self", "cls") and not is_told:
                faults.append(f"{name} does not say what {parameter} is")
        gives = signature.return_annotation not in (None, "None", inspect.Signature.empty)
        if gives and COMMANDS.match(told) and not re.search(r"^(Returns|Yields):$", told, re.MULTILINE):
            faults.append(f"{name} does not say what it returns")
    assert not faults, "\n".join(faults)
    assert count > 150


def test_every_public_name_stands_on_the_page_of_the_python_api() -> None:
    page = python_page()
    for module, name in NAMES:
        assert f"::: {module}.{name}\n" in page
    for module in MODULES:
        assert importlib.import_module(module).__doc__


def test_every_command_and_option_stands_on_the_page_of_the_command_line() -> None:
    page = command_page()
    for path, command in commands(cli):
        section = re.split(rf"^#+ swipewise {re.escape(' '.join(path))}$", page, flags=re.MULTILINE)[1]
        section = re.split(r"^#+ swipewise", section, flags=re.MULTILINE)[0]
        for param in command.params:
            for option in param.opts if param.param_type_name == "option" else []:
                assert option in section
    assert "\b" not in page


def test_the_page_of_the_command_line_leaves_the_commands_as_they_are() -> None:
    # In a process of its own: a command keeps what it first took for the names of its help.
    code = "from docs.generate.commands import cli, command_page; command_page(); cli(['keys', 'list', '-h'])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert "Usage: " in result.stdout


def test_every_key_stands_on_the_page_of_the_configuration() -> None:
    page = configuration_page()
    for section, cls in get_type_hints(Config).items():
        below = page.partition(f"## [{section}]\n")[2].partition("\n## [")[0]
        for key in fields(cls):
            assert f"| `{key.name}` | `" in below


def test_every_variable_that_is_read_is_told() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "swipewise").rglob("*.py"))
    assert set(re.findall(r"\bSWIPEWISE_[A-Z]+(?:_[A-Z]+)*\b", source)) == set(VARIABLES)


def test_every_route_stands_on_the_page_of_the_http_api(described: dict[str, object]) -> None:
    page = http_page(described)
    # Pages of the description itself are not described.
    unlisted = {"/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"}
    for method, template in ROUTES:
        if template not in unlisted:
            assert f"### {method} {re.sub(r':path}', '}', template)}\n" in page
    for target in re.findall(r"\]\(#([\w.-]+)\)", page):
        assert f"### {target}\n" in page.lower()


def test_the_page_of_formats_names_what_is_kept() -> None:
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    for record in (Video, Event):
        for field in fields(record):
            assert f"`{field.name}`" in page
    for name in (runs.PLAN_NAME, runs.RECORD_NAME, runs.MODEL_NAME, runs.CHECKPOINT_NAME):
        assert name in page


FORMATS = {
    "live log": len(MIGRATIONS),
    "catalogue": 1 + len(CATALOGUE_MIGRATIONS),
    "rejected and removed files": 1,
    "history": history.SCHEMA_VERSION,
    "interactions of the history": folded.FORMAT,
    "counts of closed days": int(rollups.FORMAT),
    "model": upgrades.FORMAT_VERSION,
    "index": storage.FORMAT_VERSION,
    "exported encoder": exported.FORMAT_VERSION,
    "exported catalogue": exported_videos.FORMAT_VERSION,
    "pointer to what is served": bundles.FORMAT_VERSION,
    "backup": manifest.FORMAT,
    "settings that a search found": tuning.FILE_VERSION,
    "variants of an ablation": ablation_store.FILE_VERSION,
    "reports of an evaluation, an audit, an ablation, a transfer": results.SCHEMA_VERSION,
}
"""The version of each format as the code has it."""


def test_the_page_of_formats_tells_the_version_of_each() -> None:
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8").partition("## Versions")[2]
    rows = re.findall(r"^\| (.+?) \| .+? \| (\d+) \| ", page, re.MULTILINE)
    assert {name: int(version) for name, version in rows} == FORMATS
    for other in (audit_report, ablation_report, transfer_report):
        assert other.SCHEMA_VERSION == results.SCHEMA_VERSION


def test_the_page_of_formats_names_every_table_of_the_live_log(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    database = Database(tmp_path)
    with database.read() as connection:
        tables = sa.inspect(connection).get_table_names()
    database.close()
    assert {"events", "profiles"} <= set(tables)
    for table in tables:
        assert f"`{table}`" in page


def test_the_page_of_metrics_names_every_metric_and_segment() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    for name in (*Metric, *Segment):
        assert f"`{name}`" in page


LINK = re.compile(r"(?<!`)\]\(([^)\s]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere_on_a_code_host_too(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        if "://" in target or (page.parent.name == "docs" and path in GENERATED):
            continue
        led = (page.parent / path) if path else page
        assert led.exists(), f"{page.name} links to {target}"
        if anchor and led.suffix == ".md":
            headings = re.findall(r"^#+ (.*)$", led.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, f"{page.name} links to {target}"


def slug(heading: str) -> str:
    """What a heading is called in an address."""
    return re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip())


def test_the_readme_as_a_page_links_to_pages() -> None:
    page = copied_page("index.md")
    assert "](docs/" not in page
    assert "](changelog.md)" in page


def test_the_tree_in_the_readme_is_the_tree_that_is_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("## The tree")[2]
    tree = text.partition("```\n")[2].partition("```")[0]
    package, _, rest = tree.partition("\ntests/")
    told = {line.split()[0].rstrip("/") for line in package.splitlines() if line.startswith("  ")}
    there = {
        path.name
        for path in (ROOT / "swipewise").iterdir()
        if (path.is_dir() and path.name != "__pycache__") or (path.suffix == ".py" and path.stem != "__init__")
    }
    assert told == there
    for folder in re.findall(r"(?:^|   )(\w+)/ ", f"tests/{rest}", re.MULTILINE):
        assert (ROOT / folder).is_dir()
