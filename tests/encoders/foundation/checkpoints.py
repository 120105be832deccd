"""Tiny checkpoints with random weights, one of each family, as the hub would lay them out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from swipewise.encoders.foundation.perception import with_tower

SIDE = 32
WORDS = ("a", "dog", "cat", "runs", "sleeps", "on", "the", "sofa", "bicycle", "chain", "repair", "music", "loud")
SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
VOCABULARY = (*SPECIAL.values(), *WORDS)

TEXT = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 24,
}
VISION = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": 8,
}
CLIP_PIXELS = {
    "image_processor_type": "CLIPImageProcessor",
    "do_resize": True,
    "size": {"shortest_edge": SIDE},
    "do_center_crop": True,
    "crop_size": {"height": SIDE, "width": SIDE},
    "resample": 3,
    "image_mean": [0.48, 0.46, 0.41],
    "image_std": [0.27, 0.26, 0.28],
}
SIGLIP_PIXELS = {
    "image_processor_type": "SiglipImageProcessor",
    "size": {"height": SIDE, "width": SIDE},
    "resample": 2,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}
DINO_PIXELS = CLIP_PIXELS | {
    "image_processor_type": "BitImageProcessor",
    "size": {"shortest_edge": SIDE + 8},
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}
VIDEO_PIXELS = DINO_PIXELS | {"image_processor_type": "VideoMAEImageProcessor", "resample": 2}


def save(folder: Path, model: Any, *, pixels: dict[str, Any] | None = None, tokenizer: bool = False) -> Path:
    """Write a model, and what prepares its inputs."""
    model.save_pretrained(folder)
    if pixels is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(pixels))
    if tokenizer:
        words().save_pretrained(folder)
    return folder


def words() -> hf.PreTrainedTokenizerFast:
    """A tokenizer that knows a dozen words."""
    made = Tokenizer(models.WordLevel({word: row for row, word in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(name, VOCABULARY.index(name)) for name in ("[CLS]", "[SEP]")],
    )
    return hf.PreTrainedTokenizerFast(tokenizer_object=made, **SPECIAL)


def clip(folder: Path) -> Path:
    ends = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    config = hf.CLIPConfig(text_config=TEXT | ends, vision_config=VISION, projection_dim=12)
    return save(folder, hf.CLIPModel(config), pixels=CLIP_PIXELS, tokenizer=True)


def metaclip2(folder: Path) -> Path:
    ends = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    config = hf.MetaClip2Config(text_config=TEXT | ends, vision_config=VISION, projection_dim=12)
    return save(folder, hf.MetaClip2Model(config), pixels=CLIP_PIXELS, tokenizer=True)


def siglip(folder: Path) -> Path:
    config = hf.SiglipConfig(text_config=TEXT | {"projection_size": 16}, vision_config=VISION)
    return save(folder, hf.SiglipModel(config), pixels=SIGLIP_PIXELS, tokenizer=True)


def siglip2(folder: Path) -> Path:
    vision = {name: value for name, value in VISION.items() if name != "image_size"} | {"num_patches": 16}
    config = hf.Siglip2Config(text_config=TEXT | {"projection_size": 16}, vision_config=vision)
    pixels = {"image_processor_type": "Siglip2ImageProcessor", "patch_size": 8, "max_num_patches": 16}
    return save(folder, hf.Siglip2Model(config), pixels=pixels, tokenizer=True)


def dinov2(folder: Path) -> Path:
    return save(folder, hf.Dinov2Model(hf.Dinov2Config(**VISION)), pixels=DINO_PIXELS)


def dinov2_registers(folder: Path) -> Path:
    config = hf.Dinov2WithRegistersConfig(**VISION, num_register_tokens=2)
    return save(folder, hf.Dinov2WithRegistersModel(config), pixels=DINO_PIXELS)


def dinov3_convnext(folder: Path) -> Path:
    config = hf.DINOv3ConvNextConfig(hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1])
    return save(folder, hf.DINOv3ConvNextModel(config), pixels=SIGLIP_PIXELS)


def dinov3(folder: Path) -> Path:
    pixels = SIGLIP_PIXELS | {"image_processor_type": "DINOv3ViTImageProcessorFast"}
    return save(folder, hf.DINOv3ViTModel(hf.DINOv3ViTConfig(**VISION, num_register_tokens=2)), pixels=pixels)


def videomae(folder: Path) -> Path:
    config = hf.VideoMAEConfig(**VISION, num_frames=4, tubelet_size=2, use_mean_pooling=False)
    return save(folder, hf.VideoMAEModel(config), pixels=VIDEO_PIXELS)


def vjepa2(folder: Path) -> Path:
    config = hf.VJEPA2Config(
        crop_size=SIDE,
        patch_size=8,
        frames_per_clip=4,
        tubelet_size=2,
        hidden_size=24,
        num_attention_heads=2,
        num_hidden_layers=2,
        pred_hidden_size=24,
        pred_num_attention_heads=2,
        pred_num_hidden_layers=1,
    )
    model = save(folder, hf.VJEPA2Model(config))
    (folder / "video_preprocessor_config.json").write_text(
        json.dumps(DINO_PIXELS | {"video_processor_type": "VJEPA2VideoProcessor"})
    )
    return model


def clap(folder: Path) -> Path:
    audio = {
        "window_size": 4,
        "num_mel_bins": 64,
        "spec_size": 256,
        "patch_size": 4,
        "patch_stride": [4, 4],
        "patch_embeds_hidden_size": 16,
        "hidden_size": 32,
        "depths": [1, 1],
        "num_attention_heads": [2, 2],
        "num_hidden_layers": 2,
        "enable_fusion": False,
    }
    text = TEXT | {"pad_token_id": 0, "type_vocab_size": 1}
    config = hf.ClapConfig(text_config=text, audio_config=audio, projection_dim=12)
    save(folder, hf.ClapModel(config), tokenizer=True)
    hf.ClapFeatureExtractor(truncation="rand_trunc").save_pretrained(folder)
    return folder


def whisper(folder: Path) -> Path:
    config = hf.WhisperConfig(
        vocab_size=50,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_source_positions=1500,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    save(folder, hf.WhisperModel(config))
    hf.WhisperFeatureExtractor().save_pretrained(folder)
    return folder


LANGUAGES = ("en", "zh", "de")
SPOKEN = ("hello", "world", "fry", "the", "onion", "slowly", "music", "dog", "runs", "home", "again", "today")
MARKS = (
    "<|endoftext|>",
    "<|startoftranscript|>",
    *(f"<|{language}|>" for language in LANGUAGES),
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
    *(f"<|{step / 50:.2f}|>" for step in range(1501)),
)


def transcriber(folder: Path, *, multilingual: bool = True) -> Path:
    """Whisper whole: it writes a dozen words, other ones for other sounds."""
    vocabulary = {token: row for row, token in enumerate([f"\u0120{word}" for word in SPOKEN] + list(MARKS))}
    end, start = vocabulary["<|endoftext|>"], vocabulary["<|startoftranscript|>"]
    hf.WhisperTokenizer(
        vocab=vocabulary, merges=[], unk_token="<|endoftext|>", additional_special_tokens=list(MARKS)
    ).save_pretrained(folder)
    ends = {"pad_token_id": end, "bos_token_id": end, "eos_token_id": end, "decoder_start_token_id": start}
    config = hf.WhisperConfig(
        vocab_size=len(vocabulary),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_target_positions=24,
        init_std=1.0,
        tie_word_embeddings=False,
        **ends,
    )
    with torch.random.fork_rng():
        torch.manual_seed(4)
        model = hf.WhisperForConditionalGeneration(config)
    languages = {f"<|{language}|>": vocabulary[f"<|{language}|>"] for language in LANGUAGES}
    tasks = {task: vocabulary[f"<|{task}|>"] for task in ("transcribe", "translate")}
    model.generation_config = hf.GenerationConfig(
        is_multilingual=multilingual,
        no_timestamps_token_id=vocabulary["<|notimestamps|>"],
        max_length=24,
        suppress_tokens=[vocabulary[mark] for mark in MARKS[1:]],
        begin_suppress_tokens=[end],
        **ends,
        **({"lang_to_id": languages, "task_to_id": tasks} if multilingual else {}),
    )
    save(folder, model)
    hf.WhisperFeatureExtractor().save_pretrained(folder)
    return folder


SPEECH = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": (8, 8),
    "conv_stride": (10, 8),
    "conv_kernel": (20, 8),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}


def hubert(folder: Path) -> Path:
    save(folder, hf.HubertModel(hf.HubertConfig(**SPEECH)))
    hf.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


def wav2vec2(folder: Path) -> Path:
    save(folder, hf.Wav2Vec2Model(hf.Wav2Vec2Config(**SPEECH)))
    hf.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


def ast(folder: Path) -> Path:
    config = hf.ASTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    save(folder, hf.ASTModel(config))
    hf.ASTFeatureExtractor().save_pretrained(folder)
    return folder


PE_LAYERS = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "head_dim": 8,
}
PE_AUDIO = PE_LAYERS | {"dac_config": {"encoder_hidden_size": 4, "codebook_dim": 8, "hidden_size": 64}}
PE_TOWER = {
    "architecture": "vit_pe_core_large_patch14_336",
    "model_args": {
        "img_size": SIDE,
        "patch_size": 8,
        "embed_dim": 32,
        "depth": 2,
        "num_heads": 2,
        "ref_feat_shape": [4, 4],
        "attn_pool_num_heads": 2,
    },
}
PE_OUTPUTS = 12
PE_PIXELS = {
    "video_processor_type": "PeVideoVideoProcessor",
    "do_sample_frames": False,
    "num_frames": None,
    "size": {"height": SIDE, "width": SIDE},
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


def pe_audio(folder: Path) -> Path:
    save(folder, hf.PeAudioModel(hf.PeAudioConfig(text_config=_pe_text(), audio_config=PE_AUDIO)))
    hf.PeAudioFeatureExtractor().save_pretrained(folder)
    return folder


def pe_video(folder: Path) -> Path:
    video = PE_LAYERS | {"vision_config": PE_TOWER}
    return _pe_seen(folder, hf.PeVideoModel, hf.PeVideoConfig(text_config=_pe_text(), video_config=video))


def pe_audio_video(folder: Path) -> Path:
    both = PE_LAYERS | {
        "audio_config": PE_AUDIO | {"model_type": "pe_audio_encoder"},
        "video_config": PE_LAYERS | {"vision_config": PE_TOWER, "model_type": "pe_video_encoder"},
    }
    config = hf.PeAudioVideoConfig(text_config=_pe_text(), audio_video_config=both)
    hf.PeAudioFeatureExtractor().save_pretrained(folder)
    return _pe_seen(folder, hf.PeAudioVideoModel, config)


def _pe_text() -> dict[str, Any]:
    marks = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2}
    return dict(hf.ModernBertConfig(**TEXT | marks).to_dict())


def _pe_seen(folder: Path, kind: Any, config: Any) -> Path:
    """As it is published, with timm's configuration of the tower."""
    save(folder, kind(with_tower(config, outputs=PE_OUTPUTS)))
    said = json.loads((folder / "config.json").read_text())
    tower = PE_TOWER | {"model_type": "timm_wrapper", "num_classes": PE_OUTPUTS}
    said.get("audio_video_config", said)["video_config"]["vision_config"] = tower
    (folder / "config.json").write_text(json.dumps(said))
    (folder / "video_preprocessor_config.json").write_text(json.dumps(PE_PIXELS))
    return folder


