"""Every example runs as it stands, on a quick demo with one epoch of training."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result

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
    """Where the scripts run: a copy of the demo, whose trainings take an epoch, as those of new workspaces do."""
    root = tmp_path_factory.mktemp("examples")
    shutil.copytree(quick_demo[0], root / "demo")
    # Imported by Python before anything else; there is no other way to have the scripts as they stand and quick.
    (root / "sitecustomize.py").write_text(
        "from swipewise.config import sections\n"
        "sections.TrainingConfig.__init__.__kwdefaults__['epochs'] = 1\n"
        "sections.TrainingConfig.__init__.__kwdefaults__['alignment_epochs'] = 0\n"
    )
    return root


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_runs_as_it_stands(script: Path, folder: Path) -> None:
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "TMPDIR": str(folder),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    for word in PRINTED[script.stem]:
        assert re.search(word if "|" in word else re.escape(word), done.stdout), f"{word!r} in {done.stdout}"


def test_every_example_is_listed_and_uses_what_is_public() -> None:
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert {path.stem for path in SCRIPTS} == set(PRINTED)
    for path in EXAMPLES.glob("*.py"):
        assert f"`{path.name}`" in listed
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"from swipewise\S* import _|(?<!self)\._[a-z]", text), path.name
        assert len(text.splitlines()) < 100
