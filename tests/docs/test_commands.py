"""Every command line of the documentation can be read by what it calls, and every request is answered."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient

from swipewise.server import create_app
from swipewise.workspace import Workspace
from tests.docs.named import examples, spoken, spoken_scripts
from tests.docs.pages import ROOT, blocks
from tests.docs.shell import PROGRAM, Line, lines_of, read

SCRIPTS = ("make", "pip", "python", "curl", ".venv/bin/python")
OTHER_PROGRAMS = (
    ".ci/run",
    "cd",
    "cp",
    "docker",
    "git",
    "jq",
    "kill",
    "mkdir",
    "sleep",
    "source",
    "systemctl",
    "torchrun",
)

SHELL = [line for block in blocks("sh") for line in lines_of(block)]
OURS = [line for line in SHELL if line.words[0] == PROGRAM]
OTHERS = list(
    {
        line.words: line
        for line in (*SHELL, *spoken(*SCRIPTS, *OTHER_PROGRAMS), *spoken_scripts())
        if line.words[0] != PROGRAM
    }.values()
)
"""All that is called beside Swipewise, in blocks and in sentences, each once."""


@pytest.mark.parametrize("line", OURS, ids=str)
def test_every_command_line_can_be_read(line: Line) -> None:
    read(line.words)


@pytest.mark.parametrize("line", dict.fromkeys(spoken(PROGRAM)), ids=str)
def test_every_command_in_a_sentence_can_be_read(line: Line) -> None:
    read(line.words, whole=False)


@pytest.mark.parametrize("line", dict.fromkeys(examples()), ids=str)
def test_every_example_of_help_can_be_read(line: Line) -> None:
    read(line.words)


@pytest.mark.parametrize("line", OTHERS, ids=str)
def test_every_other_command_names_what_there_is(line: Line) -> None:
    program, *rest = line.words
    if program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert all(word in targets or "=" in word for word in rest)
    elif program == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        for named in re.findall(r"\[([\w,]+)\]", " ".join(rest)):
            assert set(named.split(",")) <= set(extras)
    elif program.endswith("python"):
        check_script(rest)
    elif program == "curl":
        assert request_of(line)[1].startswith(("/v1/", "/metrics", "/healthz", "/readyz", "/openapi.json"))
    else:
        assert program in OTHER_PROGRAMS


def check_script(rest: list[str]) -> None:
    """A script that Python is given exists, and knows the options that it is given."""
    if rest[0] == "-c":
        compile(rest[1], "-c", "exec")
    elif rest[0] == "-m":
        assert rest[1] in ("pytest", "mkdocs") or (ROOT / rest[1].replace(".", "/")).exists()
    else:
        script = ROOT / rest[0]
        known = script.read_text() + (ROOT / "benchmarks" / "figures.py").read_text()
        for option in (word for word in rest[1:] if word.startswith("--")):
            assert f'"{option}"' in known, f"{script.name} knows no {option}"


def request_of(line: Line) -> tuple[str, str, dict[str, str], bytes]:
    """Method, path with query, headers and body of a curl command."""
    method, url, headers, body = "", "", {}, b""
    words = list(line.words[1:])
    while words:
        word = words.pop(0)
        if word in ("-X", "--request"):
            method = words.pop(0)
        elif word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers[name] = value
        elif word == "-d":
            method, body = method or "POST", words.pop(0).encode()
        elif word == "-T":
            method, body = method or "PUT", Path(words.pop(0)).read_bytes() if Path(words[0]).exists() else b""
        elif word not in ("-s", "-f", "-sS", "-N"):
            url = word
    parts = urlsplit(url)
    return method or "GET", parts.path + (f"?{parts.query}" if parts.query else ""), headers, body


CURLS = [line for line in SHELL if line.words[0] == "curl"]


def test_every_request_is_answered(here: Path) -> None:
    app = create_app(Workspace.open(here / "shop"))
    with TestClient(app, base_url="http://127.0.0.1:8000", client=("127.0.0.1", 50000)) as client:
        for line in CURLS:
            method, path, headers, body = request_of(line)
            headers.pop("Authorization", None)
            if body and "json" in headers.get("content-type", ""):
                json.loads(body)
            answer = client.request(method, path, headers=headers, content=body or None)
            assert answer.status_code < 400, f"{line}: {answer.text}"
