"""Files on other machines: copied within limits, taken, and known by their uri."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import pytest

from swipewise.catalog import Catalog
from swipewise.errors import InputFileError, MediaError
from swipewise.ingest import IngestSummary, encode_videos, ingest_videos
from swipewise.ingest import remote as remote_module
from swipewise.ingest.locations import Roots
from swipewise.ingest.remote import Limits, fetch, list_files
from swipewise.schema import Col
from swipewise.workspace import Workspace

LIMITS = Limits(max_bytes=1 << 20, seconds=5)
ANY = Roots((), folder=Path("/"), http=True)

Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def memory(clips: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An object store with three clips, a hidden one and a text."""
    store = fsspec.filesystem("memory")
    for number, name in enumerate(["a.mp4", "deep/b.mp4", "deep/c.MP4", "deep/.hidden.mp4", "notes.txt"]):
        store.pipe_file(f"/bucket/{name}", (clips / f"clip{number:02}.mp4").read_bytes())

    # Unlike any real store's, its files have one position that all their readers share.
    ordinary = type(store).open

    def opened(self: Any, path: str, mode: str = "rb", **options: Any) -> Any:
        return BytesIO(self.cat_file(path)) if mode == "rb" else ordinary(self, path, mode, **options)

    monkeypatch.setattr(type(store), "open", opened)
    yield "memory://bucket"
    store.rm("/bucket", recursive=True)


@pytest.fixture
def web() -> Iterator[tuple[str, dict[str, Answer]]]:
    """A web server on this machine, and what it answers by path."""
    answers: dict[str, Answer] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers.get(self.path.partition("?")[0], lambda handler: handler.send_error(404))(self)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", answers
    server.shutdown()
    server.server_close()


