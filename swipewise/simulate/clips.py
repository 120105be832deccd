"""Clips of a simulated platform: real mp4 files and captions that carry planted themes."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import av
import numpy as np

from swipewise.simulate.pictures import render_pictures
from swipewise.simulate.sounds import render_sound
from swipewise.simulate.themes import AUDIO_THEMES, EVERYDAY_TAGS, TEMPLATES, TEXT_THEMES, VISUAL_THEMES

WIDTH, HEIGHT, FPS = 96, 160, 12
SAMPLE_RATE = 22_050


def render_clip(path: Path, *, visual: int, audio: int | None, seconds: float, rng: np.random.Generator) -> None:
    """Write a portrait clip with the given themes as mp4 (H.264 and AAC).

    The same generator state gives the same bytes. The file appears complete or not at all.

    Args:
        path: Where to write; its folder must exist.
        visual: Index of the visual theme.
        audio: Index of the audio theme; None writes no audio stream.
        seconds: Length of the clip.
        rng: Source of everything in which the clip departs from its themes.
    """
    target = BytesIO()
    with av.open(target, "w", format="mp4") as container:
        video = container.add_stream(
            "libx264", rate=FPS, options={"preset": "ultrafast", "crf": "26", "threads": "1"}
        )
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        sound = None
        if audio is not None:
            # The fast coder takes a third of the time of the default one and is as good for sounds this plain.
            sound = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono", options={"aac_coder": "fast"})
            sound.bit_rate = 48_000
        frames = max(1, round(seconds * FPS))
        for planes in render_pictures(VISUAL_THEMES[visual], frames, FPS, (WIDTH, HEIGHT), rng):
            container.mux(video.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        container.mux(video.encode())
        if sound is not None and audio is not None:
            waveform_S = render_sound(AUDIO_THEMES[audio], frames / FPS, SAMPLE_RATE, rng)
            samples = av.AudioFrame.from_ndarray(waveform_S[None], format="fltp", layout="mono")
            samples.sample_rate = SAMPLE_RATE
            container.mux(sound.encode(samples))
            container.mux(sound.encode())
    _write(path, target.getbuffer())


def _write(path: Path, content: memoryview) -> None:
    """Write to a temporary name beside the target, then rename, so that no reader sees half a file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_caption(text: int, rng: np.random.Generator) -> str:
    """A caption about a text theme, mostly with hashtags, some of which say nothing about the topic.

    >>> write_caption(0, np.random.default_rng(0)) == write_caption(0, np.random.default_rng(0))
    True
    """
    theme = TEXT_THEMES[text]
    elsewhere = TEXT_THEMES[rng.integers(len(TEXT_THEMES))]
    sentence = rng.choice(TEMPLATES).format(
        thing=rng.choice(theme.things),
        doing=rng.choice(theme.doings),
        elsewhere=rng.choice(elsewhere.doings),
        number=rng.integers(2, 60),
    )
    if rng.random() < 0.6:
        sentence = sentence[0].upper() + sentence[1:]
    own = rng.choice(theme.tags, rng.choice(4, p=[0.08, 0.22, 0.4, 0.3]), replace=False)
    plain = rng.choice(EVERYDAY_TAGS, rng.integers(0, 3), replace=False)
    tags = rng.permutation([f"#{tag}" for tag in (*own, *plain)])
    return " ".join([sentence, *tags])
