"""The Python API: a workspace is filled, fitted, asked and measured in a few lines."""

from __future__ import annotations

import inspect
import re
import shutil
import textwrap
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import Result
from numpy.typing import NDArray

import swipewise
from swipewise import Evaluation, Workspace
from swipewise.api.behavior import Behavior
from swipewise.errors import ConfigError, DataError, InputFileError, SwipewiseError, UnknownIdError
from swipewise.feed.pipeline import Pipeline
from swipewise.feed.roster import Roster
from swipewise.feed.stages import Query
from swipewise.training.dataset import Dataset
from swipewise.training.ranking import top_k_unseen
from swipewise.training.runs import latest_run


@pytest.fixture(scope="module")
def demo(quick_demo: tuple[Path, Result], tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A copy of the demo; tests read it and write its report."""
    root = tmp_path_factory.mktemp("api") / "shop"
    shutil.copytree(quick_demo[0], root, ignore=shutil.ignore_patterns("world"))
    return Workspace.open(root)


def briefly(workspace: Workspace) -> Workspace:
    """The workspace with a training of one epoch."""
    training = replace(workspace.config.training, epochs=1)
    return replace(workspace, config=replace(workspace.config, training=training))


def test_the_lines_of_the_docstring_run_as_they_stand(
    demo: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = re.search(r"::\n\n((?: {12}.*\n|\n)+)", Workspace.__doc__ or "")
    assert example is not None
    code = textwrap.dedent(example[1])
    assert len([line for line in code.splitlines() if line]) <= 6
    opened = briefly(demo)
    monkeypatch.setattr(Workspace, "open", lambda _: opened)
    exec(compile(code, "docstring", "exec"), {})
    printed = capsys.readouterr().out
    for word in ("viewer_id", "evidence", "recommender", "swipewise"):
        assert word in printed, word
    shutil.rmtree(latest_run(demo.runs_dir))


def test_open_and_create_give_what_can_be_worked_with(tmp_path: Path) -> None:
    made = Workspace.create(str(tmp_path / "shop"))
    assert isinstance(made, Workspace)
    assert isinstance(Workspace.open(made.root), Workspace)
    assert isinstance(made, swipewise.workspace.Workspace)


def test_frames_fill_a_workspace_as_files_do(tmp_path: Path) -> None:
    shop = Workspace.create(tmp_path)
    log = pl.DataFrame(
        {
            "user": ["ann", "ann", "bob"],
            "video_id": ["a", "b", "a"],
            "action": ["like", "skip", "view"],
            "at": ["2026-01-01T10:00:00Z", "2026-01-01T10:01:00Z", "2026-01-02T00:00:00Z"],
        }
    )
    assert shop.import_events(log, columns={"viewer_id": "user"}).added == 3
    log.write_csv(tmp_path / "log.csv")
    assert shop.import_events(tmp_path / "log.csv", columns={"viewer_id": "user"}).duplicates == 3
    assert shop.import_viewers(pl.DataFrame({"viewer_id": ["ann"], "age": [30]})).added == 1
    assert shop.events().sort("at")["action"].to_list() == ["like", "skip", "view"]
    assert shop.interactions().filter(pl.col("like"))["viewer_id"].to_list() == ["ann"]
    with pytest.raises(InputFileError, match="viewer_id"):
        shop.import_events(log)


def test_what_is_recommended_is_what_the_feed_shows(demo: Workspace) -> None:
    found = demo.recommend(["viewer00001", "stranger"], k=5)
    assert found.columns == ["viewer_id", "position", "video_id", "score", "source", "propensity", "level"]
    assert found.group_by("viewer_id", maintain_order=True).len().rows() == [("viewer00001", 5), ("stranger", 5)]
    assert found["position"].to_list() == [0, 1, 2, 3, 4] * 2
    assert found["level"].unique(maintain_order=True).to_list() == ["model", "popular"]
    seen = demo.events().filter(pl.col("viewer_id") == "viewer00001")["video_id"].unique()
    assert not set(found["video_id"][:5]) & set(seen)
    alone = demo.recommend("viewer00001", k=1)
    assert len(alone) == 1
    with pytest.raises(ConfigError, match="at least 1 video, not 0"):
        demo.recommend("viewer00001", k=0)


def test_a_viewer_and_their_feed_are_explained(demo: Workspace) -> None:
    why = demo.explain("viewer00001", k=4)
    assert (why.level, why.note) == ("model", None)
    assert why.interactions > 0
    assert sum(why.modality_weights.values()) == pytest.approx(1, abs=0.05)
    assert why.videos["position"].to_list() == [0, 1, 2, 3]
    weights = why.videos.select(pl.sum_horizontal(f"weight_{name}" for name in why.modality_weights))
    assert weights.to_series().to_list() == pytest.approx([1.0] * 4, abs=1e-4)
    assert why.videos["expected_like"].is_between(0, 1).all()
    assert why.videos["evidence"].list.len().max() > 0
    assert set(why.themes.columns) == {"modality", "taste", "words", "videos"}


def test_a_video_is_explained_whether_it_was_seen_or_not(demo: Workspace) -> None:
    seen = demo.events().filter(pl.col("viewer_id") == "viewer00001")["video_id"][0]
    why = demo.explain("viewer00001", [seen])
    assert why.videos["video_id"].to_list() == [seen]
    assert why.videos["position"].to_list() == [None]
    assert why.videos["weight_visual"][0] > 0
    with pytest.raises(UnknownIdError, match="no video 'clip9'"):
        demo.explain("viewer00001", ["clip9"])


def test_of_a_stranger_nothing_is_made_up(demo: Workspace) -> None:
    why = demo.explain("stranger", k=3)
    assert (why.level, why.modality_weights, len(why.themes)) == ("popular", {}, 0)
    assert why.note == "nothing is known of viewer 'stranger' yet"
    assert why.videos.columns == ["video_id", "position", "score", "source", "evidence"]


def test_similar_videos_and_vectors(demo: Workspace) -> None:
    found = demo.similar("clip00003", k=3)
    assert len(found) == 3
    assert found["similarity"].is_sorted(descending=True)
    ids, vectors = demo.vectors("visual")
    assert vectors.shape[0] == len(ids) == len(demo.videos())
    with pytest.raises(
        UnknownIdError, match=r"no 'smell' vectors by a configured encoder in .*: there are visual by"
    ):
        demo.vectors("smell")


class ByLength:
    """Ranks the longest videos first, whoever asks."""

    name = "by length"

    def __init__(self) -> None:
        self._dataset: Dataset | None = None

    def fit(self, dataset: Dataset) -> ByLength:
        return self.observe(dataset)

    def observe(self, dataset: Dataset) -> ByLength:
        self._dataset = dataset
        return self

    def score(self, viewers_B: NDArray[np.int64], videos_N: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.broadcast_to(videos_N.astype(np.float32), (len(viewers_B), len(videos_N)))

    def recommend(self, viewers_B: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        assert self._dataset is not None
        return top_k_unseen(self.score, self._dataset, viewers_B, k)


def test_what_viewers_do_comes_as_frames(demo: Workspace) -> None:
    steps = demo.behavior.funnel()
    assert steps["step"][0] == "exposure"
    assert steps["interactions"][0] == demo.interactions().height
    assert demo.behavior.funnel(every="week")["exposure"].sum() == steps["interactions"][0]
    assert demo.behavior.activity(every="week")["events"].sum() == len(demo.events())
    retention = demo.behavior.retention()
    assert retention.filter(period=0)["share"].to_list() == [1.0] * retention["cohort"].n_unique()
    found = demo.behavior.segments(count=3, least=5)
    assert found.segments["segment"].to_list() == [1, 2, 3]
    assert len(found.members) == demo.interactions()["viewer_id"].n_unique()
    shifts = demo.behavior.shifts()
    assert shifts.columns == ["viewer_id", "at", "noticed_at", "interactions", "odds", "modality", "from", "to"]
    with pytest.raises(UnknownIdError, match="no viewer 'nobody' has a profile or has done anything"):
        demo.behavior.shifts("nobody")


def test_an_evaluation_takes_recommenders_of_ones_own(demo: Workspace) -> None:
    found = demo.evaluate(["popularity", ByLength], trials=1)
    assert isinstance(found, Evaluation)
    ndcg = found.figures.filter(segment="all", metric="ndcg@10")
    assert ndcg["recommender"].to_list() == ["swipewise", "popularity", "by length"]
    assert ndcg.select((pl.col("low") <= pl.col("value")) & (pl.col("value") <= pl.col("high"))).to_series().all()
    against = found.comparison.filter(segment="all", metric="ndcg@10")
    assert against["other"].to_list() == ["popularity", "by length"]
    assert found.page == demo.report_dir / "index.html"
    assert "by length" in found.page.read_text(encoding="utf-8")
    with pytest.raises(UnknownIdError, match="'itemfc' is no baseline: valid are popularity,"):
        demo.evaluate(["itemfc"])


@dataclass
class Alphabetical:
    """A score that puts ids in order."""

    roster: Roster

    def score(self, _query: Query, numbers_N: NDArray[np.int64]) -> NDArray[np.float32]:
        names = self.roster.names_of(numbers_N)
        return np.array([-float(name.removeprefix("clip")) for name in names], np.float32)


def test_the_ranker_of_the_feed_can_be_replaced(demo: Workspace) -> None:
    def adapt(pipeline: Pipeline) -> Pipeline:
        blend: Any = type("Plain", (), {"blend": lambda _self, _query, _numbers_N, scores_N: scores_N})()
        return replace(pipeline, score=Alphabetical(pipeline.roster), blend=blend)

    with demo.engine(adapt=adapt) as engine:
        before = engine.feed("viewer00001", size=3).recommendations
        engine.refresh()
        after = engine.feed("viewer00001", size=3).recommendations
    assert before[0].score == -float(before[0].video_id.removeprefix("clip"))
    assert [each.video_id for each in after] == [each.video_id for each in before]


def test_without_a_run_the_way_out_is_named(tmp_path: Path) -> None:
    shop = Workspace.create(tmp_path)
    with pytest.raises(UnknownIdError, match="fit a model with 'swipewise train'"):
        shop.evaluate()
    with pytest.raises(SwipewiseError, match="the catalogue holds no videos"):
        shop.fit()
    assert len(shop.recommend("ann")) == 0


def test_every_public_method_is_typed_and_documented() -> None:
    methods = [each for cls in (Workspace, Behavior) for each in inspect.getmembers(cls, inspect.isfunction)]
    for name, method in methods:
        if name.startswith("_"):
            continue
        assert method.__doc__, name
        assert "return" in method.__annotations__, name


@pytest.mark.parametrize(
    ("viewer", "told"),
    [
        (7, "viewer 7 is no text: ids are, so ask for '7'"),
        (None, "viewer None is no text"),
        ("", "viewer '': the id is empty"),
        ("x" * 300, r"viewer 'x{256}': the id has more than 256 characters"),
    ],
)
def test_viewers_that_are_no_ids_are_named(viewer: Any, told: str, tmp_path: Path) -> None:
    shop = Workspace.create(tmp_path / "shop")
    with pytest.raises(DataError, match=told):
        shop.recommend(["ann", viewer])
    with pytest.raises(DataError, match=told):
        shop.explain(viewer)


def test_what_is_no_frame_of_polars_is_told(tmp_path: Path) -> None:
    shop = Workspace.create(tmp_path / "shop")
    with pytest.raises(
        InputFileError, match=r"a dict is neither a path nor a frame of polars: polars\.from_pandas"
    ):
        shop.import_events({"viewer_id": ["ann"]})  # type: ignore[arg-type]
