"""What lies in ``deploy/`` and what ``docs/operations.md`` says, held against the code: nothing here can run them."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from swipewise.cli import cli
from swipewise.config import Config
from swipewise.events.job_records import JobState
from swipewise.server.metrics import Metrics
from swipewise.server.siblings import ALONE, Siblings
from swipewise.workspace import Workspace

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
CLOSING_SECONDS = 30
SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "swipewise").rglob("*.py"))
# Read by libraries below.
OTHERS = {"PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"}


class _Repeated(dict[str, Any]):
    """Keeps each value of a key that is given several times."""

    def __setitem__(self, key: str, value: Any) -> None:
        if isinstance(value, list) and key in self:
            self[key].extend(value)
        else:
            super().__setitem__(key, value)


@pytest.fixture(scope="module")
def unit() -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, dict_type=_Repeated, comment_prefixes="#")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "swipewise.service")
    return parser


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


def check_command(words: list[str]) -> None:
    """Have click read a command line of Swipewise without running it."""
    assert Path(words[0]).name == "swipewise"
    command: click.Command = cli
    rest = words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        found = command.get_command(click.Context(command), rest[0])
        assert found is not None, f"no command {rest[0]!r} in {words}"
        command, rest = found, rest[1:]
    known = {name: option for option in command.params for name in option.opts}
    given = [word for word in rest if word.startswith("-")]
    assert [word for word in given if word not in known] == [], f"{words} has an option that there is not"


def container_lines() -> list[str]:
    text = (DEPLOY / "Containerfile").read_text().replace("\\\n", " ")
    return [" ".join(line.split()) for line in text.splitlines() if line and not line.startswith("#")]


def named_variables(text: str) -> set[str]:
    return set(re.findall(r"\b(?:SWIPEWISE|OTEL|OMP)_[A-Z_]+\b", text))


def stop_seconds(drain_seconds: float) -> float:
    return drain_seconds + Config().server.shutdown_seconds + CLOSING_SECONDS


def test_the_unit_starts_what_there_is(unit: configparser.RawConfigParser) -> None:
    service = unit["Service"]
    check_command(shlex.split(service["ExecStart"]))
    init = service["ExecStartPre"].partition("||")[2].rstrip("'")
    check_command(shlex.split(init))
    assert service["Type"] == "notify"
    assert "notify(" in SOURCES
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"


def test_the_unit_is_hardened_and_waits_for_the_workers(unit: configparser.RawConfigParser) -> None:
    service = unit["Service"]
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    assert service["CapabilityBoundingSet"] == ""
    assert service["StateDirectory"] == "swipewise"
    assert "SWIPEWISE_WORKSPACE=/var/lib/swipewise/" in (DEPLOY / "swipewise.service").read_text()
    assert service["KillMode"] == "mixed"
    assert float(service["TimeoutStopSec"]) >= stop_seconds(Config().server.drain_seconds) + CLOSING_SECONDS


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd is not installed")
    copy = tmp_path / "swipewise.service"
    # Only that the program is not installed here would be amiss.
    copy.write_text(
        (DEPLOY / "swipewise.service").read_text().replace("/opt/swipewise/bin/swipewise", "/bin/true")
    )
    done = subprocess.run([analyze, "verify", "--man=no", copy], capture_output=True, text=True)
    complaints = [line for line in done.stderr.splitlines() if "swipewise" in line]
    assert (done.returncode, complaints) == (0, [])


def test_the_image_runs_without_rights_and_asks_whether_it_is_ready() -> None:
    lines = container_lines()
    last = lines.index("FROM python:3.12-slim")
    assert "USER swipewise" in lines[last:]
    (command,) = (yaml.safe_load(line.removeprefix("CMD ")) for line in lines if line.startswith("CMD "))
    check_command(command)
    (health,) = (line for line in lines if line.startswith("HEALTHCHECK"))
    port = command[command.index("--port") + 1]
    assert f"http://127.0.0.1:{port}/readyz" in health
    compile(yaml.safe_load(health.partition("CMD ")[2])[2], "HEALTHCHECK", "exec")
    assert f"EXPOSE {port}" in lines
    copied = [
        word for line in lines if line.startswith("COPY") and "--from" not in line for word in line.split()[1:-1]
    ]
    assert [path for path in copied if not path.startswith("--") and not (ROOT / path).exists()] == []
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert [
        path for path in copied if not path.startswith("--") and f"!{path.removeprefix('./')}" not in ignored
    ] == []


def test_the_first_start_makes_a_workspace_that_may_be_reached(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    swipewise = tmp_path / "bin" / "swipewise"
    template = tmp_path / "template"
    Workspace.create(template)
    swipewise.write_text(f'#!/bin/sh\ncp -r {template} "$2"\n')
    swipewise.chmod(0o755)
    environment = {"PATH": f"{swipewise.parent}:/usr/bin:/bin", "SWIPEWISE_WORKSPACE": str(tmp_path / "shop")}
    for _ in range(2):
        done = subprocess.run(
            ["sh", DEPLOY / "container-start", "echo", "served"], env=environment, capture_output=True, text=True
        )
        assert (done.stdout, done.returncode) == ("served\n", 0)
    made = Workspace.open(tmp_path / "shop").config.server
    assert (made.keys, made.drain_seconds) == ("required", 5)


def test_compose_brings_a_database_and_time_to_stop(compose: dict[str, Any]) -> None:
    swipewise, database = compose["services"]["swipewise"], compose["services"]["database"]
    assert (DEPLOY / swipewise["build"]["context"] / swipewise["build"]["dockerfile"]).is_file()
    assert swipewise["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert "pg_isready" in database["healthcheck"]["test"][1]
    assert float(swipewise["stop_grace_period"].removesuffix("s")) >= stop_seconds(5) + 15
    named = {mount.partition(":")[0] for each in (swipewise, database) for mount in each["volumes"]}
    assert named == set(compose["volumes"])


@pytest.mark.parametrize(
    "path", [*sorted(DEPLOY.iterdir()), ROOT / "docs" / "operations.md"], ids=lambda path: path.name
)
def test_variables_that_are_named_are_read(path: Path) -> None:
    named = named_variables(path.read_text(encoding="utf-8"))
    assert [name for name in sorted(named - OTHERS) if f'"{name}"' not in SOURCES] == []


def test_the_page_names_each_series_and_no_other() -> None:
    metrics = Metrics(lambda: dict.fromkeys(JobState, 0), lambda: 0, Siblings(ALONE), ALONE)
    there = set(re.findall(r"^# TYPE (\w+) ", metrics.text().decode(), re.MULTILINE))
    there = {name for name in there if not name.endswith("_created")}
    named = set(re.findall(r"\b((?:swipewise|process)_[a-z_]+)\b", PAGE)) - {"swipewise_request_seconds_bucket"}
    assert named <= there
    assert {name for name in there if name.startswith("swipewise_")} <= named


def test_the_page_names_commands_that_there_are() -> None:
    spans = [each for each in re.findall(r"`([^`\n]+)`", PAGE) if each.startswith("swipewise ")]
    assert len(spans) > 10
    for span in spans:
        check_command(shlex.split(span))
    for script in re.findall(r"`(?:python )?(benchmarks/\w+\.py)", PAGE):
        assert (ROOT / script).is_file(), script


def test_the_page_names_keys_and_files_that_there_are() -> None:
    keys = {
        key for name in Config.__dataclass_fields__ for key in type(getattr(Config(), name)).__dataclass_fields__
    }
    spans = re.findall(r"`((?:server|ingest|media|events)\.\w+|\w+_seconds|rate_\w+ = \d+)`", PAGE)
    named = {span.partition(" =")[0].rpartition(".")[2] for span in spans}
    assert named
    assert named - {"swipewise_request_seconds", "swipewise_feed_stage_seconds"} <= keys
    for file in re.findall(r"`(deploy/[\w.]+)`", PAGE):
        assert (ROOT / file).is_file()


def test_help_names_the_workers() -> None:
    shown = CliRunner().invoke(cli, ["serve", "--help"]).output
    assert "--workers" in shown
