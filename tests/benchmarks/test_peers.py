from __future__ import annotations

import ast
import json
import os
import sys
from math import log2
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from benchmarks.peers import contest, trials
from benchmarks.peers.exchange import auc_of, ndcg_of, profile_codes, read_topk, video_codes, write_exchange
from benchmarks.peers.folder import Answer, Split, main, topk
from swipewise.errors import DataError
from swipewise.schema import FLAG_ACTIONS, Action
from swipewise.training.dataset import Dataset, Interactions

VALIDATION, TEST = 100, 200
HERE = Path(contest.__file__).parent

# viewer, video, at, finished, skipped, watch ratio; by viewer, then time
LOG = [
    (0, 0, 10, True, False, 1.0),
    (0, 1, 20, False, True, 0.0),
    (0, 2, 110, True, False, 1.0),  # validation
    (0, 0, 210, True, False, 1.0),  # test, but seen before
    (0, 3, 220, True, False, 1.0),  # test, relevant
    (1, 0, 10, True, False, 0.0),
    (1, 3, 120, False, True, 0.1),  # validation, not liked
    (1, 4, 230, True, False, 1.0),  # test, relevant
    (1, 5, 240, False, False, 0.2),  # test, shown only
    (2, 1, 50, True, False, 1.0),
]


@pytest.fixture
def dataset() -> Dataset:
    viewer, video, at, finished, skipped, ratio = (np.array(column) for column in zip(*LOG, strict=True))
    actions = np.zeros((len(LOG), len(FLAG_ACTIONS)), bool)
    actions[:, FLAG_ACTIONS.index(Action.FINISH)] = finished
    actions[:, FLAG_ACTIONS.index(Action.SKIP)] = skipped
    return Dataset(
        viewer_ids=("ann", "bob", "cy"),
        video_ids=tuple("abcdef"),
        interactions=Interactions(
            viewer_I=viewer.astype(np.int64),
            video_I=video.astype(np.int64),
            at_I=at.astype(np.int64),
            watch_ratio_I=ratio.astype(np.float32),
            actions_IF=actions,
            positive_I=finished,
        ),
        uploaded_at_V=np.zeros(6, np.int64),
        content={},
        attributes_VA=np.array([[1, 2, 3], [4, 3, 2], [1, 0, 0], [0, 0, 2], [0, 5, 0], [0, 0, 0]]),
        attribute_values=("creator=x", "tags=p", "tags=q", "creator=y", "tags=r"),
        profile_UP=np.array([[1], [2], [0]]),
        profile_values=("age=1", "age=2"),
    )


@pytest.fixture
def folder(dataset: Dataset, tmp_path: Path) -> Path:
    write_exchange(tmp_path, dataset, name="tiny", validation_from=VALIDATION, test_from=TEST)
    return tmp_path


def pairs(table: Path) -> list[tuple[int, ...]]:
    return pl.read_parquet(table).select("viewer", "video").rows()


def answered(folder: Path, rows: list[tuple[int, int, int]]) -> Path:
    out = folder / "out"
    out.mkdir(exist_ok=True)
    pl.DataFrame(rows, schema=["viewer", "rank", "video"], orient="row").write_parquet(out / "topk.parquet")
    return out


def test_the_periods_are_cut_at_their_moments(folder: Path) -> None:
    split = folder / "split"
    assert pairs(split / "train.parquet") == [(0, 0), (0, 1), (1, 0), (2, 1)]
    assert pairs(split / "validation.parquet") == [(0, 2), (1, 3)]
    assert pairs(split / "test_exposures.parquet") == [(0, 0), (0, 3), (1, 4), (1, 5)]


def test_relevant_is_what_was_liked_and_never_shown_before(folder: Path) -> None:
    split = folder / "split"
    assert pairs(split / "relevant.parquet") == [(0, 3), (1, 4)]
    assert pairs(split / "valid_relevant.parquet") == [(0, 2)]
    assert pl.read_parquet(split / "viewers.parquet").rows() == [(0, True), (1, True)]


def test_a_click_is_unknown_where_nothing_was_logged(folder: Path) -> None:
    assert pl.read_parquet(folder / "split" / "train.parquet")["click"].to_list() == [True, False, None, True]


def test_every_attribute_and_profile_field_is_coded_from_1(dataset: Dataset) -> None:
    assert video_codes(dataset).to_dict(as_series=False) == {
        "video": [0, 1, 2, 3, 4, 5],
        "creator": [1, 2, 1, 0, 0, 0],
        "tags": [1, 2, 0, 1, 3, 0],  # the first one of each video
    }
    assert profile_codes(dataset).to_dict(as_series=False) == {"viewer": [0, 1, 2], "age": [1, 2, 0]}


def test_cuts_in_the_wrong_order_are_refused(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="validation from 200 is not before the test from 100"):
        write_exchange(tmp_path, dataset, name="tiny", validation_from=200, test_from=100)


