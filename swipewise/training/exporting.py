"""Exports the network of a run, and finds out whether it ranks as the network itself does."""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import numpy as np

from swipewise.errors import ArtifactError, DataError, MissingExtraError
from swipewise.model.export import export_encoder
from swipewise.staging import write_durably
from swipewise.training.alternatives import ndcg_by_readers
from swipewise.training.exported import (
    EAGER,
    FILES,
    FOLDER,
    INT8,
    SINGLE,
    ExportedEncoder,
    Manifest,
    digest_of,
    read_manifest,
    write_manifest,
)
from swipewise.training.fitted import FittedModel
from swipewise.training.inference import Projected
from swipewise.training.ranking import RankingTask, ranking_task
from swipewise.training.runs import MODEL_NAME, read_record
from swipewise.training.workspace_data import load_dataset
from swipewise.workspace import Workspace

TOLERANCE: Final = 0.005
"""Share of NDCG@10 by which an export may differ from the network."""
_MOST_VIEWERS: Final = 1000
_TALKATIVE = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")
_MADE_BY = ("torch", "onnx", "onnxscript", "onnxruntime")


def export_run(workspace: Workspace, run_dir: Path) -> Manifest:
    """Export the network of a finished run beside its model; what is there already and whole is kept.

    An export counts only where NDCG@10 on the validation period of the run stays within ``TOLERANCE`` of the network's
    own. Where that period tells nothing, single precision is kept and 8 bits are left out.

    Raises:
        ArtifactError: The model is damaged, or the export cannot be written.
        MissingExtraError: The libraries are not installed.
        StoreError: The workspace cannot be read.
    """
    if known := whole_export(run_dir):
        return known
    fitted = FittedModel.load(run_dir / MODEL_NAME)
    graphs = graphs_of(fitted)
    content = None if fitted.tastes is None else len(fitted.tastes.themes.axes)
    task = _validation(workspace, run_dir)
    ndcg = {} if task is None else _compared(fitted, task, graphs, strength=content is not None)
    left_out = _left_out(ndcg)
    folder = run_dir / FOLDER
    folder.mkdir(exist_ok=True)
    kept = {FILES[name]: graph for name, graph in graphs.items() if name not in left_out}
    for name, graph in kept.items():
        write_durably(folder / name, graph)
    manifest = Manifest(
        model=digest_of(run_dir / MODEL_NAME),
        files={name: digest_of(folder / name) for name in kept},
        strength=content is not None,
        versions=_versions(),
        viewers=0 if task is None else len(task.viewers_B),
        ndcg=ndcg,
        left_out=left_out,
    )
    write_manifest(run_dir, manifest)
    os.utime(run_dir)  # servers look at its time
    return manifest


def whole_export(run_dir: Path) -> Manifest | None:
    """The export of a run where it was made and is whole, else None."""
    try:
        known = read_manifest(run_dir)
        whole = known is not None and all(
            digest_of(run_dir / FOLDER / name) == sha for name, sha in known.files.items()
        )
    except ArtifactError:
        return None
    return known if whole else None


def graphs_of(fitted: FittedModel) -> dict[str, bytes]:
    """The ONNX file of each precision.

    Raises:
        MissingExtraError: The libraries are not installed.
    """
    content = None if fitted.tastes is None else len(fitted.tastes.themes.axes)
    with tempfile.TemporaryDirectory(prefix="swipewise-export-") as name, _quiet():
        single, int8 = (Path(name) / FILES[precision] for precision in (SINGLE, INT8))
        try:
            from onnxruntime.quantization import QuantType, quantize_dynamic

            export_encoder(fitted.network.cpu(), single, history=fitted.config.history, content=content)
            # Of 8 bits in full, sums of products saturate on processors without VNNI; weights of 7 bits cannot.
            quantize_dynamic(single, int8, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
        except ModuleNotFoundError as error:
            raise MissingExtraError("exporting the encoder", "onnx") from error
        return {SINGLE: single.read_bytes(), INT8: int8.read_bytes()}


def _validation(workspace: Workspace, run_dir: Path) -> RankingTask | None:
    """What early stopping looked at, of at most so many viewers; None where nobody liked anything new in it."""
    try:
        record = read_record(run_dir)
        dataset = load_dataset(workspace)
        start, end = record["split"]["valid_start"], record["split"]["test_start"]
        task = ranking_task(dataset.before(start), dataset.between(start, end))
    except (ArtifactError, DataError, KeyError, TypeError):
        return None
    return task.part(slice(0, _MOST_VIEWERS))


def _compared(
    fitted: FittedModel, task: RankingTask, graphs: dict[str, bytes], *, strength: bool
) -> dict[str, float]:
    """NDCG@10 by the network and by each export."""
    readers = [ExportedEncoder(graph, strength=strength, together=name != INT8) for name, graph in graphs.items()]
    found = ndcg_by_readers(Projected(fitted, task.history), task, readers)
    return dict(zip((EAGER, *graphs), found.tolist(), strict=True))


def _left_out(ndcg: dict[str, float]) -> dict[str, str]:
    """Why exports are not to be used, by name."""
    if not ndcg:
        return {INT8: "the validation period tells nothing, so that nobody knows whether it ranks as well"}
    reasons = {}
    for name in FILES:
        lost = abs(ndcg[name] - ndcg[EAGER]) / max(ndcg[EAGER], 1e-9)
        if not np.isfinite(lost) or lost > TOLERANCE:
            reasons[name] = f"its NDCG@10 is {ndcg[name]:.4f} where the network's own is {ndcg[EAGER]:.4f}"
    return reasons


def _versions() -> dict[str, str]:
    found = {}
    for name in _MADE_BY:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporters tell of their own workings; errors are raised all the same."""
    loggers = {logging.getLogger(name): logging.getLogger(name).level for name in _TALKATIVE}
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    # The quantiser gives advice through the root logger itself.
    logging.root.addFilter(_not_from_root)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.root.removeFilter(_not_from_root)
        for logger, level in loggers.items():
            logger.setLevel(level)


def _not_from_root(record: logging.LogRecord) -> bool:
    return record.name != logging.root.name
