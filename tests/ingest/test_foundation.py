"""Clips through the workers with foundation models: a column a model, side by side, and errors before any file."""

from dataclasses import replace
from pathlib import Path

import pytest

from swipewise.catalog import Catalog
from swipewise.config import EncodersConfig
from swipewise.errors import ConfigError
from swipewise.ingest import ingest_videos
from swipewise.schema import Modality
from swipewise.workspace import Workspace

pytest.importorskip("transformers", reason="the [foundation] extra is not installed")

from swipewise.encoders.foundation import PREFIX
from tests.encoders.foundation.checkpoints import make


def encoding_with(workspace: Workspace, **encoders: str) -> Workspace:
    chosen = {"visual": "none", "audio": "none", "text": "none"} | encoders
    return Workspace(root=workspace.root, config=replace(workspace.config, encoders=EncodersConfig(**chosen)))


def here(workspace: Workspace) -> Workspace:
    """The same without worker processes, each of which would load the models anew."""
    ingest = replace(workspace.config.ingest, executor="inline")
    return Workspace(root=workspace.root, config=replace(workspace.config, ingest=ingest))


def test_another_model_adds_a_column_and_leaves_the_rest_alone(
    workspace: Workspace, clips: Path, tmp_path: Path
) -> None:
    seen, heard = make("clip", tmp_path / "clip"), make("whisper", tmp_path / "whisper")
    first = ingest_videos(here(encoding_with(workspace, visual="fake")), [clips])
    assert (first.added, first.rejected) == (12, 0)
    catalog = Catalog(workspace.catalog_dir)
    before = catalog.vectors(Modality.VISUAL, "fake@1")
    chosen = encoding_with(workspace, visual=f"{PREFIX}{seen}", audio=f"{PREFIX}{heard}")
    second = ingest_videos(chosen, [clips])
    assert (second.updated, second.rejected) == (12, 0)
    found = {modality: identity for modality, identity in catalog.encoders() if not identity.startswith("fake")}
    assert found[Modality.VISUAL].startswith("clip@")
    ids, values_ND = catalog.vectors(Modality.VISUAL, found[Modality.VISUAL])
    assert (len(ids), values_ND.shape[1]) == (12, 12)
    assert len(catalog.vectors(Modality.AUDIO, found[Modality.AUDIO])[0]) == 8  # a third of the clips is silent
    after = catalog.vectors(Modality.VISUAL, "fake@1")
    assert after[0] == before[0]
    assert (after[1] == before[1]).all()
    assert ingest_videos(here(chosen), [clips]).unchanged == 12


def test_a_model_that_cannot_be_read_fails_the_run_and_rejects_no_file(
    workspace: Workspace, clips: Path, tmp_path: Path
) -> None:
    folder = make("clip", tmp_path / "clip")
    (folder / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(ConfigError, match=r"the model in .*clip cannot be loaded"):
        ingest_videos(encoding_with(workspace, visual=f"{PREFIX}{folder}"), [clips])
    assert Catalog(workspace.catalog_dir).rejected().is_empty()
