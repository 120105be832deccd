"""Whoever does the work, the catalogue ends up the same."""

import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from swipewise.catalog import Catalog
from swipewise.config import Config, EncodersConfig, IngestConfig, MediaConfig
from swipewise.encoders.fake import FakeEncoder
from swipewise.errors import ConfigError, MissingExtraError
from swipewise.ingest import ingest_videos
from swipewise.ingest.executor import Answer, Executor, worker_pool
from swipewise.ingest.inline import Inline
from swipewise.ingest.tasks import Decoded
from swipewise.schema import CONTENT_MODALITIES, Col
from swipewise.workspace import Workspace
from tests.clusters import ray_cluster
from tests.media.copying import encode_anew

MEDIA = MediaConfig(frames=4, timeout_seconds=20)


@pytest.fixture(scope="module")
def sources(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest with captions, the same bytes twice, a clip that was encoded anew, and files that are no clips."""
    folder = tmp_path_factory.mktemp("sources")
    for clip in clips.glob("*.mp4"):
        shutil.copy(clip, folder)
    shutil.copy(folder / "clip05.mp4", folder / "again.mp4")
    encode_anew(folder / "clip02.mp4", folder / "anew.mp4", scale=2, volume=0.5)
    (folder / "noise.mp4").write_bytes(b"no video at all")
    names = [f"clip{number:02}" for number in range(12)] + ["anew", "noise", "missing"]
    names.insert(6, "again")  # right after what it is a copy of
    rows = [
        f"{name}.mp4,{f'caption of {name}' if place % 3 and name != 'again' else ''}\n"
        for place, name in enumerate(names)
    ]
    (folder / "videos.csv").write_text("uri,caption\n" + "".join(rows))
    return folder / "videos.csv"


def workspace_of(root: Path, executor: str, **changed: Any) -> Workspace:
    config = Config(
        media=MEDIA,
        encoders=EncodersConfig(batch=3),
        ingest=IngestConfig(executor=executor, workers=2, batch=5, **changed),
    )
    return Workspace(root=Workspace.create(root).root, config=config)


def content(workspace: Workspace) -> dict[str, Any]:
    """All that the catalogue holds but the times of writing."""
    catalog = Catalog(workspace.catalog_dir)
    held: dict[str, Any] = {
        "videos": catalog.videos().drop(Col.INGESTED_AT).to_dicts(),
        "rejected": catalog.rejected().drop(Col.AT).to_dicts(),
        "fingerprints": catalog.links.visual().drop(Col.INGESTED_AT).sort(Col.VIDEO_ID).to_dicts(),
    }
    for modality in CONTENT_MODALITIES:
        ids, vectors_ND = catalog.vectors(modality, "descriptor@1")
        held[modality] = {video_id: vector.tobytes() for video_id, vector in zip(ids, vectors_ND, strict=True)}
    return held


@pytest.fixture(scope="module")
def expected(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the plain twin makes of the sources: one file after the other in this process."""
    workspace = workspace_of(tmp_path_factory.mktemp("inline") / "workspace", "inline")
    summary = ingest_videos(workspace, [sources])
    assert (summary.added, summary.unchanged, summary.rejected) == (13, 1, 2)
    held = content(workspace)
    assert len(held["videos"]) == 13
    assert [video[Col.DUPLICATE_OF] is not None for video in held["videos"]].count(True) == 1
    return held


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A Ray cluster on this machine, as one that was there before."""
    with ray_cluster():
        yield


def check(workspace: Workspace, sources: Path, expected: dict[str, Any], opened: Executor | None = None) -> None:
    """Take half of the sources, then all, then all again: the outcome is that of one run."""
    half = [sources.parent / f"clip{number:02}.mp4" for number in range(6)]
    ingest_videos(workspace, half, pool=opened)
    summary = ingest_videos(workspace, [sources], pool=opened)
    assert (summary.added, summary.rejected) == (7, 2)
    assert (summary.most_in_flight > 1, summary.decode_seconds > 0, summary.encode_seconds > 0) == (True,) * 3
    assert content(workspace) == expected
    version = Catalog(workspace.catalog_dir).version()
    again = ingest_videos(workspace, [sources], pool=opened)
    assert (again.added, again.updated, again.unchanged, again.rejected) == (0, 0, 14, 2)
    assert Catalog(workspace.catalog_dir).version() == version


@pytest.mark.parametrize(("executor", "decoders"), [("inline", 1), ("processes", 1), ("processes", 3)])
def test_every_executor_gives_the_same_catalogue(
    tmp_path: Path, sources: Path, expected: dict[str, Any], executor: str, decoders: int
) -> None:
    check(workspace_of(tmp_path / "workspace", executor, decoders=decoders), sources, expected)


class Shuffled(Inline):
    """Answers in an order of its own, and late."""

    def __init__(self, config: Config, seed: int) -> None:
        super().__init__({"media": asdict(config.media), "encoders": asdict(config.encoders)})
        self._chance = random.Random(seed)
        self._kept: list[Any] = []

    @property
    def free(self) -> int:
        return 12 - self.busy

    @property
    def busy(self) -> int:
        return super().busy + len(self._kept)

    def wait(self, seconds: float | None = None) -> list[tuple[Any, Answer]]:
        self._kept += super().wait(seconds)
        self._chance.shuffle(self._kept)
        return [self._kept.pop()]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_order_in_which_tasks_end_changes_nothing(
    tmp_path: Path, sources: Path, expected: dict[str, Any], seed: int
) -> None:
    workspace = workspace_of(tmp_path / "workspace", "inline")
    with Shuffled(workspace.config, seed) as shuffled:
        ingest_videos(workspace, [sources], pool=shuffled)
    assert content(workspace) == expected


def test_so_does_ray(tmp_path: Path, sources: Path, expected: dict[str, Any], cluster: None) -> None:
    workspace = workspace_of(tmp_path / "workspace", "ray")
    with worker_pool(workspace.config) as opened:
        check(workspace, sources, expected, opened)
        _survives_an_actor(opened, sources.parent)
    _rejects_a_file_that_hangs(workspace, sources.parent, tmp_path)


def _survives_an_actor(opened: Any, folder: Path) -> None:
    """What an actor had when it was lost, as with its machine, is done by another."""
    import ray

    files = sorted(folder.glob("clip*.mp4"))[: opened.free]
    for file in files:
        opened.submit(file, {"do": "hash", "path": str(file)})
    ray.kill(opened._actors[0].handle)
    done = {}
    while opened.busy:
        done |= dict(opened.wait())
    assert done.keys() == set(files)
    assert all("content_hash" in answer for answer in done.values())


def _rejects_a_file_that_hangs(workspace: Workspace, folder: Path, tmp_path: Path) -> None:
    with (tmp_path / "endless.mp4").open("wb") as file:
        file.truncate(1 << 42)
    config = replace(workspace.config, media=replace(MEDIA, timeout_seconds=1.0))
    config = replace(config, ingest=replace(config.ingest, workers=1))
    hurried = replace(workspace, config=config)
    summary = ingest_videos(hurried, [tmp_path / "endless.mp4", folder / "clip07.mp4"])
    assert (summary.unchanged, summary.rejected) == (1, 1)
    given_up = "took longer than 1 s (media.timeout_seconds): it was given up"
    assert summary.reasons == (f"{tmp_path / 'endless.mp4'}: {given_up}",)


def test_ray_that_is_not_installed_says_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    config = Config(ingest=IngestConfig(executor="ray"))
    with pytest.raises(MissingExtraError, match=r"ingest.executor = 'ray' .* pip install 'swipewise\[ray\]'"):
        worker_pool(config)


def test_ray_is_not_loaded_where_it_is_not_asked_for(tmp_path: Path, clips: Path) -> None:
    code = """
import sys
from pathlib import Path
from swipewise.config import Config, EncodersConfig, IngestConfig
from swipewise.ingest import ingest_videos
from swipewise.workspace import Workspace
config = Config(encoders=EncodersConfig(visual="fake", audio="fake", text="fake"), ingest=IngestConfig(workers=1))
made = Workspace.create(Path(sys.argv[1]))
assert ingest_videos(Workspace(root=made.root, config=config), [Path(sys.argv[2])]).added == 1
assert "ray" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code, tmp_path / "workspace", clips / "clip01.mp4"], check=True)


