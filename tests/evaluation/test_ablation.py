"""Which variants there are, what they are compared by, and that what is finished is not trained again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swipewise.config import Config, ModelConfig, TrainingConfig
from swipewise.errors import ArtifactError, DataError
from swipewise.evaluation import ablation as ablation_module
from swipewise.evaluation.ablation import (
    CONTENT_ONLY,
    FULL,
    ID_ONLY,
    PARTS,
    Ablation,
    Watch,
    ablate,
    chosen_parts,
    parts_of,
    without,
)
from swipewise.evaluation.ablation_report import as_ablation_report, headline, page_values, write_ablation
from swipewise.evaluation.ablation_store import AblationStore, ablation_plan
from swipewise.evaluation.protocol import Metric
from swipewise.evaluation.segments import Segment
from tests.training.tiny import tiny_config, tiny_dataset, tiny_split

CHOSEN = ("text", "trends", ID_ONLY)


def test_each_part_is_one_step_away_from_the_full_configuration() -> None:
    config = Config(training=TrainingConfig(alignment_weight=0.1))
    assert without(config, "id").model.modalities == ("visual", "text", "audio", "attributes")
    assert without(config, ID_ONLY).model.modalities == ("id",)
    assert without(config, CONTENT_ONLY).model.modalities == ("visual", "text", "audio")
    assert without(config, "trends").model.trends is False
    assert without(config, "neighbours").model.neighbours == 0
    assert without(config, "alignment").training.alignment_weight == 0
    for part in ("sequence", "positions", "behavior", "profile", "attention"):
        assert without(config, part).model.without == (part,)
        assert without(config, part).training == config.training
    changed = [without(config, part) for part in PARTS]
    assert config not in changed
    assert len({str(one) for one in changed}) == len(PARTS)


def test_a_part_that_was_left_out_already_stays_left_out() -> None:
    config = Config(model=ModelConfig(without=("profile",)))
    assert without(config, "sequence").model.without == ("profile", "sequence")


def test_only_what_the_model_has_can_be_taken_away() -> None:
    train = tiny_split().train
    assert parts_of(tiny_config(), train) == tuple(p for p in PARTS if p not in ("audio", "alignment"))
    assert "alignment" in parts_of(tiny_config(alignment_weight=0.1), train)
    config = tiny_config()
    alone = replace(
        config, model=replace(config.model, modalities=("id",), without=("sequence", "profile"), trends=False)
    )
    assert parts_of(alone, train) == ("behavior", "neighbours")
    nobody = replace(train, profile_UP=np.zeros_like(train.profile_UP))
    assert "profile" not in parts_of(config, nobody)
    content = replace(config, model=replace(config.model, modalities=("visual", "text")))
    assert {ID_ONLY, CONTENT_ONLY, "id", "neighbours"}.isdisjoint(parts_of(content, train))


def test_parts_can_be_chosen_and_unknown_ones_are_refused() -> None:
    available = ("visual", "text", "sequence")
    assert chosen_parts((), available) == available
    assert chosen_parts(("sequence", "visual"), available) == ("visual", "sequence")
    with pytest.raises(
        DataError, match=r"'audio' \(this model on this data has none\): choose among visual, text"
    ):
        chosen_parts(("audio",), available)
    with pytest.raises(DataError, match=r"'vidio' \(unknown\)"):
        chosen_parts(("vidio",), available)


class Log:
    """Every variant with its seed, and whether it was known."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, int, bool]] = []

    def watch(self) -> Watch:
        return Watch(on_variant=lambda name, seed, _n, _of, known: self.lines.append((name, seed, known)))


def run(directory: Path | None, log: Log | None = None, **options: Any) -> Ablation:
    settings: dict[str, Any] = {"parts": CHOSEN, "config": tiny_config(epochs=1)}
    settings |= options
    return ablate(
        tiny_dataset(),
        tiny_split(),
        settings.pop("config"),
        store=AblationStore(directory) if directory else None,
        watch=(log or Log()).watch(),
        **settings,
    )


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ablation]:
    directory = tmp_path_factory.mktemp("ablations")
    return directory, run(directory)


def test_every_variant_is_compared_with_the_full_model(kept: tuple[Path, Ablation]) -> None:
    _, found = kept
    assert found.variants == CHOSEN
    assert set(found.seed_means) == {FULL, *CHOSEN}
    full = found.comparison.figures[Segment.ALL][FULL][Metric.NDCG_10].value
    for variant in CHOSEN:
        change = found.find(variant)
        assert change is not None
        assert change.change.value == pytest.approx(change.value.value - full)
        assert change.change.low <= change.change.value <= change.change.high
        assert change.share == pytest.approx(change.change.value / full)
        assert change.p <= change.p_holm <= min(1, 3 * change.p) + 1e-12
        assert found.find(variant, Metric.RECALL_50, Segment.COLD_VIEWERS) is not None
    assert found.find("audio") is None


def test_p_values_are_corrected_within_a_segment_and_metric(kept: tuple[Path, Ablation]) -> None:
    _, found = kept
    for segment in (Segment.ALL, Segment.COLD_VIEWERS):
        family = [found.find(variant, segment=segment) for variant in CHOSEN]
        smallest = min(family, key=lambda one: one.p if one else 1)
        assert smallest is not None
        assert smallest.p_holm == pytest.approx(min(1, 3 * smallest.p))


