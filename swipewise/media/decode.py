"""Decode a clip into what encoders see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream
from numpy.typing import NDArray

from swipewise.config import MediaConfig
from swipewise.errors import MediaError
from swipewise.media.container import audio_stream, frames, opened, pixel_aspect, video_stream
from swipewise.media.picture import Pictures, bounded, check_size, in_time, pictures_at
from swipewise.media.seeking import UnsureError, sought_frames
from swipewise.media.shots import COARSE_SIDE, coarse_times, cut_times, even_times, shot_times
from swipewise.media.sound import SAMPLE_RATE, waveform
from swipewise.media.survey import Span, Timeline, survey
from swipewise.schema import Clip, Needs

_NO_NEEDS = Needs()


def decode(path: Path, config: MediaConfig, needs: Needs = _NO_NEEDS) -> Clip:
    """Decode some pictures and the sound of a clip.

    The pictures are taken at the centres of ``config.frames`` equal spans of what the file really holds or, with the
    sampling ``shots``, of its shots. Damaged packets are skipped. A clip whose picture or sound cannot be had comes
    without it.

    Args:
        path: The file.
        config: What is taken of it.
        needs: What is wanted beside that: ``fine_frames_FHWC`` and ``fine_waveform_S``.

    Returns:
        Pictures and sound, and what was found of the file.

    Raises:
        MediaError: The file is not a clip, has sound but not the track asked for, or neither picture nor sound can be
            had; the message says why.
    """
    with opened(path) as container:
        header = container.duration / 1_000_000 if container.duration else None
        video, audio = video_stream(container), audio_stream(container, config.audio_track)
        streams: list[Stream] = [stream for stream in (video, audio) if stream is not None]
        if not streams:
            raise MediaError(
                f"no picture and no sound that can be decoded in it ({_contents(container)}): convert it to a common "
                "codec such as H.264, or fetch it again if it is damaged"
            )
        if video is not None:
            check_size(video.width, video.height, config.max_pixels)
        found = survey(container, streams, video, config.max_seconds)
        # Streams may not be touched once their container is closed: keep what is needed of them.
        seen = found.spans.get(video.index) if video is not None else None
        has_video, has_audio = video is not None, audio is not None
    start = min((span.start for span in found.spans.values()), default=0.0)
    failures: list[str] = []
    pictures = None
    if has_video:
        # Without a span no packet carries a time; frames are then counted from the start at the stream's rate.
        span = seen or Span(start=start, end=start + config.max_seconds)
        pictures = _pictures(path, config, span, found.timeline, failures, needs)
    sound_S = _sound(path, config, failures) if has_audio else None
    fine_S = None
    if sound_S is not None and needs.sample_rate > SAMPLE_RATE:
        fine_S = _sound(path, config, failures, needs.sample_rate)
    if pictures is None and sound_S is None:
        raise MediaError(_why_nothing(bool(found.spans), failures))
    end = max((span.end for span in found.spans.values()), default=0.0)
    return Clip(
        frames_FHWC=pictures.frames_FHWC if pictures else None,
        frame_times_F=pictures.times_F - start if pictures else None,
        waveform_S=sound_S,
        sample_rate=SAMPLE_RATE,
        fine_frames_FHWC=pictures.fine_FHWC if pictures else None,
        fine_waveform_S=fine_S,
        fine_rate=0 if fine_S is None else needs.sample_rate,
        duration_seconds=_duration(header, end - start if found.whole else None),
        width=pictures.width if pictures else None,
        height=pictures.height if pictures else None,
    )


def _pictures(
    path: Path, config: MediaConfig, span: Span, timeline: Timeline | None, failures: list[str], needs: Needs
) -> Pictures | None:
    seconds = min(span.end - span.start, config.max_seconds)
    targets_F = even_times(span.start, seconds, config.frames)
    if config.sampling == "shots":
        times_G = coarse_times(span.start, seconds)
        coarse = _pictures_at(path, replace(config, max_frame_side=COARSE_SIDE), times_G, timeline, [], _NO_NEEDS)
        cuts = cut_times(coarse.frames_FHWC, times_G) if coarse is not None else []
        targets_F = shot_times(span.start, seconds, cuts, config.frames)
    return _pictures_at(path, config, targets_F, timeline, failures, needs)


def _pictures_at(
    path: Path,
    config: MediaConfig,
    targets_F: NDArray[np.float64],
    timeline: Timeline | None,
    failures: list[str],
    needs: Needs,
) -> Pictures | None:
    side = config.max_frame_side
    fine_side = needs.frame_side if needs.frame_side > side else 0

    def draw(stream: VideoStream, shown: Iterator[av.VideoFrame]) -> Pictures | None:
        rate = float(stream.average_rate or 25)
        fitting = in_time(bounded(shown, config.max_pixels))
        try:
            return pictures_at(fitting, targets_F, side, rate, pixel_aspect(stream), fine_side)
        except MemoryError:
            raise
        except av.FFmpegError as error:
            failures.append(f"its pictures cannot be converted: {error.strerror}")
            return None

    if timeline is not None:
        with suppress(UnsureError), _opened_video(path) as (container, stream):
            return draw(stream, sought_frames(container, stream, timeline, targets_F))
    with _opened_video(path) as (container, stream):
        return draw(stream, frames(container, stream, failures))


@contextmanager
def _opened_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    with opened(path) as container:
        stream = video_stream(container)
        assert stream is not None
        yield container, stream


def _sound(
    path: Path, config: MediaConfig, failures: list[str], rate: int = SAMPLE_RATE
) -> NDArray[np.float32] | None:
    with opened(path) as container:
        stream = audio_stream(container, config.audio_track)
        assert stream is not None
        return waveform(frames(container, stream, failures), config.max_seconds, rate)


def _duration(header: float | None, measured: float | None) -> float | None:
    """What the header says, unless the packets contradict it: a truncated or unfinished recording."""
    if header and measured and abs(header - measured) > 0.25 + 0.02 * measured:
        return measured
    return header or measured or None


def _contents(container: InputContainer) -> str:
    kinds = [stream.type for stream in container.streams]
    return f"its streams: {', '.join(kinds)}" if kinds else "it has no streams"


def _why_nothing(any_packets: bool, failures: list[str]) -> str:
    if failures:
        return (
            f"none of it can be decoded: {len(failures)} damaged packets ({failures[0]}); fetch or export it again"
        )
    if any_packets:
        return "only silence and no picture in it"
    return "its streams are empty: the file is cut short, so fetch or export it again"
