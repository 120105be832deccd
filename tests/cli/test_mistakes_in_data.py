"""Mistakes in what is brought along: logs, profiles, videos and data sets."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from tests.cli.mistakes import LOG, Mistake, check, converted, file, main, main_quietly

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
        typed="train -w empty",
        told=r"the catalogue holds no videos: add some with 'swipewise videos add PATH -w empty'",
    ),
    "training without events": Mistake(
        before=lambda: shutil.rmtree("shop/events"),
        typed="train -w shop",
        told=r"none of the 0 interactions .*: import behaviour with 'swipewise events import FILE -w shop'",
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
    # tables as other programs write them
    "a first line that Excel alone reads": Mistake(
        before=file("log.csv", "sep=;\r\n" + LOG.replace(",", ";")),
        typed="events import log.csv -w shop",
        told=r"log\.csv: line 1 is 'sep=;' and does not name the columns: delete that line",
    ),
    "the same in a manifest": Mistake(
        before=file("videos.csv", "sep=,\nuri\na.mp4\n"),
        typed="videos add videos.csv -w shop",
        told=r"videos\.csv: line 1 is 'sep=,' and does not name the columns: delete that line",
    ),
    "commas in decimals": Mistake(
        before=file("log.csv", "viewer_id;video_id;at;watch_seconds\nann;v1;2026-01-01;2,5\n"),
        typed="events import log.csv -w shop",
        told=r"no row could be taken \(row 2: watch_seconds = '2,5' has a comma: write decimals with a point\)",
    ),
    "days before months": Mistake(
        before=file("log.csv", re.sub("2026[^\n]*", "31/01/2026 18:30", LOG)),
        typed="events import log.csv -w shop",
        told=r"taken \(row 2: at = '31/01/2026 18:30' is not a time: .* such as 2026-01-31T18:30:00Z",
    ),
    "days without dashes": Mistake(
        before=file("log.csv", re.sub("2026[^\n]*", "20260131", LOG)),
        typed="events import log.csv -w shop",
        told=r"taken \(row 2: at = '20260131' lies outside the years 2000 to 2099: .* such as 2026-01-31T18:30:00Z",
    ),
    "rows without a header": Mistake(
        before=file("log.csv", LOG.partition("\n")[2]),
        typed="events import log.csv -w shop",
        told=r"no column 'viewer_id'; it has ann, a, .*: that looks like a row, and the first line has to name",
    ),
    "a column twice": Mistake(
        before=file("log.csv", "viewer_id,video_id,video_id,action,at\nann,a,b,like,2026-01-01\n"),
        typed="events import log.csv -w shop",
        told=r"log\.csv: line 1 names a column twice: 'video_id'",
    ),
    "a log in Latin-1": Mistake(
        before=file("log.csv", LOG.splitlines()[0].encode() + b"\nJos\xe9,v1,like,2026-01-01\n"),
        typed="events import log.csv -w shop",
        told=r"no row could be taken \(row 2: not UTF-8: byte 0xe9 at place 4 of the line\)",
    ),
    "more fields than columns": Mistake(
        before=file("log.csv", LOG.splitlines()[0] + "\nann,v1,like,2026-01-01,web\n"),
        typed="events import log.csv -w shop",
        told=r"no row could be taken \(row 2: 5 fields where the header names 4\)",
    ),
    "a quote that is not closed": Mistake(
        before=file("log.csv", LOG.splitlines()[0] + '\n"ann,v1,like,2026-01-01\n'),
        typed="events import log.csv -w shop",
        told=r"no row could be taken \(row 2: a quote opens and is not closed\)",
    ),
    "half an object of JSON": Mistake(
        before=file("log.jsonl", '{"viewer_id": "ann"\n'),
        typed="events import log.jsonl -w shop",
        told=r"log\.jsonl: no row of it can be read: is it the right file\?: write a JSON object a line",
    ),
    "lines of JSON that are no objects": Mistake(
        before=file("log.jsonl", '3\n"ann"\n'),
        typed="viewers import log.jsonl -w shop",
        told=r"log\.jsonl: no row of it can be read: is it the right file\?: write a JSON object a line",
    ),
    "a clip in place of a log": Mistake(
        before=file("bird.mp4", b"\x00\x00\x00\x18ftyp"),
        typed="events import bird.mp4 -w shop",
        told=r"bird\.mp4: cannot tell the format from '\.mp4': name it \.csv,",
    ),
    "a clip that is called a log": Mistake(
        before=file("log.csv", b"\x00\x00\x00\x18ftyp\n"),
        typed="events import log.csv -w shop",
        told=r"log\.csv: line 1 is not UTF-8 text: save it as UTF-8",
    ),
    "an address in place of a log": Mistake(
        typed="events import https://example.com/log.csv -w shop",
        told=r"https:/example\.com/log\.csv: is an address: fetch the file and name its path",
    ),
    "an address with a slash too few": Mistake(
        typed="videos add s3:/bucket/clips -w shop",
        told=r"s3:/bucket/clips does not exist: did you mean s3://bucket/clips\?",
    ),
    "a device": Mistake(
        typed="events import /dev/null -w shop", told=r"/dev/null: is a device or a pipe: write it to a file first"
    ),
    "a log in place of a manifest": Mistake(
        before=file("log.csv", LOG),
        typed="videos add log.csv -w shop",
        told=r"log\.csv has no column 'uri': it has viewer_id, video_id, action, at",
    ),
    "a manifest in place of a log": Mistake(
        before=file("videos.csv", "uri,video_id,caption\na.mp4,v1,x\n"),
        typed="events import videos.csv -w shop",
        told=r"videos\.csv: no column 'viewer_id'; it has uri, video_id, caption",
    ),
    "a caption of ten megabytes": Mistake(
        before=lambda: (
            file("a.mp4", b"x")(),
            file("videos.csv", "uri,caption\na.mp4," + "w" * 10_000_000)(),
        ),
        typed="videos add videos.csv -w empty",
        told=r"videos\.csv:2: row cannot be used: field larger than field limit",
    ),
    # values that cannot be
    "viewers and videos in each other's column": Mistake(
        before=file("log.csv", LOG.replace("ann,a", "v1,ann").replace("bob,b", "v2,bob")),
        typed="events import log.csv -w shop",
        told=r"column 'viewer_id' holds videos of the catalogue, such as 'v1', and .* swapped, add --map viewer_id=",
    ),
    "a viewer without a name": Mistake(
        before=file("log.csv", LOG.splitlines()[0] + '\n,v1,like,2026-01-01\n"",v1,like,2026-01-01\n'),
        typed="events import log.csv -w shop",
        told=r"no row could be taken \(row 2: viewer_id is empty\)",
    ),
    "an id of a thousand letters": Mistake(
        before=file("log.csv", LOG.splitlines()[0] + f"\n{'a' * 1000},v1,like,2026-01-01\n"),
        typed="events import log.csv -w shop",
        told=r"no row could be taken \(row 2: viewer_id = 'a{40}' \.\.\. has more than 256 characters\)",
    ),
    "a profile of such a viewer": Mistake(
        before=file("users.csv", f"viewer_id,age\n{'a' * 1000},3\n"),
        typed="viewers import users.csv -w shop",
        told=r"no row could be taken \(row 2: profile of viewer '.*': viewer_id has more than 256 characters\)",
    ),
    "an id that a terminal would obey": Mistake(
        before=file("log.csv", LOG.splitlines()[0] + "\na\x1b[2Jnn,v1,like,2026-01-01\n"),
        typed="events import log.csv -w shop",
        told="no row could be taken \\(row 2: viewer_id = 'a\ufffd\\[2Jnn' holds a control character\\)",
    ),
    "seconds that are no number": Mistake(
        before=file("log.csv", "viewer_id,video_id,at,watch_seconds\nann,v1,2026-01-01,NaN\n"),
        typed="events import log.csv -w shop",
        told=r"no row could be taken \(row 2: watch_seconds = 'NaN' is not a number from 0\)",
    ),
    "seconds without an end": Mistake(
        before=file("log.csv", "viewer_id,video_id,at,watch_seconds\nann,v1,2026-01-01,inf\n"),
        typed="events import log.csv -w shop",
        told=r"no row could be taken \(row 2: watch_seconds = 'inf' is not a number from 0\)",
    ),
    "seconds that are milliseconds": Mistake(
        before=file("log.csv", "viewer_id,video_id,at,watch_seconds\nann,v1,2026-01-01,95000\n"),
        typed="events import log.csv -w shop",
        told=r"no row could be taken \(row 2: watch_seconds = '95000' is more than a day: is it in milliseconds\?\)",
    ),
    "a moment that is no number": Mistake(
        before=file("log.csv", re.sub("2026[^\n]*", "nan", LOG)),
        typed="events import log.csv -w shop",
        told=r"no row could be taken \(row 2: at = 'nan' is not a time",
    ),
    "two likes in one": Mistake(
        before=file("log.csv", "viewer_id,video_id,at,like\nann,v1,2026-01-01,2\n"),
        typed="events import log.csv -w shop",
        told=r"no row could be taken \(row 2: like = '2' is neither 0 or 1 nor true or false\)",
    ),
    "half a place": Mistake(
        before=file("log.csv", "viewer_id,video_id,at,like,position\nann,v1,2026-01-01,1,1.5\n"),
        typed="events import log.csv -w shop",
        told=r"no row could be taken \(row 2: position = '1\.5' is not a whole number from 0\)",
    ),
    "a data set whose folder is not there": Mistake(
        typed="datasets generic tables new", told=r"tables: no such folder"
    ),
    "a workspace in place of a data set": Mistake(
        typed="datasets recbole empty new", told=r"empty: no interactions \(\*\.inter\); there is swipewise\.toml$"
    ),
    "a list of viewers without a column": Mistake(
        before=file("viewers.csv", "ann\nbob\n"),
        typed="feed export feeds.csv --viewers viewers.csv -w shop",
        told=r"viewers\.csv: no column 'viewer_id'; it has ann: one has to be called so",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
@pytest.mark.usefixtures("here")
def test_a_mistake_is_told_in_a_line_that_names_the_value_and_the_way_out(
    mistake: Mistake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    check(mistake, monkeypatch, capsys)


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


def test_the_table_holds_fifty_and_more() -> None:
    assert len(MISTAKES) >= 50
