"""Decoding for ingestion: frames at 8 evenly spaced times and the sound, in videos a CPU second.

Clips of 15 seconds, 720x1280, H.264 with sound, are made with a key frame every second, every other second (phones) and
at most every 250 frames (x264's own choice). In alternation they are decoded

- by ours, which measures what is in the file, skips what the frames do not lean on, and scales;
- by PyAV, reading on frame by frame to the last time asked for, with the same scaling and resampling;
- by torchcodec, where it is installed, with one thread and its approximate seeking, which trusts the header.

A figure is the ratio of the medians of the CPU time that one clip takes. The limit is to decode the key frame before
each time and what lies between them.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from importlib import import_module
from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler
from figures import Figures, Options, run

from swipewise.config import MediaConfig
from swipewise.media import decode

SECONDS, RATE, WIDTH, HEIGHT = 15, 30, 720, 1280
SOUND_RATE, HEARD_RATE = 44_100, 16_000
GROUPS = {"every second": 30, "every other second": 60, "at most every 250 frames": 250}
ROUNDS, QUICK_ROUNDS = 9, 3
CONFIG = MediaConfig()

Decoder = Callable[[Path], object]


def measure(figures: Figures, options: Options) -> None:
    decoders: dict[str, Decoder] = {"ours": _ours, "PyAV": _plain}
    bars = {"PyAV": 1.5}
    # It is no dependency, and fails in many ways where FFmpeg's libraries or its own torch are not to be found.
    with suppress(ImportError, RuntimeError, OSError):
        import_module("torchcodec.decoders")
        decoders["torchcodec"], bars["torchcodec"] = _torchcodec, 0.95
    with tempfile.TemporaryDirectory() as folder:
        medians: dict[str, list[float]] = {name: [] for name in decoders}
        for title, group in GROUPS.items():
            path = film(Path(folder) / f"{group}.mp4", group)
            for name, median in _medians(path, decoders, QUICK_ROUNDS if options.quick else ROUNDS).items():
                medians[name].append(median)
            for name in bars:
                ratio = medians[name][-1] / medians["ours"][-1]
                figures.record(f"against {name}, a key frame {title}", ratio, unit="x")
    for name, bar in bars.items():
        ratio = sum(medians[name]) / sum(medians["ours"])
        figures.record(f"videos a CPU second against {name}", ratio, at_least=bar, unit="x")


def _medians(path: Path, decoders: dict[str, Decoder], rounds: int) -> dict[str, float]:
    """CPU seconds of one decode; the first round, in which libraries load, does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in decoders}
    for _ in range(1 + rounds):
        for name, decoder in decoders.items():
            before = time.process_time()
            decoder(path)
            seconds[name].append(time.process_time() - before)
    return {name: statistics.median(each[1:]) for name, each in seconds.items()}


def _ours(path: Path) -> object:
    return decode(path, CONFIG)


def _plain(path: Path) -> object:
    pictures, sound = [], []
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        assert stream.duration is not None
        assert stream.time_base is not None
        targets = _targets(float(stream.duration * stream.time_base))
        scale = CONFIG.max_frame_side / max(stream.width, stream.height)
        width, height = round(stream.width * scale), round(stream.height * scale)
        held = None
        for frame in container.decode(stream):
            while held is not None and len(pictures) < len(targets) and targets[len(pictures)] < frame.time:
                pictures.append(held.reformat(width, height, "rgb24", interpolation="AREA").to_ndarray())
            held = frame
            if len(pictures) == len(targets):
                break
    with av.open(path) as container:
        resampler = AudioResampler(format="fltp", layout="mono", rate=HEARD_RATE)
        for heard in container.decode(audio=0):
            sound += [piece.to_ndarray() for piece in resampler.resample(heard)]
        sound += [piece.to_ndarray() for piece in resampler.resample(None)]
    return np.stack(pictures), np.concatenate(sound, axis=1)


def _torchcodec(path: Path) -> object:
    from torchcodec.decoders import AudioDecoder, VideoDecoder

    decoder = VideoDecoder(path, num_ffmpeg_threads=1, seek_mode="approximate")
    pictures = decoder.get_frames_played_at(_targets(decoder.metadata.duration_seconds).tolist())
    sound = AudioDecoder(path, sample_rate=HEARD_RATE, num_channels=1).get_all_samples()
    return pictures, sound


def _targets(seconds: float) -> np.ndarray:
    return (np.arange(CONFIG.frames) + 0.5) * seconds / CONFIG.frames


def film(
    path: Path,
    group: int,
    *,
    seed: int = 0,
    side: int = 40,
    paces: tuple[float, float] = (20.0, 33.0),
    hertz: float = 440.0,
) -> Path:
    """A view that pans over a scene of squares while a bar crosses it, and a tone in noise.

    Args:
        path: Where the clip goes.
        group: Frames from one key frame to the next.
        seed: Of the scene's colours and the noise.
        side: Of a square, pixels.
        paces: How slowly the view pans to the right and down.
        hertz: Of the tone.
    """
    rng = np.random.default_rng(seed)
    squares = (HEIGHT // side + 9, WIDTH // side + 9, 3)
    scene = rng.integers(0, 255, squares, np.uint8).repeat(side, 0).repeat(side, 1)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "g": str(group)})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = container.add_stream("aac", rate=SOUND_RATE, layout="mono")
        for number in range(SECONDS * RATE):
            left, top = (
                int(160 * (1 + turn(number / pace))) for turn, pace in zip((np.sin, np.cos), paces, strict=True)
            )
            picture = scene[top : top + HEIGHT, left : left + WIDTH].copy()
            picture[:, (5 * number) % WIDTH] = 255
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        noise = 0.05 * rng.standard_normal(SECONDS * SOUND_RATE)
        tone = 0.3 * np.sin(2 * np.pi * hertz * np.arange(SECONDS * SOUND_RATE) / SOUND_RATE)
        samples = av.AudioFrame.from_ndarray((tone + noise)[None].astype(np.float32), format="fltp", layout="mono")
        samples.sample_rate = SOUND_RATE
        container.mux([*audio.encode(samples), *audio.encode()])
    return path


if __name__ == "__main__":
    run(measure, __doc__)
