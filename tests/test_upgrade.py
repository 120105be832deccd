"""Files as the first version wrote them are opened, brought up to date and used; what cannot be says what to do."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import safetensors.numpy
import torch
from click.testing import CliRunner, Result

from swipewise import Workspace
from swipewise.baselines.tuning import load_settings
from swipewise.catalog import Catalog
from swipewise.cli import cli
from swipewise.errors import ArtifactError
from swipewise.evaluation.ablation_store import AblationStore, Plan
from swipewise.evaluation.protocol import Metric
from swipewise.events.folded import interaction_parts
from swipewise.feed.bundles import read_published
from swipewise.retrieval import load_index
from swipewise.schema import Modality, Video
from swipewise.training.checkpoint import load_tensors, save_tensors
from swipewise.training.exported import read_manifest
from swipewise.training.fitted import FittedModel
from swipewise.training.recommender import InterestRecommender
from swipewise.training.workspace_data import load_dataset
from tests.older import (
    CONFIG,
    VIDEOS,
    VIEWERS,
    events_of,
    write_backup_1,
    write_catalogue,
    write_events,
    write_rejected,
    write_run_1,
    write_run_2,
)

RUN = "20250101-000000-000000-aaaaaa"


@pytest.fixture
def first(tmp_path: Path) -> Workspace:
    """A workspace of the first version, without a run."""
    root = tmp_path / "shop"
    root.mkdir()
    (root / "swipewise.toml").write_text(CONFIG)
    write_catalogue(root / "catalog")
    write_rejected(root / "catalog")
    write_events(root / "events")
    return Workspace.open(root)


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(cli, [*map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_stores_of_the_first_version_are_brought_up_to_date_and_lose_nothing(first: Workspace) -> None:
    videos = first.videos()
    assert videos["video_id"].to_list() == sorted(f"v{number}" for number in range(VIDEOS))
    assert videos["tags"].to_list() == [["cats"]] * VIDEOS
    assert videos["regions"].null_count() == VIDEOS
    ids, vectors = first.vectors("visual")
    assert vectors[ids.index("v3")] == pytest.approx(np.random.default_rng(3).standard_normal(8), abs=1e-6)
    assert Catalog(first.catalog_dir).rejected()["reason"].to_list() == ["no video stream"]
    expected = sorted(str(row["at"]) for viewer in range(VIEWERS) for row in events_of(viewer))
    assert sorted(map(str, first.events()["at"])) == expected
    assert run("viewers", "show", "u0", "-w", first.root).stdout.split() == ["age", "18-24"]


def test_they_take_what_is_new_and_are_moved_on(first: Workspace) -> None:
    catalog = Catalog(first.catalog_dir)
    new = Video(video_id="new", uri="new.mp4", content_hash="new", regions=("de",), speech="hello")
    catalog.upsert([new], {(Modality.VISUAL, "fake@1"): [np.ones(8, np.float32)]})
    assert catalog.get("new").regions == ("de",)
    assert catalog.get("v1").caption == "caption 1"
    count = len(first.events())
    log = {"viewer_id": ["u0"], "video_id": ["new"], "action": ["like"], "at": ["2026-02-01T00:00:00Z"]}
    assert first.import_events(pl.DataFrame(log)).added == 1
    moved = json.loads(run("events", "compact", "-w", first.root, "--json").stdout)
    assert moved["moved"] == len(events_of(VIEWERS - 1))
    assert len(first.events()) == count + 1
    assert run("keys", "create", "--scope", "feed", "-w", first.root).exit_code == 0
    assert run("viewers", "erase", "u1", "--yes", "-w", first.root).stdout.startswith("erased viewer 'u1' with")
    assert len(first.events().filter(viewer_id="u1")) == 0


def test_a_model_of_the_first_version_is_no_longer_read_and_says_what_to_do(first: Workspace) -> None:
    write_run_1(first.runs_dir / RUN)
    shown = run("feed", "u0", "--size", "3", "-w", first.root)
    assert "feed of u0 (level: popular)" in shown.stdout
    assert "has format 1, this version reads 2 to 3: train again with 'swipewise train -w " in " ".join(
        shown.stderr.split()
    )
    listed = json.loads(run("models", "list", "-w", first.root, "--json").stdout)
    assert [each["run"] for each in listed] == [RUN]
    doctor = json.loads(run("doctor", "-w", first.root, "--json").stdout)
    assert {each["check"] for each in doctor if each["state"] == "fail"} == {"model"}
    assert first.fit().interactions > 0
    assert "(level: model)" in run("feed", "u0", "--size", "3", "-w", first.root).stdout
    assert run("doctor", "-w", first.root).exit_code in (0, 1)


def test_a_model_of_format_2_ranks_as_it_did(first: Workspace) -> None:
    """Network, calibration and the weight of nearness are its own; what came later counts nothing."""
    write_run_2(first.runs_dir / RUN)
    loaded = FittedModel.load(first.runs_dir / RUN / "model.safetensors")
    assert (loaded.weights.neighbour, loaded.weights.group, loaded.weights.taste) == (1.0, 0.0, 0.0)
    assert loaded.tastes is None
    assert loaded.config.themes == 0
    assert np.array_equal(loaded.calibration.scale_A, np.ones(7))
    dataset = load_dataset(first)
    viewers_B, videos_N = np.arange(len(dataset.viewer_ids)), np.arange(VIDEOS)
    ranked = InterestRecommender.of(loaded, dataset).score(viewers_B, videos_N)
    alone = replace(loaded, weights=replace(loaded.weights, neighbour=0.0))
    by_network = InterestRecommender.of(alone, dataset).score(viewers_B, videos_N)
    assert np.ptp(ranked - by_network) > 0.1
    tensors, _ = load_tensors(first.runs_dir / RUN / "model.safetensors")
    for name, value in loaded.network.state_dict().items():
        assert name == "heed" or value.equal(tensors[f"network/{name}"])
    # Saved anew it is one of this version.
    loaded.save(first.root / "again.safetensors")
    again = InterestRecommender.of(FittedModel.load(first.root / "again.safetensors"), dataset)
    assert np.array_equal(again.score(viewers_B, videos_N), ranked)


def test_a_model_of_format_2_is_served_and_published(first: Workspace) -> None:
    write_run_2(first.runs_dir / RUN)
    shown = run("feed", "u0", "--size", "3", "-w", first.root)
    assert "feed of u0 (level: model)" in shown.stdout
    assert shown.stderr == ""
    (first.root / "swipewise.toml").write_text(f'{CONFIG}publish = "manual"\n')
    assert run("models", "publish", RUN, "-w", first.root).exit_code == 0
    assert "(level: model)" in run("feed", "u0", "--size", "3", "-w", first.root).stdout


def test_a_model_of_format_3_before_there_were_groups_keeps_its_weights(first: Workspace) -> None:
    first.fit()
    [path] = first.runs_dir.glob("*/model.safetensors")
    tensors, facts = load_tensors(path)
    del facts["weights"], facts["config"]["group_weight"]
    kept = {name: value for name, value in tensors.items() if not name.startswith("groups/")}
    save_tensors(path, kept, facts | {"neighbour_weight": 0.25, "taste_weight": 1.5})
    loaded = FittedModel.load(path)
    assert (loaded.weights.neighbour, loaded.weights.group, loaded.weights.taste) == (0.25, 0.0, 1.5)
    assert loaded.weights.misled == 0, "nothing was taken from a history"


def test_a_model_of_format_3_that_counted_each_group_by_itself_ranks_without_groups(first: Workspace) -> None:
    first.fit()
    [path] = first.runs_dir.glob("*/model.safetensors")
    tensors, facts = load_tensors(path)
    dataset = load_dataset(first)
    everybody, everything = np.arange(len(dataset.viewer_ids)), np.arange(VIDEOS)
    now = FittedModel.load(path)
    without = replace(now, groups=None, weights=replace(now.weights, group=0.0))
    counts = {"starts": torch.zeros(4, dtype=torch.int64), "videos": torch.zeros(1, dtype=torch.int32)}
    kept = {name: value for name, value in tensors.items() if not name.startswith("groups/")}
    kept |= {f"groups/{name}": value for name, value in counts.items()} | {"groups/values": torch.ones(1)}
    save_tensors(path, kept, facts | {"weights": facts["weights"] | {"group": 0.2}})
    loaded = FittedModel.load(path)
    assert loaded.groups is None
    assert loaded.weights == without.weights
    scores_BV = [InterestRecommender.of(one, dataset).score(everybody, everything) for one in (loaded, without)]
    assert np.array_equal(*scores_BV)


def test_a_pointer_of_the_first_version_is_read(first: Workspace) -> None:
    bundle = {
        "run": RUN,
        "published_at": "2025-01-01T00:00:00+00:00",
        "index": "indexes/20250101",
        "files": {"model.safetensors": "0" * 64},
        "vocabulary": "0" * 64,
        "encoders": {"visual": "fake@1"},
        "width": 16,
    }
    (first.root / "published.json").write_text(json.dumps({"format": 1, "bundles": [bundle]}))
    published = read_published(first)
    assert published is not None
    assert published.current.run == bundle["run"]


def test_an_index_of_the_first_version_is_built_again(first: Workspace) -> None:
    folder = first.runs_dir / RUN / "indexes" / "20250101"
    folder.mkdir(parents=True)
    (folder / "index.json").write_text(
        json.dumps({"version": 1, "kind": "exact", "rows": 1, "width": 4, "files": {}})
    )
    with pytest.raises(ArtifactError, match=r"has format 1 and this Swipewise reads 4: .*build the index again"):
        load_index(folder)


def test_a_backup_of_the_first_version_is_restored(tmp_path: Path) -> None:
    write_backup_1(tmp_path / "kept")
    assert run("restore", tmp_path / "kept", tmp_path / "shop").exit_code == 0
    shop = Workspace.open(tmp_path / "shop")
    assert shop.events().select("event_id", "video_id", "action", "position").rows() == [("e1", "v1", "like", 3)]
    assert run("viewers", "show", "u0", "-w", shop.root).stdout.split() == ["age", "18-24"]
    # Its live log is of the newest schema now.
    assert run("keys", "create", "--scope", "feed", "-w", shop.root).exit_code == 0


def test_a_manifest_of_an_export_of_the_first_version_is_read(first: Workspace) -> None:
    folder = first.runs_dir / RUN
    write_run_2(folder)
    (folder / "encoder").mkdir()
    told = {
        "format": 1,
        "model": hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest(),
        "files": {"encoder.onnx": "0" * 64},
        "strength": False,
        "versions": {"onnx": "1.19"},
        "viewers": 4,
        "ndcg": {"eager": 0.5, "onnx": 0.5},
        "left_out": {},
    }
    (folder / "encoder" / "encoder.json").write_text(json.dumps(told))
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest.ndcg == {"eager": 0.5, "onnx": 0.5}


def test_a_training_that_was_stopped_in_another_version_begins_anew(first: Workspace) -> None:
    unfinished = first.runs_dir / RUN
    unfinished.mkdir(parents=True)
    (unfinished / "plan.json").write_text(json.dumps({"config": {}, "versions": {"swipewise": "0.0.1"}}))
    safetensors.numpy.save_file(
        {"x": np.zeros(1, np.float32)}, unfinished / "checkpoint.safetensors", {"facts": "{}"}
    )
    first.fit()
    assert not (unfinished / "run.json").exists()
    assert len(list(first.runs_dir.glob("*/run.json"))) == 1


def test_settings_and_variants_of_the_first_version_are_read(tmp_path: Path) -> None:
    entry = {"settings": {"neighbours": 50}, "validation": 0.2, "tried": 4}
    (tmp_path / "tuned.json").write_text(json.dumps({"version": 1, "found": {"itemcf": entry}}))
    assert load_settings(tmp_path / "tuned.json")["itemcf"].settings == {"neighbours": 50}
    store = AblationStore(tmp_path)
    content = {
        "version": 1,
        "variant": "without-audio",
        "seed": 0,
        "plan": {"model": {}},
        "figures": {"all": {"ndcg@10": [0.5, 1.0]}},
        "facts": {"epochs": 3},
    }
    (tmp_path / "variants" / "without-audio-seed0.json").write_text(json.dumps(content))
    found = store.find(Plan(content={"model": {}}, digest="x"))
    assert found is not None
    assert found.values["all"][Metric.NDCG_10].tolist() == [0.5, 1.0]


def test_what_was_folded_by_another_version_is_folded_again(first: Workspace) -> None:
    durations = first.videos().lazy().select("video_id", "duration_seconds")
    rows = pl.concat(interaction_parts(first, durations))
    folder = first.events_dir / "folded"
    told = json.loads((folder / "parts.json").read_text())
    for part in told["parts"]:
        pl.DataFrame({"x": [1]}).write_parquet(folder / part["file"])
    (folder / "parts.json").write_text(json.dumps(told | {"format": 0}))
    assert pl.concat(interaction_parts(first, durations)).equals(rows)
