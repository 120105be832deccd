"""Published models at their real size, with random weights: configurations are written here, nothing is downloaded.

Parts that an encoder does not run, such as the text tower where pictures are seen, are left small.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import transformers as hf
from tokenizers import Tokenizer, models, pre_tokenizers

from swipewise.encoders.foundation.loading import quietly
from swipewise.encoders.foundation.perception import with_tower
from swipewise.schema import Modality

BASE = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
BESIDE = {"vocab_size": 64, "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1}
WORDS = 30_000
TRANSCRIBED = 50  # tokens that fifteen seconds of speech come to


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """A model to be measured: ``build`` makes it, after what prepares its inputs was written to a folder.

    modality: what it encodes; None: it transcribes speech.
    """

    name: str
    modality: Modality | None
    build: Callable[[Path], Any]


def _pixels(folder: Path, side: int, *, short: int | None = None, **more: Any) -> None:
    """Settings of a preprocessor: to a square, or to a shorter side of which the centre is cut out."""
    square = {"height": side, "width": side}
    said = {"size": {"shortest_edge": short}, "crop_size": square} if short else {"size": square}
    (folder / "preprocessor_config.json").write_text(json.dumps(said | more))


def _siglip2(folder: Path) -> Any:
    _pixels(folder, 224, resample=2)
    vision = BASE | {"image_size": 224, "patch_size": 16}
    text = BESIDE | {"num_attention_heads": 2, "projection_size": 768}
    return hf.SiglipModel(hf.SiglipConfig(text_config=text, vision_config=vision))


def _clip(folder: Path) -> Any:
    _pixels(folder, 224, short=224)
    vision = BASE | {"image_size": 224, "patch_size": 32}
    text = BESIDE | {"num_attention_heads": 2, "bos_token_id": 1, "eos_token_id": 2}
    return hf.CLIPModel(hf.CLIPConfig(text_config=text, vision_config=vision, projection_dim=512))


def _dinov2(folder: Path) -> Any:
    _pixels(folder, 224, short=256)
    sizes = {name: value for name, value in BASE.items() if name != "intermediate_size"}
    return hf.Dinov2Model(hf.Dinov2Config(**sizes, image_size=518, patch_size=14))


def _dinov3(width: int, heads: int) -> Callable[[Path], Any]:
    def build(folder: Path) -> Any:
        _pixels(folder, 224)
        sizes = BASE | {"hidden_size": width, "intermediate_size": 4 * width, "num_attention_heads": heads}
        config = hf.DINOv3ViTConfig(**sizes, image_size=224, patch_size=16, num_register_tokens=4)
        return hf.DINOv3ViTModel(config)

    return build


def _videomae(folder: Path) -> Any:
    _pixels(folder, 224, short=224, resample=2)
    return hf.VideoMAEModel(
        hf.VideoMAEConfig(**BASE, image_size=224, patch_size=16, num_frames=16, tubelet_size=2)
    )


def _vjepa2(folder: Path) -> Any:
    _pixels(folder, 256, short=292, resample=2)
    config = hf.VJEPA2Config(
        crop_size=256,
        patch_size=16,
        frames_per_clip=64,
        tubelet_size=2,
        hidden_size=1024,
        num_hidden_layers=24,
        num_attention_heads=16,
        pred_hidden_size=64,
        pred_num_attention_heads=2,
        pred_num_hidden_layers=1,
    )
    return hf.VJEPA2Model(config)


def _pe_video(folder: Path) -> Any:
    said = {"size": {"height": 336, "width": 336}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "video_preprocessor_config.json").write_text(json.dumps(said))
    text = BESIDE | {"hidden_size": 1024, "num_attention_heads": 16, "model_type": "modernbert"}
    marks = {f"{mark}_token_id": 0 for mark in ("pad", "bos", "eos", "cls", "sep")}
    with quietly():
        return hf.PeVideoModel(with_tower(hf.PeVideoConfig(text_config=text | marks), outputs=1024))


def _clap(folder: Path) -> Any:
    hf.ClapFeatureExtractor(truncation="rand_trunc", padding="repeatpad").save_pretrained(folder)
    text = BESIDE | {"num_attention_heads": 2, "pad_token_id": 0}
    return hf.ClapModel(hf.ClapConfig(text_config=text, audio_config={"enable_fusion": False}))


def _whisper_small(folder: Path) -> Any:
    hf.WhisperFeatureExtractor().save_pretrained(folder)
    config = hf.WhisperConfig(
        d_model=768, encoder_layers=12, encoder_attention_heads=12, encoder_ffn_dim=3072, **_END, decoder_layers=1
    )
    return hf.WhisperModel(config)


def _wav2vec2(folder: Path) -> Any:
    hf.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return hf.Wav2Vec2Model(hf.Wav2Vec2Config(**BASE))


def _minilm(folder: Path) -> Any:
    _words(folder)
    sizes = {"hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 6, "num_attention_heads": 12}
    return hf.BertModel(hf.BertConfig(**sizes, vocab_size=30_522))


def _embedding_gemma(folder: Path) -> Any:
    _words(folder)
    sizes = {"hidden_size": 768, "intermediate_size": 1152, "num_hidden_layers": 24, "num_attention_heads": 3}
    config = hf.Gemma3TextConfig(
        **sizes,
        num_key_value_heads=1,
        head_dim=256,
        vocab_size=262_144,
        sliding_window=512,
        use_bidirectional_attention=True,
    )
    return hf.Gemma3TextModel(config)


_END = {"pad_token_id": 50_257, "bos_token_id": 50_257, "eos_token_id": 50_257, "decoder_start_token_id": 50_258}
_NO_TIMESTAMPS = 50_363


def _transcriber(width: int, layers: int, heads: int) -> Callable[[Path], Any]:
    def build(folder: Path) -> Any:
        hf.WhisperFeatureExtractor().save_pretrained(folder)
        _whisper_tokens().save_pretrained(folder)
        config = hf.WhisperConfig(
            vocab_size=51_865,
            d_model=width,
            encoder_layers=layers,
            decoder_layers=layers,
            encoder_attention_heads=heads,
            decoder_attention_heads=heads,
            encoder_ffn_dim=4 * width,
            decoder_ffn_dim=4 * width,
            **_END,
        )
        model = hf.WhisperForConditionalGeneration(config)
        model.generation_config = hf.GenerationConfig(
            is_multilingual=True,
            no_timestamps_token_id=_NO_TIMESTAMPS,
            lang_to_id={"<|en|>": 50_259},
            task_to_id={"transcribe": 50_359},
            max_new_tokens=TRANSCRIBED,
            min_new_tokens=TRANSCRIBED,
            **_END,
        )
        model.save_pretrained(folder)
        return model

    return build


def _words(folder: Path) -> None:
    vocabulary = {"[PAD]": 0, "[UNK]": 1} | {f"w{n}": n + 2 for n in range(WORDS)}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]"}
    hf.PreTrainedTokenizerFast(tokenizer_object=made, **marks).save_pretrained(folder)


def _whisper_tokens() -> Any:
    marks = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|mark{n}|>" for n in range(51_865 - 50_259))]
    vocabulary = {f"\u0120w{n}": n for n in range(50_257)} | {mark: 50_257 + n for n, mark in enumerate(marks)}
    return hf.WhisperTokenizer(vocab=vocabulary, merges=[], unk_token="<|endoftext|>")


SEEN, HEARD, READ = Modality.VISUAL, Modality.AUDIO, Modality.TEXT
MODELS = (
    Sized(name="MiniLM-L6", modality=READ, build=_minilm),
    Sized(name="CLIP ViT-B/32", modality=SEEN, build=_clip),
    Sized(name="Whisper tiny, speech to text", modality=None, build=_transcriber(384, 4, 6)),
    Sized(name="Whisper base, speech to text", modality=None, build=_transcriber(512, 6, 8)),
    Sized(name="EmbeddingGemma 300M", modality=READ, build=_embedding_gemma),
    Sized(name="SigLIP 2 base", modality=SEEN, build=_siglip2),
    Sized(name="DINOv2 base", modality=SEEN, build=_dinov2),
    Sized(name="DINOv3 ViT-S/16", modality=SEEN, build=_dinov3(384, 6)),
    Sized(name="DINOv3 ViT-B/16", modality=SEEN, build=_dinov3(768, 12)),
    Sized(name="VideoMAE base", modality=SEEN, build=_videomae),
    Sized(name="V-JEPA 2 large", modality=SEEN, build=_vjepa2),
    Sized(name="PE-AV, frames", modality=SEEN, build=_pe_video),
    Sized(name="CLAP", modality=HEARD, build=_clap),
    Sized(name="Whisper small, encoder", modality=HEARD, build=_whisper_small),
    Sized(name="wav2vec 2.0 base", modality=HEARD, build=_wav2vec2),
)
"""In order of cost as far as the quick ones go, which are the first three."""
