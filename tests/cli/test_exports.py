"""What is exported reads back as it was: events, videos with vectors, the feeds of all viewers."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from swipewise import Workspace
from swipewise.cli import cli, feed_export
from swipewise.errors import InputFileError, StoreError, UnknownIdError
from tests import killing


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(cli, [*map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def read(path: Path) -> pl.DataFrame:
    match path.suffix:
        case ".parquet":
            return pl.read_parquet(path)
        case ".csv":
            return pl.read_csv(path, infer_schema_length=None)
        case _:
            return pl.read_ndjson(path, infer_schema_length=None)


@pytest.fixture(scope="module")
def shop(quick_demo: tuple[Path, Result]) -> Workspace:
    """The demo; nothing here writes to it."""
    return Workspace.open(quick_demo[0])


@pytest.fixture
def small(tmp_path: Path) -> Workspace:
    """Three events of two viewers, one live."""
    made = Workspace.create(tmp_path / "small")
    log = {
        "event_id": ["1", "2", "3"],
        "viewer_id": ["ann", "ann", "bob, the"],
        "video_id": ["a", "b", "a"],
        "action": ["view", "like", "skip"],
        "at": ["2026-01-01T10:00:00.123456Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"],
        "watch_seconds": [1.5, None, None],
        "position": [None, 3, None],
    }
    made.import_events(pl.DataFrame(log))
    return made


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_an_exported_log_imports_as_the_same_log(small: Workspace, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"log.{ending}"
    assert run("events", "export", file, "-w", small.root).stdout == f"wrote 3 events to {file}\n"
    other = Workspace.create(tmp_path / "other")
    run("events", "import", file, "-w", other.root)
    assert other.events().sort("event_id").equals(small.events().sort("event_id"))
    assert run("events", "import", file, "-w", small.root).stdout.startswith("added 0 events, 3 known already")


def test_an_export_is_bound_by_time_and_can_be_folded(small: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    done = run(
        "events", "export", file, "--interactions", "--since", "2026-01-01T10:00", "--until", "2026-01-03",
        "-w", small.root, "--json",
    )  # fmt: skip
    assert json.loads(done.stdout) == {"file": str(file), "interactions": 2}
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(row["video_id"], row["like"]) for row in sorted(rows, key=lambda row: row["at"])] == [
        ("a", False),
        ("b", True),
    ]
    result = CliRunner().invoke(cli, ["events", "export", str(file), "--since", "soon", "-w", str(small.root)])
    assert result.exit_code == 2
    assert "'soon' is no date or time: write 2026-01-31" in " ".join(result.stderr.split())


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_an_export_of_nothing_is_a_file_without_rows(small: Workspace, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"log.{ending}"
    told = run("events", "export", file, "--since", "2030-01-01", "-w", small.root).stdout
    assert told == f"wrote 0 events to {file}\n"
    assert file.exists()


def test_a_file_without_a_known_ending_is_refused(small: Workspace, tmp_path: Path) -> None:
    for what in ("events", "videos", "feed"):
        result = CliRunner().invoke(cli, [what, "export", str(tmp_path / "x.xlsx"), "-w", str(small.root)])
        assert result.exit_code == 2
        assert "says no format: name it .parquet, .csv, .jsonl" in " ".join(result.stderr.split())


def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_left(small: Workspace, tmp_path: Path) -> None:
    for what in ("events", "videos", "feed"):
        with pytest.raises(
            StoreError, match=r"cannot write .*gone/x\.csv: there is no folder .*gone: make it first"
        ):
            run(what, "export", tmp_path / "gone" / "x.csv", "-w", small.root)
    (tmp_path / "folder.csv").mkdir()
    assert (
        CliRunner()
        .invoke(cli, ["events", "export", str(tmp_path / "folder.csv"), "-w", str(small.root)])
        .exit_code
    )
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_an_exported_catalogue_reads_as_a_manifest(shop: Workspace, tmp_path: Path, ending: str) -> None:
    from swipewise.ingest.manifest import stated_fields

    file = tmp_path / f"videos.{ending}"
    assert run("videos", "export", file, "-w", shop.root).stdout == f"wrote 120 videos to {file}\n"
    first = read(file).row(0, named=True)
    kept = shop.videos().row(0, named=True)
    assert first["video_id"] == kept["video_id"]
    for name, value in stated_fields(first).items():
        known = tuple(kept[name] or ()) if isinstance(value, tuple) else kept[name]
        assert value == known, name


def test_a_single_tag_with_a_blank_survives_csv(tmp_path: Path) -> None:
    from swipewise.cli.writing import write_lazily
    from swipewise.ingest.manifest import stated_fields

    frame = pl.DataFrame({"tags": [["two words"], ["a", "b"], []]}, schema={"tags": pl.List(pl.String)})
    write_lazily(frame.lazy(), tmp_path / "x.csv")
    rows = pl.read_csv(tmp_path / "x.csv")["tags"].fill_null("").to_list()
    assert [stated_fields({"tags": tags})["tags"] for tags in rows] == [("two words",), ("a", "b"), ()]


def test_vectors_come_along_as_the_encoder_made_them(shop: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "videos.parquet"
    run("videos", "export", file, "--vectors", "visual", "--vectors", "text", "-w", shop.root)
    table = read(file)
    ids, vectors = shop.vectors("visual")
    stored = dict(zip(table["video_id"], table["visual_vector"].to_list(), strict=True))
    assert stored[ids[3]] == pytest.approx(vectors[3].tolist())
    assert "text_vector" in table.columns
    result = CliRunner().invoke(
        cli, ["videos", "export", str(tmp_path / "x.csv"), "--vectors", "text", "-w", str(shop.root)]
    )
    assert result.exit_code == 2
    assert "CSV holds no vectors: name" in result.stderr


def test_vectors_that_nobody_made_are_not_made_up(small: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UnknownIdError, match=r"no 'audio' vectors by a configured encoder in .*: there are none"):
        run("videos", "export", tmp_path / "x.parquet", "--vectors", "audio", "-w", small.root)
    assert not (tmp_path / "x.parquet").exists()


def test_the_feeds_of_all_viewers_are_those_that_are_served(shop: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "feeds.parquet"
    done = json.loads(run("feed", "export", file, "--size", "5", "-w", shop.root, "--json").stdout)
    table = read(file)
    assert done["viewers"] == 150
    assert done["places"] == len(table)
    # Some have seen all there is.
    assert 130 < table["viewer_id"].n_unique() <= 150
    served = json.loads(run("feed", "viewer00007", "--size", "5", "-w", shop.root, "--json").stdout)
    mine = table.filter(viewer_id="viewer00007").sort("position")
    assert mine["video_id"].to_list() == [each["video_id"] for each in served["recommendations"]]
    assert mine["level"].unique().to_list() == ["model"]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_chosen_viewers_alone(shop: Workspace, tmp_path: Path, ending: str) -> None:
    chosen = tmp_path / "chosen.csv"
    chosen.write_text("viewer_id\nviewer00002\nnobody\nviewer00002\n")
    file = tmp_path / f"feeds.{ending}"
    told = run("feed", "export", file, "--size", "3", "--viewers", chosen, "-w", shop.root).stdout
    assert told.startswith(f"wrote 6 places of 2 viewers to {file} in ")
    assert read(file)["viewer_id"].to_list() == ["viewer00002"] * 3 + ["nobody"] * 3
    chosen.write_text("viewer\nann\n")
    with pytest.raises(InputFileError, match="no column 'viewer_id'; it has viewer"):
        run("feed", "export", file, "--viewers", chosen, "-w", shop.root)
    with pytest.raises(InputFileError, match=r"gone\.csv: no such file: --viewers names a table"):
        run("feed", "export", file, "--viewers", tmp_path / "gone.csv", "-w", shop.root)


def asked_for(monkeypatch: pytest.MonkeyPatch, *, stop_after: int | None = None) -> list[str]:
    """Whose feeds are made from now on, two viewers a part; Ctrl-C comes after so many."""
    from swipewise.feed.engine import FeedEngine

    monkeypatch.setattr(feed_export, "_BLOCK", 2)
    feed, asked = FeedEngine.feed, list[str]()

    def noted(self: FeedEngine, viewer: str, **given: object) -> object:
        if stop_after is not None and len(asked) >= stop_after:
            raise KeyboardInterrupt
        asked.append(viewer)
        return feed(self, viewer, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(FeedEngine, "feed", noted)
    return asked


@pytest.fixture
def some(tmp_path: Path) -> Path:
    """A table of nine viewers."""
    (tmp_path / "some.csv").write_text("viewer_id\n" + "".join(f"viewer{n:05}\n" for n in range(9)))
    return tmp_path / "some.csv"


def test_an_export_that_is_stopped_leaves_what_was_there_and_goes_on(
    shop: Workspace, tmp_path: Path, some: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, whole = tmp_path / "feeds.parquet", tmp_path / "whole.parquet"
    file.write_text("earlier")
    command = ("feed", "export", file, "--size", "4", "--viewers", some, "-w", shop.root)
    with monkeypatch.context() as stopped:
        asked_for(stopped, stop_after=5)
        assert CliRunner().invoke(cli, [*map(str, command)]).exit_code == 1
    assert file.read_text() == "earlier"
    asked = asked_for(monkeypatch)
    done = run(*command)
    assert "going on with an export that was stopped: 4 of 9 viewers are done" in done.stderr
    assert sorted(asked) == [f"viewer{n:05}" for n in range(4, 9)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["feeds.parquet", "some.csv"]
    run("feed", "export", whole, *command[3:])
    assert read(file).equals(read(whole))


def test_an_export_that_was_stopped_begins_anew_where_something_changed(
    shop: Workspace, tmp_path: Path, some: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("feed", "export", tmp_path / "feeds.csv", "--viewers", some, "-w", shop.root)

    def stopped(*more: str) -> str:
        with monkeypatch.context() as patch:
            asked_for(patch, stop_after=5)
            return CliRunner().invoke(cli, [*map(str, command), *more]).stderr

    assert "an export that was stopped" not in stopped()
    assert "an export that was stopped begins anew: --size changed" in stopped("--size", "3")
    some.write_text(some.read_text().replace("viewer00008", "viewer00010"))
    assert "begins anew: the viewers, --size changed" in stopped()
    asked = asked_for(monkeypatch)
    assert "an export that was stopped" not in run(*command, "--fresh").stderr
    assert len(asked) == 9


def test_an_export_that_is_killed_goes_on_where_it_was(shop: Workspace, tmp_path: Path, some: Path) -> None:
    file = tmp_path / "feeds.parquet"
    parts = tmp_path / ".feeds.parquet.exporting"
    command = ("feed", "export", file, "--size", "4", "--viewers", some, "-w", shop.root)
    # The process waits for the kill once it has written two parts.
    code = f"""
