"""Ready-made vectors: arrays on disk, checked and given to videos. Nothing is ever unpickled.

Legend of shape suffixes: R = rows of an array, D = width of a vector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from swipewise.datasets.reading import Account, Vectors
from swipewise.datasets.tables import Folder, Kind, as_kind, require_columns
from swipewise.errors import DataError, InputFileError
from swipewise.schema import Col, Modality

VECTOR: Final = "vector"

FEATURE_NAMES: Final[Mapping[Modality, tuple[str, ...]]] = {
    Modality.TEXT: ("*text*feat*", "*title*feat*", "*caption*feat*", "t_feat*", "featuretext*"),
    Modality.AUDIO: ("*audio*feat*", "*acoustic*feat*", "a_feat*", "featureaudio*"),
    Modality.VISUAL: (
        *("*video*feat*", "*image*feat*", "*img*feat*", "*cover*feat*", "*frame*feat*"),
        *("*visual*feat*", "*vision*feat*", "v_feat*", "featurevideo*"),
    ),
}
"""How the arrays of each modality are called without their ending, the preferred name first."""

_PICKLE: Final = "import pickle, numpy as np; np.save({out!r}, np.asarray(pickle.load(open({path!r}, 'rb'))))"
_CONVERT: Final = {
    ".pkl": _PICKLE,
    ".pickle": _PICKLE,
    ".pt": "import torch, numpy as np; np.save({out!r}, torch.load({path!r}, weights_only=True).cpu().numpy())",
    ".npz": "import numpy as np; file = np.load({path!r}); np.save({out!r}, file[file.files[0]])",
    ".mat": "import numpy as np, scipy.io; np.save({out!r}, scipy.io.loadmat({path!r})['NAME'])",
    ".npy": "import numpy as np; a = np.load({path!r}, allow_pickle=True); np.save({out!r}, np.array(list(a), 'f4'))",
}
"""What makes a plain array of a file that only unpickling, or knowing its author, could read."""


def find_features(folder: Folder, account: Account) -> dict[Modality, Path]:
    """The array of each modality in a folder; others of the same modality are accounted for as left out.

    Raises:
        InputFileError: A modality has only a file that is no plain array.
    """
    chosen: dict[Modality, Path] = {}
    taken: set[Path] = set()
    for modality, stems in FEATURE_NAMES.items():
        files = [path for path in _matching(folder, stems, ".npy") if path not in taken]
        others = [path for suffix in _CONVERT for path in _matching(folder, stems, suffix)]
        if files:
            chosen[modality] = files[0]
            taken.update(files)
            account.files[folder.name(files[0])] = f"{modality} vectors"
            for other in files[1:]:
                account.notes.append(
                    f"{folder.name(other)} was left out: {files[0].name} is the {modality} modality"
                )
        elif others := [path for path in others if path not in taken]:
            raise refusal(others[0])
    return chosen


def _matching(folder: Folder, stems: Sequence[str], suffix: str) -> list[Path]:
    return list(dict.fromkeys(path for stem in stems for path in folder.matching(stem + suffix)))


def load_array(path: Path) -> NDArray[np.float32]:
    """A feature array (R, D) as float32; float16 is cast before anything is computed from it.

    Raises:
        InputFileError: The file is no array, a pickled one, or not one of numbers in two dimensions.
        DataError: It holds NaN or infinity; the message names the place.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        if _is_pickled(path):
            raise refusal(path) from error
        raise InputFileError(f"{path}: is not a NumPy array: {error}") from error
    except (OSError, EOFError) as error:
        raise InputFileError(f"{path}: cannot be read as a NumPy array: {error}") from error
    if (
        not isinstance(array, np.ndarray)
        or array.ndim != 2
        or array.dtype.kind not in "fiub"
        or not array.shape[1]
    ):
        shape = getattr(array, "shape", None)
        kind = getattr(array, "dtype", type(array).__name__)
        raise InputFileError(f"{path}: {kind} of shape {shape}, where numbers of shape (items, width) are needed")
    with np.errstate(over="ignore"):
        values_RD = np.asarray(array, np.float32)
    return check_finite(path, values_RD)


