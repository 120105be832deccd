"""Simulated worlds as data sets, from raw clips by the commands that a user would type."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from swipewise.simulate.platform import write_world
from swipewise.simulate.world import WorldConfig
from swipewise.training.dataset import Dataset
from swipewise.training.workspace_data import load_dataset
from swipewise.workspace import Workspace

_SWIPEWISE = "from swipewise.cli import main; main()"


def small(seed: int = 0) -> WorldConfig:
    """A world to try a benchmark on."""
    return WorldConfig(seed=seed, videos=120, viewers=80, days=10)


def simulated(config: WorldConfig) -> Dataset:
    """Render a world, add its clips, import its behaviour, and load what a training would."""
    with TemporaryDirectory() as directory:
        root = Path(directory)
        print(f"simulating the world of seed {config.seed}", file=sys.stderr, flush=True)
        write_world(root / "world", config)
        swipewise("init", str(root / "shop"))
        swipewise("videos", "add", str(root / "world" / "videos.jsonl"), "-w", str(root / "shop"))
        swipewise("events", "import", str(root / "world" / "events.parquet"), "-w", str(root / "shop"))
        swipewise("viewers", "import", str(root / "world" / "viewers.parquet"), "-w", str(root / "shop"))
        # Its folder is gone in a moment: what is cut out of it lies in memory.
        return replace(load_dataset(Workspace.open(root / "shop")), folder=None)


def swipewise(*words: str) -> None:
    """Run a command of the package as a process of its own; what it prints goes to stderr."""
    print("swipewise", *words, file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-c", _SWIPEWISE, *words], check=True, stdout=sys.stderr)
