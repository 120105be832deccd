"""An index survives on disk, and a damaged one says so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from swipewise.errors import ArtifactError
from swipewise.retrieval import ExactIndex, IvfIndex, load_index
from swipewise.retrieval.storage import file_digest, file_digests

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
    with pytest.raises(ArtifactError, match="has format 99 and this Swipewise reads 4: upgrade"):
        ExactIndex.load(saved)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"version": 4}'])
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
    file = next(saved.glob("vectors-*"))
    file.write_bytes(payload)
    digest = hashlib.sha256(payload).hexdigest()
    edit_manifest(saved, files={"vectors": {"name": file.name, "sha256": digest}})
    with pytest.raises(ArtifactError, match="holds no vectors"):
        ExactIndex.load(saved)


def test_folder_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ArtifactError, match="cannot write the index"):
        ExactIndex.build(VECTORS_VD).save(tmp_path / "file" / "index")


def test_removed_rows_stay_removed(tmp_path: Path) -> None:
    ExactIndex.build(VECTORS_VD).remove(np.array([3, 1])).save(tmp_path)
    loaded = load_index(tmp_path)
    assert (loaded.rows, len(loaded), loaded.removed_N.tolist()) == (4, 2, [1, 3])


def test_an_empty_index(tmp_path: Path) -> None:
    ExactIndex.build(VECTORS_VD[:0]).save(tmp_path)
    assert len(load_index(tmp_path)) == 0


def test_of_another_kind(saved: Path) -> None:
    with pytest.raises(ArtifactError, match="an index of the kind 'exact', not 'ivf'"):
        IvfIndex.load(saved)
    edit_manifest(saved, kind="tree")
    with pytest.raises(ArtifactError, match="an index of an unknown kind 'tree': build the index again"):
        load_index(saved)


def test_a_file_that_no_manifest_names(saved: Path) -> None:
    edit_manifest(saved, files={})
    with pytest.raises(ArtifactError, match=r"index\.json is damaged"):
        ExactIndex.load(saved)


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    IvfIndex.build(np.random.default_rng(0).standard_normal((200, 4)).astype(np.float32)).save(tmp_path / "lists")
    return tmp_path / "lists"


def test_damaged_lists_never_reach_faiss(lists: Path) -> None:
    file = next(lists.glob("lists-*"))
    payload = bytearray(file.read_bytes())
    payload[len(payload) // 2] ^= 1
    file.write_bytes(payload)
    with pytest.raises(ArtifactError, match=r"lists-.*is damaged, its digest differs"):
        load_index(lists)


def test_lists_that_are_none(lists: Path) -> None:
    import hashlib

    file = next(lists.glob("lists-*"))
    file.write_bytes(b"something else")
    files = json.loads((lists / "index.json").read_text())["files"]
    files["lists"]["sha256"] = hashlib.sha256(b"something else").hexdigest()
    edit_manifest(lists, files=files)
    with pytest.raises(ArtifactError, match="holds no lists of vectors"):
        load_index(lists)


def test_lists_of_other_vectors(lists: Path, tmp_path: Path) -> None:
    IvfIndex.build(np.random.default_rng(1).standard_normal((250, 4)).astype(np.float32)).save(tmp_path / "other")
    other = json.loads((tmp_path / "other" / "index.json").read_text())["files"]["lists"]
    (tmp_path / "other" / other["name"]).rename(lists / other["name"])
    files = json.loads((lists / "index.json").read_text())["files"]
    edit_manifest(lists, files=files | {"lists": other})
    with pytest.raises(ArtifactError, match="holds 250 vectors of width 4, the index says 200 of width 4"):
        load_index(lists)


def test_coordinates_of_other_lists(lists: Path, tmp_path: Path) -> None:
    vectors_VD = np.random.default_rng(0).standard_normal((200, 6)).astype(np.float32)
    IvfIndex.build(vectors_VD).save(tmp_path / "other")
    other = json.loads((tmp_path / "other" / "index.json").read_text())
    for kind in ("vectors", "space"):
        name = other["files"][kind]["name"]
        (tmp_path / "other" / name).rename(lists / name)
    files = json.loads((lists / "index.json").read_text())["files"]
    edit_manifest(lists, width=6, files=other["files"] | {"lists": files["lists"]})
    with pytest.raises(ArtifactError, match=r"holds vectors of 4 coordinates, space-.* makes 6 of them: build"):
        load_index(lists)


def test_the_digests_are_those_of_its_files(lists: Path) -> None:
    named = file_digests(lists)
    assert {name: file_digest(lists / name) for name in named} == named
    assert sorted(named) == sorted(path.name for path in lists.iterdir() if path.name != "index.json")
