"""A folder in which the commands of the documentation work: the demo's workspace, and files of the names it uses."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import polars as pl
import pytest
from click.testing import Result
from fastapi.testclient import TestClient

from swipewise import ingest
from swipewise.baselines.peers import PEERS, USUAL
from swipewise.baselines.tuning import EPOCHS, Tuned, save_settings
from swipewise.datasets.convert import convert
from swipewise.datasets.layouts import LAYOUTS
from swipewise.feed.publishing import publish
from swipewise.server import create_app
from swipewise.simulate import platform
from swipewise.training.runs import latest_run
from swipewise.workspace import CONFIG_NAME, VARIABLE, Workspace
from tests.datasets.folders import kuairand, log_row
from tests.datasets.test_microlens import microlens

CLIPS = 24
"""So many of the demo's clips are the newcomer's own."""


@pytest.fixture(scope="session")
def provisions(quick_demo: tuple[Path, Result], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder, to be copied."""
    demo, result = quick_demo
    assert result.exit_code == 0, result.output
    root = tmp_path_factory.mktemp("docs") / "here"
    for name in ("demo", "shop", "other", "kuai"):
        shutil.copytree(demo, root / name, ignore=shutil.ignore_patterns("world"))
        shorten(root / name / CONFIG_NAME)
    # Nothing writes into what was simulated, so all copies can share it.
    for name in ("app", "demo/world"):
        (root / name).symlink_to(demo / "world")
    _own_files(demo / "world", root)
    _tables(root, root / "tables")
    _indexed(root / "baby", root / "ml-100k")
    convert(LAYOUTS["mmrec"], root / "baby", root / "little")
    kuairand(root / "KuaiRand-Pure", log_row(), log_row(2, 11))
    microlens(root / "MicroLens-100k")
    _other_files(demo / "world", root)
    _serve_some_feeds(root / "shop")
    _published(root / "other")
    # Those of the usual ones take no time.
    tuned = {
        name: Tuned(settings={**peer.defaults, **({} if name in USUAL else {EPOCHS: 1})}, validation=0.1, tried=1)
        for name, peer in PEERS.items()
    }
    save_settings(root / "tuned.json", tuned)
    return root


@pytest.fixture
def here(provisions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bucket: None, shortly: None) -> Path:
    """A copy of the folder, and the place where commands are given."""
    return entered(copied(provisions, tmp_path / "here"), monkeypatch)


def copied(provisions: Path, place: Path) -> Path:
    """The folder once more."""
    return shutil.copytree(provisions, place, symlinks=True)


