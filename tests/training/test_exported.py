"""The exported encoder reads as the network does, is used only where it ranks as well, and never once tampered with."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from swipewise.errors import ArtifactError, MissingExtraError
from swipewise.feed.bundles import check_files
from swipewise.feed.publishing import export, publish
from swipewise.feed.stock import load_stock
from swipewise.training import exporting
from swipewise.training.exported import (
    AUTO,
    EAGER,
    FILES,
    FOLDER,
    INT8,
    MANIFEST,
    SINGLE,
    ExportedEncoder,
    Manifest,
    choose_reader,
    load_exported,
    read_manifest,
)
from swipewise.training.exporting import TOLERANCE, export_run
from swipewise.training.fitted import FittedModel
from swipewise.training.histories import latest_windows, pad
from swipewise.training.inference import Interests, Projected
from swipewise.training.runs import MODEL_NAME, latest_run
from swipewise.training.scorer import Scorer
from swipewise.training.session import train_workspace
from swipewise.training.workspace_data import load_dataset
from swipewise.workspace import Workspace
from tests.training.by_page import asked, written
from tests.training.test_scorer import NOW, busiest


@pytest.fixture(scope="module")
def _exported(_filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop, trained and exported."""
    root = tmp_path_factory.mktemp("exported") / "shop"
    shutil.copytree(_filled, root)
    workspace = Workspace.open(root)
    export_run(workspace, train_workspace(workspace).run_dir)
    return root


