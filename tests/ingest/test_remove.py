"""Removed videos: gone at once, and back only where somebody asks for them."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swipewise.catalog import Catalog
from swipewise.catalog.links import Link
from swipewise.config import IngestConfig
from swipewise.errors import StoreError, UnknownIdError
from swipewise.events.database import Database
from swipewise.events.job_records import JobRequest
from swipewise.events.jobs import JobQueue
from swipewise.ingest import ingest_videos
from swipewise.ingest.duplicates import link_duplicates
from swipewise.ingest.executor import worker_pool
from swipewise.ingest.follow import Follower, Outcome
from swipewise.ingest.ledger import Ledger, Plan
from swipewise.ingest.remove import remove_videos
from swipewise.ingest.run import ingest_entries
from swipewise.ingest.sources import Entry
from swipewise.schema import Col, Fingerprint, Modality, Video
from swipewise.workspace import Workspace

LIKE = Fingerprint(visual=b"\x01" * 8, motion=b"\0")


@pytest.fixture
def inline(workspace: Workspace) -> Workspace:
    """The same workspace, without worker processes."""
    return replace(workspace, config=replace(workspace.config, ingest=IngestConfig(executor="inline")))


@pytest.fixture
def folder(tmp_path: Path, clips: Path) -> Path:
    """Two clips that a test may move."""
    (tmp_path / "clips").mkdir()
    for name in ("clip01.mp4", "clip02.mp4"):
        shutil.copy(clips / name, tmp_path / "clips" / name)
    return tmp_path / "clips"


def ids(workspace: Workspace) -> list[str]:
    return Catalog(workspace.catalog_dir).videos()[Col.VIDEO_ID].to_list()


def video(video_id: str, uri: str = "x.mp4") -> Video:
    return Video(video_id=video_id, uri=uri, content_hash=video_id)


def test_a_removed_video_stays_out_until_asked_for_again(inline: Workspace, folder: Path) -> None:
    ingest_videos(inline, [folder])
    gone, kept = ids(inline)
    catalog = Catalog(inline.catalog_dir)
    assert catalog.thumbnails.read(gone) is not None
    path = Path(catalog.get(gone).uri)
    remove_videos(inline, [gone])
    assert ids(inline) == [kept]
    assert catalog.rows_left([gone]).is_empty(), "its row is gone, with its vectors"
    assert catalog.thumbnails.read(gone) is None
    assert path.exists()
    with pytest.raises(UnknownIdError, match=f"no video '{gone}'"):
        catalog.get(gone)

    summary = ingest_videos(inline, [folder])
    assert (summary.added, summary.unchanged, summary.rejected) == (0, 1, 1)
    assert f"is video '{gone}', which was removed on " in summary.reasons[0]
    assert "'swipewise videos add --again' takes it back" in summary.reasons[0]
    assert ids(inline) == [kept]

    again = ingest_videos(inline, [folder], again=True)
    assert (again.added, again.unchanged, again.rejected) == (1, 1, 0)
    assert ids(inline) == sorted([gone, kept])
    assert catalog.thumbnails.read(gone) is not None
    assert catalog.rejected().is_empty()
    assert ingest_videos(inline, [folder]).unchanged == 2, "from now on it is like any other"


@pytest.mark.parametrize("running", [False, True])
def test_what_was_said_of_a_removed_video_goes_from_the_files(
    inline: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch, running: bool
) -> None:
    monkeypatch.setattr("swipewise.catalog.table._KEEP_VERSIONS", timedelta(0))
    manifest = folder.parent / "videos.csv"
    manifest.write_text(
        f"uri,video_id,caption\n{folder / 'clip01.mp4'},v,unheardof\n{folder / 'clip02.mp4'},w,other\n"
    )
    ingest_videos(inline, [manifest])
    with inline.lock("catalog") if running else nullcontext():
        remove_videos(inline, ["v"])
    if running:  # then it is for whoever comes next, also where there is nothing else to do
        ingest_videos(inline, [folder / "clip02.mp4"])
    files = [path.read_bytes() for path in inline.catalog_dir.rglob("*") if path.is_file()]
    assert any(b"other" in content for content in files)
    assert not any(b"unheardof" in content for content in files)


def test_removing_twice_is_no_error(inline: Workspace, folder: Path) -> None:
    ingest_videos(inline, [folder])
    first, second = ids(inline)
    remove_videos(inline, [first])
    remove_videos(inline, [first, second])
    assert ids(inline) == []


def test_an_unknown_id_removes_nothing(inline: Workspace, folder: Path) -> None:
    ingest_videos(inline, [folder])
    before = ids(inline)
    with pytest.raises(UnknownIdError, match="no video 'nope'"):
        remove_videos(inline, [before[0], "nope"])
    assert ids(inline) == before


def test_while_an_ingestion_runs_a_video_is_hidden_at_once_and_purged_later(
    inline: Workspace, folder: Path
) -> None:
    ingest_videos(inline, [folder])
    gone, kept = ids(inline)
    catalog = Catalog(inline.catalog_dir)
    version = catalog.version()
    with inline.lock("catalog"):
        remove_videos(inline, [gone])
    assert ids(inline) == [kept]
    assert catalog.version() != version
    assert catalog.stamps()[Col.VIDEO_ID].to_list() == [kept]
    assert not catalog.rows_left([gone]).is_empty()
    with pytest.raises(UnknownIdError, match=f"no video '{gone}'"):
        catalog.get(gone)
    ingest_videos(inline, [folder])
    assert catalog.rows_left([gone]).is_empty()
    assert ids(inline) == [kept]


def test_what_was_asked_for_before_the_removal_stays_out(inline: Workspace, folder: Path) -> None:
    ingest_videos(inline, [folder])
    gone = ids(inline)[0]
    path = Catalog(inline.catalog_dir).get(gone).uri
    remove_videos(inline, [gone])
    now = datetime.now(UTC)
    with worker_pool(inline.config) as pool:
        for asked_at, outcome in ((now - timedelta(hours=1), 0), (now + timedelta(seconds=1), 1)):
            entry = Entry(uri=path, video_id=gone, asked_at=asked_at)
            assert ingest_entries(inline, [entry], pool=pool, follower=Follower()).added == outcome


def test_another_file_under_a_removed_id_stays_out(inline: Workspace, folder: Path) -> None:
    manifest = folder.parent / "videos.csv"
    manifest.write_text(f"uri,video_id\n{folder / 'clip01.mp4'},v1\n")
    ingest_videos(inline, [manifest])
    remove_videos(inline, ["v1"])
    manifest.write_text(f"uri,video_id\n{folder / 'clip02.mp4'},v1\n")
    assert ingest_videos(inline, [manifest]).rejected == 1
    assert ingest_videos(inline, [manifest], again=True).added == 1
    assert ids(inline) == ["v1"]


def test_only_clips_that_were_sent_here_are_deleted(workspace: Workspace, tmp_path: Path) -> None:
    workspace.uploads_dir.mkdir()
    sent, elsewhere, shared = workspace.uploads_dir / "a.mp4", tmp_path / "b.mp4", workspace.uploads_dir / "c.mp4"
    for path in (sent, elsewhere, shared):
        path.touch()
    videos = [video("a", str(sent)), video("b", str(elsewhere)), video("c", str(shared)), video("d", str(shared))]
    Catalog(workspace.catalog_dir).upsert(videos, {})
    remove_videos(workspace, ["a", "b", "c"])
    assert not sent.exists()
    assert elsewhere.exists()
    assert shared.exists(), "d goes by it too"


def test_a_removal_that_was_killed_leaves_no_clip_that_was_sent_here(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.uploads_dir.mkdir()
    sent = workspace.uploads_dir / "a.mp4"
    sent.touch()
    catalog = Catalog(workspace.catalog_dir)
    catalog.upsert([video("a", str(sent))], {})
    for killed in (Catalog.delete, Path.unlink):

        def dies(*arguments: Any, does: Any = killed, **how: Any) -> None:
            does(*arguments, **how)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            owner = Catalog if killed is Catalog.delete else Path
            patch.setattr(owner, killed.__name__, dies)
            with pytest.raises(KeyboardInterrupt):
                remove_videos(workspace, ["a"])
        remove_videos(workspace, ["a"])
        assert not sent.exists()
        assert catalog.rows_left(["a"]).is_empty()
        sent.touch()
        catalog.removals.lift(["a"])
        catalog.upsert([video("a", str(sent))], {})


def test_a_clip_that_was_sent_anew_and_waits_for_its_job_stays(workspace: Workspace) -> None:
    workspace.uploads_dir.mkdir()
    waits, done = workspace.uploads_dir / "a.mp4", workspace.uploads_dir / "b.mp4"
    Catalog(workspace.catalog_dir).upsert([video("a", str(waits)), video("b", str(done))], {})
    queue = JobQueue(Database(workspace.events_dir))
    queue.post([JobRequest(uri=str(waits), location=str(waits))])
    queue.close()
    waits.touch()
    done.touch()
    remove_videos(workspace, ["a", "b"])
    assert (waits.exists(), done.exists()) == (True, False)


def test_links_to_a_removed_video_are_made_anew(workspace: Workspace) -> None:
    catalog = Catalog(workspace.catalog_dir)
    catalog.upsert([video(each) for each in "abc"], {}, dict.fromkeys("abc", LIKE))
    orders = {"a": None, "b": "a", "c": "a"}
    catalog.links.write(
        [
            Link(video_id=each, link_order=order, duplicate_of=first)
            for order, (each, first) in enumerate(orders.items())
        ]
    )
    remove_videos(workspace, ["a"])
    assert (catalog.links.duplicate_of("b"), catalog.links.duplicate_of("c")) == (None, "b")


def test_links_to_a_removed_video_go_also_where_none_are_made(workspace: Workspace) -> None:
    alone = replace(workspace, config=replace(workspace.config, ingest=IngestConfig(duplicates=False)))
    catalog = Catalog(workspace.catalog_dir)
    catalog.upsert([video(each) for each in "abc"], {}, dict.fromkeys("abc", LIKE))
    link_duplicates(catalog, {})
    assert catalog.links.duplicates_of("a") == ["b", "c"]
    remove_videos(alone, ["a"])
    assert catalog.videos()[Col.DUPLICATE_OF].to_list() == [None, None]
    link_duplicates(catalog, {})
    assert catalog.links.duplicate_of("c") == "b", "they are compared anew where links are made again"


def test_a_removal_that_cannot_be_written_changes_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = Catalog(workspace.catalog_dir)
    catalog.upsert([video("a")], {})

    def full(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr("swipewise.catalog.removal.Table.upsert", full)
    with pytest.raises(StoreError, match="the disk is full"):
        remove_videos(workspace, ["a"])
    assert ids(workspace) == ["a"]


def test_what_is_asked_for_after_it_was_removed_joins_a_run_and_comes_back(
    inline: Workspace, folder: Path
) -> None:
    clip = str(folder / "clip01.mp4")

    class Asks(Follower):
        live = True

        def __init__(self) -> None:
            self.outcomes: list[tuple[str, str | None]] = []
            self._joining: list[Entry] = []

        def more(self) -> list[Entry]:
            joining, self._joining = self._joining, []
            return joining

        def settled(self, outcome: Outcome) -> None:
            self.outcomes.append((outcome.outcome, outcome.video_id))

        def stored(self) -> None:
            if len(self.outcomes) < 2:
                remove_videos(inline, ["v"])
                self._joining = [Entry(uri=clip, video_id="v", asked_at=datetime.now(UTC))]

    asks = Asks()
    with worker_pool(inline.config) as pool:
        ingest_entries(inline, [Entry(uri=clip, video_id="v")], pool=pool, follower=asks)
    assert asks.outcomes == [("added", "v"), ("added", "v")]
    assert ids(inline) == ["v"]


def test_no_reader_of_the_catalogue_meets_a_removed_video_whose_row_is_still_there(workspace: Workspace) -> None:
    catalog, encoder = Catalog(workspace.catalog_dir), (Modality.VISUAL, "fake@1")
    vectors = [np.array([1, place], np.float32) for place in range(6)]
    like = dict.fromkeys("abcdef", LIKE)
    catalog.upsert([video(each) for each in "abcdef"], {encoder: vectors}, like)
    with workspace.lock("catalog"):
        remove_videos(workspace, ["a", "b", "c", "e"])
    assert len(catalog.rows_left(["a", "b", "c", "e"])) == 4
    found, values_ND = catalog.vectors(*encoder)
    assert dict(zip(found, values_ND.tolist(), strict=True)) == {"d": [1, 3], "f": [1, 5]}
    assert catalog.vectors(*encoder, among=["a"])[0] == []
    assert [each for each, _ in catalog.neighbours.of("d", *encoder, 1)] == ["f"]
    with pytest.raises(UnknownIdError, match="video 'a' has no visual vector"):
        catalog.neighbours.of("a", *encoder, 1)
    assert catalog.encoded().keys() == catalog.links.fingerprinted() == {"d", "f"}
    assert sorted(catalog.links.visual()[Col.VIDEO_ID]) == ["d", "f"]
    assert catalog.links.motion_and_audio(["a", "d"]).keys() == {"d"}
    assert catalog.uris_in_use(["x.mp4"]) == {"x.mp4"}
    with pytest.raises(UnknownIdError, match="no video 'e'"):
        catalog.encoders_of("e")


def test_a_video_is_not_linked_to_one_that_was_removed_and_whose_row_is_still_there(workspace: Workspace) -> None:
    catalog = Catalog(workspace.catalog_dir)
    catalog.upsert([video(each) for each in "abc"], {}, dict.fromkeys("abc", LIKE))
    catalog.links.write([Link(video_id="a", link_order=0, duplicate_of=None)])
    with workspace.lock("catalog"):
        remove_videos(workspace, ["a"])
        link_duplicates(catalog, {})
    assert (catalog.links.duplicate_of("b"), catalog.links.duplicate_of("c")) == (None, "b")


def test_the_id_of_a_removed_video_is_free_for_another_file_though_this_run_has_met_its_own(
    workspace: Workspace,
) -> None:
    catalog = Catalog(workspace.catalog_dir)
    catalog.upsert([video("v")], {})
    ledger = Ledger(catalog, {}, {}, None, fingerprints=False)
    assert isinstance(ledger.decide(Entry(uri="x.mp4", video_id="v"), "v"), Plan)
    with workspace.lock("catalog"):
        remove_videos(workspace, ["v"])
    ledger.see_removals()
    plan = ledger.decide(Entry(uri="y.mp4", video_id="v", asked_at=datetime.now(UTC)), "other content")
    assert isinstance(plan, Plan)
    assert (plan.outcome, plan.lift) == ("added", ("v",))
