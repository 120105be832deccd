"""Encoders of one's own: a class in a module that can be imported."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from swipewise.config import ENCODER_NAMES, PYTHON
from swipewise.encoders.contract import Encoder
from swipewise.errors import ConfigError
from swipewise.schema import Modality

_MEMBERS: Final = ("name", "version", "modality", "dim", "encode")
_PLAIN: Final = re.compile(r"[A-Za-z0-9._-]+")


def custom_encoder(modality: Modality, reference: str) -> Encoder:
    """Make an object of a class that is an encoder.

    Args:
        modality: What it has to encode.
        reference: ``module:Class``; the module is imported as by ``import``, and the class is called without arguments.

    Raises:
        ConfigError: There is no such module or class, or its objects are no encoder of this modality.
    """
    where = f"encoders.{modality} = {PYTHON + reference!r}"
    module_name, _, class_name = reference.partition(":")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise ConfigError(f"{where}: importing {module_name} fails: {error}") from error
        raise ConfigError(f"{where}: no module {error.name!r} can be imported{_hint(module_name)}") from error
    except Exception as error:
        # What other people's modules do as they are imported may fail in any way.
        raise ConfigError(f"{where}: importing {module_name} fails: {type(error).__name__}: {error}") from error
    found = getattr(module, class_name, None)
    if found is None:
        raise ConfigError(f"{where}: {module_name} ({module.__file__}) has no {class_name!r}")
    try:
        encoder = found()
    except Exception as error:
        raise ConfigError(f"{where}: {class_name}() fails: {type(error).__name__}: {error}") from error
    return _checked(encoder, modality, where)


def _checked(encoder: Any, modality: Modality, where: str) -> Encoder:
    if lacking := [name for name in _MEMBERS if not hasattr(encoder, name)]:
        raise ConfigError(
            f"{where}: {type(encoder).__name__} has no {', '.join(lacking)}: see swipewise.encoders.Encoder"
        )
    if encoder.modality != modality:
        raise ConfigError(
            f"{where}: {type(encoder).__name__} encodes {encoder.modality}: name it at that modality"
        )
    for member in ("name", "version"):
        value = getattr(encoder, member)
        if not isinstance(value, str) or not _PLAIN.fullmatch(value):
            raise ConfigError(
                f"{where}: its {member} {value!r} must be text of letters, digits, dots, dashes and underscores"
            )
    if encoder.name in {"fake", "none", *(name for names in ENCODER_NAMES.values() for name in names)}:
        raise ConfigError(
            f"{where}: its name {encoder.name!r} is taken by Swipewise's own: call it something else"
        )
    checked: Encoder = encoder
    return checked


def _hint(module_name: str) -> str:
    """What to do about a module that lies here, but not where Python looks."""
    file = Path(*module_name.split("."))
    if str(Path.cwd()) not in sys.path and (file.with_suffix(".py").exists() or (file / "__init__.py").exists()):
        return ": it lies here, so give PYTHONPATH=. before the command, or install it"
    return ": install it, or put its folder into PYTHONPATH"
