"""Indexes on disk: ``index.json`` names the files that belong to it, and what their bytes must be.

::

    index.json                       kind, rows, width, format version, files and their digests; of an approximate
                                     index also into how many lists it looks for how many candidates, and what that
                                     was found to find
    vectors-<digest>.safetensors     the vectors, and the rows that were removed
    lists-<digest>.faiss             the inverted lists of an approximate index
    space-<digest>.safetensors       the coordinates of the lists

A file carries its digest in its name and ``index.json`` is replaced last, so that a process killed at any moment leaves
either the old index or the new one, never a mixture. Files are checked by their digests before faiss sees them, and
mapped into memory where that saves reading them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from swipewise.errors import ArtifactError
from swipewise.retrieval.space import Space
from swipewise.retrieval.training import Measured, Trained

FORMAT_VERSION: Final = 4
MANIFEST: Final = "index.json"
_VECTORS: Final = "vectors"
_REMOVED: Final = "removed"
_LISTS: Final = "lists"
_SPACE: Final = "space"
_ENDINGS: Final = {_VECTORS: "safetensors", _LISTS: "faiss", _SPACE: "safetensors"}
_EXACT: Final = "exact"
_IVF: Final = "ivf"


def save_exact(directory: Path, vectors_VD: NDArray[np.float32], removed_N: NDArray[np.int64]) -> None:
    """Write an exact index into ``directory``, in place of the index that lies there.

    Raises:
        ArtifactError: The folder cannot be written, or the disk is full; what lay there before is kept.
    """
    _save(directory, _EXACT, {_VECTORS: _vectors(vectors_VD, removed_N)}, vectors_VD.shape, {})


def load_exact(directory: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Read the vectors (V, D) and the removed rows that ``save_exact`` wrote.

    Raises:
        ArtifactError: There is none, it is damaged, of another kind, or was written by another version.
    """
    manifest = _read_manifest(directory, _EXACT)
    return _read_vectors(_checked_file(directory, manifest, _VECTORS), manifest)


def save_ivf(
    directory: Path,
    vectors_VD: NDArray[np.float32],
    removed_N: NDArray[np.int64],
    base: Any,
    trained: Trained,
) -> None:
    """Write an approximate index into ``directory``, in place of the index that lies there.

    Args:
        directory: Where.
        vectors_VD: The vectors.
        removed_N: The rows that were removed.
        base: The faiss index of the others.
        trained: What was learned for it.

    Raises:
        ArtifactError: The folder cannot be written, or the disk is full; what lay there before is kept.
    """
    files = {
        _VECTORS: _vectors(vectors_VD, removed_N),
        _LISTS: faiss.serialize_index(base).tobytes(),
        _SPACE: safetensors.numpy.save(asdict(trained.space)),
    }
    facts = {
        "nprobe": trained.nprobe,
        "growth": trained.growth,
        "spare": trained.spare,
        "trained_rows": trained.rows,
        "measured": trained.measured and asdict(trained.measured),
    }
    _save(directory, _IVF, files, vectors_VD.shape, facts)


def load_ivf(directory: Path) -> tuple[NDArray[np.float32], NDArray[np.int64], Any, Trained]:
    """Read what ``save_ivf`` wrote: vectors, removed rows, the faiss index, and what was learned for it.

    Raises:
        ArtifactError: There is none, it is damaged, of another kind, or was written by another version.
    """
    manifest = _read_manifest(directory, _IVF)
    vectors_VD, removed_N = _read_vectors(_checked_file(directory, manifest, _VECTORS), manifest)
    path, space = (_checked_file(directory, manifest, name) for name in (_LISTS, _SPACE))
    try:
        base = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
        measured = manifest["measured"]
        trained = Trained(
            template=_emptied(faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)),
            space=Space(**safetensors.numpy.load_file(space)),
            rows=int(manifest["trained_rows"]),
            nprobe=int(manifest["nprobe"]),
            growth=float(manifest["growth"]),
            spare=float(manifest["spare"]),
            measured=measured and Measured(**measured),
        )
    except (RuntimeError, KeyError, ValueError, TypeError, SafetensorError) as error:
        raise ArtifactError(f"{path} holds no lists of vectors: build the index again") from error
    if trained.width != vectors_VD.shape[1] or base.ntotal != len(vectors_VD) - len(removed_N):
        raise ArtifactError(
            f"{path} holds {base.ntotal} vectors of width {trained.width}, the index says "
            f"{len(vectors_VD) - len(removed_N)} of width {vectors_VD.shape[1]}: build the index again"
        )
    if {trained.space.videos_WD.shape, trained.space.questions_WD.shape} != {(base.d, trained.width)}:
        raise ArtifactError(
            f"{path} holds vectors of {base.d} coordinates, {space.name} makes "
            f"{len(trained.space.videos_WD)} of them: build the index again"
        )
    return vectors_VD, removed_N, base, trained


