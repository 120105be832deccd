"""Feeds of many viewers by the workers of a Ray cluster: blocks of viewers go through Ray Data."""

from __future__ import annotations

import logging
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa

import swipewise
from swipewise.cluster import ray_for, reach
from swipewise.errors import ClusterError, ConfigError, SwipewiseError
from swipewise.feed.batch import feeds_in_blocks
from swipewise.feed.engine import FeedEngine
from swipewise.feed.frames import FEED_SCHEMA
from swipewise.schema import Col
from swipewise.workspace import Workspace

_SETTING: Final = "--on ray"
_NUMBER: Final = "block"


class FeedMaker:
    """What each worker runs: an engine, opened once, makes the feeds of one block of viewers after the other.

    Args:
        root: Of the workspace, on this machine.
        size: Videos a viewer; None: as configured.
        version: Of Swipewise, where the order comes from.
    """

    def __init__(self, root: str, size: int | None, version: str) -> None:
        if version != swipewise.__version__:
            raise ConfigError(
                f"{platform.node()}, a machine of the Ray cluster, runs Swipewise {swipewise.__version__}, the "
                f"command {version}: install the same"
            )
        if not Path(root).is_dir():
            raise ConfigError(
                f"{platform.node()}, a machine of the Ray cluster, has no {root}: put the workspace into a folder "
                "that all of its machines share, under the same path"
            )
        self._engine, self._size = FeedEngine.open(Workspace.open(root)), size

    def __call__(self, block: pa.Table) -> pa.Table:
        """Feeds of the viewers of one block, which has one number."""
        viewers = block[Col.VIEWER_ID].to_pylist()
        [feeds] = feeds_in_blocks(self._engine, viewers, size=self._size, block=len(viewers))
        number = pl.lit(block[_NUMBER][0].as_py()).cast(pl.Int64).alias(_NUMBER)
        return feeds.with_columns(number).to_arrow(compat_level=pl.CompatLevel.oldest())


def feeds_on_ray(
    workspace: Workspace, viewers: Sequence[str], *, size: int | None = None, block: int = 500, workers: int = 0
) -> Iterator[pl.DataFrame]:
    """The recommendations of viewers, so many viewers at a time and in their order; see ``frames.FEED_SCHEMA``.

    The cluster is that of RAY_ADDRESS, else one on this machine, else one for this alone. The workspace lies in a
    folder that all of its machines share.

    Args:
        workspace: Whose model and stores.
        viewers: Whose feeds.
        size: Videos a viewer, by default ``feed.size`` of the configuration.
        block: Viewers a frame.
        workers: How many make them; 0: one a CPU of the cluster.

    Raises:
        MissingExtraError: Ray is not installed.
        ConfigError: There is no such cluster, or its machines lack the workspace or run another version.
        ClusterError: A worker failed.
    """
    ray = ray_for(_SETTING)
    data = ray_for(_SETTING, "ray.data")
    if not viewers:
        return
    with _connected(ray):
        cpus = int(ray.cluster_resources().get("CPU", 1))
        tables = [
            pa.table({Col.VIEWER_ID: part, _NUMBER: [number] * len(part)})
            for number, part in enumerate(viewers[at : at + block] for at in range(0, len(viewers), block))
        ]
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        context = data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        made = data.from_arrow(tables).map_batches(
            FeedMaker,
            fn_constructor_args=(str(workspace.root.resolve()), size, swipewise.__version__),
            batch_size=None,
            batch_format="pyarrow",
            compute=data.ActorPoolStrategy(size=max(1, min(workers or cpus, cpus, len(tables)))),
        )
        yield from _by_number(made.iter_batches(batch_size=None, batch_format="pyarrow"), len(tables))


def _by_number(tables: Iterator[pa.Table], blocks: int) -> Iterator[pl.DataFrame]:
    """A frame for each block in order, also for those whose viewers get nothing."""
    empty, number = pl.DataFrame(schema=FEED_SCHEMA), 0
    schema: dict[Any, Any] = {**FEED_SCHEMA, _NUMBER: pl.Int64}
    try:
        for table in tables:
            frame = pl.DataFrame(table).cast(schema)
            for (found,), rows in frame.group_by(_NUMBER, maintain_order=True):
                while number < found:
                    yield empty
                    number += 1
                yield rows.drop(_NUMBER)
                number += 1
    except Exception as error:
        raise _told(error) from error
    for _ in range(number, blocks):
        yield empty


def _told(error: Exception) -> SwipewiseError:
    """An error of the command for one of a worker, whose own comes at the end of what Ray tells of it."""
    last = str(error).strip().splitlines()[-1]
    _, ours, said = last.partition(f"{ConfigError.__module__}.{ConfigError.__qualname__}: ")
    return ConfigError(said) if ours else ClusterError(f"a Ray worker that makes feeds failed: {last}")


@contextmanager
def _connected(ray: Any) -> Iterator[None]:
    mine = reach(ray, "", "RAY_ADDRESS")
    try:
        yield
    finally:
        if mine:
            ray.shutdown()