@pytest.fixture
def shop(_exported: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(_exported, tmp_path / "shop")
    return Workspace.open(tmp_path / "shop")


@pytest.fixture
def run(shop: Workspace) -> Path:
    return latest_run(shop.runs_dir)


def reading(shop: Workspace, inference: str) -> Workspace:
    server = replace(shop.config.server, inference=inference, publish="manual")
    return replace(shop, config=replace(shop.config, server=server))


def loaded(run: Path, precision: str) -> ExportedEncoder:
    encoder = load_exported(run, precision)
    assert encoder is not None
    return encoder


def everybody(shop: Workspace, run: Path, encoder: ExportedEncoder | None, count: int = 12) -> Interests:
    """Viewers with histories of all lengths, beyond the window too, and with none."""
    dataset = load_dataset(shop)
    keep_I = dataset.interactions.viewer_I != 3
    dataset = replace(dataset, interactions=dataset.interactions.where(keep_I))
    projected = Projected(FittedModel.load(run / MODEL_NAME), dataset)
    projected = projected if encoder is None else projected.reading_with(encoder)
    return projected.interest(dataset, np.arange(count))


def test_in_single_precision_it_reads_what_the_network_reads(shop: Workspace, run: Path) -> None:
    ours, theirs = everybody(shop, run, loaded(run, SINGLE)), everybody(shop, run, None)
    for name in ("z_BD", "u_BD", "s_BD"):
        assert torch.allclose(getattr(ours, name), getattr(theirs, name), atol=1e-4), name
    kept_BQ1 = theirs.kept_BQ.unsqueeze(-1)
    assert torch.allclose(ours.tokens_BQD * kept_BQ1, theirs.tokens_BQD * kept_BQ1, atol=1e-4)
    alone = everybody(shop, run, loaded(run, SINGLE), count=1)
    assert torch.allclose(alone.z_BD, ours.z_BD[:1], atol=1e-5)


def test_in_8_bits_nobody_is_read_otherwise_for_the_company(shop: Workspace, run: Path) -> None:
    many, few = everybody(shop, run, loaded(run, INT8)), everybody(shop, run, loaded(run, INT8), count=5)
    assert torch.equal(many.z_BD[:5], few.z_BD)
    eager = everybody(shop, run, None)
    cosine_B = torch.nn.functional.cosine_similarity(many.u_BD, eager.u_BD)
    assert cosine_B.min() > 0.99
    assert not torch.equal(many.z_BD, eager.z_BD)


def test_weights_of_8_bits_leave_room_for_sums_on_every_processor(run: Path) -> None:
    graph = onnx.load(run / FOLDER / FILES[INT8]).graph
    weights = [
        onnx.numpy_helper.to_array(each) for each in graph.initializer if each.data_type == onnx.TensorProto.INT8
    ]
    assert len(weights) > 5
    assert max(np.abs(each.astype(int)).max() for each in weights) <= 64


def test_both_rank_the_validation_period_as_the_network_does(run: Path) -> None:
    manifest = read_manifest(run)
    assert manifest is not None
    assert set(manifest.files) == set(FILES.values())
    assert manifest.viewers > 5
    assert manifest.ndcg[EAGER] > 0
    for name in FILES:
        assert abs(manifest.ndcg[name] / manifest.ndcg[EAGER] - 1) <= TOLERANCE


def test_what_ranks_worse_is_left_out_and_says_so(
    shop: Workspace, run: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    graphs = {name: (run / FOLDER / file).read_bytes() for name, file in FILES.items()}
    monkeypatch.setattr(exporting, "graphs_of", lambda _: graphs)
    monkeypatch.setattr(exporting, "_compared", lambda *_, **__: {EAGER: 0.2, SINGLE: 0.1999, INT8: 0.1989})
    shutil.rmtree(run / FOLDER)
    manifest = export_run(shop, run)
    assert manifest.left_out == {INT8: "its NDCG@10 is 0.1989 where the network's own is 0.2000"}
    assert not (run / FOLDER / FILES[INT8]).exists()
    assert choose_reader(run, INT8) == (
        None,
        f"eager: the onnx-int8 encoder of run {run.name} is not used: {manifest.left_out[INT8]}",
    )
    assert manifest.left_out[INT8] in caplog.text
    assert choose_reader(run, AUTO)[1] == SINGLE


def test_8_bits_are_left_out_where_nothing_was_held_out(
    shop: Workspace, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs = {name: (run / FOLDER / file).read_bytes() for name, file in FILES.items()}
    monkeypatch.setattr(exporting, "graphs_of", lambda _: graphs)
    shutil.rmtree(run / FOLDER)
    (run / "run.json").write_text("{}")
    manifest = export_run(shop, run)
    assert (list(manifest.files), manifest.viewers, manifest.ndcg) == ([FILES[SINGLE]], 0, {})
    assert "nobody knows" in manifest.left_out[INT8]


def test_a_whole_export_is_kept_and_a_damaged_one_made_anew(
    shop: Workspace, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    graphs = {name: (run / FOLDER / file).read_bytes() for name, file in FILES.items()}
    monkeypatch.setattr(exporting, "graphs_of", lambda _: made.append(1) or graphs)
    before = read_manifest(run)
    assert export(shop, run.name) == before
    (run / FOLDER / FILES[SINGLE]).write_bytes(b"other")
    assert replace(export(shop, run.name), versions={}) == replace(before, versions={})  # type: ignore[type-var]
    (run / FOLDER / MANIFEST).write_text("{")
    assert isinstance(export(shop, run.name), Manifest)
    assert len(made) == 2


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (f"{FOLDER}/{FILES[SINGLE]}", b"other", "is not what was exported, its digest differs"),
        (f"{FOLDER}/{FILES[SINGLE]}", None, "cannot read"),
        (f"{FOLDER}/{MANIFEST}", b"{", "is damaged"),
        (f"{FOLDER}/{MANIFEST}", b'{"format": 9}', "has format 9, this version reads 1"),
        (MODEL_NAME, b"another", "was exported from another model"),
    ],
)
def test_what_was_tampered_with_is_not_loaded(run: Path, file: str, content: bytes | None, message: str) -> None:
    (run / file).unlink()
    if content is not None:
        (run / file).write_bytes(content)
    with pytest.raises(ArtifactError, match=f"{message}.*swipewise models export {run.name}"):
        load_exported(run, SINGLE)
    reader, name = choose_reader(run, AUTO)
    assert reader is None
    assert name.startswith("eager: ")
    assert message in name


def test_what_is_no_graph_is_an_error() -> None:
    with pytest.raises(ArtifactError, match="ONNX Runtime does not take the exported encoder: "):
        ExportedEncoder(b"no graph", strength=False)


def test_without_an_export_the_network_reads(run: Path) -> None:
    shutil.rmtree(run / FOLDER)
    assert choose_reader(run, AUTO) == (None, EAGER)
    assert choose_reader(run, EAGER) == (None, EAGER)
    assert f"'swipewise models export {run.name}' makes one" in choose_reader(run, SINGLE)[1]


def test_without_the_extra_the_network_reads_unless_asked_by_name(
    shop: Workspace, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("onnxruntime", "onnxruntime.quantization"):
        monkeypatch.setitem(sys.modules, name, None)
    assert choose_reader(run, AUTO) == (None, EAGER)
    with pytest.raises(MissingExtraError, match=r"pip install 'swipewise\[onnx\]'"):
        choose_reader(run, SINGLE)
    shutil.rmtree(run / FOLDER)
    with pytest.raises(MissingExtraError, match=r"pip install 'swipewise\[onnx\]'"):
        export_run(shop, run)
    assert publish(reading(shop, AUTO), run.name).files.keys().isdisjoint({f"{FOLDER}/{MANIFEST}"})
    with pytest.raises(MissingExtraError):
        publish(reading(shop, SINGLE), run.name)


def test_a_scorer_reads_by_what_is_configured_and_scores_the_same(shop: Workspace, run: Path) -> None:
    viewer_id, history = busiest(shop)
    scores = {}
    for inference, used in ((AUTO, SINGLE), (SINGLE, SINGLE), (INT8, INT8), (EAGER, EAGER)):
        scorer = Scorer.load(run, reading(shop, inference))
        assert scorer.inference == used, viewer_id
        state = scorer.viewer(history, None, NOW)
        scores[inference] = scorer.score(state, np.arange(len(scorer.video_ids))).values_N
    assert scores[SINGLE] == pytest.approx(scores[EAGER], abs=1e-3)
    assert np.corrcoef(scores[INT8], scores[EAGER])[0, 1] > 0.999
    assert not np.array_equal(scores[INT8], scores[EAGER])


def test_a_bundle_holds_its_encoder_and_another_is_refused(shop: Workspace, run: Path) -> None:
    bundle = publish(reading(shop, AUTO), run.name)
    names = {f"{FOLDER}/{name}" for name in (MANIFEST, *FILES.values())}
    assert names <= bundle.files.keys()
    check_files(bundle, shop)
    assert load_stock(reading(shop, AUTO)).scorer is not None
    manifest = json.loads((run / FOLDER / MANIFEST).read_text())
    (run / FOLDER / MANIFEST).write_text(json.dumps(manifest | {"viewers": 1}))
    refused = load_stock(reading(shop, AUTO))
    assert refused.broken
    assert "encoder.json is not what was published: its digest differs" in str(refused.note)


def test_vectors_by_the_page_are_those_of_a_viewer_in_whom_no_modality_stands_out(
    shop: Workspace, run: Path, tmp_path: Path
) -> None:
    out = written(shop, tmp_path / "out")
    dataset = load_dataset(shop)
    fitted = FittedModel.load(run / MODEL_NAME)
    assert fitted.tastes is not None
    viewer = int(np.diff(dataset.viewer_offsets()).argmax())
    windows = latest_windows(
        dataset.viewer_offsets(), fitted.config.history, np.array([viewer]), memory=fitted.config.memory
    )
    content = len(fitted.tastes.themes.axes)
    neutral = np.zeros((1, fitted.config.history + 1, content), np.float32)
    history = pad(dataset.interactions, windows, np.zeros((1, 1), np.int64), neutral)
    projected = Projected(fitted, dataset)
    reading = fitted.network.eval()(history, projected.p_VMD, projected.present_VM)
    name = dataset.viewer_ids[viewer]
    found = asked(out, [name], [])
    assert found[name][0] == pytest.approx(reading.z_BL1D[0, -1].tolist(), abs=1e-4)
    assert found[name][1] == pytest.approx(reading.u_BL1D[0, -1].tolist(), abs=1e-4)
