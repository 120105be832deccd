"""Command lines that have several workers or machines at work, with all of them on this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from swipewise.schema import Col
from swipewise.training.runs import latest_run, read_record
from swipewise.workspace import VARIABLE
from tests.clusters import ray_cluster
from tests.docs.named import named
from tests.docs.pages import blocks
from tests.docs.shell import Line, lines_of
from tests.docs.slow.shells import give, with_programs

# Settings of Ray Data that Ray itself still reads.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:`use_.*` is deprecated:DeprecationWarning"),
]

ON_RAY = [line for lines in named().values() for line in lines if " --on ray" in str(line)]
TORCHRUN = [line for block in blocks("sh") for line in lines_of(block) if line.words[0] == "torchrun"]
MANY, FEW = "8", "2"
"""Workers that a line asks for, and that it is given, as each of them loads torch."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a Ray cluster of two CPUs, on however many this machine has."""
    with ray_cluster(cpus=int(FEW)) as address:
        yield address


@pytest.mark.parametrize("line", ON_RAY, ids=str)
def test_a_line_runs_on_ray(line: Line, here: Path, cluster: str) -> None:
    words = [FEW if word == MANY else word for word in line.words]
    told = give(words, here, with_programs(RAY_ADDRESS=cluster, **{VARIABLE: "shop"}))
    if line.words[1] == "train":
        assert f"run {latest_run(here / 'shop' / 'runs').name}" in told
    else:
        made = pl.read_parquet(here / next(word for word in line.words if word.endswith(".parquet")))
        events = pl.read_parquet(here / "demo" / "world" / "events.parquet")
        seen = events.group_by(Col.VIEWER_ID).agg(pl.col(Col.VIDEO_ID).n_unique())
        left = seen.filter(pl.col(Col.VIDEO_ID) < events[Col.VIDEO_ID].n_unique())  # others have nothing to see
        assert set(made[Col.VIEWER_ID]) == set(left[Col.VIEWER_ID])


@pytest.mark.parametrize("line", TORCHRUN, ids=str)
def test_torchrun_trains_when_each_machine_is_given_the_line(line: Line, here: Path) -> None:
    """All machines are this one, so that the address is another."""
    machines = int(line.words[line.words.index("--nnodes") + 1])
    address = line.words[line.words.index("--rdzv-endpoint") + 1]
    words = [f"127.0.0.1:{free_port()}" if word == address else word for word in line.words]
    earlier = latest_run(here / "shop" / "runs")
    with ThreadPoolExecutor(machines) as pool:
        told = list(pool.map(lambda _: give(words, here, with_programs()), range(machines)))
    run = latest_run(here / "shop" / "runs")
    assert run.name > earlier.name
    assert read_record(run)["figures"]["epochs"]
    assert sum(f"run recorded in {run}" in " ".join(text.split()) for text in told) == 1, "one process alone tells"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
