from pathlib import Path

import numpy as np
import pytest

from swipewise.config import Config, EncodersConfig, IngestConfig, MediaConfig
from swipewise.simulate.clips import render_clip
from swipewise.workspace import Workspace


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve small clips, each of other content; every third is silent. Tests may only read them."""
    folder = tmp_path_factory.mktemp("clips")
    for number in range(12):
        sound = None if number % 3 == 0 else number % 3
        path = folder / f"clip{number:02}.mp4"
        render_clip(path, visual=number % 4, audio=sound, seconds=0.5, rng=np.random.default_rng(number))
    return folder


@pytest.fixture
def executor() -> str:
    """Who does the work: this process, as starting another takes longer than most of what is tested."""
    return "inline"


@pytest.fixture
def workspace(tmp_path: Path, executor: str) -> Workspace:
    """A workspace with encoders that need no time, and one worker."""
    made = Workspace.create(tmp_path / "workspace")
    config = Config(
        media=MediaConfig(frames=2),
        encoders=EncodersConfig(visual="fake", audio="fake", text="fake"),
        ingest=IngestConfig(executor=executor, workers=1, batch=5),
    )
    return Workspace(root=made.root, config=config)
