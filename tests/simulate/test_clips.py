import re
from pathlib import Path

import av
import numpy as np
import pytest

from swipewise.simulate.clips import render_clip, write_caption
from swipewise.simulate.themes import AUDIO_THEMES, EVERYDAY_TAGS, TEXT_THEMES, VISUAL_THEMES
from swipewise.simulate.world import THEMES


def test_each_modality_has_its_themes() -> None:
    assert len(VISUAL_THEMES) == len(AUDIO_THEMES) == len(TEXT_THEMES) == THEMES


def test_a_clip_is_a_real_mp4_with_picture_and_sound(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    render_clip(path, visual=2, audio=5, seconds=2.5, rng=np.random.default_rng(0))
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert (video.width, video.height, video.average_rate) == (96, 160, 12)
        frames = list(container.decode(video))
        assert len(frames) == round(2.5 * 12)
        assert audio.duration is not None
        assert audio.time_base is not None
        assert float(audio.duration * audio.time_base) == pytest.approx(2.5, abs=0.1)
    assert [entry.name for entry in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_silent_clip_has_no_audio_stream(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    render_clip(path, visual=0, audio=None, seconds=2.0, rng=np.random.default_rng(0))
    with av.open(str(path)) as container:
        assert [stream.type for stream in container.streams] == ["video"]


@pytest.mark.parametrize("theme", range(THEMES))
def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_clip(tmp_path: Path, theme: int) -> None:
    def render(name: str, seed: int) -> bytes:
        path = tmp_path / name
        render_clip(path, visual=theme, audio=theme, seconds=2.0, rng=np.random.default_rng(seed))
        return path.read_bytes()

    assert render("a.mp4", 1) == render("b.mp4", 1)
    assert render("c.mp4", 2) != render("a.mp4", 1)


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "taken.mp4"
    target.mkdir()
    with pytest.raises(IsADirectoryError):
        render_clip(target, visual=0, audio=None, seconds=0.5, rng=np.random.default_rng(0))
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("theme", range(THEMES))
def test_captions_speak_of_their_theme(theme: int) -> None:
    rng = np.random.default_rng(theme)
    words = TEXT_THEMES[theme]
    captions = [write_caption(theme, rng) for _ in range(50)]
    assert len(set(captions)) >= 48
    for caption in captions:
        assert any(word in caption.lower() for word in (*map(str.lower, words.things), *words.doings))
        assert set(re.findall(r"#(\w+)", caption.lower())) <= {*words.tags, *EVERYDAY_TAGS}
