import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from swipewise.cli import cli
from swipewise.cli.videos import progress_in_words
from swipewise.encoders import build_encoders, identity
from swipewise.errors import InputFileError, UnknownIdError
from swipewise.events.database import Database
from swipewise.events.job_records import JobRequest
from swipewise.events.jobs import JobQueue
from swipewise.ingest import Progress
from swipewise.simulate.clips import render_clip
from tests.media.copying import encode_anew

_CONFIG = """
[encoders]
visual = "fake"
audio = "fake"
text = "fake"
[ingest]
executor = "inline"
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A workspace folder."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "swipewise.toml").write_text(_CONFIG)
    return tmp_path / "shop"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    render_clip(path, visual=0, audio=1, seconds=0.5, rng=np.random.default_rng(0))
    return path


def run(shop: Path, *args: object) -> Result:
    result = CliRunner().invoke(cli, ["videos", *map(str, args), "--workspace", str(shop)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def as_json(shop: Path, *args: object) -> Any:
    return json.loads(run(shop, *args, "--json").stdout)


def test_videos_are_added_listed_and_shown(shop: Path, clip: Path, tmp_path: Path) -> None:
    shutil.copy(clip, tmp_path / "clip.mp4")
    manifest = tmp_path / "videos.csv"
    manifest.write_text(
        "uri,video_id,caption,tags,uploaded_at\nclip.mp4,v1,a  cat ☂,x y,2026-01-31\ngone.mp4,v2,,,\n"
    )
    added = run(shop, "add", manifest)
    assert added.exit_code == 0
    assert added.stdout.startswith("added 1, updated 0, unchanged 0, rejected 1 in ")
    assert f"  {tmp_path / 'gone.mp4'}: no such file ({manifest}:3)" in added.stdout.splitlines()
    assert added.stderr == ""

    gone = f"{tmp_path / 'gone.mp4'}: no such file ({manifest}:3)\n"
    assert run(shop, "list", "--rejected").stdout == gone
    (rejected,) = as_json(shop, "list", "--rejected")
    assert (rejected["uri"], rejected["content_hash"]) == (str(tmp_path / "gone.mp4"), None)

    assert run(shop, "list").stdout == f"v1     0.5s     96x160  {tmp_path / 'clip.mp4'}  a cat ☂\n"
    (video,) = as_json(shop, "list")
    assert (video["video_id"], video["tags"], video["caption"]) == ("v1", ["x", "y"], "a  cat ☂")
    assert video["uploaded_at"] == "2026-01-31T00:00:00+00:00"

    shown = as_json(shop, "show", "v1")
    assert shown["vectors"] == {"audio": ["fake@1"], "text": ["fake@1"], "visual": ["fake@1"]}
    assert shown["width"] == 96
    lines = run(shop, "show", "v1").stdout.splitlines()
    assert "tags              x y" in lines
    assert "creator           -" in lines
    assert "vectors           audio by fake@1, text by fake@1, visual by fake@1" in lines

    again = as_json(shop, "add", manifest)
    assert again["videos_per_second"] == pytest.approx(2 / again["seconds"])
    for measured in ("seconds", "videos_per_second", "reasons"):
        del again[measured]
    counts = {"added": 0, "updated": 0, "unchanged": 1, "rejected": 1, "most_in_flight": 2, "most_waiting": 0}
    counts |= {"decode_seconds": 0, "encode_seconds": 0}
    assert again == counts | {"unused_captions": 0, "unused_columns": []}


def test_columns_of_a_manifest_that_say_nothing_are_named(shop: Path, clip: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "videos.csv"
    manifest.write_text(f"uri,capton,video_id\n{clip},a cat,v1\n")
    told = run(shop, "add", manifest).stdout
    assert "nothing was taken from the columns capton: a manifest has uri, video_id, caption" in told


def test_near_duplicates_are_listed_and_shown(shop: Path, clip: Path, tmp_path: Path) -> None:
    assert run(shop, "list", "--duplicates").stdout == "no near-duplicates\n"
    first, copy = tmp_path / "first.mp4", tmp_path / "second.mp4"
    shutil.copy(clip, first)
    encode_anew(clip, copy, scale=2, volume=0.5)
    manifest = tmp_path / "videos.csv"
    manifest.write_text("uri,video_id,caption\nfirst.mp4,v1,\nsecond.mp4,v2,again\n")
    run(shop, "add", manifest)
    line = f"v2     0.6s    192x320  {copy}  again  near-duplicate of v1\n"
    assert run(shop, "list", "--duplicates").stdout == line
    assert run(shop, "list").stdout == f"v1     0.5s     96x160  {first}\n{line}"
    assert [(row["video_id"], row["duplicate_of"]) for row in as_json(shop, "list")] == [
        ("v1", None),
        ("v2", "v1"),
    ]
    assert [row["video_id"] for row in as_json(shop, "list", "--duplicates")] == ["v2"]
    shown = as_json(shop, "show", "v1"), as_json(shop, "show", "v2")
    assert [(each["duplicate_of"], each["duplicates"]) for each in shown] == [(None, ["v2"]), ("v1", [])]
    assert "duplicates        v2" in run(shop, "show", "v1").stdout.splitlines()
    assert "duplicate_of      v1" in run(shop, "show", "v2").stdout.splitlines()
    both = run(shop, "list", "--duplicates", "--rejected")
    assert both.exit_code == 2
    assert "--rejected and --duplicates list different things" in both.stderr


def test_captions_come_from_a_file_of_their_own(shop: Path, clip: Path, tmp_path: Path) -> None:
    captions = tmp_path / "captions.jsonl"
    captions.write_text('{"uri": "clip.mp4", "caption": "hello"}\n{"uri": "other.mp4", "caption": "?"}\n')
    added = run(shop, "add", clip, "--captions", captions)
    assert "captions that belong to none of these files: 1" in added.stdout
    assert [video["caption"] for video in as_json(shop, "list")] == ["hello"]


def test_a_long_list_is_cut_and_says_so(shop: Path, clip: Path, tmp_path: Path) -> None:
    for number in range(3):
        content = clip.read_bytes() + bytes(number)  # what follows the last box of an mp4 is ignored
        (tmp_path / f"{number}.mp4").write_bytes(content)
    run(shop, "add", *tmp_path.glob("*.mp4"))
    lines = run(shop, "list", "--limit", "2").stdout.splitlines()
    assert (len(lines), lines[-1]) == (3, "and 1 more: --limit 0 shows all")
    assert len(run(shop, "list", "--limit", "0").stdout.splitlines()) == 3
    assert len(as_json(shop, "list")) == 3


def test_an_empty_catalogue_says_what_to_do(shop: Path) -> None:
    assert run(shop, "list").stdout == "no videos yet: 'swipewise videos add PATH'\n"
    assert run(shop, "list", "--rejected").stdout == "no file was rejected\n"
    assert as_json(shop, "list") == []
    with pytest.raises(UnknownIdError, match="no video 'v1' in the catalogue, which is empty"):
        run(shop, "show", "v1")


def test_a_path_that_does_not_exist_is_an_error(shop: Path) -> None:
    with pytest.raises(InputFileError, match=r"nope\.mp4 does not exist"):
        run(shop, "add", "nope.mp4")
    assert run(shop, "add").exit_code == 2


def test_another_encoder_gets_a_column_of_its_own(shop: Path, clip: Path) -> None:
    run(shop, "add", clip)
    [video] = as_json(shop, "list")
    summary = as_json(shop, "encode", "--encoder", "visual=descriptor")
    assert (summary["updated"], summary["rejected"]) == (1, 0)
    vectors = as_json(shop, "show", video["video_id"])["vectors"]
    assert vectors == {"audio": ["fake@1"], "visual": ["descriptor@1", "fake@1"]}
    assert as_json(shop, "encode", "--encoder", "visual=descriptor")["unchanged"] == 1
    told = run(shop, "encode", "--encoder", "visual=descriptor").stdout
    assert f'set visual = "descriptor" in [encoders] of {shop / "swipewise.toml"}' in told


def test_encoding_fills_what_the_configuration_newly_asks_for(shop: Path, clip: Path) -> None:
    run(shop, "add", clip)
    assert as_json(shop, "encode")["unchanged"] == 1
    (shop / "swipewise.toml").write_text(_CONFIG.replace('audio = "fake"', 'audio = "descriptor"'))
    assert as_json(shop, "encode")["updated"] == 1


@pytest.mark.parametrize("given", ["visual", "smell=fake", "visual="])
def test_an_encoder_that_is_not_named_well_is_an_error(shop: Path, given: str) -> None:
    result = run(shop, "encode", "--encoder", given)
    assert result.exit_code == 2
    assert f"{given!r} is not MODALITY=NAME with one of visual, text, audio" in result.stderr


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("visual=dataset", "'visual=dataset' encodes nothing: name what reads clips, or leave it out"),
        ("visual=none", "'visual=none' encodes nothing: name what reads clips, or leave it out"),
        ("text=mini-lm", "'text=mini-lm' names an unknown encoder 'mini-lm': did you mean 'minilm'?"),
    ],
)
def test_an_encoder_that_can_encode_nothing_is_refused(shop: Path, clip: Path, given: str, told: str) -> None:
    run(shop, "add", clip)
    result = run(shop, "encode", "--encoder", given)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())


def test_words_are_shown_and_belong_to_the_text_alone(shop: Path, clip: Path) -> None:
    run(shop, "add", clip)
    (shop / "swipewise.toml").write_text(_CONFIG.replace("[ingest]", 'speech = "fake"\nscreen = "fake"\n[ingest]'))
    assert as_json(shop, "encode", "--encoder", "visual=descriptor")["updated"] == 1
    [video] = as_json(shop, "list")
    assert video["speech_by"] is None
    assert as_json(shop, "encode")["updated"] == 1
    [video] = as_json(shop, "list")
    assert video["speech"]
    assert video["speech_by"] == video["screen_by"] == "fake@1"
    facts = as_json(shop, "show", video["video_id"])
    assert (facts["speech"], facts["screen_text"]) == (video["speech"], video["screen_text"])
    assert facts["vectors"]["text"] == ["fake@1+speech=fake@1+screen=fake@1"]
    assert f"speech            {video['speech']}" in run(shop, "show", video["video_id"]).stdout.splitlines()


def test_a_file_that_is_gone_is_named_and_its_vectors_stay(shop: Path, clip: Path, tmp_path: Path) -> None:
    moved = shutil.copy(clip, tmp_path / "moved.mp4")
    run(shop, "add", moved)
    [video] = as_json(shop, "list")
    Path(moved).unlink()
    summary = as_json(shop, "encode", "--encoder", "visual=descriptor")
    assert summary["rejected"] == 1
    assert summary["reasons"] == [f"{moved}: no such file"]
    assert as_json(shop, "list", "--rejected") == [], "it is in the catalogue"
    assert as_json(shop, "show", video["video_id"])["vectors"]["visual"] == ["fake@1"]


def test_nothing_to_encode_is_an_error(shop: Path) -> None:
    from swipewise.errors import DataError

    with pytest.raises(DataError, match="there are no videos to encode"):
        run(shop, "encode")


def test_a_half_encoded_catalogue_says_so(shop: Path, clip: Path) -> None:
    from swipewise.training.workspace_data import half_encoded
    from swipewise.workspace import Workspace

    run(shop, "add", clip)
    assert half_encoded(Workspace.open(shop)) == []
    (shop / "swipewise.toml").write_text(_CONFIG.replace('audio = "fake"', 'audio = "descriptor"'))
    [note] = half_encoded(Workspace.open(shop))
    assert note.startswith("audio by descriptor@1: 0 of 1 videos are encoded, 'swipewise videos encode -w ")
    run(shop, "encode")
    assert half_encoded(Workspace.open(shop)) == []


def test_no_encoder_at_all_is_an_error_and_rejects_no_file(shop: Path, clip: Path) -> None:
    from swipewise.errors import ConfigError

    run(shop, "add", clip)
    (shop / "swipewise.toml").write_text(_CONFIG.replace('"fake"', '"none"'))
    with pytest.raises(
        ConfigError, match=r"\[encoders\] names none that reads clips: name one with --encoder MODALITY=NAME"
    ):
        run(shop, "encode")
    assert as_json(shop, "list", "--rejected") == []


def test_it_fails_if_nothing_at_all_could_be_taken(shop: Path, clip: Path, tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"bad{number}.mp4").write_bytes(b"no clip %d" % number)
    failed = run(shop, "add", tmp_path)
    assert failed.exit_code == 1
    assert len([line for line in failed.stdout.splitlines() if line.startswith("  ")]) == 3
    assert f"why the others were rejected: swipewise videos list --rejected --workspace {shop}" in failed.stdout
    assert run(shop, "add", tmp_path, clip).exit_code == 0


def test_posted_jobs_are_listed(shop: Path, clip: Path) -> None:
    assert "no jobs: post videos to 'swipewise serve " in run(shop, "jobs").stdout
    requests = [
        JobRequest(uri=f"https://host/{name}.mp4", location=f"https://ann:s3cret@host/{name}.mp4") for name in "ab"
    ]
    queue = JobQueue(Database(shop / "events"))
    a, b = queue.post(requests)
    queue.take("me", limit=1, lease_seconds=60, attempts=3)
    queue.finish("me", a.job_id, outcome="rejected", reason="no such file (404)", seconds={"read": 0.5})
    queue.close()
    lines = run(shop, "jobs").stdout.splitlines()
    assert lines == [
        f"{b.job_id}  queued    https://host/b.mp4",
        f"{a.job_id}  rejected  https://host/a.mp4: no such file (404)",
    ]
    (job,) = as_json(shop, "jobs", "--state", "rejected")
    assert (job["job_id"], job["state"], job["reason"], job["attempts"]) == (
        a.job_id,
        "rejected",
        "no such file (404)",
        1,
    )
    assert job["seconds"] == {"read": 0.5}
    assert "s3cret" not in run(shop, "jobs", "--json").stdout


def test_the_progress_shows_throughput_queues_and_failures() -> None:
    start = Progress(done=1, total=9, added=1, updated=0, unchanged=0, rejected=0)
    assert progress_in_words(start, None) == ""
    busy = replace(start, in_flight=6, waiting=12, rejected=2, decode_seconds=3.0, encode_seconds=1.0)
    assert progress_in_words(busy, 8.06) == "8.1/s, 6 at work, 12 waiting, 75% decoding, 2 rejected"


def test_a_video_is_removed_and_taken_back(shop: Path, clip: Path) -> None:
    run(shop, "add", clip)
    video_id = as_json(shop, "list")[0]["video_id"]
    assert run(shop, "remove", video_id).stdout == f"removed {video_id}\n"
    assert as_json(shop, "list") == []
    assert as_json(shop, "remove", video_id) == {"removed": [video_id]}
    refused = run(shop, "add", clip)
    assert refused.exit_code == 1
    assert "'swipewise videos add --again' takes it back" in refused.stdout
    assert as_json(shop, "add", clip, "--again")["added"] == 1
    assert as_json(shop, "list")[0]["video_id"] == video_id
    with pytest.raises(UnknownIdError, match="no video 'nope'"):
        run(shop, "remove", "nope")


def test_a_model_that_reads_what_new_videos_lack_says_so(shop: Path) -> None:
    from swipewise.training.workspace_data import other_encoders
    from swipewise.workspace import Workspace

    workspace = Workspace.open(shop)
    made = {str(each): identity(encoder) for each, encoder in build_encoders(workspace.config.encoders).items()}
    assert other_encoders(made, workspace) == []
    [note] = other_encoders(made | {"audio": "older@1"}, workspace)
    assert note.startswith(f"this model reads audio by older@1, and new videos get it by {made['audio']}: ")


def test_encode_names_every_file_that_it_cannot_read(shop: Path, clip: Path, tmp_path: Path) -> None:
    gone = []
    for number in range(5):
        path = tmp_path / f"gone{number}.mp4"
        path.write_bytes(clip.read_bytes() + bytes([number]))
        gone.append(path)
    run(shop, "add", *gone)
    for path in gone:
        path.unlink()
    told = run(shop, "encode", "--encoder", "visual=descriptor").stdout
    assert len([line for line in told.splitlines() if line.startswith("  ")]) == 3
    assert "why the others were rejected: the same with --json" in told
    summary = as_json(shop, "encode", "--encoder", "visual=descriptor")
    assert sorted(summary["reasons"]) == [f"{path}: no such file" for path in gone]
