"""Every example runs as it stands, on a quick demo and with one epoch of training."""

from __future__ import annotations

import re
import runpy
import shutil
import tempfile
from pathlib import Path

import pytest
from click.testing import Result

from swipewise.config import TrainingConfig

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPTS = sorted(path for path in EXAMPLES.glob("*.py") if "# %%" in path.read_text(encoding="utf-8"))
PRINTED = {
    "own_data": ["added=40", "epochs=1", "viewer00001", "expected_like"],
    "own_encoder": ["descriptor (40, ", "brightness (40, 8)", "'visual'", "similarity"],
    "precomputed_features": ["('visual', ", "swipewise", "itemcf"],
    "cold_start": ["nothing is known of viewer 'newcomer' yet", "profile", "model 3", "cold viewers"],
    "transfer": ["transferred", "itemcf"],
    "behavior_analysis": ["exposure", "cohort", "segment", "shifts"],
    "replacing_the_ranker": ["0 clip", "newest", "p_holm"],
}
"""What each prints, so that one that has lost its point is noticed."""


@pytest.fixture(scope="module")
def folder(quick_demo: tuple[Path, Result], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the scripts run: a folder with a demo in it."""
    root = tmp_path_factory.mktemp("examples")
    shutil.copytree(quick_demo[0], root / "demo")
    return root


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_runs_as_it_stands(
    script: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    # What a script leaves to the defaults is quick here.
    monkeypatch.setitem(TrainingConfig.__init__.__kwdefaults__, "epochs", 1)  # type: ignore[arg-type]
    runpy.run_path(str(script), run_name="__main__")
    printed = capsys.readouterr().out
    for word in PRINTED[script.stem]:
        assert word in printed


def test_every_example_is_listed_and_uses_what_is_public() -> None:
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert {path.stem for path in SCRIPTS} == set(PRINTED)
    for path in EXAMPLES.glob("*.py"):
        assert f"`{path.name}`" in listed
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"from swipewise\S* import _|(?<!self)\._[a-z]", text), path.name
        assert len(text.splitlines()) < 100