def test_what_is_finished_is_not_trained_again(
    kept: tuple[Path, Ablation], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, before = kept
    monkeypatch.setattr(ablation_module, "fit_network", None)  # would fail if it were called
    log = Log()
    again = run(directory, log)
    assert log.lines == [(name, 0, True) for name in (FULL, *CHOSEN)]
    assert again.changes == before.changes
    assert {path.name for path in (directory / "variants").iterdir()} == {
        f"{name}-seed0.json" for name in (FULL, *CHOSEN)
    }
    assert not list(directory.glob("*.safetensors"))


def test_a_changed_plan_a_new_part_and_a_damaged_file_are_trained(kept: tuple[Path, Ablation]) -> None:
    directory, _ = kept
    log = Log()
    run(directory, log, parts=("text", "sequence"))
    assert log.lines == [(FULL, 0, True), ("text", 0, True), ("sequence", 0, False)]
    (directory / "variants" / "sequence-seed0.json").write_text('{"version": 1, "plan"')
    log = Log()
    run(directory, log, parts=("sequence",))
    assert log.lines == [(FULL, 0, True), ("sequence", 0, False)]
    split = tiny_split()
    plans = [
        ablation_plan(config, data, split).digest
        for config, data in (
            (tiny_config(), "f1"),
            (tiny_config(), "f2"),
            (tiny_config(seed=1), "f1"),
            (without(tiny_config(), "text"), "f1"),
        )
    ]
    assert len(set(plans)) == 4
    patient = tiny_config(checkpoint_seconds=99.0)
    assert ablation_plan(patient, "f1", split).digest == plans[0]


def test_two_names_of_one_model_share_its_training(tmp_path: Path) -> None:
    config = tiny_config(epochs=1)
    config = replace(config, model=replace(config.model, modalities=("visual", "id")))
    log = Log()
    found = run(None, log, config=config, parts=("id", CONTENT_ONLY))
    assert log.lines == [(FULL, 0, False), ("id", 0, False), (CONTENT_ONLY, 0, True)]
    assert found.seed_means["id"] == found.seed_means[CONTENT_ONLY]


def test_figures_are_means_over_seeds(kept: tuple[Path, Ablation]) -> None:
    directory, one = kept
    log = Log()
    found = run(directory, log, seeds=2, parts=("trends",))
    assert log.lines == [(FULL, 0, True), (FULL, 1, False), ("trends", 0, True), ("trends", 1, False)]
    assert found.seeds == (0, 1)
    assert found.seed_means[FULL][0] == one.seed_means[FULL][0]
    assert found.comparison.figures[Segment.ALL][FULL][Metric.NDCG_10].value == pytest.approx(
        np.mean(found.seed_means[FULL])
    )


def test_an_unfinished_training_is_taken_up(tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(_: Any) -> None:
        raise Stopped

    store = AblationStore(tmp_path)
    config = tiny_config(epochs=2)
    with pytest.raises(Stopped):
        ablate(tiny_dataset(), tiny_split(), config, parts=("text",), store=store, watch=Watch(on_epoch=stop))
    assert len(list(tmp_path.glob("*.checkpoint.safetensors"))) == 1
    epochs: list[int] = []
    watch = Watch(on_epoch=lambda epoch: epochs.append(epoch.number))
    found = ablate(tiny_dataset(), tiny_split(), config, parts=("text",), store=store, watch=watch)
    assert epochs == [2, 1, 2]
    assert found.facts[FULL][0]["epochs"] == 2
    store.clear()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(ArtifactError, match=r"cannot make .*taken/variants"):
        AblationStore(tmp_path / "taken")


def test_the_report_and_its_page(kept: tuple[Path, Ablation], tmp_path: Path) -> None:
    report = as_ablation_report(kept[1], tiny_split(), ablated_at=datetime(2025, 3, 1, tzinfo=UTC))
    page = write_ablation(report, tmp_path / "ablations")
    assert json.loads((page.parent / "report.json").read_bytes()) == report
    text = page.read_text(encoding="utf-8")
    assert "without text" in text
    assert "id only" in text
    assert "<script" not in text
    assert report["variants"][0]["trainings"][0]["epochs"] == 1
    bars = page_values(report)["panels"][0]["rows"]
    assert [row["title"] for row in bars] == ["without text", "without trends", "id only"]


def test_the_headline_claims_what_is_beyond_chance() -> None:
    def variant(title: str, change: float, p: float) -> dict[str, Any]:
        return {"title": title, "changes": {"all": {"ndcg@10": {"change": {"value": change}, "p_holm": p}}}}

    none = {"variants": [variant("without audio", -0.5, 0.06)]}
    assert headline(none) == "These viewers cannot tell any variant from the full model"
    some = {
        "variants": [
            variant("without audio", -0.01, 0.04),
            variant("without text", -0.02, 0.01),
            variant("without id", 0.03, 0.01),
            variant("without trends", 0.9, 0.5),
        ]
    }
    assert headline(some) == (
        "Worse than the full model: without text (−0.020), without audio (−0.010). Better: without id (+0.030)"
    )
