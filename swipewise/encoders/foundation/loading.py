"""Reading a model's weights, once a process."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from functools import lru_cache
from typing import Any

from swipewise.config import EncodersConfig
from swipewise.encoders.foundation.source import Source
from swipewise.errors import ConfigError


def load_model(source: Source, settings: EncodersConfig, auto: str = "AutoModel") -> Any:
    """A model of transformers, ready to be run.

    Args:
        source: Its files.
        settings: ``device`` and ``precision`` are used.
        auto: The class of transformers that knows which one to build.

    Raises:
        ConfigError: It cannot be read.
    """
    return _load(source, _device(settings.device), settings.precision, auto)


@lru_cache(maxsize=8)
def _load(source: Source, device: str, precision: str, auto: str) -> Any:
    """Once, though several modalities ask for it."""
    import torch
    import transformers
    from safetensors import SafetensorError

    from swipewise.encoders.foundation.perception import own_tower

    with quietly():
        try:
            model, found = getattr(transformers, auto).from_pretrained(
                str(source.folder),
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                dtype=getattr(torch, precision),
                ignore_mismatched_sizes=True,  # said below
                output_loading_info=True,
                **own_tower(source),
            )
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            cause = str(error).splitlines()[0]
            raise ConfigError(f"the model in {source.folder} cannot be loaded ({cause})") from error
    _check(source, found)
    return model.eval().to(device)


def _check(source: Source, found: Mapping[str, Any]) -> None:
    """Weights that are not read are random ones."""
    from swipewise.encoders.foundation.perception import lacking

    if wrong := sorted(found["mismatched_keys"]):
        name, stored, wanted = wrong[0]
        raise ConfigError(
            f"the model in {source.folder} cannot be loaded ({name} is {tuple(stored)}, and by config.json it is "
            f"{tuple(wanted)}): take all files of one model"
        )
    if names := lacking(source, found["missing_keys"]):
        raise ConfigError(
            f"the model in {source.folder} lacks {len(names)} weights, such as {names[0]}: take all files of it"
        )


def _device(name: str) -> str:
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name


@contextmanager
def quietly() -> Iterator[None]:
    """Without the bar that transformers draws while it loads, and with nothing of what it prints on standard output.

    The caller has a progress display of its own, and may print JSON.
    """
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if shown:
            logging.enable_progress_bar()
