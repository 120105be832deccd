"""Files that arrive while somebody watches: taken once they are complete, and once only."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from swipewise.catalog import Catalog
from swipewise.errors import InputFileError
from swipewise.ingest import IngestSummary, pool, watch_videos
from swipewise.schema import Col
from swipewise.workspace import Workspace


def watch(workspace: Workspace, folder: Path, *looks: Callable[[], object]) -> list[tuple[int, int, int, int]]:
    """Let something happen after each look; what was added, updated, unchanged and rejected in each round."""
    taken: list[IngestSummary] = []
    pending = list(looks)

    def wait() -> bool:
        if not pending:
            return False
        pending.pop(0)()
        return True

    watch_videos(workspace, [folder], wait=wait, on_taken=taken.append)
    return [(one.added, one.updated, one.unchanged, one.rejected) for one in taken]


def nothing() -> None:
    """An interval in which nothing happens."""


def uris(workspace: Workspace) -> list[str]:
    return Catalog(workspace.catalog_dir).videos()[Col.URI].to_list()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "uploads").mkdir()
    return tmp_path / "uploads"


def test_files_are_taken_as_they_come_and_each_once(workspace: Workspace, clips: Path, folder: Path) -> None:
    shutil.copy(clips / "clip00.mp4", folder)

    def arrive() -> None:
        (folder / "deep").mkdir()
        shutil.copy(clips / "clip01.mp4", folder / "deep")

    assert watch(workspace, folder, nothing, nothing, arrive, nothing, nothing) == [(1, 0, 0, 0), (1, 0, 0, 0)]
    assert sorted(uris(workspace)) == sorted([str(folder / "clip00.mp4"), str(folder / "deep" / "clip01.mp4")])


def test_a_file_that_is_still_being_written_is_left_to_finish(
    workspace: Workspace, clips: Path, folder: Path
) -> None:
    content = (clips / "clip01.mp4").read_bytes()
    path = folder / "clip01.mp4"

    def grow(part: float) -> Callable[[], object]:
        return lambda: path.write_bytes(content[: int(part * len(content))])

    rounds = watch(workspace, folder, grow(0.2), grow(0.5), grow(0.9), grow(1.0), nothing, nothing)
    assert rounds == [(1, 0, 0, 0)]
    assert Catalog(workspace.catalog_dir).rejected().is_empty()


def test_a_file_that_changes_later_is_taken_again(workspace: Workspace, clips: Path, folder: Path) -> None:
    path = folder / "clip.mp4"
    shutil.copy(clips / "clip00.mp4", path)
    rounds = watch(workspace, folder, nothing, lambda: shutil.copy(clips / "clip01.mp4", path), nothing, nothing)
    assert rounds == [(1, 0, 0, 0), (1, 0, 0, 0)]


def test_a_bad_file_is_rejected_once_and_the_watch_goes_on(
    workspace: Workspace, clips: Path, folder: Path
) -> None:
    (folder / "bad.mp4").write_bytes(b"not a clip")
    rounds = watch(workspace, folder, nothing, lambda: shutil.copy(clips / "clip02.mp4", folder), nothing, nothing)
    assert rounds == [(0, 0, 0, 1), (1, 0, 0, 0)]


@pytest.mark.parametrize("executor", ["processes"])
def test_a_watch_that_starts_again_reads_only_what_is_new(
    workspace: Workspace, clips: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(clips / "clip00.mp4", folder)
    os.utime(folder / "clip00.mp4", (1, 1))
    assert watch(workspace, folder, nothing) == [(1, 0, 0, 0)]
    shutil.copy(clips / "clip01.mp4", folder)
    asked = []
    submit = pool.WorkerPool.submit
    monkeypatch.setattr(
        pool.WorkerPool, "submit", lambda self, job, task: (asked.append(task["path"]), submit(self, job, task))
    )
    assert watch(workspace, folder, nothing, nothing) == [(1, 0, 0, 0)]
    assert set(asked) == {str(folder / "clip01.mp4")}


@pytest.mark.parametrize("executor", ["processes"])
def test_workers_are_started_once(
    workspace: Workspace, clips: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []
    start = pool.WorkerPool._start
    monkeypatch.setattr(pool.WorkerPool, "_start", lambda self: (started.append(1), start(self))[1])
    shutil.copy(clips / "clip00.mp4", folder)
    watch(workspace, folder, nothing, lambda: shutil.copy(clips / "clip01.mp4", folder), nothing, nothing)
    assert len(started) == 1


def test_a_folder_that_is_not_there_is_an_error(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="nowhere is not a folder"):
        watch(workspace, tmp_path / "nowhere")


def test_files_wait_while_another_ingestion_runs(workspace: Workspace, clips: Path, folder: Path) -> None:
    shutil.copy(clips / "clip00.mp4", folder)
    busy: list[int] = []
    taken: list[IngestSummary] = []
    with workspace.lock("catalog"):
        looks = iter([True, True, False])
        watch_videos(
            workspace, [folder], wait=lambda: next(looks), on_taken=taken.append, on_busy=lambda: busy.append(1)
        )
    assert (len(busy), taken) == (2, [])
    assert watch(workspace, folder, nothing) == [(1, 0, 0, 0)]
