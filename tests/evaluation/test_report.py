"""The report of a small simulated world, with a model that ranks and listens as it is told to."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from swipewise.config import SplitConfig
from swipewise.errors import ArtifactError
from swipewise.evaluation.exam import Search, examine
from swipewise.evaluation.protocol import Metric
from swipewise.evaluation.report import render, write_report
from swipewise.evaluation.results import as_report, learning_curve
from swipewise.evaluation.tables import print_tables
from swipewise.evaluation.view import headline
from swipewise.schema import CONTENT_MODALITIES
from swipewise.training.dataset import ContentFeature, Dataset, Interactions
from swipewise.training.split import split_by_time
from tests.evaluation.worlds import WorldTruth, small_world
from tests.training.hand_made import TableRecommender

RUN = {
    "split": {"valid_start": 1, "test_start": 2},
    "seed": 7,
    "data_fingerprint": "f1a9",
    "versions": {"swipewise": "0.1.0"},
    "figures": {
        "epochs": [
            {"number": 1, "loss": 5.0, "validation_ndcg": 0.10},
            {"number": 2, "loss": 4.0, "validation_ndcg": 0.14},
            {"number": 3, "loss": 3.5, "validation_ndcg": 0.13},
        ]
    },
}


class Listener(TableRecommender):
    modalities = (*map(str, CONTENT_MODALITIES), "id")

    def modality_weights(self, viewers_B: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.tile([0.4, 0.3, 0.2, 0.1], (len(viewers_B), 1))


class FakePredictor(Listener):
    """Gives every action a probability that grows with the score."""

    actions = ("like", "skip", "hide")

    def predict(self, exposures: Interactions) -> NDArray[np.float32]:
        score_I = self.scores_UV[exposures.viewer_I, exposures.video_I]
        return np.tile(1 / (1 + np.exp(-score_I))[:, None], (1, 3)).astype(np.float32)


def described(dataset: Dataset) -> Dataset:
    """With a tag each, one of them an attack, and sound on every other video."""
    videos = len(dataset.video_ids)
    code_V = np.arange(videos) % 3 + 1
    audio = ContentFeature(
        values_VD=np.random.default_rng(0).random((videos, 4), np.float32), present_V=np.arange(videos) % 2 == 0
    )
    return replace(
        dataset,
        content={"audio": audio},
        attributes_VA=code_V[:, None],
        attribute_values=("tags=cats", "tags=<script>", "tags=[b]$x$"),
    )


def report_of(model_quality: float, model_class: type[Listener] = FakePredictor) -> dict[str, Any]:
    world, bare = small_world()
    dataset = described(bare)
    truth = WorldTruth(world)
    split = split_by_time(dataset, SplitConfig())
    at_U = np.full(len(dataset.viewer_ids), split.test_start)
    utility = truth.utilities(dataset.viewer_ids, dataset.video_ids, at_U)
    exam = examine(
        dataset,
        model_class(model_quality * utility, name="<b>model</b>"),
        valid_start=split.valid_start,
        test_start=split.test_start,
        truth=truth,
        against=("itemcf", "popularity"),
        search_with=Search(trials=1),
    )
    return as_report(
        exam,
        dataset,
        valid_start=split.valid_start,
        run_id="<script>run</script>",
        run=RUN,
        evaluated_at=datetime(2025, 3, 1, 12, tzinfo=UTC),
    )


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return report_of(1.0)


@pytest.fixture(scope="module")
def html(report: dict[str, Any]) -> str:
    return render(report)


class Page(HTMLParser):
    """Collects what a page refers to and checks that its elements nest."""

    VOID = frozenset({"meta", "path", "use", "rect", "br", "img", "link"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.ids: list[str] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attributes:
            if name in ("src", "href", "xlink:href"):
                self.references.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_report_is_plain_json_with_every_figure_and_interval(report: dict[str, Any]) -> None:
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    for part in report["segments"].values():
        for figures in part["figures"].values():
            assert set(figures) == set(Metric)
            assert all(0 <= f["low"] <= f["value"] <= f["high"] <= 1 for f in figures.values())
    assert [model["kind"] for model in report["models"]] == ["model", "baseline", "baseline", "oracle"]
    assert report["run"] == {
        "id": "<script>run</script>",
        "seed": 7,
        "data_fingerprint": "f1a9",
        "versions": {"swipewise": "0.1.0"},
    }


def test_moments_of_the_split_are_in_order(report: dict[str, Any]) -> None:
    split = report["split"]
    moments = [datetime.fromisoformat(split[key]) for key in ("first", "valid_start", "test_start", "last")]
    assert moments == sorted(moments)
    assert moments[0].tzinfo is not None


def test_what_the_model_listens_to_is_summed_up(report: dict[str, Any]) -> None:
    attention = report["attention"]
    visual = attention["modalities"]["visual"]
    assert visual["mean"] == pytest.approx(0.4)
    assert sum(visual["histogram"]) == attention["viewers"]
    assert visual["histogram"][10] == attention["viewers"]  # the bin [0.4, 0.44) of 25
    assert attention["agreement"]["spearman"]["mean"] == 0.0  # it listens to everybody alike
    assert len(attention["agreement"]["deciles"]["text"]) == 10


def test_the_page_asks_for_nothing_outside_itself(html: str) -> None:
    page = Page(html)
    assert page.open == []
    assert page.references
    assert all(reference.startswith("#") for reference in page.references)
    assert {reference[1:] for reference in page.references} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_the_page_shows_every_section_and_the_figures(report: dict[str, Any], html: str) -> None:
    page = Page(html)
    sections = {"ranking", "segments", "actions", "beyond", "learning", "attention", "method", "figures"}
    assert sections <= set(page.ids)
    assert html.count("<svg") == 5
    text = " ".join(page.text)
    for part in report["segments"].values():
        for figures in part["figures"].values():
            for figure in figures.values():
                assert f"{figure['value']:.3f}" in text
    assert "nan" not in text.split()
    assert "None" not in text.split()


def test_names_that_users_chose_cannot_become_markup(html: str) -> None:
    assert "<script>" not in html
    assert "&lt;script&gt;run" in html


def test_plots_take_their_colours_from_the_page(html: str) -> None:
    svg = html[html.index("<svg") : html.rindex("</svg>")]
    assert "var(--model)" in svg
    assert "var(--ink)" in svg
    assert "#1d2026" not in svg
    assert "<style" not in svg


def test_the_best_epoch_is_named(html: str) -> None:
    assert "each of 3 passes" in html
    assert "after pass 2, the best" in html


def test_epochs_without_a_validation_figure_are_no_learning_curve() -> None:
    assert learning_curve({"figures": {"epochs": [{"number": 1, "loss": 5.0, "validation_ndcg": None}]}}) == []
    assert learning_curve({}) == []


def test_a_run_without_epochs_and_a_model_that_cannot_say_are_left_out(report: dict[str, Any]) -> None:
    page = Page(render(report | {"learning": [], "attention": None}))
    assert not {"learning", "attention"} & set(page.ids)


def test_without_a_truth_there_is_no_ceiling(report: dict[str, Any]) -> None:
    attention = report["attention"] | {"agreement": None}
    html = render(report | {"models": report["models"][:3], "attention": attention})
    assert "ceiling" not in html
    assert html.count("<svg") == 4


def test_the_headline_claims_no_more_than_the_interval_allows(report: dict[str, Any]) -> None:
    best = headline(report)
    assert best.startswith("The model ranks ")
    assert "times as well as the best baseline, ItemCF" in best
    assert headline(report_of(-1.0)) == "The best baseline, ItemCF, ranks better than the model"
    against = [a | {"difference": {"value": 0.01, "low": -0.02, "high": 0.03}} for a in report["against"]]
    assert "cannot tell the model from" in headline(report | {"against": against})
    assert "the difference may be chance" in render(report | {"against": against})


def test_the_headline_claims_no_more_than_the_corrected_p_value_allows(report: dict[str, Any]) -> None:
    against = [a | {"p_holm": None if a["p_holm"] is None else 0.05} for a in report["against"]]
    assert "cannot tell the model from" in headline(report | {"against": against})


def test_p_values_stand_beside_the_differences(report: dict[str, Any], html: str) -> None:
    found = {a["other"]: a for a in report["against"] if (a["segment"], a["metric"]) == ("all", "ndcg@10")}
    assert all(found[name]["p"] <= found[name]["p_holm"] < 0.05 for name in ("itemcf", "popularity"))
    assert found["oracle"]["p_holm"] is None
    assert all(a["p_holm"] is None for a in report["against"] if a["segment"] != "all")
    assert "p corrected" in html
    assert "its 2 comparisons" in html


def test_segments_speak_of_activity_categories_and_missing_modalities(report: dict[str, Any], html: str) -> None:
    known = ["all", "warm viewers", "cold viewers", "cold videos", "light viewers", "medium viewers"]
    assert [name for name in known if name not in report["segments"]] == []
    assert {"tags=cats", "tags=<script>", "tags=[b]$x$", "without audio"} <= set(report["segments"])
    page = Page(html)
    for title in ("By category", "Tag cats", "Tag [b]$x$", "Where a modality is missing", "Videos without audio"):
        assert title in page.text
    # The categories share out the relevant videos.
    targets = sum(part["targets"] for name, part in report["segments"].items() if name.startswith("tags="))
    assert targets == report["segments"]["all"]["targets"]


def test_actions_are_measured_and_those_that_are_too_rare_are_named(report: dict[str, Any]) -> None:
    actions = {action["action"]: action for action in report["actions"]["actions"]}
    like = actions["like"]["scores"]["<b>model</b>"]
    assert like["auc"]["low"] > 0.5 > actions["skip"]["scores"]["<b>model</b>"]["auc"]["high"]
    assert sum(one["exposures"] for one in like["reliability"]) == report["actions"]["exposures"]
    rare = report | {"actions": report["actions"] | {"skipped": {"hide": 3}}}
    assert "were not measured: hide (3)" in render(rare)


def test_a_model_that_predicts_nothing_has_no_such_section() -> None:
    report = report_of(1.0, Listener)
    assert report["actions"] is None
    assert "actions" not in Page(render(report)).ids


def test_what_lists_are_like_is_in_the_table(report: dict[str, Any], html: str) -> None:
    beyond = report["beyond"]
    assert set(beyond["recommenders"]) == {model["name"] for model in report["models"]}
    model, popularity = beyond["recommenders"]["<b>model</b>"], beyond["recommenders"]["popularity"]
    assert popularity["coverage"] < model["coverage"]
    assert popularity["popularity"]["low"] > max(model["popularity"]["high"], beyond["liked_popularity"]["high"])
    assert popularity["gini"] > model["gini"]
    text = " ".join(Page(html).text)
    for word in ("coverage", "novelty, bits", "diversity, content", "diversity, attributes"):
        assert word in text


def test_figures_that_nobody_has_are_left_out_of_the_table(report: dict[str, Any]) -> None:
    lists = {name: one | {"content_diversity": None} for name, one in report["beyond"]["recommenders"].items()}
    html = render(report | {"beyond": report["beyond"] | {"recommenders": lists}})
    assert "diversity, content" not in html


def test_without_degrees_of_activity_there_is_nothing_to_plot(report: dict[str, Any]) -> None:
    segments = {name: part for name, part in report["segments"].items() if name in ("all", "light viewers")}
    assert "by how much viewers had done" not in render(report | {"segments": segments})


def test_the_terminal_shows_the_same_figures(report: dict[str, Any]) -> None:
    out = StringIO()
    print_tables(report, Console(file=out, width=120, highlight=False))
    text = out.getvalue()
    for part in (
        "NDCG@10 by segment",
        "cold videos",
        "tags=[b]$x$",
        "Predicting actions",
        "The first ten places",
    ):
        assert part in text
    for name in ("<b>model</b>", "oracle"):
        for segment in report["segments"].values():
            assert f"{segment['figures'][name]['ndcg@10']['value']:.3f}" in text
        assert f"{report['beyond']['recommenders'][name]['coverage']:.3f}" in text
    assert f"{report['actions']['actions'][0]['scores']['<b>model</b>']['auc']['value']:.3f}" in text
    assert "Planted and learned modality weights agree" in text
    out = StringIO()
    print_tables(report | {"actions": None, "attention": None}, Console(file=out, width=120))
    assert "Predicting" not in out.getvalue()


def test_a_baseline_at_zero_leaves_the_ratio_out(report: dict[str, Any]) -> None:
    against = [a | {"ratio": None} for a in report["against"]]
    assert "ranks better than the best baseline" in headline(report | {"against": against})
    assert "n/a" in render(report | {"against": against})


def test_both_files_are_written_whole(report: dict[str, Any], tmp_path: Path, html: str) -> None:
    page = write_report(report, tmp_path / "report")
    assert page.read_text(encoding="utf-8") == html
    assert json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8")) == report
    assert sorted(path.name for path in page.parent.iterdir()) == ["index.html", "report.json"]


def test_a_report_that_cannot_be_written_is_an_error(report: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "report").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"cannot write the report to .*report"):
        write_report(report, tmp_path / "report")