def gemma(folder: Path) -> Path:
    """EmbeddingGemma 2."""
    text = {
        "vocab_size": 24,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "hidden_size_per_layer_input": 8,
        "embedding_dim": 12,
        "layer_types": ["sliding_attention", "full_attention"],
    }
    vision = {
        "model_type": "gemma4_vision",
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "patch_size": 4,
        "position_embedding_size": 64,
    }
    audio = {
        "model_type": "gemma4_audio",
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "output_proj_dims": 16,
        "subsampling_conv_channels": [128, 4],
    }
    marks = ("<boi>", "<eoi>", "<image>", "<boa>", "<eoa>", "<audio>", "<video>")
    made = words()
    made.add_special_tokens({"additional_special_tokens": list(marks)})
    boi, eoi, image, boa, eoa, audio_token, video = map(made.convert_tokens_to_ids, marks)
    config = hf.EmbeddingGemma2Config(
        text_config=text,
        vision_config=vision,
        audio_config=audio,
        boi_token_id=boi,
        eoi_token_id=eoi,
        image_token_id=image,
        boa_token_id=boa,
        eoa_token_index=eoa,
        audio_token_id=audio_token,
        video_token_id=video,
    )
    save(folder, hf.EmbeddingGemma2Model(config))
    named = ("boi_token", "eoi_token", "image_token", "boa_token", "eoa_token", "audio_token", "video_token")
    hf.PreTrainedTokenizerFast(
        tokenizer_object=made.backend_tokenizer,
        extra_special_tokens=dict(zip(named, marks, strict=True)),
        **SPECIAL,
    ).save_pretrained(folder)
    hf.Gemma4AudioFeatureExtractor().save_pretrained(folder / "sound")
    hf.Gemma4ImageProcessorPil(patch_size=4, max_soft_tokens=70, pooling_kernel_size=3).save_pretrained(folder)
    parts = json.loads((folder / "preprocessor_config.json").read_text())
    parts |= json.loads((folder / "sound" / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(json.dumps(parts))
    return folder


def sentences(folder: Path, pooling: str | None = "mean_tokens", *, normalised: bool = True) -> Path:
    save(folder, hf.BertModel(hf.BertConfig(**TEXT)), tokenizer=True)
    if pooling is not None:
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(json.dumps({f"pooling_mode_{pooling}": True}))
        kinds = ["Transformer", "Pooling", *(["Normalize"] if normalised else [])]
        modules = [{"idx": row, "type": f"sentence_transformers.models.{kind}"} for row, kind in enumerate(kinds)]
        (folder / "modules.json").write_text(json.dumps(modules))
    return folder


FAMILIES: dict[str, Callable[[Path], Path]] = {
    make.__name__: make
    for make in (
        clip,
        metaclip2,
        siglip,
        siglip2,
        dinov2,
        dinov2_registers,
        dinov3,
        dinov3_convnext,
        videomae,
        vjepa2,
        clap,
        whisper,
        wav2vec2,
        hubert,
        ast,
        pe_audio,
        pe_video,
        pe_audio_video,
        gemma,
        sentences,
    )
}


def make(name: str, folder: Path) -> Path:
    """A checkpoint of a family, the same every time."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return FAMILIES[name](folder)
