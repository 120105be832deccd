"""What an encoder costs: time per video of decoding, descriptors, words on the screen and published models.

A clip of 15 seconds, 720x1280 with sound, is decoded; then models of the families that Swipewise runs, at their real
size with random weights, encode it, alone and eight at a time, in float32 and bfloat16, on the processor (one thread)
and on a GPU where there is one. ``preprocess`` is all of an encoder that is not the network: scaling, spectrograms,
tokens, pooling; ``forward`` is the network. Whisper transcribes 50 tokens, what so much speech comes to. Ratios are to
decoding and all three descriptors, with which a video is encoded as Swipewise comes. A figure is the median of up to
five passes after one that does not count, of one where a pass takes longer than ten seconds; a model that needs longer
than twenty for one video is not given eight.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import av
import numpy as np
import torch
from encoder_sizes import MODELS, WORDS, Sized
from figures import Figures, Options, run
from transformers.utils import logging

from swipewise.config import EncodersConfig, MediaConfig
from swipewise.encoders import build_encoder, build_recognizers
from swipewise.encoders.foundation import PREFIX, SpeechRecognizer
from swipewise.encoders.foundation.encoder import _family
from swipewise.encoders.foundation.source import Source
from swipewise.errors import MissingExtraError
from swipewise.media import decode
from swipewise.media.fingerprint import fingerprint
from swipewise.schema import CONTENT_MODALITIES, Clip, Modality, Needs

SECONDS, RATE, WIDTH, HEIGHT, SOUND_RATE = 15, 30, 720, 1280, 44_100
NEEDS = Needs(frame_side=960, sample_rate=48_000)
PASSES, QUICK, PATIENCE, LONG = 5, 3, 20.0, 10.0
BATCHES, PRECISIONS = (1, 8), ("float32", "bfloat16")

Encode = Callable[[Sequence[Clip]], object]
Measured = TypeVar("Measured")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Milliseconds a video."""

    name: str
    how: str
    preprocess: float
    forward: float

    @property
    def whole(self) -> float:
        """All of it."""
        return self.preprocess + self.forward


