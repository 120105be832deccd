"""Families of models that read captions: sentence encoders of any make, and the text towers of contrastive models.

Legend of shape suffixes: B = captions, L = tokens, D = width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

from swipewise.encoders.foundation.source import Source
from swipewise.encoders.foundation.tensors import masked_mean, placed, pooled, tokenizer_of
from swipewise.errors import ConfigError
from swipewise.schema import Clip

_LONGEST = 512  # tokens, where the model does not say
_UNLIMITED = 100_000  # tokenizers say so by numbers that no model reads


class TextEmbedder:
    """What a model makes of a caption.

    Args:
        model: Of transformers.
        tokenize: Captions to the model's inputs.
        read: The model's vectors (B, D) for such inputs.
        unit: Whether vectors are L2-normalised.
        prompt: What is put before each caption.
    """

    def __init__(
        self,
        model: Any,
        tokenize: Callable[[list[str]], Mapping[str, Tensor]],
        read: Callable[[Mapping[str, Tensor]], Tensor],
        *,
        unit: bool,
        prompt: str = "",
    ) -> None:
        self._model, self._tokenize, self._read = model, tokenize, read
        self._unit, self._prompt = unit, prompt

    def content(self, clip: Clip) -> str | None:
        """The caption without the space around it; nothing but space is none."""
        return (clip.caption or "").strip() or None

    def embed(self, contents: Sequence[str]) -> Tensor:
        """(B, D)."""
        inputs = self._tokenize([self._prompt + caption for caption in contents])
        found_BD = self._read(placed(inputs, self._model)).float()
        return normalize(found_BD, dim=1) if self._unit else found_BD


def sentence_encoder(model: Any, source: Source) -> TextEmbedder:
    """A sentence encoder, pooled as its own files say; the mean over the tokens where they say nothing.

    Raises:
        ConfigError: It pools in a way that is not known.
    """
    said = source.json("1_Pooling/config.json")
    prefix = "pooling_mode_"
    modes = [name.removeprefix(prefix) for name, on in said.items() if name.startswith(prefix) and on]
    mode = {"cls_token": "cls", "mean_tokens": "mean", "lasttoken": "last"}.get(modes[0]) if modes else "mean"
    if mode is None or len(modes) > 1:
        raise ConfigError(
            f"{source.name} pools by {', '.join(modes)}: mean_tokens, cls_token or lasttoken is known, one at a time"
        )
    limits = (source.json("sentence_bert_config.json").get("max_seq_length"), _positions(model))
    tokenize = _tokenizer(source, min((limit for limit in limits if limit), default=_LONGEST))
    prompts = source.json("config_sentence_transformers.json")
    prompt = (prompts.get("prompts") or {}).get(prompts.get("default_prompt_name") or "", "")

    def read(inputs: Mapping[str, Tensor]) -> Tensor:
        states_BLD: Tensor = model(**inputs).last_hidden_state
        return _pool(states_BLD, inputs["attention_mask"], mode)

    # Nearly all of them are compared by cosine; those that say how they go on say so in their list of modules.
    modules = (source.folder / "modules.json").is_file()
    unit = not modules or "Normalize" in (source.folder / "modules.json").read_text(encoding="utf-8")
    return TextEmbedder(model, tokenize, read, unit=unit, prompt=prompt)


def _contrastive(model: Any, source: Source) -> TextEmbedder:
    """The text tower of CLIP and CLAP: its projected features."""
    tokenize = _tokenizer(source, model.config.text_config.max_position_embeddings)
    return TextEmbedder(model, tokenize, lambda inputs: pooled(model.get_text_features(**inputs)), unit=True)


def _siglip(model: Any, source: Source) -> TextEmbedder:
    """The text tower of SigLIP, which was trained on captions that are padded to its full length."""
    longest = model.config.text_config.max_position_embeddings
    tokenize = _tokenizer(source, longest, padding="max_length", names=("input_ids",))
    return TextEmbedder(model, tokenize, lambda inputs: pooled(model.get_text_features(**inputs)), unit=True)


SENTENCES: Final[Mapping[str, Callable[[Any, Source], TextEmbedder]]] = {
    "clip": _contrastive,
    "metaclip_2": _contrastive,
    "clap": _contrastive,
    "siglip": _siglip,
    "siglip2": _siglip,
    "embedding_gemma2": sentence_encoder,
}
"""By the family's name in transformers; a family without any modality here is taken for a sentence encoder."""


def _tokenizer(
    source: Source,
    longest: int,
    *,
    padding: bool | str = True,
    names: tuple[str, ...] = ("input_ids", "attention_mask"),
) -> Callable[[list[str]], Mapping[str, Tensor]]:
    tokenizer = tokenizer_of(source)
    limit = min(longest, tokenizer.model_max_length, _UNLIMITED)

    def tokenize(captions: list[str]) -> Mapping[str, Tensor]:
        found = tokenizer(captions, padding=padding, truncation=True, max_length=limit, return_tensors="pt")
        return {name: found[name] for name in names}

    return tokenize


def _positions(model: Any) -> int | None:
    """Tokens that the model has positions for; None where it does not say."""
    found = getattr(model.config, "max_position_embeddings", None)
    # RoBERTa and its like count positions from behind the padding's number.
    offset = model.config.pad_token_id + 1 if model.config.model_type in _OFFSET_POSITIONS else 0
    return None if found is None else int(found) - offset


_OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "camembert", "mpnet"})


def _pool(states_BLD: Tensor, mask_BL: Tensor, mode: str) -> Tensor:
    """One vector a caption (B, D) from the states of its tokens, padded on either side."""
    if mode == "mean":
        return masked_mean(states_BLD, mask_BL)
    place_BL = torch.arange(mask_BL.shape[1], device=mask_BL.device) * mask_BL
    first_B, last_B = mask_BL.argmax(dim=1), place_BL.argmax(dim=1)
    return states_BLD[
        torch.arange(len(states_BLD), device=states_BLD.device), first_B if mode == "cls" else last_B
    ]
