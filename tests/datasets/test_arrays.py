from __future__ import annotations

import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from swipewise.datasets.arrays import find_features, load_array
from swipewise.datasets.reading import Account
from swipewise.datasets.tables import Folder
from swipewise.errors import DataError, InputFileError
from swipewise.schema import Modality
from tests.datasets.folders import array, into, write


class Bomb:
    """What a pickle may do to whoever opens it."""

    def __reduce__(self) -> tuple[object, ...]:
        return (pytest.fail, ("it was unpickled",))


def ran(message: str) -> None:
    """Run the command that an error ends with."""
    code = re.search(r'python -c "(.*)"$', message)
    assert code
    subprocess.run([sys.executable, "-c", code[1]], check=True)


def test_every_kind_of_number_becomes_float32(tmp_path: Path) -> None:
    for dtype in ("float16", "float32", "float64", "int8", "uint32"):
        loaded = load_array(array(tmp_path / f"{dtype}.npy", [[1, 2], [3, 4]], dtype))
        assert (loaded.dtype, loaded.tolist()) == (np.float32, [[1, 2], [3, 4]])


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_values_that_are_no_numbers_are_named(tmp_path: Path, value: float) -> None:
    path = array(tmp_path / "x.npy", [[0, 1], [2, value], [value, 3]], "float64")
    with pytest.raises(DataError, match=r"x\.npy: row 1, column 1 is (nan|inf), as in 2 of 3 rows"):
        load_array(path)


@pytest.mark.parametrize(
    ("rows", "dtype", "fault"),
    [
        ([1.0, 2.0], "float32", r"float32 of shape \(2,\), where numbers of shape \(items, width\)"),
        ([["a"]], "str", r"<U1 of shape \(1, 1\)"),
        (np.zeros((2, 0)), "float32", r"shape \(2, 0\)"),
    ],
)
def test_arrays_of_another_shape_or_kind_are_refused(tmp_path: Path, rows: object, dtype: str, fault: str) -> None:
    with pytest.raises(InputFileError, match=fault):
        load_array(array(tmp_path / "x.npy", rows, dtype))


def test_what_is_no_array_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"x\.npy: (is not a|cannot be read as a) NumPy array"):
        load_array(write(tmp_path / "x.npy", "hello"))
    with pytest.raises(InputFileError, match=r"y\.npy: cannot be read"):
        load_array(tmp_path / "y.npy")


def test_a_pickled_array_is_never_opened_and_the_command_that_converts_it_works(tmp_path: Path) -> None:
    np.save(tmp_path / "bomb.npy", np.array([Bomb(), None], object))
    with pytest.raises(InputFileError, match=r"bomb\.npy: is not a plain table or array"):
        load_array(tmp_path / "bomb.npy")
    ragged = np.empty(2, object)
    ragged[:] = [[1.0, 2.0], [3.0, 4.0]]
    np.save(tmp_path / "image_feat.npy", ragged)
    with pytest.raises(InputFileError, match=r"image_feat\.npy: .*reading a pickle would run") as refused:
        load_array(tmp_path / "image_feat.npy")
    ran(str(refused.value))
    assert load_array(tmp_path / "image_feat.npy").tolist() == [[1, 2], [3, 4]]


def test_a_pickle_in_place_of_an_array_is_refused_the_same_way(tmp_path: Path) -> None:
    (tmp_path / "image_feat.pkl").write_bytes(pickle.dumps([[1.0], [2.0]]))
    with pytest.raises(InputFileError, match=r"image_feat\.pkl: is not a plain") as refused:
        find_features(Folder(tmp_path), Account())
    ran(str(refused.value))
    account = Account()
    assert find_features(Folder(tmp_path), account) == {Modality.VISUAL: tmp_path / "image_feat.npy"}
    assert account.files == {"image_feat.npy": "visual vectors"}


def test_a_pickled_matrix_in_place_of_interactions_is_refused_the_same_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scipy.sparse import csr_matrix

    (tmp_path / "tiktok").mkdir()
    path = tmp_path / "tiktok/trnMat.pkl"
    path.write_bytes(pickle.dumps(csr_matrix(np.array([[0, 1], [1, 0]]))))
    with pytest.raises(InputFileError, match=r"trnMat\.pkl: is not a plain table") as refused:
        into("mmrec", tmp_path / "tiktok", tmp_path / "shop")
    monkeypatch.chdir(tmp_path / "tiktok")
    ran(str(refused.value))
    assert into("mmrec", tmp_path / "tiktok", tmp_path / "shop").interactions == 2


@pytest.mark.parametrize("name", ["image_feat.mat", "image_feat.npz", "text_feat.pt", "a_feat.pickle"])
def test_other_containers_are_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"whatever")
    with pytest.raises(InputFileError, match=f"{name}: is not a plain table or array"):
        find_features(Folder(tmp_path), Account())


def test_each_modality_is_found_by_the_names_in_use(tmp_path: Path) -> None:
    names = {
        Modality.TEXT: "MicroLens-100k_title_en_text_features_BgeM3.npy",
        Modality.AUDIO: "acoustic_feat.npy",
        Modality.VISUAL: "FeatureVideo_normal.npy",
    }
    for name in names.values():
        array(tmp_path / "sub" / name, [[1.0]])
    assert find_features(Folder(tmp_path), Account()) == {m: tmp_path / "sub" / name for m, name in names.items()}