def _is_pickled(path: Path) -> bool:
    """Whether a file that NumPy refuses begins like an array, so that objects are in it, or like a pickle."""
    with path.open("rb") as file:
        return file.read(6).startswith((b"\x93NUMPY", b"\x80"))


def check_finite(path: Path, values_RD: NDArray[np.float32]) -> NDArray[np.float32]:
    """The array itself.

    Raises:
        DataError: It holds NaN or infinity; the message names the first and how many rows have some.
    """
    bad_R = ~np.isfinite(values_RD).all(axis=1)
    if bad_R.any():
        row = int(bad_R.argmax())
        column = int((~np.isfinite(values_RD[row])).argmax())
        raise DataError(
            f"{path}: row {row}, column {column} is {values_RD[row, column]}, as in {int(bad_R.sum())} of "
            f"{len(values_RD)} rows: set rows without a vector to zeros, and mend the others"
        )
    return values_RD


def vectors_of(path: Path, video_ids: Sequence[str], values_RD: NDArray[np.float32], account: Account) -> Vectors:
    """Vectors with their videos, row by row, without those that are zeros."""
    present_R: NDArray[np.bool_] = (values_RD != 0).any(axis=1)
    account.leave_out(f"rows of zeros in {path.name}: no vector", int((~present_R).sum()))
    if not present_R.all():
        values_RD = values_RD[present_R]
    kept = tuple(video_id for video_id, present in zip(video_ids, present_R.tolist(), strict=True) if present)
    return Vectors(video_ids=kept, values_RD=values_RD)


def load_table(path: Path, account: Account) -> Vectors:
    """Vectors from a Parquet table of ``video_id`` and ``vector``, a list of numbers of one length.

    Raises:
        InputFileError: The file cannot be read or lacks a column.
        DataError: An id is missing or twice there, or vectors differ in length or hold NaN.
    """
    require_columns(path, (Col.VIDEO_ID, VECTOR))
    try:
        table = pl.read_parquet(path, columns=[Col.VIDEO_ID, VECTOR]).with_columns(as_kind(Col.VIDEO_ID, Kind.ID))
        table = table.with_columns(pl.col(VECTOR).cast(pl.List(pl.Float32)))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputFileError(f"{path}: cannot be read as ids and lists of numbers: {error}") from error
    if (absent := table[Col.VIDEO_ID].is_null()).any():
        raise DataError(f"{path}, row {int(absent.arg_true()[0]) + 1}: video_id is empty")
    if (twice := table[Col.VIDEO_ID].is_duplicated()).any():
        raise DataError(f"{path}: video_id = {table.filter(twice)[Col.VIDEO_ID][0]!r} has more than one vector")
    table = table.drop_nulls(VECTOR)
    widths = table[VECTOR].list.len().unique().sort().to_list()
    if len(widths) != 1 or not widths[0]:
        raise DataError(f"{path}: vectors of {' and '.join(map(str, widths)) or 'no'} numbers: all need the same")
    values_RD = table[VECTOR].explode().to_numpy().reshape(-1, widths[0]).astype(np.float32)
    return vectors_of(path, table[Col.VIDEO_ID].to_list(), check_finite(path, values_RD), account)


def refusal(path: Path, snippet: str | None = None) -> InputFileError:
    """The error for a file that is not read, with a command that makes a plain file of it.

    Args:
        path: The file.
        snippet: Python that converts it, with ``{path!r}`` and ``{out!r}``; None takes the one for its ending.
    """
    out = path if path.suffix == ".npy" else path.with_suffix(".npy")
    code = (snippet or _CONVERT[path.suffix.lower()]).format(path=str(path), out=str(out))
    return InputFileError(
        f"{path}: is not a plain table or array, and reading a pickle would run whatever code is in it. If you trust "
        f'where it comes from, convert it: python -c "{code}"'
    )
