"""What the files of ``deploy/`` say at their tops is given in order, with stand-ins for what would change the machine.

Each stand-in holds what it is asked against what there is, as the program itself would.
"""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.docs.pages import ROOT, Block
from tests.docs.shell import Line, lines_of, read

DEPLOY = ROOT / "deploy"
FILES = ("Containerfile", "compose.yaml", "swipewise.service")


def head(name: str) -> list[Line]:
    """The command lines of the comment at the top of a file; those within its sentences as well."""
    text = re.match(r"(?:#.*\n)+", (DEPLOY / name).read_text(encoding="utf-8"))
    assert text is not None
    indented = "".join(f"{line[4:]}\n" for line in text[0].splitlines() if line.startswith("#   "))
    block = Block(f"deploy/{name}", 0, "sh", indented)
    spoken = [Line(block.page, tuple(shlex.split(code))) for code in re.findall(r"`([^`]+ [^`]+)`", text[0])]
    return [line for line in (*lines_of(block), *spoken) if line.words]


def unit() -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False)
    parser.read(DEPLOY / "swipewise.service")
    return parser


def useradd(words: list[str]) -> None:
    """It is the unit's user, at home where the unit's state lies."""
    service = unit()["Service"]
    assert words[-1] == service["User"]
    assert words[words.index("--home-dir") + 1] == f"/var/lib/{service['StateDirectory']}"


def environment(words: list[str]) -> None:
    """It is made where the unit has the program."""
    assert words[:2] == ["-m", "venv"]
    assert unit()["Service"]["ExecStart"].startswith(f"{words[2]}/bin/swipewise ")


def pip(words: list[str]) -> None:
    """It installs Swipewise with extras that there are."""
    (extras,) = re.findall(r"^swipewise\[([\w,]+)\]$", words[-1])
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras.split(",")) <= set(known)


def install(words: list[str]) -> None:
    """It puts the unit where systemd looks."""
    *_, file, place = words
    assert (ROOT / file).is_file()
    assert place == "/etc/systemd/system/"


def systemctl(words: list[str]) -> None:
    """It names the unit that there is, or none."""
    assert words == ["daemon-reload"] or (DEPLOY / f"{words[1]}.service").is_file()
    assert words[0] in ("daemon-reload", "start", "reload")


def podman(words: list[str]) -> None:
    """It names files that can be read, the image that is built, and what the image says of itself."""
    if words[0] == "compose":
        told = yaml.safe_load((ROOT / words[words.index("-f") + 1]).read_text())
        if "exec" in words:
            service, *inside = words[words.index("exec") + 1 :]
            assert service in told["services"]
            read(inside)
        else:
            assert words[words.index("up") :] == ["up", "--build", "--detach"]
        return
    if words[0] == "exec":
        read(words[2:])
        return
    container = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    assert words[-1] == ("." if words[0] == "build" else "swipewise")
    if words[0] == "build":
        assert (ROOT / words[words.index("-f") + 1]).is_file()
        assert words[words.index("-t") + 1] == "swipewise"
    else:
        assert f"EXPOSE {words[words.index('-p') + 1].rpartition(':')[2]}" in container
        assert f"VOLUME {words[words.index('-v') + 1].rpartition(':')[2]}" in container


STAND_INS: dict[str, Callable[[list[str]], None]] = {
    "/opt/swipewise/bin/pip": pip,
    "install": install,
    "podman": podman,
    "python3": environment,
    "systemctl": systemctl,
    "useradd": useradd,
}


@pytest.mark.parametrize("line", [line for name in FILES for line in head(name)], ids=str)
def test_a_line_asks_for_what_there_is(line: Line) -> None:
    program, *words = line.words
    if program != "printf":  # which runs below
        STAND_INS[program](words)


def test_the_password_is_written_where_compose_reads_it(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    (line,) = re.findall(r"^#   (printf .*)$", text, re.MULTILINE)
    (tmp_path / "deploy").mkdir()
    subprocess.run(["bash", "-c", line], cwd=tmp_path, check=True)
    (name,) = set(re.findall(r"\$\{(\w+):\?write it into deploy/\.env\}", text))
    assert re.fullmatch(rf"{name}=[0-9a-f]{{48}}\n", (tmp_path / "deploy" / ".env").read_text())
