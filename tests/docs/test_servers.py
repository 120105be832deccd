"""Every way in which the documentation starts a server ends in one that answers."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import urllib.request
from pathlib import Path

import pytest

from swipewise.workspace import CONFIG_NAME
from tests.docs.named import named
from tests.docs.pages import blocks
from tests.docs.running import as_run
from tests.docs.shell import PROGRAM, Line, lines_of
from tests.docs.test_newcomer import served

PLACES = ("--port", "--workspace", "-w")
"""Options of which the test gives its own."""


def without_its_place(words: tuple[str, ...]) -> tuple[str, ...]:
    """What a command says beside where it serves, and what."""
    return tuple(
        word for before, word in zip(("", *words), words, strict=False) if not {before, word} & set(PLACES)
    )


def servers() -> list[tuple[str, ...]]:
    """Each way to start a server once; that without options is the newcomer's, and it has one worker."""
    lines = [line for block in blocks("sh") for line in lines_of(block) if line.words[:2] == (PROGRAM, "serve")]
    ways = dict.fromkeys(without_its_place(line.words) for line in (*lines, *named()["serve"]))
    return [way for way in ways if way not in ((PROGRAM, "serve"), (PROGRAM, "serve", "--workers", "1"))]


@pytest.mark.parametrize("words", servers(), ids=" ".join)
def test_every_server_that_is_named_answers(words: tuple[str, ...], here: Path) -> None:
    told = [*as_run(Line("", words), here), "-w", "shop"]
    if "--tls-cert" in told:
        make_certificate(here)
        config = here / "shop" / CONFIG_NAME
        text = config.read_text(encoding="utf-8")
        assert '# keys = "off"' in text
        config.write_text(text.replace('# keys = "off"', 'keys = "required"'), encoding="utf-8")
    with served((PROGRAM, *told), here) as address:
        unchecked = ssl.create_default_context()
        unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
        assert address.startswith("https" if "--tls-cert" in told else "http:")
        with urllib.request.urlopen(
            f"{address}/healthz".replace("0.0.0.0", "127.0.0.1"), context=unchecked
        ) as answer:
            assert answer.status == 200


def make_certificate(folder: Path) -> None:
    """A certificate and its key, under the names that the page gives."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    made = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost")
    files = ("-keyout", "server.key", "-out", "server.pem")
    subprocess.run([openssl, "req", "-x509", *made, *files], cwd=folder, check=True, capture_output=True)