def test_inline_encoders_that_cannot_be_had_stop_the_run(tmp_path: Path, clips: Path) -> None:
    config = Config(encoders=EncodersConfig(visual="fale"), ingest=IngestConfig(executor="inline"))
    workspace = Workspace(root=Workspace.create(tmp_path / "workspace").root, config=config)
    with pytest.raises(ConfigError, match="unknown encoder 'fale'"):
        ingest_videos(workspace, [clips])


def test_an_inline_encoder_that_cannot_be_read_is_an_error_of_its_setting(
    tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: object) -> None:
        raise OSError("its file is cut short")

    monkeypatch.setattr(FakeEncoder, "encode", unreadable)
    config = Config(encoders=EncodersConfig(visual="fake"), ingest=IngestConfig(executor="inline"))
    workspace = Workspace(root=Workspace.create(tmp_path / "workspace").root, config=config)
    with pytest.raises(
        ConfigError, match=r"encoders\.visual = 'fake' cannot be had: OSError: its file is cut short"
    ):
        ingest_videos(workspace, [clips])


def encoded_together(clips: Path, monkeypatch: pytest.MonkeyPatch, waiting_bytes: int) -> list[int]:
    """How many of four clips were encoded at a time, in this process."""
    monkeypatch.setattr("swipewise.ingest.inline.WAITING_BYTES", waiting_bytes)
    together = []

    def encode(batch: Sequence[Decoded], *_: object) -> list[Answer]:
        together.append(len(batch))
        return [{} for _ in batch]

    monkeypatch.setattr("swipewise.ingest.stages.encode_clips", encode)
    settings = {"media": asdict(MEDIA), "encoders": asdict(EncodersConfig(visual="fake", batch=8))}
    with Inline(settings) as opened:
        for number in range(4):
            path = clips / f"clip{number:02}.mp4"
            status = path.stat()
            task = {"do": "encode", "path": str(path), "decode": True, "said": {}, "fingerprint": False}
            stamp = [status.st_size, status.st_mtime_ns]
            opened.submit(number, task | {"modalities": [], "recognize": [], "stamp": stamp})
        assert len(opened.wait()) == 4
    return together


def test_an_inline_run_holds_no_more_clips_than_a_worker(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert encoded_together(clips, monkeypatch, 1 << 30) == [4]
    assert encoded_together(clips, monkeypatch, 1) == [1, 1, 1, 1]


def test_an_inline_run_names_no_limit_that_it_does_not_set(
    tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("swipewise.ingest.tasks.decode", too_large)
    (reason,) = ingest_videos(workspace_of(tmp_path / "workspace", "inline"), [clips / "clip01.mp4"]).reasons
    assert "more memory to decode than there is" in reason


def test_nothing_waits_behind_another_task_of_this_process_in_a_live_run() -> None:
    settings = {"media": asdict(MEDIA), "encoders": asdict(EncodersConfig(visual="fake", batch=8))}
    with Inline(settings) as opened:
        assert (opened.free, opened.idle) == (8, 1)
        opened.submit("job", {"do": "hash", "path": "nowhere"})
        assert (opened.free, opened.idle) == (7, 0)
        opened.wait()
        assert opened.idle == 1
