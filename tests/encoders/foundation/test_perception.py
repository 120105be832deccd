"""Perception Encoder's picture tower against a plain reference, and whole checkpoints with and without all of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from math import cos, sin
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swipewise.config import EncodersConfig
from swipewise.errors import ConfigError
from swipewise.schema import Clip, Modality

pytest.importorskip("transformers", reason="the [foundation] extra is not installed")

import torch
import transformers as hf
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, normalize

from swipewise.encoders.foundation import FoundationEncoder
from swipewise.encoders.foundation.loading import load_model
from swipewise.encoders.foundation.perception import Tower, TowerConfig
from swipewise.encoders.foundation.pictures import Pixels
from swipewise.encoders.foundation.source import Source
from swipewise.encoders.foundation.tower import ARCHITECTURES, Architecture, VisionTransformer
from tests.encoders.foundation.checkpoints import PE_OUTPUTS, PE_PIXELS, make

OFFLINE = EncodersConfig()
TOWER = "video_encoder.embedder.vision_model.timm_model"
SMALL = {"img_size": 24, "patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2, "attn_pool_num_heads": 4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make("pe_video", tmp_path_factory.mktemp("models") / "pe")


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "model"))


@pytest.fixture
def clip() -> Clip:
    return Clip(frames_FHWC=np.random.default_rng(0).integers(0, 256, (3, 48, 72, 3), dtype=np.uint8))


def pictures(folder: Path) -> FoundationEncoder:
    return FoundationEncoder(Modality.VISUAL, str(folder), OFFLINE)


def reference(weights: dict[str, Tensor], of: Architecture, picture_CHW: Tensor) -> Tensor:
    """One picture through the tower, as its papers describe it, a patch, a head and a pair of entries at a time."""

    def linear(name: str, states_ND: Tensor) -> Tensor:
        return torch.einsum("nd,od->no", states_ND, weights[f"{name}.weight"]) + weights[f"{name}.bias"]

    def norm(name: str, states_ND: Tensor) -> Tensor:
        return layer_norm(states_ND, states_ND.shape[1:], weights[f"{name}.weight"], weights[f"{name}.bias"], 1e-5)

    def attention(q_ND: Tensor, k_ND: Tensor, v_ND: Tensor, heads: int) -> Tensor:
        found = []
        for q, k, v in zip(*(part.chunk(heads, dim=1) for part in (q_ND, k_ND, v_ND)), strict=True):
            scores = torch.einsum("nk,mk->nm", q, k) / q.shape[1] ** 0.5
            found.append(torch.einsum("nm,mk->nk", scores.softmax(dim=1), v))
        return torch.cat(found, dim=1)

    def turned(states_ND: Tensor) -> Tensor:
        found = states_ND.clone()
        width = of.embed_dim // of.num_heads
        prefix, speeds = int(of.class_token), width // 4
        for row in range(of.grid):
            for column in range(of.grid):
                for entry in range(0, of.embed_dim, 2):
                    pair = entry % width // 2
                    place = column if pair < speeds else row
                    place = (place + of.rope_grid_offset) * of.ref_feat_shape / of.grid
                    angle = place / 10_000 ** (pair % speeds / speeds)
                    turn = torch.tensor([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]], dtype=torch.float32)
                    at = prefix + row * of.grid + column
                    found[at, entry : entry + 2] = turn @ states_ND[at, entry : entry + 2]
        return found

    size = of.patch_size
    kernel_OCHW = weights["patch_embed.proj.weight"]
    states = [weights["cls_token"][0, 0]] if of.class_token else []
    for row in range(of.grid):
        for column in range(of.grid):
            patch = picture_CHW[:, row * size : (row + 1) * size, column * size : (column + 1) * size]
            states.append(torch.einsum("chw,ochw->o", patch, kernel_OCHW))
    states_ND = norm("norm_pre", torch.stack(states) + weights["pos_embed"][0])
    for block in (f"blocks.{number}" for number in range(of.depth)):
        q_ND, k_ND, v_ND = linear(f"{block}.attn.qkv", norm(f"{block}.norm1", states_ND)).chunk(3, dim=1)
        mixed_ND = attention(turned(q_ND), turned(k_ND), v_ND, of.num_heads)
        states_ND = states_ND + linear(f"{block}.attn.proj", mixed_ND)
        hidden = gelu(linear(f"{block}.mlp.fc1", norm(f"{block}.norm2", states_ND)))
        states_ND = states_ND + linear(f"{block}.mlp.fc2", hidden)
    k_ND, v_ND = linear("attn_pool.kv", norm("norm", states_ND)).chunk(2, dim=1)
    q_1D = linear("attn_pool.q", weights["attn_pool.latent"][0])
    pooled_1D = linear("attn_pool.proj", attention(q_1D, k_ND, v_ND, of.attn_pool_num_heads))
    hidden = gelu(linear("attn_pool.mlp.fc1", norm("attn_pool.norm", pooled_1D)))
    return linear("head", pooled_1D + linear("attn_pool.mlp.fc2", hidden))[0]


@pytest.mark.parametrize("name", ["vit_pe_core_large_patch14_336", "vit_pe_core_gigantic_patch14_448"])
@pytest.mark.parametrize("trained", [3, 5])
def test_the_tower_is_that_of_the_papers(name: str, trained: int) -> None:
    of = Architecture.of(name, SMALL | {"ref_feat_shape": [trained, trained]})
    with torch.random.fork_rng():
        torch.manual_seed(3)
        tower = VisionTransformer(of, 10).eval()
        for parameter in tower.parameters():
            # So large that attention is sharp, and what is turned where makes a difference.
            spread = 1.5 / parameter[0].numel() ** 0.5 if parameter.ndim > 1 else 0.3
            torch.nn.init.normal_(parameter, std=spread)
        pictures_FCHW = torch.randn(2, 3, of.img_size, of.img_size)
    with torch.inference_mode():
        found_FO = tower(pictures_FCHW)
        expected_FO = torch.stack([reference(tower.state_dict(), of, one) for one in pictures_FCHW])
    torch.testing.assert_close(found_FO, expected_FO, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "outputs", "billions"),
    [
        ("vit_pe_core_base_patch16_224", 1024, 0.09),
        ("vit_pe_core_large_patch14_336", 1024, 0.32),
        ("vit_pe_core_gigantic_patch14_448", 1280, 1.88),
    ],
)
def test_towers_have_as_many_parameters_as_published(name: str, outputs: int, billions: float) -> None:
    with torch.device("meta"):
        tower = VisionTransformer(ARCHITECTURES[name], outputs)
    assert round(sum(parameter.numel() for parameter in tower.parameters()) / 1e9, 2) == billions


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("resnet50", {}, r"the picture tower 'resnet50' is not known: known are vit_pe_core_tiny_patch16_384, "),
        ("vit_pe_core_base_patch16_224", {"depths": 3}, r"has 'depths', which is not known: did you mean 'depth'"),
        (
            "vit_pe_core_base_patch16_224",
            {"swiglu": True},
            r"has 'swiglu', which is not known: known are attn_pool_",
        ),
        (
            "vit_pe_core_base_patch16_224",
            {"img_size": [24, 32]},
            r"img_size = \[24, 32\] is not known: only squares",
        ),
    ],
)
def test_towers_that_are_not_known(name: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Tower(TowerConfig(architecture=name, model_args=changes))


def test_an_encoder_of_an_unknown_tower_says_so(copy: Path, clip: Clip) -> None:
    said = json.loads((copy / "config.json").read_text())
    said["video_config"]["vision_config"]["architecture"] = "vit_pe_spatial_base_patch16_512"
    (copy / "config.json").write_text(json.dumps(said))
    with pytest.raises(ConfigError, match=r"the picture tower 'vit_pe_spatial_base_patch16_512' is not known"):
        pictures(copy).encode([clip])


@pytest.mark.parametrize("family", ["pe_video", "pe_audio_video"])
def test_vectors_are_those_of_the_librarys_forward(family: str, tmp_path: Path, clip: Clip) -> None:
    source = Source.find(str(make(family, tmp_path / family)), OFFLINE)
    pixels = Pixels.of(source, resample=2).tensor(clip.frames_FHWC)[None]  # type: ignore[arg-type]
    inputs: dict[str, Tensor] = {"input_ids": torch.tensor([[2, 5, 6, 3]]), "pixel_values_videos": pixels}
    sound_S = (0.1 * np.random.default_rng(1).standard_normal(48_000)).astype(np.float32)
    if family == "pe_audio_video":
        extractor = hf.AutoFeatureExtractor.from_pretrained(str(source.folder))
        inputs |= dict(extractor(sound_S, sampling_rate=48_000, return_tensors="pt"))
    with torch.inference_mode():
        output = load_model(source, OFFLINE)(**inputs)
    [seen_D] = pictures(source.folder).encode([clip])
    np.testing.assert_allclose(seen_D, normalize(output.video_embeds)[0], atol=1e-5)
    if family == "pe_audio_video":
        ears = FoundationEncoder(Modality.AUDIO, str(source.folder), OFFLINE)
        [heard_D] = ears.encode([Clip(waveform_S=sound_S, sample_rate=48_000)])
        np.testing.assert_allclose(heard_D, normalize(output.audio_embeds)[0], atol=1e-5)


def test_weights_are_those_of_the_file_and_transformers_own_tower_stays_in_its_place(folder: Path) -> None:
    model = load_model(Source.find(str(folder), OFFLINE), OFFLINE)
    assert model.video_encoder.embedder.proj.in_features == PE_OUTPUTS
    kept, found = load_file(folder / "model.safetensors"), model.state_dict()
    assert any(".vision_model.timm_model.blocks.1.attn.qkv.weight" in name for name in kept)
    for name, weight in kept.items():
        torch.testing.assert_close(found[name], weight, atol=0, rtol=0)
    classes = hf.AutoModelForImageClassification._model_mapping
    assert classes[hf.TimmWrapperConfig] is hf.TimmWrapperForImageClassification


def test_as_many_frames_as_a_checkpoint_wants(copy: Path, clip: Clip) -> None:
    (copy / "video_preprocessor_config.json").write_text(
        json.dumps(PE_PIXELS | {"do_sample_frames": True, "num_frames": 2})
    )
    assert clip.frames_FHWC is not None
    ends = Clip(frames_FHWC=clip.frames_FHWC[[0, 2]])
    made = pictures(copy)
    np.testing.assert_allclose(made.encode([clip])[0], made.encode([ends])[0], atol=1e-6)  # type: ignore[arg-type]
    every = pictures(copy.rename(copy.parent / "every"))
    (every._source.folder / "video_preprocessor_config.json").write_text(json.dumps(PE_PIXELS))
    assert not np.allclose(every.encode([clip])[0], every.encode([ends])[0], atol=1e-4)  # type: ignore[arg-type]


def test_preparation_that_is_said_in_one_file_for_all_inputs(tmp_path: Path, clip: Clip) -> None:
    apart = make("pe_audio_video", tmp_path / "apart")
    together = Path(shutil.copytree(apart, tmp_path / "together"))
    names = {
        "feature_extractor": "preprocessor_config.json",
        "video_processor": "video_preprocessor_config.json",
    }
    said = {part: json.loads((together / name).read_text()) for part, name in names.items()}
    for name in names.values():
        (together / name).unlink()
    (together / "processor_config.json").write_text(json.dumps(said))
    sound = Clip(waveform_S=np.ones(16_000, np.float32))
    for modality, content in ((Modality.VISUAL, clip), (Modality.AUDIO, sound)):
        one, other = (FoundationEncoder(modality, str(where), OFFLINE) for where in (apart, together))
        assert one.needs == other.needs
        np.testing.assert_allclose(one.encode([content])[0], other.encode([content])[0], atol=1e-6)  # type: ignore[arg-type]


def without(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        del weights[name]
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    return change


def other_width(folder: Path) -> None:
    said = json.loads((folder / "config.json").read_text())
    said["video_config"]["vision_config"]["model_args"]["embed_dim"] = 48
    (folder / "config.json").write_text(json.dumps(said))


def other_pixels(**said: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / "video_preprocessor_config.json").write_text(json.dumps(said))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            without(f"{TOWER}.blocks.1.mlp.fc1.bias"),
            r"lacks 1 weights, such as video_encoder.*blocks.1.mlp.fc1.bias: take all",
        ),
        (without("video_head.proj.weight"), r"lacks 1 weights, such as video_head.proj.weight: take all files"),
        (without(f"{TOWER}.head.bias"), r"lacks vision_model.timm_model.head.bias: take all files"),
        (
            other_width,
            r"\(video.*attn_pool.kv.bias is \(64,\), and by config.json it is \(96,\)\): take all files of",
        ),
        (other_pixels(size=24), r"frames of 32 x 32 pixels, and its video_preprocessor_config.json says 24"),
        (other_pixels(), r"32 x 32 pixels, and its video_preprocessor_config.json says nothing of them"),
    ],
)
def test_what_a_checkpoint_lacks(copy: Path, clip: Clip, change: Callable[[Path], None], message: str) -> None:
    change(copy)
    with pytest.raises(ConfigError, match=message):
        pictures(copy).encode([clip])


def test_heads_that_no_encoder_needs_may_be_lacking(copy: Path, folder: Path, clip: Clip) -> None:
    without("text_video_head.proj.weight")(copy)
    np.testing.assert_allclose(pictures(copy).encode([clip])[0], pictures(folder).encode([clip])[0], atol=1e-6)  # type: ignore[arg-type]


def test_nothing_is_printed_while_a_model_is_read(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures(copy).encode([])
    assert capsys.readouterr().out == ""
