"""Where models are looked for, and what is refused with a way out."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest

from swipewise.config import EncodersConfig
from swipewise.encoders import build_encoder, identity
from swipewise.errors import ConfigError
from swipewise.schema import Clip, Modality

pytest.importorskip("transformers", reason="the [foundation] extra is not installed")

from swipewise.encoders.foundation import PREFIX, FoundationEncoder
from swipewise.encoders.foundation.source import Source
from tests.encoders.foundation.checkpoints import make
from tests.training.test_checkpoint import Trap

OFFLINE = EncodersConfig()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make("sentences", tmp_path_factory.mktemp("models") / "tiny-v1.5")


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "model"))


@pytest.fixture(autouse=True)
def empty_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_an_identity_names_model_revision_and_precision_and_is_known_without_the_weights(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swipewise.encoders.foundation.loading._load", lambda *_: pytest.fail("read the weights"))
    made = build_encoder(Modality.TEXT, f"{PREFIX}{folder}")
    # A dot in a column's name would stand for a part of it.
    assert identity(made).startswith("tiny-v1_5@")
    assert identity(made).endswith("-float32-1")
    assert identity(made) == identity(build_encoder(Modality.TEXT, f"{PREFIX}{folder}"))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_other_files_are_another_revision(folder: Path, copy: Path, name: str) -> None:
    with (copy / name).open("ab") as file:
        file.write(b" ")
    assert Source.find(str(copy), OFFLINE).revision != Source.find(str(folder), OFFLINE).revision


def test_the_same_files_elsewhere_are_the_same_revision(folder: Path, copy: Path) -> None:
    assert Source.find(str(copy), OFFLINE).revision == Source.find(str(folder), OFFLINE).revision


def test_a_model_that_was_fetched_before_is_found_by_its_id(folder: Path, empty_hub: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = empty_hub / "models--acme--tiny"
    shutil.copytree(folder, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    made = build_encoder(Modality.TEXT, f"{PREFIX}acme/tiny")
    assert identity(made) == "acme/tiny@0123456789ab-float32-1"
    assert made.encode([Clip(caption="a dog")])[0] is not None
    assert identity(build_encoder(Modality.TEXT, f"{PREFIX}acme/tiny@{commit}")) == identity(made)


def test_a_model_that_is_not_here_is_not_fetched_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(*_: object, local_files_only: bool, **__: object) -> str:
        asked.append(local_files_only)
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(
        ConfigError, match=r"'acme/tiny' is not on this machine: fetch it with 'hf download acme/tiny'"
    ):
        Source.find("acme/tiny", OFFLINE)
    with pytest.raises(ConfigError, match=r"cannot be fetched from the hub \(no network\).*--revision v2"):
        Source.find("acme/tiny@v2", EncodersConfig(hub=True))
    assert asked == [True, False]


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("./nowhere", "there is no folder './nowhere'"),
        ("/no/where", "there is no folder"),
        ("a b c", "neither a folder"),
    ],
)
def test_what_is_no_model_at_all(reference: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Source.find(reference, OFFLINE)


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no config.json"):
        Source.find(str(tmp_path), OFFLINE)


def test_a_damaged_configuration(copy: Path) -> None:
    (copy / "config.json").write_text("{")
    with pytest.raises(ConfigError, match=r"config.json cannot be read .*: fetch the model again"):
        FoundationEncoder(Modality.TEXT, str(copy), OFFLINE)


def test_weights_as_a_pickle_are_refused_and_not_executed(copy: Path, tmp_path: Path) -> None:
    (copy / "model.safetensors").unlink()
    (copy / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(ConfigError, match=r"has no weights in safetensors"):
        FoundationEncoder(Modality.TEXT, str(copy), OFFLINE)
    assert not (tmp_path / "sprung").exists()


def test_code_that_comes_with_a_model_is_not_executed(copy: Path, tmp_path: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "modeling_evil.Evil", "AutoConfig": "modeling_evil.Evil"}
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "modeling_evil.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\nclass Evil: pass\n")
    assert FoundationEncoder(Modality.TEXT, str(copy), OFFLINE).encode([Clip(caption="a dog")])[0] is not None
    assert not (tmp_path / "sprung").exists()


def test_damaged_weights_are_an_error_that_names_the_folder(copy: Path) -> None:
    (copy / "model.safetensors").write_bytes(b"not safetensors")
    made = FoundationEncoder(Modality.TEXT, str(copy), OFFLINE)
    with pytest.raises(ConfigError, match=r"the model in .*model cannot be loaded"):
        made.encode([])


@pytest.mark.parametrize(
    "stated", ["license: cc-by-nc-4.0", "license: other\nlicense_name: acme-research-licence"]
)
def test_a_licence_that_forbids_commercial_use_has_to_be_accepted(copy: Path, stated: str) -> None:
    (copy / "README.md").write_text(f"---\nlanguage: en\n{stated}\n---\n# Tiny\n")
    with pytest.raises(ConfigError, match=r"forbids commercial use: set noncommercial = true in \[encoders\]"):
        Source.find(str(copy), OFFLINE)
    Source.find(str(copy), EncodersConfig(noncommercial=True))


@pytest.mark.parametrize(
    "card", ["---\nlicense: apache-2.0\n---\n", "# Tiny, license: cc-by-nc-4.0 in the text\n", ""]
)
def test_other_licences_need_no_setting(copy: Path, card: str) -> None:
    (copy / "README.md").write_text(card)
    Source.find(str(copy), OFFLINE)


def test_a_modality_that_the_family_lacks(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"family 'dinov2', which has no text here: it encodes visual"):
        FoundationEncoder(Modality.TEXT, str(make("dinov2", tmp_path / "dino")), OFFLINE)
    with pytest.raises(ConfigError, match=r"family 'bert', which has no audio here: known are .*whisper"):
        FoundationEncoder(Modality.AUDIO, str(make("sentences", tmp_path / "bert")), OFFLINE)


def test_one_model_for_two_modalities_is_read_once(tmp_path: Path) -> None:
    folder = make("clip", tmp_path / "clip")
    seen, read = (
        FoundationEncoder(modality, str(folder), OFFLINE) for modality in (Modality.VISUAL, Modality.TEXT)
    )
    assert seen._embedder._model is read._embedder._model  # type: ignore[attr-defined]


def test_a_sentence_encoder_of_unknown_pooling(copy: Path) -> None:
    (copy / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_max_tokens": True}))
    with pytest.raises(ConfigError, match=r"pools by max_tokens: mean_tokens, cls_token or lasttoken is known"):
        FoundationEncoder(Modality.TEXT, str(copy), OFFLINE).encode([])