def entered(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder as the place where commands are given."""
    monkeypatch.chdir(place)
    monkeypatch.setenv(VARIABLE, "shop")
    return place


@pytest.fixture
def bucket(provisions: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An object store in memory with a clip."""
    store = fsspec.filesystem("memory")
    store.pipe_file("/bucket/clips/a.mp4", (provisions / "clip.mp4").read_bytes())
    ordinary = type(store).open

    # Unlike any real store's, its files have one position that all their readers share.
    def opened(self: Any, path: str, mode: str = "rb", **options: Any) -> Any:
        return BytesIO(self.cat_file(path)) if mode == "rb" else ordinary(self, path, mode, **options)

    monkeypatch.setattr(type(store), "open", opened)
    yield
    store.rm("/bucket", recursive=True)


@pytest.fixture
def shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch ends after its second look, which is when it takes what has settled; simulated clips are short."""
    watch = ingest.watch_videos

    def briefly(*given: Any, wait: object, **more: Any) -> None:
        looks = iter([True])
        watch(*given, wait=lambda: next(looks, False), **more)

    monkeypatch.setattr(ingest, "watch_videos", briefly)
    monkeypatch.setattr(platform, "_SHORTEST", 0.3)
    monkeypatch.setattr(platform, "_LONGEST", 0.5)


def shorten(config: Path) -> None:
    """Have a workspace train for one epoch; what the commands do stays the same."""
    text = config.read_text(encoding="utf-8")
    if "[training]" in text:
        text = text.replace("# epochs = 40", "epochs = 1")
    else:
        text += "\n[training]\nepochs = 1\n"
    config.write_text(text, encoding="utf-8")
    assert "\nepochs = 1\n" in text


def _own_files(world: Path, root: Path) -> None:
    """What a newcomer brings: clips, a manifest, a log and profiles, under the columns of another system."""
    videos = pl.read_ndjson(world / "videos.jsonl").head(CLIPS)
    (root / "clips").mkdir()
    (root / "uploads").mkdir()
    for uri in videos["uri"]:
        shutil.copy(world / uri, root / "clips")
    shutil.copy(root / videos["uri"][0], root / "clip.mp4")
    shutil.copy(root / videos["uri"][1], root / "uploads" / "new.mp4")
    videos.select("uri", "video_id", "caption", "creator", "uploaded_at").write_csv(root / "videos.csv")
    events = pl.read_parquet(world / "events.parquet").filter(pl.col("video_id").is_in(videos["video_id"]))
    watched = pl.col("watch_seconds").max().mul(1000).alias("watched_ms")
    liked = (pl.col("action") == "like").any().cast(pl.Int8).alias("like")
    log = events.sort("at").group_by(user="viewer_id", item="video_id", maintain_order=True)
    log.agg(pl.col("at").first().dt.epoch("ms").alias("time_ms"), watched, liked).write_csv(root / "log.csv")
    viewers = pl.read_parquet(world / "viewers.parquet").rename({"viewer_id": "user_id", "age": "age_group"})
    viewers.select(pl.exclude(pl.List(pl.String))).write_csv(root / "users.csv")


def _other_files(world: Path, root: Path) -> None:
    """Names that examples give to the same things, and to parts of them, under the columns of Swipewise."""
    shutil.copy(root / "clip.mp4", root / "new.mp4")
    videos = pl.read_csv(root / "videos.csv").head(4)
    videos.write_ndjson(root / "videos.jsonl")
    videos.select("uri", "caption").write_csv(root / "captions.csv")
    events = pl.read_parquet(world / "events.parquet").head(100)
    for name in ("events", "log"):
        events.write_parquet(root / f"{name}.parquet")
    for name, part in (("day1", events.head(50)), ("day2", events.tail(50))):
        part.write_ndjson(root / f"{name}.jsonl")
    viewers = pl.read_parquet(world / "viewers.parquet").select(pl.exclude(pl.List(pl.String)))
    viewers.write_parquet(root / "viewers.parquet")
    viewers.write_csv(root / "viewers.csv")
    viewers.select("viewer_id").head(5).write_csv(root / "chosen.csv")


def _tables(own: Path, folder: Path) -> None:
    """The same as tables of the layout ``generic``, with vectors."""
    (folder / "features").mkdir(parents=True)
    log = pl.read_csv(own / "log.csv").rename({"user": "viewer_id", "item": "video_id", "time_ms": "at"})
    log.select("viewer_id", "video_id", "at", "like").write_csv(folder / "interactions.csv")
    videos = pl.read_csv(own / "videos.csv").select("video_id", "caption")
    videos.write_csv(folder / "videos.csv")
    vectors = np.random.default_rng(0).standard_normal((len(videos), 16)).astype(np.float32)
    np.save(folder / "features" / "visual.npy", vectors)


def _indexed(folder: Path, atomic: Path) -> None:
    """A data set in the layouts of MMRec and RecBole."""
    folder.mkdir()
    atomic.mkdir()
    steps = [
        (user, (user * 7 + step) % 20, 1_700_000_000 + 3600 * step + 60 * user)
        for user in range(70)
        for step in range(8)
    ]
    rows = "".join(f"{user}\t{item}\t{at}\n" for user, item, at in steps)
    (folder / "data.inter").write_text(f"userID\titemID\ttimestamp\n{rows}", encoding="utf-8")
    head = "user_id:token\titem_id:token\ttimestamp:float"
    (atomic / "ml-100k.inter").write_text(f"{head}\n{rows}", encoding="utf-8")
    vectors = np.random.default_rng(0).standard_normal((20, 16)).astype(np.float32)
    np.save(folder / "image_feat.npy", vectors)


def _published(workspace: Path) -> None:
    """One of two runs, as where which is served is chosen by hand."""
    config = workspace / CONFIG_NAME
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("[server]\n", '[server]\npublish = "manual"\n'), encoding="utf-8")
    opened = Workspace.open(workspace)
    assert opened.config.server.publish == "manual"
    earlier = latest_run(opened.runs_dir).with_name("20200101-000000-000000-000000")
    shutil.copytree(latest_run(opened.runs_dir), earlier)
    publish(opened, earlier.name)


def _serve_some_feeds(workspace: Path) -> None:
    """Feeds that were answered, in which places were drawn."""
    with TestClient(create_app(Workspace.open(workspace)), base_url="http://127.0.0.1:8000") as client:
        for viewer in range(20):
            client.get("/v1/feed", params={"viewer_id": f"viewer{viewer:05d}", "limit": 20}).raise_for_status()


@pytest.fixture(scope="session")
def described() -> dict[str, object]:
    """The server's description of its API."""
    from docs.generate.http import described

    return described()