import time
from swipewise.cli import feed_export, main
from swipewise.feed.exporting import Parts
feed_export._BLOCK = 2
write = Parts.write
def slowly(self, number, feeds):
    write(self, number, feeds)
    if number == 1:
        time.sleep(600)
Parts.write = slowly
import sys
sys.argv = {["swipewise", *map(str, command)]!r}
main()
"""
    process = killing.start(sys.executable, "-c", code)
    killing.await_work(process, (parts / "000001.parquet").exists)
    ended = killing.kill(process)
    assert ended.was_killed, ended.err
    assert not file.exists()
    with pytest.MonkeyPatch.context() as patch:
        asked = asked_for(patch)
        done = run(*command)
    assert "4 of 9 viewers are done" in done.stderr
    assert sorted(asked) == [f"viewer{n:05}" for n in range(4, 9)]
    assert read(file)["viewer_id"].unique(maintain_order=True).to_list() == [f"viewer{n:05}" for n in range(9)]
    assert not parts.exists()


def test_a_viewer_who_is_called_like_a_command(shop: Workspace) -> None:
    assert "feed of export" in run("feed", "show", "export", "--size", "2", "-w", shop.root).stdout
    assert "feed of ann" in run("feed", "--size", "2", "ann", "-w", shop.root).stdout
    result = CliRunner().invoke(cli, ["feed", "-w", str(shop.root)])
    assert result.exit_code == 2
    assert "Missing argument 'VIEWER'" in result.stderr


def test_without_a_model_feeds_are_of_what_is_popular_and_that_is_said(small: Workspace, tmp_path: Path) -> None:
    done = run("feed", "export", tmp_path / "feeds.csv", "-w", small.root)
    assert f"note: no model yet: fit one with 'swipewise train -w {small.root}'" in done.stderr
    assert (tmp_path / "feeds.csv").read_text() == "viewer_id,position,video_id,score,source,propensity,level\n"
