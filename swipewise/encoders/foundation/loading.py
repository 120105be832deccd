"""Reading a model's weights, once a process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
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
    return _load(source.folder, _device(settings.device), settings.precision, auto)


@lru_cache(maxsize=8)
def _load(folder: Path, device: str, precision: str, auto: str) -> Any:
    """Once, though several modalities ask for it."""
    import torch
    import transformers
    from safetensors import SafetensorError

    with quietly():
        try:
            model = getattr(transformers, auto).from_pretrained(
                str(folder),
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                dtype=getattr(torch, precision),
            )
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise ConfigError(f"the model in {folder} cannot be loaded ({str(error).splitlines()[0]})") from error
    return model.eval().to(device)


def _device(name: str) -> str:
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name


@contextmanager
def quietly() -> Iterator[None]:
    """Without the bar that transformers draws while it loads: the caller has a progress display of its own."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
