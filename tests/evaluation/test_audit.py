"""A whole audit of a small model, its report, its page and its table."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from swipewise.config import Config, TrainingConfig
from swipewise.errors import ArtifactError, UnknownIdError
from swipewise.evaluation.audit import Audit, audit
from swipewise.evaluation.audit_attention import attention_spread
from swipewise.evaluation.audit_findings import Thresholds, Verdict
from swipewise.evaluation.audit_ranking import PERMUTED, REMOVED, SHUFFLED
from swipewise.evaluation.audit_report import as_audit_report
from swipewise.evaluation.audit_runs import chosen_run
from swipewise.evaluation.audit_view import headline, page_values, print_audit, write_audit
from swipewise.evaluation.pages import change_rows
from swipewise.evaluation.segments import Segment
from swipewise.training.fitted import FittedModel
from swipewise.training.loop import fit_network, seeded
from swipewise.training.recommender import InterestRecommender
from swipewise.training.runs import close_run
from tests.training.tiny import tiny_config, tiny_dataset, tiny_split

SPLIT = tiny_split()


def untrained(config: Config) -> FittedModel:
    with seeded(0):
        return FittedModel.untrained(config.model, SPLIT.train, {})


@pytest.fixture(scope="module")
def fitted() -> FittedModel:
    return fit_network(SPLIT.train, SPLIT.validation, tiny_config(epochs=2)).fitted


@pytest.fixture(scope="module")
def found(fitted: FittedModel) -> Audit:
    return audit(fitted, tiny_dataset(), valid_start=SPLIT.valid_start, test_start=SPLIT.test_start, repeats=1)


@pytest.fixture(scope="module")
def report(found: Audit) -> dict[str, Any]:
    return as_audit_report(found, run_id="20250301-abc", audited_at=datetime(2025, 3, 1, tzinfo=UTC))


def test_every_check_is_made(found: Audit) -> None:
    checks = [finding.check for finding in found.findings]
    for check in (
        "attention-uniform",
        "attention-viewers",
        "attention-single",
        "attention-segments",
        "order",
        "profile",
        "alignment",
        "missing",
        "popularity",
    ):
        assert checks.count(check) == 1
    assert any(check.startswith("calibration") for check in checks)
    assert all(finding.mend for finding in found.findings if finding.verdict != Verdict.SKIP)
    measured = {against.other for against in found.effects.comparison.against}
    assert measured == {SHUFFLED, PERMUTED, REMOVED, "half without visual", "half without text"}


def test_attention_is_measured_as_the_recommender_tells_it(fitted: FittedModel, found: Audit) -> None:
    assert found.attention is not None
    weights_UM = InterestRecommender.of(fitted, found.protocol.history).modality_weights(found.attention.viewers_U)
    assert found.attention.weights_UM == pytest.approx(weights_UM, abs=1e-6)
    assert found.attention.weights_VM.mean(axis=0) == pytest.approx(weights_UM.mean(axis=0), abs=1e-6)
    few = attention_spread(fitted, found.protocol.history, most_viewers=7)
    assert few is not None
    assert few.weights_UM.shape == (7, len(fitted.modalities))


def test_a_model_without_attention_is_uniform_to_the_measure() -> None:
    config = tiny_config()
    spread = attention_spread(
        untrained(replace(config, model=replace(config.model, without=("attention",)))), SPLIT.train
    )
    assert spread is not None
    assert spread.entropy == pytest.approx(1.0, abs=1e-6)
    assert spread.deviation == pytest.approx(0.0, abs=1e-5)
    assert spread.variation == pytest.approx(0.0, abs=1e-6)


def test_one_modality_leaves_nothing_to_weigh() -> None:
    config = tiny_config()
    model = untrained(replace(config, model=replace(config.model, modalities=("visual",))))
    assert attention_spread(model, SPLIT.train) is None
    nobody = SPLIT.train.before(0)
    assert attention_spread(untrained(config), nobody) is None


def test_what_a_model_does_not_read_can_be_altered_without_a_loss() -> None:
    config = tiny_config()
    deaf = replace(config, model=replace(config.model, without=("profile", "sequence"), themes=0))
    found = audit(
        untrained(deaf),
        tiny_dataset(),
        valid_start=SPLIT.valid_start,
        test_start=SPLIT.test_start,
        training=TrainingConfig(action_weight=0.0),
        repeats=1,
    )
    for name in (SHUFFLED, PERMUTED, REMOVED):
        loss = found.effects.loss(name)
        assert loss is not None
        assert loss.difference.value == pytest.approx(0.0, abs=1e-9)
    skipped = {finding.check for finding in found.findings if finding.verdict == Verdict.SKIP}
    assert {"order", "profile", "calibration", "alignment"} <= skipped


def test_thresholds_decide(fitted: FittedModel, found: Audit) -> None:
    assert found.attention is not None
    strict = Thresholds(deviation=found.attention.deviation + 0.01, variation=0.0)
    verdicts = {
        finding.check: finding.verdict
        for finding in audit(
            fitted,
            tiny_dataset(),
            valid_start=SPLIT.valid_start,
            test_start=SPLIT.test_start,
            training=TrainingConfig(action_weight=0.0),
            thresholds=strict,
            repeats=1,
        ).findings
    }
    assert verdicts["attention-uniform"] == Verdict.WARN
    assert verdicts["attention-viewers"] == Verdict.PASS


def test_the_report_is_plain_and_the_page_stands_alone(report: dict[str, Any], tmp_path: Path) -> None:
    page = write_audit(report, tmp_path / "report")
    assert json.loads((page.parent / "audit.json").read_bytes()) == report
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert 'href="http' not in text
    for finding in report["findings"]:
        assert finding["title"] in text
    assert page_values(report)["losses"][0]["title"] == "All viewers"
    assert {effect["segment"] for effect in report["effects"]} >= {Segment.ALL, Segment.COLD_VIEWERS}


def test_a_report_that_cannot_be_written_is_an_error(report: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(ArtifactError, match=r"cannot write .*taken/audit\.html"):
        write_audit(report, tmp_path / "taken")


def test_names_from_the_data_cannot_break_the_page(report: dict[str, Any], tmp_path: Path) -> None:
    line = {"family": "category", "name": "tags=<script>[b]", "members": 10, "distance": 0.1}
    weights = dict.fromkeys(report["attention"]["modalities"], 0.2)
    evil = report | {"segments": [line | {"weights": weights}]}
    assert "<script" not in write_audit(evil, tmp_path).read_text(encoding="utf-8")
    out = StringIO()
    print_audit(evil, Console(file=out, width=200))
    assert "tags=<script>[b]" in out.getvalue()


def test_the_table_says_verdict_and_mend(report: dict[str, Any]) -> None:
    out = StringIO()
    print_audit(report, Console(file=out, width=400))
    lines = "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"
    for finding in report["findings"]:
        assert finding["text"] in lines
        warns = finding["verdict"] == Verdict.WARN
        assert (f"  mend: {finding['mend'] or 'nothing'}\n" in lines) == warns
    assert out.getvalue().endswith(f"{headline(report)}.\n")


def test_the_headline_counts_what_was_judged() -> None:
    def finding(verdict: Verdict) -> dict[str, str]:
        return {"verdict": verdict.value}

    passed, warned, skipped = map(finding, Verdict)
    assert headline({"findings": [passed, passed, skipped]}) == "All 2 checks pass"
    assert headline({"findings": [passed, warned, skipped]}) == "1 of 2 checks warn"


def test_bars_to_both_sides_share_a_scale() -> None:
    loss = {"value": -0.2, "low": -0.3, "high": -0.1}
    unsure = {"value": 0.05, "low": -0.05, "high": 0.1}
    bare = {"value": 0.1, "low": None, "high": None}
    first, second, third = change_rows([("a", loss), ("b", unsure), ("c", bare)])
    # From -0.3 to 0.1: zero lies at three quarters.
    assert [row["zero"] for row in (first, second, third)] == ["75.00"] * 3
    assert (first["left"], first["wide"], first["start"], first["width"]) == ("25.00", "50.00", "0.00", "50.00")
    assert [row["tone"] for row in (first, second, third)] == ["loss", "unsure", "gain"]
    assert (second["left"], second["wide"]) == ("75.00", "12.50")
    assert third["range"] == "no interval"


def test_a_run_is_chosen_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownIdError, match="swipewise train"):
        chosen_run(tmp_path, "a")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        close_run(tmp_path / name, {})
    (tmp_path / "c").mkdir()  # never finished
    assert chosen_run(tmp_path, None) == tmp_path / "b"
    assert chosen_run(tmp_path, "a") == tmp_path / "a"
    with pytest.raises(UnknownIdError, match=r"no finished run 'c' in .*: finished runs are a, b"):
        chosen_run(tmp_path, "c")
