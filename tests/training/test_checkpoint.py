"""Tensors and facts on disk: whole or refused, never executed."""

from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from swipewise.errors import ArtifactError
from swipewise.staging import write_durably
from swipewise.training import checkpoint
from swipewise.training.checkpoint import load_tensors, save_tensors

WAY_OUT = "train again with 'swipewise train --fresh'"


def saved(path: Path) -> Path:
    save_tensors(path, {"weight": torch.arange(6.0).view(2, 3)}, {"epoch": 4})
    return path


def test_tensors_and_facts_come_back_as_they_were(tmp_path: Path) -> None:
    tensors = {
        "weight": torch.randn(3, 4, generator=torch.Generator().manual_seed(0)),
        "turned": torch.arange(6).view(2, 3).T,
        "learned": torch.nn.Parameter(torch.ones(2)),
        "step": torch.tensor(7.0),
        "half": torch.ones(2, dtype=torch.bfloat16),
        "mask": torch.tensor([True, False]),
        "none": torch.zeros(0, 4),
    }
    facts = {"epoch": 3, "losses": [0.1, 1 / 3], "best": None, "names": {"a": "ä"}}
    save_tensors(tmp_path / "state.safetensors", tensors, facts)
    found, found_facts = load_tensors(tmp_path / "state.safetensors")
    assert found_facts == facts
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_a_later_save_replaces_the_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = saved(tmp_path / "state.safetensors")
    save_tensors(path, {"other": torch.zeros(1)}, {"epoch": 5})
    tensors, facts = load_tensors(path)
    assert (set(tensors), facts) == ({"other"}, {"epoch": 5})
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_save_left_behind_is_in_nobodys_way(tmp_path: Path) -> None:
    path = saved(tmp_path / "state.safetensors")
    (tmp_path / ".state.safetensors.draft").write_bytes(b"half a file")
    assert load_tensors(path)[1] == {"epoch": 4}
    save_tensors(path, {}, {"epoch": 5})
    assert load_tensors(path)[1] == {"epoch": 5}
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file_is_an_error_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=f"there is no .*state.safetensors: {WAY_OUT}"):
        load_tensors(tmp_path / "state.safetensors")


@pytest.mark.parametrize("kept", [0.0, 0.02, 0.3, 0.7, 0.999])
def test_a_truncated_file_is_an_error(tmp_path: Path, kept: float) -> None:
    path = saved(tmp_path / "state.safetensors")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ArtifactError, match=f"state.safetensors is damaged .*: {WAY_OUT}"):
        load_tensors(path)


@pytest.mark.parametrize(
    "content",
    [
        b"\x00" * 64,
        b"not a safetensors file at all, but a good deal of text",
        safetensors.torch.save({"weight": torch.ones(1)}),
        safetensors.torch.save({"weight": torch.ones(1)}, {"facts": "{no json"}),
    ],
    ids=["zeros", "text", "no facts", "broken facts"],
)
def test_a_file_of_something_else_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.safetensors"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=f"is damaged .*: {WAY_OUT}"):
        load_tensors(path)


def test_a_folder_in_its_place_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="is damaged"):
        load_tensors(tmp_path)


class Trap:
    """Unpickling it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("save", [torch.save, lambda trap, path: path.write_bytes(pickle.dumps(trap))])
def test_a_pickle_is_refused_and_not_executed(tmp_path: Path, save: Any) -> None:
    save(Trap(tmp_path / "sprung"), tmp_path / "state.safetensors")
    with pytest.raises(ArtifactError, match="is damaged"):
        load_tensors(tmp_path / "state.safetensors")
    assert not (tmp_path / "sprung").exists()


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_failed_write_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "state.safetensors")
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(ArtifactError, match=r"cannot write .*state.safetensors: No space left on device"):
        save_tensors(path, {"weight": torch.zeros(1000)}, {"epoch": 5})
    assert load_tensors(path)[1] == {"epoch": 4}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("folder", ["nowhere", "file"])
def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match=r"cannot write .*run.json: N"):
        write_durably(tmp_path / folder / "run.json", b"{}")


def test_what_is_written_is_on_disk_before_the_name_points_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(b"old")
    seen: list[tuple[str, bytes]] = []
    fsync = os.fsync

    def record(descriptor: int) -> None:
        fsync(descriptor)
        seen.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, path.read_bytes()))

    monkeypatch.setattr(os, "fsync", record)
    write_durably(path, b"new")
    assert seen == [(".run.json.draft", b"old"), (tmp_path.name, b"new")]


def test_a_model_that_may_not_be_read_is_not_taken_for_a_missing_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise FileNotFoundError("as safetensors says of a file that may not be read")

    path = tmp_path / "model.safetensors"
    path.touch()
    monkeypatch.setattr(checkpoint.safetensors, "safe_open", refused)
    with pytest.raises(ArtifactError, match=r"model\.safetensors cannot be read: see that this user may read it"):
        load_tensors(path)
