"""The report of a small simulated world, with a model that ranks and listens as it is told to."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from swipewise.config import SplitConfig
from swipewise.errors import ArtifactError
from swipewise.evaluation.exam import examine
from swipewise.evaluation.protocol import Metric
from swipewise.evaluation.report import render, write_report
from swipewise.evaluation.results import as_report, learning_curve
from swipewise.evaluation.view import headline
from swipewise.schema import CONTENT_MODALITIES
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


def report_of(model_quality: float) -> dict[str, Any]:
    world, dataset = small_world()
    truth = WorldTruth(world)
    split = split_by_time(dataset, SplitConfig())
    at_U = np.full(len(dataset.viewer_ids), split.test_start)
    utility = truth.utilities(dataset.viewer_ids, dataset.video_ids, at_U)
    model = Listener(model_quality * utility, name="<b>model</b>")
    exam = examine(dataset, model, valid_start=split.valid_start, test_start=split.test_start, truth=truth)
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


def test_the_page_asks_for_nothing_outside_itself(report: dict[str, Any]) -> None:
    page = Page(render(report))
    assert page.open == []
    assert page.references
    assert all(reference.startswith("#") for reference in page.references)
    assert {reference[1:] for reference in page.references} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_the_page_shows_every_section_and_the_figures(report: dict[str, Any]) -> None:
    html = render(report)
    page = Page(html)
    assert {"ranking", "segments", "learning", "attention", "method", "figures"} <= set(page.ids)
    assert html.count("<svg") == 3
    text = " ".join(page.text)
    for part in report["segments"].values():
        for figures in part["figures"].values():
            for figure in figures.values():
                assert f"{figure['value']:.3f}" in text
    assert "nan" not in text.split()
    assert "None" not in text.split()


def test_names_that_users_chose_cannot_become_markup(report: dict[str, Any]) -> None:
    html = render(report)
    assert "<script>" not in html
    assert "&lt;script&gt;run" in html


def test_plots_take_their_colours_from_the_page(report: dict[str, Any]) -> None:
    html = render(report)
    svg = html[html.index("<svg") : html.rindex("</svg>")]
    assert "var(--model)" in svg
    assert "var(--ink)" in svg
    assert "#1d2026" not in svg
    assert "<style" not in svg


def test_the_best_epoch_is_named(report: dict[str, Any]) -> None:
    assert "each of 3 passes" in render(report)
    assert "after pass 2, the best" in render(report)


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
    assert html.count("<svg") == 2


def test_the_headline_claims_no_more_than_the_interval_allows(report: dict[str, Any]) -> None:
    best = headline(report)
    assert best.startswith("The model ranks ")
    assert "times as well as the best baseline, ItemCF" in best
    assert headline(report_of(-1.0)) == "The best baseline, ItemCF, ranks better than the model"
    against = [a | {"difference": {"value": 0.01, "low": -0.02, "high": 0.03}} for a in report["against"]]
    assert "cannot tell the model from" in headline(report | {"against": against})


def test_a_baseline_at_zero_leaves_the_ratio_out(report: dict[str, Any]) -> None:
    against = [a | {"ratio": None} for a in report["against"]]
    assert "ranks better than the best baseline" in headline(report | {"against": against})
    assert "n/a" in render(report | {"against": against})


def test_both_files_are_written_whole(report: dict[str, Any], tmp_path: Path) -> None:
    page = write_report(report, tmp_path / "report")
    assert page.read_text(encoding="utf-8") == render(report)
    assert json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8")) == report
    assert sorted(path.name for path in page.parent.iterdir()) == ["index.html", "report.json"]


def test_a_report_that_cannot_be_written_is_an_error(report: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "report").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"cannot write the report to .*report"):
        write_report(report, tmp_path / "report")
