"""A workspace: its configuration, stores, encoders, model, and where it is served."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from swipewise.doctor.finding import Finding, fail, guarded, ok, warn
from swipewise.workspace import Workspace

_LITTLE_SPACE: Final = 2 << 30
_NO_SPACE: Final = 200 << 20


def check_workspace(root: Path) -> Iterator[Finding]:
    """Look at the workspace in a folder, as far as it can be opened."""
    opened: list[Workspace] = []
    yield from guarded("configuration", partial(_configuration, root, opened))
    if not opened:
        return
    [workspace] = opened
    yield from _folder(workspace)
    for check, look in (
        ("catalogue", _catalogue),
        ("live log", _live_log),
        ("history", _history),
        ("encoders", _encoders),
        ("model", _model),
        ("address", _address),
    ):
        yield from guarded(check, partial(look, workspace))


def _configuration(root: Path, opened: list[Workspace]) -> Iterator[Finding]:
    opened.append(Workspace.open(root))
    yield ok("configuration", str(opened[0].root / "swipewise.toml"))


def _folder(workspace: Workspace) -> Iterator[Finding]:
    free = shutil.disk_usage(workspace.root).free
    told = f"{free / 2**30:.1f} GiB free"
    if free < _NO_SPACE:
        yield fail("disk", told, "make room, or move the workspace: nothing more can be written soon")
    elif free < _LITTLE_SPACE:
        yield warn("disk", told, "make room: videos, events and runs need more")
    else:
        yield ok("disk", told)
    try:
        with tempfile.NamedTemporaryFile(dir=workspace.root, prefix=".doctor."):
            pass
    except OSError as error:
        yield fail(
            "folder",
            f"{workspace.root} cannot be written: {error.strerror}",
            f"give the user {os.getuid()} the right to, or set another --workspace",
        )
    else:
        yield ok("folder", f"{workspace.root} can be written")


def _catalogue(workspace: Workspace) -> Iterator[Finding]:
    from swipewise.catalog import Catalog

    catalog = Catalog(workspace.catalog_dir)
    videos, rejected = len(catalog.stamps()), len(catalog.rejected())
    if not videos:
        yield warn("catalogue", "no videos", "swipewise videos add PATH")
    else:
        yield ok("catalogue", f"{videos:,} videos")
    if rejected:
        yield warn("rejected files", f"{rejected:,}", "swipewise videos list --rejected says why")


def _live_log(workspace: Workspace) -> Iterator[Finding]:
    import sqlalchemy as sa

    from swipewise.events.database import EVENTS, existing_database

    with existing_database(workspace.events_dir) as database:
        if database is None:
            yield ok("live log", "empty")
            return
        with database.read() as connection:
            count = connection.execute(sa.select(sa.func.count()).select_from(EVENTS)).scalar_one()
    yield ok("live log", f"{count:,} events")


def _history(workspace: Workspace) -> Iterator[Finding]:
    import polars as pl

    from swipewise.catalog import Catalog
    from swipewise.events import read_events
    from swipewise.events.history import History
    from swipewise.schema import Col

    history = History(workspace.events_dir)
    days = len(history.files_by_day())
    met = history.collected(
        lambda: read_events(workspace.events_dir).group_by(Col.VIDEO_ID).agg(pl.len()).collect(engine="streaming")
    )
    if met.is_empty():
        yield warn("behaviour", "no events", "swipewise events import FILE")
        return
    known = met[Col.VIDEO_ID].is_in(Catalog(workspace.catalog_dir).stamps()[Col.VIDEO_ID].implode())
    events, strange = int(met["len"].sum()), int(met.filter(~known)["len"].sum())
    told = f"{events:,} events, {days:,} days in the history"
    if strange:
        example = met.filter(~known)[Col.VIDEO_ID].sort()[0]
        told += f"; {strange:,} of them with videos that are not in the catalogue, such as {example!r}"
        mend = "add these videos, with the ids that the log has: they count once they are there"
        yield (fail if strange == events else warn)("behaviour", told, mend)
    else:
        yield ok("behaviour", told)


def _encoders(workspace: Workspace) -> Iterator[Finding]:
    from swipewise.encoders import build_encoders, build_recognizers, identity
    from swipewise.training.workspace_data import half_encoded

    config = workspace.config.encoders
    named = [f"{modality} by {identity(encoder)}" for modality, encoder in build_encoders(config).items()]
    named += [f"{kind} by {identity(recognizer)}" for kind, recognizer in build_recognizers(config).items()]
    yield ok("encoders", ", ".join(named) or "none: ids and attributes alone are used")
    for note in half_encoded(workspace):
        found, _, mend = note.rpartition(", ")
        yield warn("vectors", found, mend)


def _model(workspace: Workspace) -> Iterator[Finding]:
    from swipewise.feed.stock import load_stock
    from swipewise.training.runs import CHECKPOINT_NAME, RECORD_NAME
    from swipewise.training.workspace_data import other_encoders

    stopped = [
        path.parent.name
        for path in workspace.runs_dir.glob(f"*/{CHECKPOINT_NAME}")
        if not (path.parent / RECORD_NAME).exists()
    ]
    if stopped:
        yield warn("training", f"run {max(stopped)} is not finished", "swipewise train goes on with it")
    stock = load_stock(workspace)
    if stock.scorer is None or stock.index is None:
        note, _, mend = (stock.note or "no model").partition(": ")
        yield (fail if stock.broken else warn)("model", note, mend or "swipewise train")
        return
    yield ok(
        "model",
        f"run {stock.run} reads {', '.join(stock.scorer.modalities)}; histories by {stock.scorer.inference}",
    )
    vectors, videos = len(stock.scorer.index_vectors_VD), len(stock.shelf.video_ids)
    if vectors != videos:
        yield fail("index", f"{vectors:,} vectors for {videos:,} videos", "swipewise train")
    else:
        yield ok("index", f"{vectors:,} vectors, one a video")
    for note in other_encoders(stock.scorer.encoders, workspace):
        found, _, mend = note.partition(": ")
        yield warn("model", found, mend)


def _address(workspace: Workspace) -> Iterator[Finding]:
    from swipewise.errors import ConfigError
    from swipewise.server.listening import check_reach, listen

    server = workspace.config.server
    where = f"{server.host} port {server.port}"
    try:
        with listen(server.host, server.port) as listener:
            check_reach(listener, server.keys)
    except ConfigError as error:
        found, _, mend = str(error).rpartition(": ")
        yield warn("address", found, f"{mend}, unless it is this workspace that is served there")
    else:
        yield ok("address", f"{where} is free")
