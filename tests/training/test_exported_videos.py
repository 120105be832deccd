"""A program with ONNX Runtime and numpy alone, as docs/interchange.md has it, gets the model's vectors."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from swipewise.cli import cli
from swipewise.training.fitted import FittedModel
from swipewise.training.histories import latest_windows, pad
from swipewise.training.inference import Projected
from swipewise.training.runs import MODEL_NAME, latest_run
from swipewise.training.session import train_workspace
from swipewise.training.workspace_data import load_dataset
from swipewise.workspace import Workspace

PAGE = Path(__file__).parents[2] / "docs" / "interchange.md"


def exported(shop: Workspace, root: Path, **changes: Any) -> None:
    """Train the shop, and put the three files into ``root/out``."""
    model = replace(shop.config.model, **changes)
    train_workspace(replace(shop, config=replace(shop.config, model=model)))
    out = root / "out"
    out.mkdir()
    run = latest_run(shop.runs_dir)
    for words in (
        ["models", "export", run.name, "--videos", str(out / "videos.npz")],
        ["events", "export", str(out / "rows.jsonl"), "--interactions"],
    ):
        result = CliRunner().invoke(cli, [*words, "-w", str(shop.root)])
        assert result.exit_code == 0, result.output
    shutil.copy(run / "encoder" / "encoder.onnx", out)


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


def test_without_tastes_the_vectors_are_those_of_the_model(shop: Workspace, tmp_path: Path) -> None:
    exported(shop, tmp_path, themes=0)
    dataset = load_dataset(shop)
    fitted = FittedModel.load(latest_run(shop.runs_dir) / MODEL_NAME)
    codes = [1, 0]
    dataset = replace(dataset, profile_UP=np.tile(codes, (len(dataset.viewer_ids), 1)))
    projected = Projected(fitted, dataset)
    projected._profile_codes = np.arange(len(fitted.vocabulary.profile_values) + 1)
    # Longer than window and summary, shorter than both, and nothing at all.
    lengths = np.diff(dataset.viewer_offsets())
    some = [int(lengths.argmax()), int(lengths.argmin())]
    assert lengths[some[0]] > fitted.config.history + fitted.config.memory
    interests = projected.interest(dataset, np.array(some))
    names = [dataset.viewer_ids[viewer] for viewer in some]
    found = asked(tmp_path / "out", [*names, "nobody"], codes)
    for row, name in enumerate(names):
        assert found[name][0] == pytest.approx(interests.z_BD[row].tolist(), abs=1e-4)
        assert found[name][1] == pytest.approx(interests.u_BD[row].tolist(), abs=1e-4)
    assert found["nobody"][0] != found[names[0]][0]
    with np.load(tmp_path / "out" / "videos.npz", allow_pickle=False) as videos:
        assert videos["video_ids"].tolist() == list(dataset.video_ids)
        assert np.allclose(videos["index_VD"], projected.index_vectors_VD.numpy())


def test_with_tastes_they_are_those_of_a_viewer_in_whom_no_modality_stands_out(
    shop: Workspace, tmp_path: Path
) -> None:
    exported(shop, tmp_path)
    dataset = load_dataset(shop)
    fitted = FittedModel.load(latest_run(shop.runs_dir) / MODEL_NAME)
    assert fitted.tastes is not None
    viewer = int(np.diff(dataset.viewer_offsets()).argmax())
    windows = latest_windows(
        dataset.viewer_offsets(), fitted.config.history, np.array([viewer]), memory=fitted.config.memory
    )
    content = len(fitted.tastes.themes.axes)
    neutral = np.zeros((1, fitted.config.history + 1, content), np.float32)
    history = pad(dataset.interactions, windows, np.zeros((1, 1), np.int64), neutral)
    projected = Projected(fitted, dataset)
    reading = fitted.network.eval()(history, projected.p_VMD, projected.present_VM)
    name = dataset.viewer_ids[viewer]
    found = asked(tmp_path / "out", [name], [])
    assert found[name][0] == pytest.approx(reading.z_BL1D[0, -1].tolist(), abs=1e-4)
    assert found[name][1] == pytest.approx(reading.u_BL1D[0, -1].tolist(), abs=1e-4)


def test_a_file_of_another_kind_is_refused_before_anything_is_exported(shop: Workspace) -> None:
    result = CliRunner().invoke(cli, ["models", "export", "x", "--videos", "videos.npy", "-w", str(shop.root)])
    assert result.exit_code == 2
    assert "'videos.npy' says no format: name it .npz" in result.stderr
