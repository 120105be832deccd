"""A program with ONNX Runtime and numpy alone, as docs/interchange.md has it, gets the model's vectors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from swipewise.cli import cli
from swipewise.training.fitted import FittedModel
from swipewise.training.inference import Projected
from swipewise.training.runs import MODEL_NAME, latest_run
from swipewise.training.session import train_workspace
from swipewise.training.workspace_data import load_dataset
from swipewise.workspace import Workspace
from tests.training.by_page import asked, written


@pytest.mark.slow
def test_without_tastes_the_vectors_are_those_of_the_model(shop: Workspace, tmp_path: Path) -> None:
    model = replace(shop.config.model, themes=0)
    train_workspace(replace(shop, config=replace(shop.config, model=model)))
    out = written(shop, tmp_path / "out")
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
    found = asked(out, [*names, "nobody"], codes)
    for row, name in enumerate(names):
        assert found[name][0] == pytest.approx(interests.z_BD[row].tolist(), abs=1e-4)
        assert found[name][1] == pytest.approx(interests.u_BD[row].tolist(), abs=1e-4)
    assert found["nobody"][0] != found[names[0]][0]
    with np.load(out / "videos.npz", allow_pickle=False) as videos:
        assert videos["video_ids"].tolist() == list(dataset.video_ids)
        assert np.allclose(videos["index_VD"], projected.index_vectors_VD.numpy())


def test_a_file_of_another_kind_is_refused_before_anything_is_exported(shop: Workspace) -> None:
    result = CliRunner().invoke(cli, ["models", "export", "x", "--videos", "videos.npy", "-w", str(shop.root)])
    assert result.exit_code == 2
    assert "'videos.npy' says no format: name it .npz" in result.stderr
