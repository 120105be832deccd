"""Real clips and damaged ones in one ingestion: none stops it, hangs it, or is set aside without a reason to act on.

The corpus is every file of ``clips/`` where SWIPEWISE_DATA points, and 500 mutations of them by seed: cut short, bits
flipped anywhere, in the head or in the index, parts blanked, left out or exchanged, two files in one.

- A crash is an exception out of the run. A hang is a file that ran into ``media.timeout_seconds``.
- A file is explained if its content is in the catalogue, or it is on the rejected list with a reason about the file:
  not that its worker died, nor an exception that no code foresaw.
- Recovery: plain decoding reads a mutated file packet by packet with PyAV to its end, skips packets that fail, and
  yields n distinct pictures, drawn as ours are. We decode the same file at F times; of the distinct pictures that we
  get those count that plain decoding yields too, pixel by pixel or at the same millisecond (what a decoder leaves in a
  damaged part depends on the memory it happens to reuse). The share is their number, over all files, against the sum
  of min(n, F), which is what F times can see at most. A file that plain decoding reads and we reject counts 0. Both
  run in a process of their own; a file that kills it, or keeps it for a minute, is left out and counted.

With F = 32 a file of fewer frames must give nearly all of them. Even times miss some frames of a clip whose rate
varies, damaged or not, so the share of the clips as they are stands beside it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
from av.video.stream import VideoStream
from figures import Figures, Options, run
from mutations import mutate

from swipewise.catalog import Catalog
from swipewise.config import Config, MediaConfig
from swipewise.errors import MediaError
from swipewise.ingest import ingest_videos
from swipewise.media import decode
from swipewise.media.container import audio_stream, opened, pixel_aspect, video_stream
from swipewise.media.picture import Canvas
from swipewise.media.survey import survey
from swipewise.schema import Col
from swipewise.workspace import Workspace

MUTATED, QUICK_MUTATED = 500, 40
FRAMES = 32
PATIENCE_SECONDS = 60.0
CONFIG = MediaConfig(frames=FRAMES, max_frame_side=64)
READ_ERRORS = 100
# Reasons that say something about us rather than about the file.
UNFORESEEN = re.compile(r"encoding failed with|worker process")
SLOW = re.compile(r"took longer than")


def measure(figures: Figures, options: Options) -> None:
    clips = _clips()
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        kinds = _write(corpus, clips, QUICK_MUTATED if options.quick else MUTATED)
        _ingest(figures, Path(folder) / "workspace", corpus)
        _recovery(figures, corpus, kinds)


def _clips() -> list[Path]:
    root = Path(os.environ.get("SWIPEWISE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    clips = [path for path in sorted((root / "clips").glob("*")) if path.suffix != ".json"]
    if not clips:
        sys.exit(f"{root / 'clips'} holds no clips: set SWIPEWISE_DATA to the folder that holds clips/")
    return clips


def _write(corpus: Path, clips: list[Path], count: int) -> dict[Path, str]:
    """Put clips and mutations into a folder; the kind of damage of each file."""
    contents = [path.read_bytes() for path in clips]
    kinds = {}
    for path, content in zip(clips, contents, strict=True):
        kinds[corpus / path.name] = "as it is"
        (corpus / path.name).write_bytes(content)
    for seed in range(count):
        kind, content = mutate(contents, seed)
        path = corpus / f"mutated{seed:03}.mp4"
        kinds[path] = kind
        path.write_bytes(content)
    return kinds


def _ingest(figures: Figures, root: Path, corpus: Path) -> None:
    workspace = Workspace.create(root)
    workspace = Workspace(root=workspace.root, config=Config())
    crashes = 0
    try:
        summary = ingest_videos(workspace, [corpus])
        print(summary, file=sys.stderr)
    except Exception as error:
        print(f"the run ended with {error!r}", file=sys.stderr)
        crashes = 1
    figures.record("crashes of the run", crashes, at_most=0)
    catalog = Catalog(workspace.catalog_dir)
    taken = set(catalog.videos()[Col.CONTENT_HASH])
    reasons = dict(catalog.rejected().select(Col.URI, Col.REASON).iter_rows())
    files = sorted(corpus.iterdir())
    added = sum(hashlib.sha256(path.read_bytes()).hexdigest() in taken for path in files)
    unforeseen = [f"{Path(uri).name}: {reason}" for uri, reason in reasons.items() if UNFORESEEN.search(reason)]
    for line in unforeseen:
        print(line, file=sys.stderr)
    for reason, times in Counter(re.sub(r"\d+", "N", reason) for reason in reasons.values()).most_common():
        print(f"{times:5} {reason}", file=sys.stderr)
    figures.record("files", len(files))
    figures.record("files taken", added)
    figures.record("files set aside with a reason", len(reasons))
    figures.record("files that hung", sum(bool(SLOW.search(reason)) for reason in reasons.values()), at_most=0)
    figures.record("files that are neither", len(files) - added - len(reasons), at_least=0, at_most=0)
    figures.record("files whose reason does not explain", len(unforeseen), at_most=0)


def _recovery(figures: Figures, corpus: Path, kinds: dict[Path, str]) -> None:
    compared = _compare_all(sorted(corpus.iterdir()))
    figures.record("files that plain decoding did not survive", len(kinds) - len(compared))
    shares: dict[str, list[int]] = {}
    for path, (ours, plain) in compared.items():
        for group in {kinds[path], "as it is" if kinds[path] == "as it is" else "mutated"}:
            total = shares.setdefault(group, [0, 0])
            total[0] += ours
            total[1] += plain
        if plain and ours < 0.8 * plain:
            print(f"{path.name} ({kinds[path]}): {ours} of {plain} frames", file=sys.stderr)
    for group in sorted(shares.keys() - {"mutated"}):
        ours, plain = shares[group]
        figures.record(f"frames recovered, {group}", ours / max(plain, 1))
    ours, plain = shares["mutated"]
    figures.record("frames recovered of mutated files", ours / max(plain, 1), at_least=0.8)


def _compare_all(paths: list[Path]) -> dict[Path, tuple[int, int]]:
    """Frames of ours that count, and how many could, of each file that plain decoding survives."""
    found: dict[Path, tuple[int, int]] = {}
    waiting = list(paths)
    while waiting:
        process = subprocess.Popen(
            [sys.executable, __file__, "--compare"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        while waiting:
            path = waiting.pop(0)
            answer = _ask(process, path)
            if answer is None:
                print(f"{path.name}: plain decoding did not survive it", file=sys.stderr)
                break
            found[path] = (answer[0], answer[1])
        process.kill()
        process.communicate()
    return found


def _ask(process: subprocess.Popen[bytes], path: Path) -> list[int] | None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{path}\n".encode())
    process.stdin.flush()
    line = process.stdout.readline()
    return json.loads(line) if line else None


def _compare_asked() -> None:
    """Compare the files whose paths come in; one that takes too long ends the process."""
    import signal

    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_REAL, PATIENCE_SECONDS)  # its default action ends the process
        print(json.dumps(_compare(Path(line.rstrip("\n")))), flush=True)


def _compare(path: Path) -> tuple[int, int]:
    pictures, times = _plain(path)
    most = min(len(pictures), FRAMES)
    try:
        clip = decode(path, CONFIG)
        start = _start(path)
    except MediaError:
        return 0, most
    if clip.frames_FHWC is None or clip.frame_times_F is None:
        return 0, most
    found = {
        picture.tobytes()
        for picture, time in zip(clip.frames_FHWC, (clip.frame_times_F + start).tolist(), strict=True)
        if picture.tobytes() in pictures or round(time, 3) in times
    }
    return min(len(found), most), most


def _start(path: Path) -> float:
    """Where our decoding counts time from, on the container's clock."""
    with opened(path) as container:
        video, audio = video_stream(container), audio_stream(container, CONFIG.audio_track)
        streams: list[Any] = [stream for stream in (video, audio) if stream is not None]
        spans = survey(container, streams, video, CONFIG.max_seconds).spans
    return min((span.start for span in spans.values()), default=0.0)


