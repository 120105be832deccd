"""An index survives on disk, and a damaged one says so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from swipewise.errors import ArtifactError
from swipewise.retrieval.index import ExactIndex

VECTORS_VD = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    ExactIndex.build(VECTORS_VD).save(tmp_path / "index")
    return tmp_path / "index"


def edit_manifest(folder: Path, **changes: object) -> None:
    path = folder / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_comes_back_the_same(saved: Path) -> None:
    assert np.array_equal(ExactIndex.load(saved).vectors_VD, VECTORS_VD)


def test_a_second_save_replaces_the_first(saved: Path) -> None:
    ExactIndex.build(VECTORS_VD[:2] + 1).save(saved)
    assert np.array_equal(ExactIndex.load(saved).vectors_VD, VECTORS_VD[:2] + 1)
    assert len(list(saved.iterdir())) == 2


def test_killed_before_the_manifest_leaves_the_old_index(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("swipewise.retrieval.storage.json.dumps", _killed)
        with pytest.raises(KeyboardInterrupt):
            ExactIndex.build(VECTORS_VD * 2).save(saved)
    assert np.array_equal(ExactIndex.load(saved).vectors_VD, VECTORS_VD)


def _killed(*_args: object, **_options: object) -> str:
    raise KeyboardInterrupt


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"no index at .*: save one there first"):
        ExactIndex.load(tmp_path)


def test_written_by_a_newer_version(saved: Path) -> None:
    edit_manifest(saved, version=99)
    with pytest.raises(ArtifactError, match="has format 99 and this Swipewise reads 1: upgrade"):
        ExactIndex.load(saved)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"version": 1}'])
def test_manifest_is_damaged(saved: Path, text: str) -> None:
    (saved / "index.json").write_text(text)
    with pytest.raises(ArtifactError, match=r"index\.json is damaged"):
        ExactIndex.load(saved)


def test_vectors_are_damaged(saved: Path) -> None:
    file = next(saved.glob("vectors-*"))
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match="is damaged, its digest differs"):
        ExactIndex.load(saved)


def test_vectors_are_missing(saved: Path) -> None:
    next(saved.glob("vectors-*")).unlink()
    with pytest.raises(ArtifactError, match="cannot be read: build the index again"):
        ExactIndex.load(saved)


def test_shape_does_not_fit(saved: Path) -> None:
    edit_manifest(saved, rows=5)
    with pytest.raises(ArtifactError, match=r"shape \(4, 3\), the index says \(5, 3\)"):
        ExactIndex.load(saved)


def test_other_tensors(saved: Path) -> None:
    import hashlib

    import safetensors.numpy

    payload = safetensors.numpy.save({"something": VECTORS_VD})
    next(saved.glob("vectors-*")).write_bytes(payload)
    edit_manifest(saved, sha256=hashlib.sha256(payload).hexdigest())
    with pytest.raises(ArtifactError, match="holds no vectors"):
        ExactIndex.load(saved)


def test_folder_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ArtifactError, match="cannot write the index"):
        ExactIndex.build(VECTORS_VD).save(tmp_path / "file" / "index")