class Network:
    """The time that passes inside a model's own parts, whichever of its methods calls them."""

    def __init__(self, model: torch.nn.Module, device: str) -> None:
        self.seconds = 0.0
        self._device, self._depth, self._since = device, 0, 0.0
        # A list of layers is never called itself.
        parts = [each.children() if isinstance(each, torch.nn.ModuleList) else [each] for each in model.children()]
        for part in chain.from_iterable(parts):
            part.register_forward_pre_hook(self._enter)
            part.register_forward_hook(self._leave)

    def _enter(self, *_: object) -> None:
        self._depth += 1
        if self._depth == 1:
            self._since = _now(self._device)

    def _leave(self, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            self.seconds += _now(self._device) - self._since


def measure(figures: Figures, options: Options) -> None:
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        path = _film(Path(folder) / "clip.mp4")
        clip = replace(decode(path, MediaConfig(), NEEDS), caption=_caption())
        costs = _without_models(path, clip)
    orientation = sum(cost.whole for cost in costs if cost.name in ("decode", *_descriptors()))
    devices = [options.own.device] if options.own.device else ["cpu", *(["cuda"] * torch.cuda.is_available())]
    chosen = MODELS[:QUICK] if options.quick else MODELS
    for sized in chosen:
        if options.own.models and not any(part.lower() in sized.name.lower() for part in options.own.models):
            continue
        for device in devices:
            for precision in PRECISIONS:
                for cost in _model(sized, clip, device, precision):
                    costs.append(cost)
                    print(f"{cost.name}, {cost.how}: {cost.whole:.1f} ms", flush=True)
    _table(costs, orientation)
    for cost in costs:
        name = ", ".join(filter(None, [cost.name, cost.how]))
        parts = {"preprocess": cost.preprocess, "forward": cost.forward} if cost.how else {"whole": cost.whole}
        for part, milliseconds in parts.items():
            figures.record(f"{name}: {part}", milliseconds, unit=" ms")
        figures.record(f"{name}: against decoding and descriptors", cost.whole / orientation, unit="x")


def _without_models(path: Path, clip: Clip) -> list[Cost]:
    def cost(name: str, work: Callable[[], object]) -> Cost:
        return Cost(name=name, how="", preprocess=1000 * _median(work), forward=0.0)

    costs = [
        cost("decode", lambda: decode(path, MediaConfig())),
        cost("decode with larger frames and 48 kHz", lambda: decode(path, MediaConfig(), NEEDS)),
        cost("fingerprint", lambda: fingerprint(clip)),
    ]
    for name, modality in _descriptors().items():
        encoder = build_encoder(modality, "descriptor")
        costs.append(cost(name, partial(encoder.encode, [clip])))
    with suppress(MissingExtraError):
        (reader,) = build_recognizers(EncodersConfig(screen="rapidocr")).values()
        costs.append(cost("words on the screen", lambda: reader.recognize([clip])))
    return costs


def _descriptors() -> dict[str, Modality]:
    return {f"descriptor of {modality}": modality for modality in CONTENT_MODALITIES}


def _model(sized: Sized, clip: Clip, device: str, precision: str) -> Iterator[Cost]:
    """One model at every batch size; its memory is free again afterwards."""
    with (
        tempfile.TemporaryDirectory() as folder,
        _built(sized, Path(folder), device, precision) as (model, encode),
    ):
        network = Network(model, device)
        for batch in BATCHES:
            clips = [clip] * batch

            def one_pass(clips: Sequence[Clip] = clips) -> tuple[float, float]:
                network.seconds = 0.0
                before = _now(device)
                encode(clips)
                return _now(device) - before, network.seconds

            passes = _passes(one_pass)
            yield Cost(
                name=sized.name,
                how=f"{device}, {precision}, batch {batch}",
                preprocess=1000 / batch * statistics.median(whole - inside for whole, inside in passes),
                forward=1000 / batch * statistics.median(inside for _, inside in passes),
            )
            if passes[0][0] > PATIENCE:
                return


@contextmanager
def _built(sized: Sized, folder: Path, device: str, precision: str) -> Iterator[tuple[Any, Encode]]:
    """A model on its device, and what encodes clips by it as Swipewise would."""
    torch.manual_seed(0)
    model = sized.build(folder).to(device, getattr(torch, precision)).eval()
    encode: Encode
    if sized.modality is None:
        settings = EncodersConfig(device=device, precision=precision, speech=f"{PREFIX}{folder}")
        recognizer = SpeechRecognizer(str(folder), settings)
        _, extractor, tokenizer = recognizer._parts
        recognizer.__dict__["_parts"] = model, extractor, tokenizer
        encode = recognizer.recognize
    else:
        (folder / "config.json").write_text(model.config.to_json_string())
        source = Source(name=sized.name, folder=folder, revision="random")
        embedder = _family(sized.modality, source, sized.name)(model, source)

        def encode(clips: Sequence[Clip]) -> object:
            with torch.inference_mode():
                return embedder.embed([embedder.content(clip) for clip in clips]).float().cpu().numpy()

    try:
        yield model, encode
    finally:
        del model, encode
        gc.collect()
        if device == "cuda":
            torch.cuda.empty_cache()


def _median(work: Callable[[], object]) -> float:
    def one_pass() -> float:
        before = time.perf_counter()
        work()
        return time.perf_counter() - before

    return statistics.median(_passes(one_pass))


def _passes(one_pass: Callable[[], Measured]) -> list[Measured]:
    """What passes measure: up to five after one that does not count, one in all where it takes long."""
    start = time.perf_counter()
    first = one_pass()
    if time.perf_counter() - start > LONG:
        return [first]
    found: list[Measured] = []
    while len(found) < PASSES and (not found or time.perf_counter() - start < PATIENCE):
        found.append(one_pass())
    return found


def _now(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def _table(costs: Sequence[Cost], orientation: float) -> None:
    rows = [("", "", "preprocess ms", "forward ms", "whole ms", "ratio")] + [
        (
            cost.name,
            cost.how,
            f"{cost.preprocess:.1f}",
            f"{cost.forward:.1f}",
            f"{cost.whole:.1f}",
            f"{cost.whole / orientation:.2f}",
        )
        for cost in costs
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    print(f"\nmilliseconds a video; ratio to decoding and descriptors, {orientation:.0f} ms")
    for row in rows:
        words = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        numbers = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        print("  ".join(words + numbers).rstrip())
    print()


def _caption() -> str:
    rng = np.random.default_rng(0)
    return " ".join(f"w{n}" for n in rng.integers(0, WORDS, 40))


def _film(path: Path) -> Path:
    """A view that pans over a scene, with noise for a sound."""
    rng = np.random.default_rng(0)
    scene = rng.integers(0, 255, (HEIGHT // 40 + 9, WIDTH // 40 + 9, 3), np.uint8).repeat(40, 0).repeat(40, 1)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = container.add_stream("aac", rate=SOUND_RATE, layout="mono")
        for number in range(SECONDS * RATE):
            left, top = int(160 * (1 + np.sin(number / 20))), int(160 * (1 + np.cos(number / 33)))
            picture = np.ascontiguousarray(scene[top : top + HEIGHT, left : left + WIDTH])
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        noise_1S = (0.1 * rng.standard_normal((1, SECONDS * SOUND_RATE))).astype(np.float32)
        samples = av.AudioFrame.from_ndarray(noise_1S, format="fltp", layout="mono")
        samples.sample_rate = SOUND_RATE
        container.mux([*audio.encode(samples), *audio.encode()])
    return path


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=("cpu", "cuda"), help="only on this one")
    parser.add_argument(
        "--models", nargs="+", metavar="PART", help="only models whose name has one of these parts"
    )


if __name__ == "__main__":
    run(measure, __doc__, add_options=_options)