def test_ndcg_of_what_a_peer_ranked(folder: Path) -> None:
    out = answered(folder, [(1, 2, 4), (1, 1, 2), (0, 1, 4), (0, 2, 5), (0, 3, 3)])
    assert ndcg_of(folder / "split", out, "test").tolist() == [1 / log2(4), 1 / log2(3)]
    assert ndcg_of(folder / "split", out, "test", k=2).tolist() == [0.0, 1 / log2(3)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(0, 1, 2), (1, 1, 4)], "ranks video 2 for viewer 0, who was shown it before"),
        ([(0, 1, 3), (0, 2, 3), (1, 1, 4)], "ranks video 3 twice for viewer 0"),
        ([(0, 1, 6), (1, 1, 4)], "ranks video 6, there are only 6"),
        ([(0, 1, 3), (1, 1, 4), (2, 1, 3)], "ranks for viewer 2, whom the test period does not ask for"),
        ([(0, 1, 3)], "does not rank for viewer 1 and 0 more"),
    ],
)
def test_a_ranking_that_does_not_keep_to_the_protocol_is_refused(
    folder: Path, rows: list[tuple[int, int, int]], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        ndcg_of(folder / "split", answered(folder, rows), "test")


def test_what_was_shown_in_validation_is_a_candidate_while_tuning(folder: Path) -> None:
    viewers, best = read_topk(folder / "split", answered(folder, [(0, 1, 2), (0, 2, 5)]), "validation")
    assert (viewers.tolist(), best.tolist()) == ([0], [[2, 5]])


def test_the_auc_of_each_predicted_action(folder: Path) -> None:
    out = folder / "out"
    out.mkdir()
    # Finished: the first three of four; clicked: all of them.
    table = pl.DataFrame({"finish": [0.9, 0.5, 0.1, 0.5], "click": [0.1, 0.2, 0.3, 0.4]})
    table.write_parquet(out / "predictions.parquet")
    found = auc_of(folder / "split", out, "test")
    assert found["finish"] == (1 + 0.5 + 0) / 3
    assert np.isnan(found["click"])
    table.head(3).write_parquet(out / "predictions.parquet")
    with pytest.raises(DataError, match="predicts for 3 exposures, the test period has 4"):
        auc_of(folder / "split", out, "test")


def test_a_peer_learns_from_all_that_precedes_its_period(folder: Path) -> None:
    tuning, test = Split(folder / "split", "validation"), Split(folder / "split", "test")
    assert tuning.rows["video"].to_list() == [0, 1, 0, 1]
    assert test.rows["video"].to_list() == [0, 1, 2, 0, 3, 1]
    assert test.histories["at_ms"].to_list() == [10, 20, 110, 210, 220, 10, 120, 230, 240, 50]
    assert (tuning.viewers.tolist(), test.viewers.tolist()) == ([0], [0, 1])
    assert test.exposures.rows() == [(0, 0, 210), (0, 3, 220), (1, 4, 230), (1, 5, 240)]


def test_a_sample_of_viewers_is_spread_evenly(folder: Path) -> None:
    pl.DataFrame({"viewer": np.arange(9)}).write_parquet(folder / "split" / "viewers.parquet")
    assert Split(folder / "split", "test", sample=3).viewers.tolist() == [0, 4, 8]
    assert len(Split(folder / "split", "test", sample=99).viewers) == 9


def test_seen_videos_are_dropped_and_popular_ones_fill_what_is_missing(folder: Path) -> None:
    split = Split(folder / "split", "test")
    # Viewer 0 saw 0, 1 and 2; viewer 1 saw 0 and 3. Liked before the test: 0 twice, 1 and 2 once.
    table = topk(split, np.array([[1, 5, -1], [-1, -1, -1]]), np.array([[0.9, 0.8, np.nan], [np.nan] * 3]))
    first, second = (table.filter(pl.col("viewer") == viewer) for viewer in (0, 1))
    assert first["video"].to_list()[0] == 5
    assert first["score"].to_list() == [0.8, None, None]
    assert sorted(first["video"].to_list()) == [3, 4, 5]
    assert set(second["video"].to_list()[:2]) == {1, 2}
    assert second["rank"].to_list() == [1, 2, 3, 4]


def test_a_peer_run_as_a_script_leaves_its_answer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(split: Split, settings: dict[str, Any]) -> Answer:
        shape = (len(split.viewers), 1)
        predictions = {"finish": np.full(len(split.exposures), settings["chance"])}
        return Answer(
            videos=np.full(shape, 5), scores=np.ones(shape), predictions=predictions, seconds={"fit": 1.0}
        )

    out = folder / "out"
    arguments = ["--split", str(folder / "split"), "--out", str(out), "--period", "test"]
    monkeypatch.setattr(sys, "argv", ["peer.py", *arguments, "--settings", '{"chance": 0.25}'])
    main(answer, library="numpy")
    facts = json.loads((out / "facts.json").read_text())
    assert facts["library"] == f"numpy {np.__version__}"
    assert (facts["settings"], facts["seconds"], facts["viewers"]) == ({"chance": 0.25}, {"fit": 1.0}, 2)
    assert facts["places_filled_by_popularity"] == 2 + 3
    assert pl.read_parquet(out / "predictions.parquet")["finish"].to_list() == [0.25] * 4
    # 5 is first for both; then viewer 0 gets 3 and 4, viewer 1 the liked 1 and 2, then 4.
    assert ndcg_of(folder / "split", out, "test")[1] == 1 / log2(5)


PEER = trials.Peer(name="fake", script="fake.py", requirements="fake", trials=({"first": 5}, {"first": 2}))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """A peer that ranks one video first; the calls made to it."""
    calls: list[list[str]] = []

    def run_script(python: Path, script: Path, arguments: list[str], *, log: Path) -> None:
        calls.append(arguments)
        given = dict(zip(arguments[::2], arguments[1::2], strict=True))
        split = Split(Path(given["--split"]), given["--period"])
        first = np.full((len(split.viewers), 1), json.loads(given["--settings"])["first"])
        log.parent.mkdir(parents=True, exist_ok=True)
        topk(split, first, np.ones(first.shape)).write_parquet(log.parent / "topk.parquet")
        (log.parent / "facts.json").write_text(
            json.dumps(
                {
                    "library": "fake 1",
                    "viewers": len(first),
                    "settings": json.loads(given["--settings"]),
                }
            )
        )

    monkeypatch.setattr(contest, "PEERS", {"fake": PEER})
    monkeypatch.setattr(contest, "TUNED", tmp_path / "tuned")
    monkeypatch.setattr(contest, "environment", lambda name, cache: Path(sys.executable))
    monkeypatch.setattr(contest, "run_script", run_script)
    return calls


def test_the_winner_of_the_trials_is_kept_and_used(folder: Path, fake: list[list[str]], tmp_path: Path) -> None:
    outcome = contest.contest("fake", folder)
    kept = json.loads((tmp_path / "tuned" / "fake.json").read_text())
    assert kept["winner"] == {"first": 2}  # what viewer 0 liked in the validation period
    assert kept["trials"][0]["ndcg@10"] < kept["trials"][1]["ndcg@10"] == 1.0
    assert [call[call.index("--period") + 1] for call in fake] == ["validation", "validation", "test"]
    assert outcome.ndcg_B is not None
    assert len(outcome.ndcg_B) == 2


def test_a_rerun_trains_only_the_winner(folder: Path, fake: list[list[str]]) -> None:
    contest.contest("fake", folder)
    fake.clear()
    contest.contest("fake", folder)
    assert len(fake) == 1


def test_a_tuning_goes_on_where_it_was_stopped_unless_the_split_is_new(
    folder: Path, fake: list[list[str]]
) -> None:
    contest.contest("fake", folder)
    facts = folder / "trials" / "fake" / "1" / "facts.json"
    facts.unlink()
    fake.clear()
    contest.contest("fake", folder, tune=True)
    assert [call[call.index("--settings") + 1] for call in fake] == [
        '{"first": 2}'
    ] * 2  # the trial, then the test
    fake.clear()
    os.utime(facts, (0, 0))
    contest.contest("fake", folder, tune=True)
    assert len(fake) == 2


def test_an_answer_of_an_earlier_run_is_not_taken_for_this_one(
    folder: Path, fake: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    contest.contest("fake", folder)
    monkeypatch.setattr(contest, "run_script", lambda *arguments, log: None)
    with pytest.raises(FileNotFoundError, match=r"facts\.json"):
        contest.contest("fake", folder)


def test_an_unknown_peer_is_named(folder: Path) -> None:
    with pytest.raises(contest.PeerError, match="no peer called 'gorse': choose one of itemknn"):
        contest.contest("gorse", folder)


def test_every_peer_may_try_as_much_as_the_others() -> None:
    assert len({len(peer.trials) for peer in trials.PEERS.values()}) == 1


@pytest.mark.parametrize("peer", trials.PEERS.values(), ids=list(trials.PEERS))
def test_every_peer_has_its_script_and_requirements(peer: trials.Peer) -> None:
    assert (HERE / peer.script).exists()
    assert (HERE / "requirements" / f"{peer.requirements}.txt").exists()


@pytest.mark.parametrize("kept", sorted(contest.TUNED.glob("*.json")), ids=lambda file: file.stem)
def test_a_kept_winner_is_the_best_of_the_trials_of_its_peer(kept: Path) -> None:
    peer, found = trials.PEERS[kept.stem], json.loads(kept.read_text())
    assert [trial["settings"] for trial in found["trials"]] == list(peer.trials)
    best = max(found["trials"], key=lambda trial: trial[peer.criterion])
    assert found["winner"] == best["settings"]


@pytest.mark.parametrize(
    "script", ["folder.py", "sequences.py", *sorted({p.script for p in trials.PEERS.values()})]
)
def test_what_runs_in_a_peers_environment_imports_nothing_of_swipewise(script: str) -> None:
    tree = ast.parse((HERE / script).read_text())
    names = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    sources = {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    roots = {name.partition(".")[0] for name in names | sources}
    assert "polars" in names or "folder" in sources
    assert not roots & {"swipewise", "benchmarks", ""}
