"""``swipewise doctor`` finds what is broken and says what mends it; completion completes."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections import namedtuple
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from swipewise import Workspace
from swipewise.cli import cli
from swipewise.doctor import installation
from swipewise.training.runs import MODEL_NAME, latest_run


def doctor(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["doctor", *map(str, arguments)])


def findings(*arguments: object) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the worst finding of each check."""
    result = doctor(*arguments, "--json")
    order = ["ok", "warn", "fail"]
    by_check: dict[str, dict[str, Any]] = {}
    for each in sorted(json.loads(result.stdout), key=lambda each: order.index(each["state"])):
        by_check[each["check"]] = each
    return result.exit_code, by_check


@pytest.fixture
def shop(quick_demo: tuple[Path, Result], tmp_path: Path) -> Workspace:
    """A copy of the demo on a port that is free."""
    shutil.copytree(quick_demo[0], tmp_path / "shop", ignore=shutil.ignore_patterns("world"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configure(tmp_path / "shop", f"[server]\nport = {port}")
    return Workspace.open(tmp_path / "shop")


def configure(root: Path, text: str) -> None:
    (root / "swipewise.toml").write_text(text + "\n")


def test_what_is_well_is_said_to_be_and_the_exit_code_is_0(shop: Workspace) -> None:
    result = doctor("-w", shop.root)
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0] == "check state found what to do"
    for start in ("python ok 3.", "torch ok 2.", "codecs ok h264,", "catalogue ok 120 videos", "model ok run "):
        assert any(line.startswith(start) for line in lines), start
    assert any(line == "index ok 120 vectors, one a video" for line in lines)
    assert re.fullmatch(r"\d+ ok, \d+ to look at, 0 failed", lines[-1])


def test_without_a_workspace_the_installation_is_checked_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, found = findings()
    assert code == 0
    assert found["workspace"]["mend"] == "swipewise init DIR, or name one with -w"


def test_a_workspace_that_is_named_and_not_there_is_a_failure(tmp_path: Path) -> None:
    code, found = findings("-w", tmp_path / "gone")
    assert code == 1
    assert found["configuration"]["found"] == f"no swipewise.toml in {tmp_path}/gone"
    assert f"'swipewise init {tmp_path}/gone'" in found["configuration"]["mend"]


def test_a_wrong_key_is_placed_in_its_file(shop: Workspace) -> None:
    configure(shop.root, "[feed]\nsise = 3")
    code, found = findings("-w", shop.root)
    assert code == 1
    assert found["configuration"]["found"] == f"{shop.root}/swipewise.toml:2: unknown key 'sise' in [feed]"
    assert found["configuration"]["mend"] == "did you mean 'size'?"


def test_an_empty_workspace_is_told_its_first_steps(tmp_path: Path) -> None:
    shop = Workspace.create(tmp_path / "shop")
    configure(shop.root, "[server]\nport = 0")
    code, found = findings("-w", shop.root)
    assert code == 0
    mends = {check: found[check]["mend"] for check in ("catalogue", "behaviour", "model")}
    assert mends["catalogue"] == "swipewise videos add PATH"
    assert mends["behaviour"] == "swipewise events import FILE"
    assert "swipewise train" in mends["model"]


def test_a_damaged_model_fails(shop: Workspace) -> None:
    (latest_run(shop.runs_dir) / MODEL_NAME).write_bytes(b"no model")
    code, found = findings("-w", shop.root)
    assert code == 1
    assert found["model"]["state"] == "fail"
    assert "swipewise train" in found["model"]["mend"]


def test_a_store_of_a_newer_version_fails(shop: Workspace) -> None:
    import lance

    lance.dataset(shop.catalog_dir / "videos.lance").update_schema_metadata({"swipewise.schema_version": "99"})
    _, found = findings("-w", shop.root)
    assert found["catalogue"]["state"] == "fail"
    assert found["catalogue"]["mend"] == "upgrade Swipewise"


def test_behaviour_that_matches_no_video_fails(tmp_path: Path) -> None:
    import polars as pl

    shop = Workspace.create(tmp_path / "shop")
    row = {"viewer_id": ["a"], "video_id": ["other"], "action": ["like"], "at": ["2026-01-01T00:00:00Z"]}
    shop.import_events(pl.DataFrame(row))
    code, found = findings("-w", shop.root)
    assert code == 1
    assert "1 of them with videos that are not in the catalogue, such as 'other'" in found["behaviour"]["found"]


def test_an_encoder_that_cannot_be_had_fails(shop: Workspace) -> None:
    configure(shop.root, '[encoders]\nvisual = "python:not_there:Mine"')
    code, found = findings("-w", shop.root)
    assert code == 1
    assert (
        found["encoders"]["mend"].startswith("no module 'not_there'") or "install it" in found["encoders"]["mend"]
    )


def test_a_taken_port_and_an_open_address_are_worth_a_look(shop: Workspace) -> None:
    with socket.create_server(("127.0.0.1", shop.config.server.port)):
        code, found = findings("-w", shop.root)
    assert code == 0
    assert found["address"]["state"] == "warn"
    assert "Address already in use" in found["address"]["found"]
    assert "--port" in found["address"]["mend"]


def test_little_room_and_no_room(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    for free, state in ((1 << 30, "warn"), (1 << 20, "fail")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: usage(1 << 40, 0, free))
        code, found = findings("-w", shop.root)
        assert found["disk"]["state"] == state
        assert code == (state == "fail")


def test_an_interrupted_training_is_told(shop: Workspace) -> None:
    run = latest_run(shop.runs_dir)
    stopped = run.with_name("99990101-000000-000000-abcdef")
    stopped.mkdir()
    (stopped / "checkpoint.safetensors").write_bytes(b"")
    _, found = findings("-w", shop.root)
    assert found["training"]["found"] == f"run {stopped.name} is not finished"
    assert found["model"]["state"] == "ok"


def test_a_library_that_is_broken_or_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = installation.import_module

    def importing(name: str) -> Any:
        if name == "deltalake":
            raise ImportError("libfoo.so: cannot open shared object file\nand more")
        if name == "torchvision":
            raise RuntimeError("operator torchvision::nms does not exist")
        return real(name)

    def versions(name: str) -> str:
        if name == "polars":
            raise metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(installation, "import_module", importing)
    monkeypatch.setattr(installation, "version", versions)
    found = {each.check: each for each in installation.check_installation()}
    assert found["deltalake"].found == "cannot be imported: ImportError: libfoo.so: cannot open shared object file"
    assert found["deltalake"].mend == "pip install --force-reinstall deltalake"
    assert found["polars"].found == "not installed"
    assert found["torchvision"].mend == "pip uninstall torchvision: nothing here needs it"


def test_the_extras_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ["torch<3", "ray>=2; extra == 'ray'", "onnx>=1; extra == 'onnx'", "onnxruntime>=1; extra == 'onnx'"]
    monkeypatch.setattr(installation, "requires", lambda _: asked)
    assert installation.extras() == {"ray": ["ray"], "onnx": ["onnx", "onnxruntime"]}
    monkeypatch.setattr(installation, "_installed", lambda package: package == "ray")
    [extras] = [each for each in installation.check_installation() if each.check == "extras"]
    assert extras.found == "installed: ray; not installed: onnx (pip install 'swipewise[onnx]')"


def test_a_gpu_is_told_and_a_broken_driver_is_worth_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (2 << 30, 8 << 30))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Big One")
    assert installation._gpu().found == "Big One, 2.0 of 8.0 GiB free"

    def broken() -> bool:
        raise RuntimeError("CUDA driver version is insufficient")

    monkeypatch.setattr(torch.cuda, "is_available", broken)
    assert installation._gpu().state == "warn"


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_fails(shop: Workspace) -> None:
    shop.root.chmod(0o555)
    try:
        assert findings("-w", shop.root)[1]["folder"]["state"] == "fail"
    finally:
        shop.root.chmod(0o755)


@pytest.mark.parametrize(
    ("shell", "mark"), [("bash", "complete -o"), ("zsh", "#compdef"), ("fish", "complete --no-files")]
)
def test_completion_is_printed_for_a_shell(shell: str, mark: str) -> None:
    result = CliRunner().invoke(cli, ["completion", shell])
    assert result.exit_code == 0
    assert mark in result.stdout
    assert "_SWIPEWISE_COMPLETE" in result.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("swipewise tr", {"train", "transfer"}),
        ("swipewise videos ex", {"export"}),
        ("swipewise train --fre", {"--fresh"}),
    ],
)
def test_what_it_prints_completes_commands_and_options(words: str, expected: set[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from swipewise.cli import main; main()"],
        env={
            **os.environ,
            "_SWIPEWISE_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert {line.partition(",")[2] for line in done.stdout.splitlines()} == expected
    assert done.stderr == ""