def kind_of(directory: Path) -> str:
    """Which kind of index lies there: "exact" or "ivf".

    Raises:
        ArtifactError: There is none, its manifest is damaged, or was written by another version.
    """
    return str(_read_manifest(directory, None)["kind"])


def file_digests(directory: Path) -> dict[str, str]:
    """The files of the index and the SHA-256 that each must have.

    Raises:
        ArtifactError: There is none, its manifest is damaged, or was written by another version.
    """
    files = _read_manifest(directory, None)["files"]
    return {str(each["name"]): str(each["sha256"]) for each in files.values()}


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, read in parts.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _vectors(vectors_VD: NDArray[np.float32], removed_N: NDArray[np.int64]) -> bytes:
    return safetensors.numpy.save({_VECTORS: np.ascontiguousarray(vectors_VD), _REMOVED: removed_N})


def _save(
    directory: Path, kind: str, files: Mapping[str, bytes], shape: tuple[int, ...], facts: Mapping[str, Any]
) -> None:
    named: dict[str, dict[str, str]] = {}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, payload in files.items():
            digest = hashlib.sha256(payload).hexdigest()
            named[name] = {"name": f"{name}-{digest[:16]}.{_ENDINGS[name]}", "sha256": digest}
            _write_durably(directory / named[name]["name"], payload)
        manifest = {"version": FORMAT_VERSION, "kind": kind, "rows": shape[0], "width": shape[1]}
        manifest |= {"files": named, **facts}
        _write_durably(directory / MANIFEST, json.dumps(manifest, indent=2).encode())
        kept = {each["name"] for each in named.values()}
        for stale in (path for name in _ENDINGS for path in directory.glob(f"{name}-*")):
            if stale.name not in kept:
                stale.unlink(missing_ok=True)
    except OSError as error:
        raise ArtifactError(f"cannot write the index to {directory}: {error.strerror}") from error


def _emptied(index: Any) -> Any:
    """The same lists without vectors, to which others can be added."""
    lists = faiss.ArrayInvertedLists(index.nlist, index.code_size)
    lists.this.disown()  # the index frees them
    index.replace_invlists(lists, True)
    index.ntotal = 0
    return index


def _read_manifest(directory: Path, kind: str | None) -> dict[str, Any]:
    path = directory / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
        version = manifest["version"]
    except FileNotFoundError as error:
        raise ArtifactError(f"no index at {path.parent}: save one there first") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path} is damaged: build the index again") from error
    if version != FORMAT_VERSION:
        raise ArtifactError(
            f"{path} has format {version!r} and this Swipewise reads {FORMAT_VERSION}: "
            "upgrade Swipewise, or build the index again"
        )
    if not {"kind", "rows", "width", "files"} <= manifest.keys():
        raise ArtifactError(f"{path} is damaged: build the index again")
    if kind is not None and manifest["kind"] != kind:
        raise ArtifactError(f"{path} is an index of the kind {manifest['kind']!r}, not {kind!r}: build it again")
    return manifest  # type: ignore[no-any-return]


def _checked_file(directory: Path, manifest: Mapping[str, Any], name: str) -> Path:
    """A file of the index, whose bytes are those that were written."""
    try:
        path = directory / str(manifest["files"][name]["name"])
        expected = manifest["files"][name]["sha256"]
    except (KeyError, TypeError) as error:
        raise ArtifactError(f"{directory / MANIFEST} is damaged: build the index again") from error
    try:
        digest = file_digest(path)
    except OSError as error:
        raise ArtifactError(f"the index names {path}, which cannot be read: build the index again") from error
    if digest != expected:
        raise ArtifactError(f"{path} is damaged, its digest differs from the index's: build the index again")
    return path


def _read_vectors(path: Path, manifest: Mapping[str, Any]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The vectors, mapped from where they lie in the file, and the removed rows."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
        start = 8 + length + header[_VECTORS]["data_offsets"][0]
        shape = tuple(header[_VECTORS]["shape"])
        with safetensors.safe_open(path, framework="numpy") as tensors:
            removed_N = tensors.get_tensor(_REMOVED)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ArtifactError(f"{path} holds no vectors: build the index again") from error
    if shape != (manifest["rows"], manifest["width"]):
        raise ArtifactError(
            f"{path} holds vectors of shape {shape}, the index says "
            f"({manifest['rows']}, {manifest['width']}): build the index again"
        )
    if 0 in shape:  # nothing can be mapped
        return np.zeros(shape, np.float32), removed_N
    return np.memmap(path, np.float32, "r", start, shape), removed_N


def _write_durably(path: Path, payload: bytes) -> None:
    """Write under a temporary name, to the disk, then rename: a reader sees the old file or the whole new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
