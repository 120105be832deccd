"""A linear probe on the descriptors recovers the themes planted in rendered clips and written captions."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from swipewise.config import MediaConfig
from swipewise.encoders import build_encoder
from swipewise.media import decode
from swipewise.schema import CONTENT_MODALITIES, Clip, Modality
from swipewise.simulate.clips import render_clip, write_caption
from swipewise.simulate.world import THEMES

CLIPS, CAPTIONS = 280, 900


def accuracy(vectors: list[NDArray[np.float32]], themes: list[int]) -> float:
    """Mean over three splits of what a linear classifier, fitted on 70%, gets right of the rest."""
    x, y = np.stack(vectors), np.array(themes)
    right = []
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(y))
        train, test = np.split(order, [7 * len(y) // 10])
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)).fit(x[train], y[train])
        right.append(float(probe.score(x[test], y[test])))
    return sum(right) / len(right)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Clip], NDArray[np.int64]]:
    """Short clips and their themes, (clips, modalities); -1 where a modality is missing."""
    folder: Path = tmp_path_factory.mktemp("clips")
    theme_VM = np.random.default_rng(0).integers(0, THEMES, (CLIPS, len(CONTENT_MODALITIES)))
    theme_VM[::10, CONTENT_MODALITIES.index(Modality.AUDIO)] = -1
    clips = []
    for number, themes in enumerate(theme_VM.tolist()):
        theme = dict(zip(CONTENT_MODALITIES, themes, strict=True))
        rng = np.random.default_rng([1, number])
        path = folder / f"{number}.mp4"
        audio = theme[Modality.AUDIO] if theme[Modality.AUDIO] >= 0 else None
        render_clip(path, visual=theme[Modality.VISUAL], audio=audio, seconds=2.0, rng=rng)
        clips.append(replace(decode(path, MediaConfig()), caption=write_caption(theme[Modality.TEXT], rng)))
    return clips, theme_VM


@pytest.fixture(scope="module")
def seen(rendered: tuple[list[Clip], NDArray[np.int64]]) -> list[NDArray[np.float32] | None]:
    """What the descriptor of pictures makes of the clips."""
    return build_encoder(Modality.VISUAL, "descriptor").encode(rendered[0])


@pytest.mark.parametrize("modality", [Modality.VISUAL, Modality.AUDIO])
def test_themes_are_recovered_from_rendered_clips(
    rendered: tuple[list[Clip], NDArray[np.int64]], seen: list[NDArray[np.float32] | None], modality: Modality
) -> None:
    clips, theme_VM = rendered
    themes = theme_VM[:, CONTENT_MODALITIES.index(modality)]
    vectors = seen if modality == Modality.VISUAL else build_encoder(modality, "descriptor").encode(clips)
    assert [vector is None for vector in vectors] == (themes < 0).tolist()
    assert accuracy([v for v in vectors if v is not None], themes[themes >= 0].tolist()) >= 0.93


def test_themes_are_recovered_from_captions() -> None:
    themes = np.random.default_rng(2).integers(0, THEMES, CAPTIONS).tolist()
    rng = np.random.default_rng(3)
    vectors = build_encoder(Modality.TEXT, "descriptor").encode(
        [Clip(caption=write_caption(theme, rng)) for theme in themes]
    )
    assert accuracy([v for v in vectors if v is not None], themes) >= 0.93


def test_one_modality_does_not_betray_another(
    rendered: tuple[list[Clip], NDArray[np.int64]], seen: list[NDArray[np.float32] | None]
) -> None:
    _, theme_VM = rendered
    vectors = [vector for vector in seen if vector is not None]
    chance = 1 / THEMES
    assert accuracy(vectors, theme_VM[:, CONTENT_MODALITIES.index(Modality.TEXT)].tolist()) < 2 * chance