def content(body: bytes, *, length: int | None = None, told: bool = True) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        if told:
            handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def redirect(to: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def refused(source: str, tmp_path: Path, limits: Limits = LIMITS, roots: Roots = ANY) -> str:
    with pytest.raises(MediaError) as error:
        fetch(source, tmp_path / "copy", limits, roots)
    assert not (tmp_path / "copy").exists()
    return str(error.value)


def counts(summary: IngestSummary) -> tuple[int, int, int, int]:
    return (summary.added, summary.updated, summary.unchanged, summary.rejected)


def rejected(workspace: Workspace) -> dict[str, str]:
    return dict(Catalog(workspace.catalog_dir).rejected().select(Col.URI, Col.REASON).iter_rows())


def with_http(workspace: Workspace, **changes: Any) -> Workspace:
    config = workspace.config
    return replace(workspace, config=replace(config, ingest=replace(config.ingest, http=True, **changes)))


def test_a_remote_folder_is_listed_fetched_and_known_by_its_uris(workspace: Workspace, memory: str) -> None:
    assert counts(ingest_videos(workspace, [memory])) == (3, 0, 0, 0)
    videos = Catalog(workspace.catalog_dir).videos()
    assert sorted(videos[Col.URI]) == [f"{memory}/a.mp4", f"{memory}/deep/b.mp4", f"{memory}/deep/c.MP4"]
    assert set(Catalog(workspace.catalog_dir).encoders_of(videos[Col.VIDEO_ID][0])) != set()
    assert not workspace.fetched_dir.exists(), "copies are removed"
    assert counts(ingest_videos(workspace, [f"{memory}/"])) == (0, 0, 3, 0)


def test_another_encoder_fetches_again(workspace: Workspace, memory: str) -> None:
    ingest_videos(workspace, [f"{memory}/a.mp4"])
    other = replace(workspace.config.encoders, visual="descriptor", audio="none", text="none")
    assert counts(encode_videos(workspace, other)) == (0, 1, 0, 0)


def test_encode_fetches_only_what_an_encoder_has_not_seen(
    workspace: Workspace, memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest_videos(workspace, [f"{memory}/a.mp4"])
    other = replace(workspace.config.encoders, visual="descriptor", audio="none", text="none")
    encode_videos(workspace, other)
    ingest_videos(workspace, [f"{memory}/deep"])
    fetched = []

    def noted(source: str, *rest: Any, **more: Any) -> None:
        fetched.append(source)
        fetch(source, *rest, **more)

    monkeypatch.setattr("swipewise.ingest.copies.fetch", noted)
    assert counts(encode_videos(workspace, other)) == (0, 2, 1, 0)
    assert sorted(fetched) == [f"{memory}/deep/b.mp4", f"{memory}/deep/c.MP4"]
    assert counts(encode_videos(workspace, other)) == (0, 0, 3, 0)
    assert len(fetched) == 2


def test_a_remote_video_goes_by_the_place_that_was_named_last(
    workspace: Workspace, memory: str, clips: Path, tmp_path: Path
) -> None:
    store = fsspec.filesystem("memory")

    def known_by() -> list[str]:
        return Catalog(workspace.catalog_dir).videos()[Col.URI].to_list()

    ingest_videos(workspace, [f"{memory}/a.mp4"])
    store.mv("/bucket/a.mp4", "/bucket/moved.mp4")
    assert counts(ingest_videos(workspace, [f"{memory}/moved.mp4"])) == (0, 1, 0, 0)
    assert known_by() == [f"{memory}/moved.mp4"]
    other = replace(workspace.config.encoders, visual="descriptor", audio="none", text="none")
    assert counts(encode_videos(workspace, other)) == (0, 1, 0, 0), "it is found there"
    store.copy("/bucket/moved.mp4", "/bucket/copy.mp4")
    two = [f"{memory}/moved.mp4", f"{memory}/copy.mp4"]
    assert counts(ingest_videos(workspace, two)) == (0, 0, 2, 0), "a run that names both keeps the first"
    assert known_by() == [f"{memory}/moved.mp4"]
    ingest_videos(workspace, [clips / "clip00.mp4"])
    assert known_by() == [str(clips / "clip00.mp4")]
    assert counts(ingest_videos(workspace, two)) == (0, 0, 2, 0), "that one is there"


def test_a_manifest_names_remote_files(workspace: Workspace, memory: str, clips: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "v.csv"
    manifest.write_text(
        "uri,video_id,caption\n"
        f"{memory}/a.mp4,v1,one\n{memory}/gone.mp4,v2,two\n{clips}/clip05.mp4,v3,three\n{memory}/a.mp4,v4,four\n"
    )
    assert counts(ingest_videos(workspace, [manifest])) == (2, 0, 0, 2)
    assert Catalog(workspace.catalog_dir).videos()[Col.VIDEO_ID].to_list() == ["v1", "v3"]
    assert rejected(workspace) == {
        f"{memory}/gone.mp4": f"no such file ({manifest}:3)",
        f"{manifest}:5": f"{memory}/a.mp4 is to be video 'v4' and has the same content as video 'v1' "
        f"({memory}/a.mp4): one content is one video, use the id it has",
    }


def test_many_remote_files_go_through_little_room(
    workspace: Workspace, memory: str, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swipewise.ingest.copies._HELD", 2)
    store = fsspec.filesystem("memory")
    for number in range(12):
        store.pipe_file(f"/bucket/many/{number:02}.mp4", (clips / f"clip{number // 2:02}.mp4").read_bytes())
    most = []
    watched = remote_module.shutil.disk_usage
    monkeypatch.setattr(
        remote_module.shutil,
        "disk_usage",
        lambda folder: (most.append(len(list(Path(folder).iterdir()))), watched(folder))[1],
    )
    assert counts(ingest_videos(workspace, [f"{memory}/many"])) == (6, 0, 6, 0)
    assert 1 <= max(most) <= 2


def test_a_disk_that_fills_while_a_file_of_untold_size_is_fetched_ends_it(
    web: tuple[str, dict[str, Answer]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, answers = web
    answers["/long.mp4"] = content(bytes(3 << 20), told=False)
    room = iter([1 << 40, 5])
    monkeypatch.setattr(remote_module.shutil, "disk_usage", lambda _: SimpleNamespace(free=next(room, 5)))
    monkeypatch.setattr(remote_module, "_BLOCK", 2 << 20)
    reason = refused(f"{address}/long.mp4", tmp_path, replace(LIMITS, max_bytes=1 << 30))
    assert reason == f"the disk of {tmp_path} has only 5 bytes free: make room and add it again"


def test_what_is_wrong_with_a_remote_source_is_told(workspace: Workspace, memory: str) -> None:
    with pytest.raises(InputFileError, match=r"memory://bucket/nope: no such file"):
        ingest_videos(workspace, [f"{memory}/nope"])
    with pytest.raises(InputFileError, match=r"is a manifest on another machine: copy it to this one"):
        ingest_videos(workspace, [f"{memory}/v.csv"])
    with pytest.raises(InputFileError, match=r"http://host/a.mp4: web addresses are not fetched: set ingest.http"):
        ingest_videos(workspace, ["http://ann:secret@host/a.mp4"])


def test_secrets_reach_the_server_and_nothing_else(
    workspace: Workspace, web: tuple[str, dict[str, Answer]], clips: Path, tmp_path: Path
) -> None:
    address, answers = web
    asked: list[tuple[str, str | None]] = []

    def guarded(handler: BaseHTTPRequestHandler) -> None:
        asked.append((handler.path, handler.headers["Authorization"]))
        content((clips / "clip01.mp4").read_bytes())(handler)

    answers["/a.mp4"] = guarded
    answers["/no.mp4"] = lambda handler: handler.send_error(403)
    host = address.removeprefix("http://")
    manifest = tmp_path / "v.jsonl"
    manifest.write_text(
        "".join(f'{{"uri": "http://ann:s3cret@{host}/{name}.mp4?sig=s3cret&v=1"}}\n' for name in ("a", "no"))
    )
    summary = ingest_videos(with_http(workspace), [manifest])
    assert counts(summary) == (1, 0, 0, 1)
    assert asked == [("/a.mp4?sig=s3cret&v=1", "Basic YW5uOnMzY3JldA==")]
    assert Catalog(workspace.catalog_dir).videos()[Col.URI].to_list() == [f"{address}/a.mp4?v=1"]
    assert list(rejected(workspace)) == [f"{address}/no.mp4?v=1"]
    assert "access denied (403): check the credentials" in rejected(workspace)[f"{address}/no.mp4?v=1"]
    assert "s3cret" not in repr(summary)


def test_a_web_server_that_fails_is_told_by_what_it_does(
    web: tuple[str, dict[str, Answer]], tmp_path: Path
) -> None:
    address, answers = web
    answers["/broken"] = lambda handler: handler.send_error(503)
    answers["/short"] = content(b"x" * 10, length=20)
    answers["/loop"] = redirect("/loop")
    assert refused(f"{address}/gone", tmp_path) == "no such file (404)"
    assert refused(f"{address}/broken", tmp_path) == "the web server answered 503: add it again later"
    assert refused(f"{address}/short", tmp_path) in (
        "the connection ended after 10 of 20 bytes: add it again",
        "the web server's answer is broken (IncompleteRead): add it again",
    )
    assert "redirects too often" in refused(f"{address}/loop", tmp_path)
    assert "cannot be reached: " in refused("http://127.0.0.1:1/a", tmp_path)


def test_a_file_that_is_too_large_too_slow_or_does_not_fit(
    web: tuple[str, dict[str, Answer]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, answers = web
    small = replace(LIMITS, max_bytes=100)
    too_large = "larger than the 100 bytes that ingest.max_bytes allows"
    answers["/told"] = content(b"x" * 101)
    answers["/untold"] = content(b"x" * 101, told=False)
    assert refused(f"{address}/told", tmp_path, small) == too_large
    assert refused(f"{address}/untold", tmp_path, small) == too_large
    fsspec.filesystem("memory").pipe_file("/big", b"x" * 101)
    assert refused("memory://big", tmp_path, small) == too_large

    quick = replace(LIMITS, seconds=0.2)
    held = threading.Event()
    answers["/silent"] = lambda handler: held.wait(5) and None
    assert "no answer in time" in refused(f"{address}/silent", tmp_path, quick)
    held.set()

    monkeypatch.setattr(remote_module, "SPARE_BYTES", 1 << 60)
    assert "bytes free: make room and add it again" in refused(f"{address}/told", tmp_path)


@pytest.mark.parametrize("told", [True, False], ids=["size told", "size not told"])
def test_a_server_that_trickles_is_given_up(
    web: tuple[str, dict[str, Answer]], tmp_path: Path, told: bool
) -> None:
    host, answers = web
    all_sent = threading.Event()

    def trickle(handler: BaseHTTPRequestHandler) -> None:
        content(b"", length=LIMITS.max_bytes, told=told)(handler)
        with suppress(ConnectionError):  # each byte is in time by itself
            for _ in range(3000):
                handler.wfile.write(b"x")
                time.sleep(0.002)
            all_sent.set()

    answers["/trickle.mp4"] = trickle
    limits = replace(LIMITS, seconds=0.2)
    assert "could not be fetched within 0.2 s" in refused(f"{host}/trickle.mp4", tmp_path, limits)
    assert not all_sent.is_set()


def test_redirects_lead_only_to_where_files_may_come_from(
    web: tuple[str, dict[str, Answer]], tmp_path: Path
) -> None:
    address, answers = web
    answers["/v/file"] = redirect("file:///etc/passwd")
    answers["/v/ftp"] = redirect("ftp://127.0.0.1/a")
    answers["/v/out"] = redirect("/w/a?token=t")
    answers["/v/in"] = redirect("/v/a")
    answers["/v/a"] = answers["/w/a"] = content(b"abc")
    roots = Roots([f"{address}/v"], folder=tmp_path, http=True)
    assert "where no redirect may lead" in refused(f"{address}/v/file", tmp_path, roots=roots)
    assert "which is no web address" in refused(f"{address}/v/ftp", tmp_path, roots=roots)
    out = refused(f"{address}/v/out", tmp_path, roots=roots)
    assert out.startswith(f"redirects to {address}/w/a, lies outside the places of ingest.roots")
    fetch(f"{address}/v/in", tmp_path / "copy", LIMITS, roots)
    assert (tmp_path / "copy").read_bytes() == b"abc"


def test_credentials_do_not_follow_a_redirect(web: tuple[str, dict[str, Answer]], tmp_path: Path) -> None:
    address, answers = web
    seen: list[str | None] = []
    answers["/a"] = redirect("/b")
    answers["/b"] = lambda handler: (seen.append(handler.headers["Authorization"]), content(b"x")(handler))[1]
    fetch(address.replace("http://", "http://ann:pw@") + "/a", tmp_path / "copy", LIMITS, ANY)
    assert seen == [None]


def test_a_driver_that_fails_says_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "memory://ann:s3cret@bucket/a.mp4"

    def failing(*_: object, **__: object) -> None:
        raise RuntimeError(f"cannot open {source}")

    monkeypatch.setattr(fsspec, "url_to_fs", failing)
    told = refused(source, tmp_path)
    assert told == "cannot be fetched: RuntimeError: cannot open memory://bucket/a.mp4"


def test_a_driver_that_hangs_costs_its_own_file_only(
    workspace: Workspace, memory: str, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = threading.Event()
    real = remote_module.fetch

    def fetch_or_hang(source: str, *rest: Any, **options: Any) -> None:
        if source.endswith("a.mp4"):
            held.wait(30)
        real(source, *rest, **options)

    monkeypatch.setattr("swipewise.ingest.copies.fetch", fetch_or_hang)
    monkeypatch.setattr("swipewise.ingest.copies._GRACE_SECONDS", 0.1)
    monkeypatch.setattr("swipewise.ingest.copies._THREADS", 1)
    config = workspace.config
    quick = replace(workspace, config=replace(config, ingest=replace(config.ingest, fetch_seconds=0.3)))
    try:
        assert counts(ingest_videos(quick, [memory])) == (2, 0, 0, 1)
        assert rejected(workspace) == {
            f"{memory}/a.mp4": "could not be fetched within 0.3 s (ingest.fetch_seconds)"
        }
    finally:
        held.set()


def test_listing_keeps_what_the_uri_began_with(memory: str) -> None:
    assert list_files(f"{memory}/deep/") == [f"{memory}/deep/{name}" for name in (".hidden.mp4", "b.mp4", "c.MP4")]
    assert list_files(f"{memory}/a.mp4") is None
