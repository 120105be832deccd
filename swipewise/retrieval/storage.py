"""An exact index on disk: ``index.json`` names the one vectors file that belongs to it.

The vectors file carries its digest in its name and ``index.json`` is replaced last, so that a process killed at
any moment leaves either the old index or the new one, never a mixture.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from swipewise.errors import ArtifactError

FORMAT_VERSION = 1
_MANIFEST = "index.json"
_TENSOR = "vectors"


def save_vectors(vectors_VD: NDArray[np.float32], directory: Path) -> None:
    """Write the vectors of an index into ``directory``, in place of the index that lies there.

    Raises:
        ArtifactError: The folder cannot be written, or the disk is full; what lay there before is kept.
    """
    payload = safetensors.numpy.save({_TENSOR: vectors_VD})
    digest = hashlib.sha256(payload).hexdigest()
    file_name = f"vectors-{digest[:16]}.safetensors"
    rows, width = vectors_VD.shape
    manifest = {
        "version": FORMAT_VERSION,
        "kind": "exact",
        "rows": rows,
        "width": width,
        "file": file_name,
        "sha256": digest,
    }
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _write_durably(directory / file_name, payload)
        _write_durably(directory / _MANIFEST, json.dumps(manifest, indent=2).encode())
        for stale in directory.glob("vectors-*"):
            if stale.name != file_name:
                stale.unlink(missing_ok=True)
    except OSError as error:
        raise ArtifactError(f"cannot write the index to {directory}: {error.strerror}") from error


def load_vectors(directory: Path) -> NDArray[np.float32]:
    """Read the vectors (V, D) float32 that ``save_vectors`` wrote.

    Raises:
        ArtifactError: There is none, it is damaged, or it was written by a newer version.
    """
    manifest = _read_manifest(directory / _MANIFEST)
    path = directory / str(manifest["file"])
    try:
        payload = path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"the index names {path}, which cannot be read: build the index again") from error
    if hashlib.sha256(payload).hexdigest() != manifest["sha256"]:
        raise ArtifactError(f"{path} is damaged, its digest differs from the index's: build the index again")
    try:
        vectors_VD = safetensors.numpy.load(payload)[_TENSOR]
    except (SafetensorError, KeyError) as error:
        raise ArtifactError(f"{path} holds no vectors: build the index again") from error
    if vectors_VD.shape != (manifest["rows"], manifest["width"]):
        raise ArtifactError(
            f"{path} holds vectors of shape {vectors_VD.shape}, the index says "
            f"({manifest['rows']}, {manifest['width']}): build the index again"
        )
    return vectors_VD


def _read_manifest(path: Path) -> dict[str, Any]:
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
    if not {"rows", "width", "file", "sha256"} <= manifest.keys():
        raise ArtifactError(f"{path} is damaged: build the index again")
    return manifest  # type: ignore[no-any-return]


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
