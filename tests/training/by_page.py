"""A program with ONNX Runtime and numpy alone, as docs/interchange.md has it, and the files that it reads."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from swipewise.cli import cli
from swipewise.training.runs import latest_run
from swipewise.workspace import Workspace

PAGE = Path(__file__).parents[2] / "docs" / "interchange.md"


def written(shop: Workspace, out: Path) -> Path:
    """A new folder with the three files, of the newest run."""
    out.mkdir()
    run = latest_run(shop.runs_dir)
    for words in (
        ["models", "export", run.name, "--videos", str(out / "videos.npz")],
        ["events", "export", str(out / "rows.jsonl"), "--interactions"],
    ):
        result = CliRunner().invoke(cli, [*words, "-w", str(shop.root)])
        assert result.exit_code == 0, result.output
    shutil.copy(run / "encoder" / "encoder.onnx", out)
    return out


def program() -> str:
    """The page's."""
    found = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def asked(folder: Path, viewers: list[str], codes: list[int]) -> dict[str, list[list[float]]]:
    """z and u of viewers by the page's program, in a process that has no torch and no Swipewise."""
    code = program().replace('"ann"', repr(viewers[0])) + (
        f"""
import sys
assert not {{"torch", "swipewise", "polars", "pyarrow"}} & set(sys.modules)
found = {{}}
for viewer in {viewers!r}:
    z, u = vectors([row for row in rows if row["viewer_id"] == viewer], {codes!r}, videos, session)
    found[viewer] = [z.tolist(), u.tolist()]
json.dump(found, open("found.json", "w"))
"""
    )
    (folder / "program.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads((folder / "found.json").read_text()))