def _plain(path: Path) -> tuple[set[bytes], set[float]]:
    """The distinct pictures that come out packet by packet, and their times."""
    pictures: set[bytes] = set()
    times: set[float] = set()
    try:
        container = av.open(str(path), metadata_errors="replace")
    except av.FFmpegError:
        return pictures, times
    with container:
        stream = container.streams.best("video")
        if stream is None or stream.codec_context is None:
            return pictures, times
        assert isinstance(stream, VideoStream)
        stream.codec_context.thread_count = 1
        canvas = None
        for frame in _frames(container, stream):
            canvas = canvas or Canvas(frame, CONFIG.max_frame_side, pixel_aspect(stream))
            pictures.add(canvas.draw(frame).tobytes())
            if frame.pts is not None:
                assert stream.time_base is not None
                times.add(round(float(frame.pts * stream.time_base), 3))
    return pictures, times


def _frames(container: Any, stream: Any) -> Iterator[av.VideoFrame]:
    for _ in range(READ_ERRORS):
        try:
            for packet in container.demux(stream):
                with suppress(av.FFmpegError):
                    yield from packet.decode()
            return
        except (av.FFmpegError, IndexError):
            continue


if __name__ == "__main__":
    if sys.argv[1:] == ["--compare"]:
        _compare_asked()
    else:
        run(measure, __doc__)
