"""An encoder of one's own is a class that can be imported."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from swipewise.config import Config, unknown_encoder
from swipewise.encoders import build_encoder, identity
from swipewise.errors import ConfigError
from swipewise.schema import Clip, Modality

OWN = "python:tests.encoders.own:"


def test_a_class_that_can_be_imported_is_an_encoder() -> None:
    encoder = build_encoder(Modality.VISUAL, f"{OWN}Brightness")
    assert identity(encoder) == "brightness@1"
    [vector, nothing] = encoder.encode([Clip(frames_FHWC=np.full((2, 4, 4, 3), 7, np.uint8)), Clip()])
    assert vector is not None
    assert vector.tolist() == [7, 7, 7]
    assert nothing is None


@pytest.mark.parametrize(
    ("modality", "name", "message"),
    [
        (
            "visual",
            "python:tests.encoders.gone:Brightness",
            r"no module 'tests\.encoders\.gone' can be imported: install it",
        ),
        ("visual", f"{OWN}Brightnes", r"tests\.encoders\.own \(.*own\.py\) has no 'Brightnes'"),
        ("audio", f"{OWN}Brightness", "Brightness encodes visual: name it at that modality"),
        ("visual", f"{OWN}Nameless", "its name 'two words' must be text of letters, digits"),
        ("visual", f"{OWN}Taken", "its name 'descriptor' is taken by Swipewise's own"),
        ("visual", f"{OWN}Broken", r"Broken\(\) fails: OSError: no weights"),
        (
            "visual",
            f"{OWN}NoEncoder",
            "NoEncoder has no version, modality, dim, encode: see swipewise.encoders.Encoder",
        ),
        (
            "visual",
            "python:tests.encoders.own",
            "write python:module:Class, as in python:mypackage.encoders:Brightness",
        ),
    ],
)
def test_what_is_no_encoder_is_told(modality: str, name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        build_encoder(Modality(modality), name)
    assert f"encoders.{modality}" in str(raised.value)


def test_a_module_that_lies_here_but_is_not_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_alone.py").write_text("import nothing_of_this_name\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"it lies here, so give PYTHONPATH=\. before the command"):
        build_encoder(Modality.VISUAL, "python:mine_alone:Mine")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(ConfigError, match="importing mine_alone fails: No module named 'nothing_of_this_name'"):
        build_encoder(Modality.VISUAL, "python:mine_alone:Mine")


def test_the_configuration_takes_it_where_it_may_stand(tmp_path: Path) -> None:
    (tmp_path / "swipewise.toml").write_text(f'[encoders]\nvisual = "{OWN}Brightness"\n')
    assert Config.load(tmp_path / "swipewise.toml").encoders.visual == f"{OWN}Brightness"
    assert unknown_encoder("speech", f"{OWN}Brightness") is not None
    assert "python:<module>:<class>" in str(unknown_encoder("visual", "qqqq"))
