"""``swipewise videos``: fill the catalogue and look at it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from swipewise.cli import videos_export
from swipewise.cli.options import json_option, with_workspace, workspace_option
from swipewise.cli.trail import take_down
from swipewise.schema import Col

if TYPE_CHECKING:
    from swipewise.config import EncodersConfig
    from swipewise.ingest import IngestSummary, Progress
    from swipewise.workspace import Workspace

_SHOWN = 50


@click.group(epilog="Example: swipewise videos add clips/ --workspace shop")
def command() -> None:
    """Add videos to the catalogue and look at it."""


command.add_command(videos_export.export)


_ADD_EXAMPLES = """\b
Examples:
  swipewise videos add clips/
  swipewise videos add videos.jsonl -w shop
  swipewise videos add clips/ new.mp4 --captions captions.csv --json
  swipewise videos add s3://bucket/clips
"""


@command.command(epilog=_ADD_EXAMPLES)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--captions",
    type=click.Path(path_type=Path),
    help="CSV, JSONL or Parquet with a caption and a uri, file name or video_id; goes before a manifest's.",
)
@click.option("--again", is_flag=True, help="Take back videos that were removed; without it they stay out.")
@workspace_option
@json_option
def add(paths: tuple[str, ...], captions: Path | None, again: bool, workspace: Workspace, as_json: bool) -> None:
    """Take video files into the catalogue.

    PATH is a video file, a folder (its video files at any depth are taken) or a manifest: CSV, JSONL or Parquet
    with the column uri and, where known, video_id, caption, creator, music, tags, language, uploaded_at,
    regions (where it may be shown; none: everywhere), available_from and available_until. Files and
    folders may lie elsewhere, such as s3://bucket/clips; https:// needs ingest.http = true in swipewise.toml.

    A file that is known is not encoded again, so the same command resumes a run that was stopped. Files that
    cannot be taken are set aside with their reason and the rest goes on; it fails if nothing at all could be taken.
    """
    from swipewise.ingest import ingest_videos

    with _progress_bar() as on_progress:
        summary = ingest_videos(workspace, paths, captions=captions, again=again, on_progress=on_progress)
    click.echo(json.dumps(asdict(summary)) if as_json else _in_words(summary, workspace))
    if summary.rejected and not summary.added + summary.updated + summary.unchanged:
        raise SystemExit(1)


_ENCODE_EXAMPLES = """\b
Examples:
  swipewise videos encode                       the encoders of swipewise.toml, where one is new or a run was stopped
  swipewise videos encode --encoder visual=huggingface:facebook/dinov2-small
"""


@command.command(epilog=_ENCODE_EXAMPLES)
@click.option(
    "--encoder",
    "named",
    multiple=True,
    metavar="MODALITY=NAME",
    help="Another encoder than the configured one, and only those named; may be given several times.",
)
@workspace_option
@json_option
def encode(named: tuple[str, ...], workspace: Workspace, as_json: bool) -> None:
    """Fill the columns of encoders that have not looked at every video yet.

    Each encoder has a column of its own, so the vectors of others stay as they are. Files are read again from where
    the catalogue has them. The same command resumes a run that was stopped.
    """
    from swipewise.ingest import encode_videos

    encoders = _named_encoders(named, workspace)
    with _progress_bar() as on_progress:
        summary = encode_videos(workspace, encoders, on_progress=on_progress)
    click.echo(json.dumps(asdict(summary)) if as_json else _in_words(summary, workspace))
    if named and not as_json:
        chosen = ", ".join(f'{modality} = "{name}"' for modality, name in (each.split("=", 1) for each in named))
        click.echo(f"to train with it set {chosen} in [encoders] of {workspace.root / 'swipewise.toml'}")


@command.command(epilog="Example: swipewise videos watch uploads/ -w shop")
@click.argument("folders", nargs=-1, required=True, metavar="DIR...", type=click.Path(path_type=Path))
@click.option(
    "--interval", type=click.FloatRange(min=0.05), default=2.0, show_default=True, help="Seconds between looks."
)
@workspace_option
@json_option
def watch(folders: tuple[Path, ...], interval: float, workspace: Workspace, as_json: bool) -> None:
    """Take new video files as they arrive in folders, until Ctrl-C.

    A file is taken once it has stayed the same for an interval; one whose upload may stall is better written elsewhere
    and moved in. What the catalogue has is not read again, so the watch can be stopped and started at any time. With
    --json every round that took files prints a line.
    """
    import time

    from swipewise.ingest import watch_videos

    def wait() -> bool:
        time.sleep(interval)
        return True

    def on_taken(summary: IngestSummary) -> None:
        click.echo(json.dumps(asdict(summary)) if as_json else _in_words(summary, workspace))

    def on_busy() -> None:
        click.echo("another ingestion is running in this workspace: new files wait for it", err=True)

    click.echo(f"watching {', '.join(map(str, folders))}: Ctrl-C ends it", err=True)
    try:
        watch_videos(workspace, folders, wait=wait, on_taken=on_taken, on_busy=on_busy)
    except KeyboardInterrupt:
        click.echo("watching ended; what was taken is in the catalogue", err=True)


@command.command("list", epilog="Example: swipewise videos list --rejected --json")
@click.option("--rejected", is_flag=True, help="List the files that could not be taken, and why.")
@click.option("--duplicates", is_flag=True, help="List only near-duplicates of earlier videos, and of which.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    help=f"How many to print, 0 for all.  [default: {_SHOWN}; all with --json]",
)
@workspace_option
@json_option
def list_videos(rejected: bool, duplicates: bool, limit: int | None, workspace: Workspace, as_json: bool) -> None:
    """List the videos of the catalogue, or the files that could not be taken."""
    from swipewise.catalog import Catalog

    if rejected and duplicates:
        raise click.UsageError("--rejected and --duplicates list different things: give one of them")
    catalog = Catalog(workspace.catalog_dir)
    table = catalog.rejected() if rejected else catalog.videos(words=True)
    if duplicates:
        table = table.drop_nulls(Col.DUPLICATE_OF)
    count = limit if limit is not None else (0 if as_json else _SHOWN)
    rows = table.head(count or len(table)).to_dicts()
    if as_json:
        click.echo(json.dumps(rows, default=_as_text, ensure_ascii=False, indent=1))
        return
    for row in rows:
        click.echo(f"{row[Col.URI]}: {row[Col.REASON]}" if rejected else _line(row))
    if not rows:
        empty = "no file was rejected" if rejected else "no videos yet: 'swipewise videos add PATH'"
        click.echo("no near-duplicates" if duplicates else empty)
    elif len(rows) < len(table):
        click.echo(f"and {len(table) - len(rows)} more: --limit 0 shows all")


@command.command(epilog="Example: swipewise videos show 0cd83d944a6ca782")
@click.argument("video_id", metavar="ID")
@workspace_option
@json_option
def show(video_id: str, workspace: Workspace, as_json: bool) -> None:
    """Show what is known of one video."""
    from swipewise.catalog import Catalog

    catalog = Catalog(workspace.catalog_dir)
    facts = asdict(catalog.get(video_id))
    vectors: dict[str, list[str]] = {}
    for modality, identity in catalog.encoders_of(video_id):
        vectors.setdefault(modality.value, []).append(identity)
    facts["vectors"] = vectors
    facts[Col.DUPLICATE_OF] = catalog.links.duplicate_of(video_id)
    facts["duplicates"] = catalog.links.duplicates_of(video_id)
    if as_json:
        click.echo(json.dumps(facts, default=_as_text, ensure_ascii=False, indent=1))
        return
    facts[Col.TAGS] = " ".join(facts[Col.TAGS])
    facts["vectors"] = ", ".join(f"{modality} by {' and '.join(names)}" for modality, names in vectors.items())
    facts["duplicates"] = " ".join(facts["duplicates"])
    for name, value in facts.items():
        click.echo(f"{name:<17} {'-' if value in (None, '') else _as_text(value)}")


_REMOVE_EXAMPLES = """\b
Examples:
  swipewise videos remove 0cd83d944a6ca782
  swipewise videos remove v1 v2 -w shop
"""


@command.command(epilog=_REMOVE_EXAMPLES)
@click.argument("video_ids", nargs=-1, required=True, metavar="ID...")
@workspace_option
@json_option
def remove(video_ids: tuple[str, ...], workspace: Workspace, as_json: bool) -> None:
    """Take videos out of the catalogue, with their vectors and thumbnails.

    No feed shows them any more. Files stay where they are, but for clips that were sent to the server. A later
    'videos add' of the same files leaves them out and says so, unless it is told --again.
    """
    from swipewise.ingest.remove import remove_videos

    take_down(workspace, "videos remove", " ".join(video_ids))
    remove_videos(workspace, video_ids)
    click.echo(json.dumps({"removed": list(video_ids)}) if as_json else f"removed {', '.join(video_ids)}")


@command.command(epilog="Example: swipewise videos jobs --state rejected -w shop")
@click.option(
    "--state", type=click.Choice(["queued", "running", "done", "rejected"]), help="Only those in this state."
)
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=_SHOWN, show_default=True, help="How many, the newest first."
)
@workspace_option
@json_option
def jobs(state: str | None, limit: int, workspace: Workspace, as_json: bool) -> None:
    """List the videos that were posted to the server, and how far each is.

    A job is queued, running, done or rejected with a reason; it survives a restart of the server.
    """
    from swipewise.events.database import existing_database
    from swipewise.events.job_records import JobState
    from swipewise.events.jobs import JobQueue

    with existing_database(workspace.events_dir) as database:
        found = JobQueue(database).find(JobState(state) if state else None, limit=limit) if database else []
    if as_json:
        click.echo(json.dumps([each.facts() for each in found], default=_as_text, ensure_ascii=False, indent=1))
        return
    for job in found:
        parts = [
            job.job_id,
            f"{job.state:<8}",
            job.stage or job.outcome or "",
            job.video_id or "",
            job.request.uri,
        ]
        click.echo("  ".join(filter(None, parts)) + (f": {job.reason}" if job.reason else ""))
    if not found:
        click.echo(with_workspace("no jobs: post videos to 'swipewise serve' with POST /v1/videos"))


def _named_encoders(named: tuple[str, ...], workspace: Workspace) -> EncodersConfig:
    """The configured encoders, or those that were named alone."""
    from dataclasses import replace

    from swipewise.config import unknown_encoder
    from swipewise.schema import CONTENT_MODALITIES, Words

    modalities = [str(modality) for modality in CONTENT_MODALITIES]
    chosen: dict[str, Any] = dict.fromkeys(modalities, "none")
    for each in named:
        modality, equals, name = each.partition("=")
        if not equals or not name or modality not in modalities:
            raise click.BadParameter(
                f"{each!r} is not MODALITY=NAME with one of {', '.join(modalities)}", param_hint="--encoder"
            )
        if name in ("none", "dataset"):
            raise click.BadParameter(
                f"{each!r} encodes nothing: name what reads clips, or leave it out and set it in swipewise.toml",
                param_hint="--encoder",
            )
        if fault := unknown_encoder(modality, name):
            raise click.BadParameter(f"{each!r} {fault}", param_hint="--encoder")
        chosen[modality] = name
    if chosen["text"] == "none":  # words are looked for to be read by it
        chosen |= dict.fromkeys(map(str, Words), "none")
    return replace(workspace.config.encoders, **chosen) if named else workspace.config.encoders


@contextmanager
def _progress_bar() -> Iterator[Callable[[Progress], None]]:
    """A bar with rate, load and time left on stderr, where somebody is there to watch it."""
    from rich import progress
    from rich.console import Console

    console = Console(stderr=True)
    columns = (
        progress.TextColumn("videos"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[state]}"),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("videos", total=None, state="")

        def update(state: Progress) -> None:
            shown = progress_in_words(state, bar.tasks[0].speed)
            bar.update(task, total=state.total, completed=state.done, state=shown)

        yield update


def progress_in_words(state: Progress, speed: float | None) -> str:
    """Throughput, queues, what the workers spend their time on, and failures, such as "8.1/s, 6 at work".

    Args:
        state: How far the run is.
        speed: Files a second, None as long as it is not known.
    """
    parts = [f"{speed:.1f}/s"] if speed else []
    parts += [f"{state.in_flight} at work"] if state.in_flight else []
    parts += [f"{state.waiting} waiting"] if state.waiting else []
    if busy := state.decode_seconds + state.encode_seconds:
        parts.append(f"{state.decode_seconds / busy:.0%} decoding")
    parts += [f"{state.rejected} rejected"] if state.rejected else []
    return ", ".join(parts)


def _in_words(summary: IngestSummary, workspace: Workspace) -> str:
    from swipewise.ingest.progress import MOST_REASONS

    files = summary.added + summary.updated + summary.unchanged + summary.rejected
    lines = [
        f"added {summary.added}, updated {summary.updated}, unchanged {summary.unchanged}, "
        f"rejected {summary.rejected} in {summary.seconds:.1f} s ({files / summary.seconds:.1f} videos/s)"
    ]
    if summary.rejected:
        lines += [f"  {reason}" for reason in summary.reasons[:MOST_REASONS]]
        if summary.rejected > MOST_REASONS:
            listed = f"swipewise videos list --rejected --workspace {workspace.root}"
            told = summary.rejected == len(summary.reasons)
            lines.append(f"why the others were rejected: {'the same with --json' if told else listed}")
    if summary.unused_columns:
        from swipewise.ingest.manifest import COLUMNS

        named = ", ".join(summary.unused_columns)
        lines.append(f"nothing was taken from the columns {named}: a manifest has {', '.join(COLUMNS)}")
    if summary.unused_captions:
        lines.append(f"captions that belong to none of these files: {summary.unused_captions}")
    return "\n".join(lines)


def _line(row: dict[str, Any]) -> str:
    seconds = f"{row[Col.DURATION]:.1f}s" if row[Col.DURATION] is not None else "-"
    size = f"{row[Col.WIDTH]}x{row[Col.HEIGHT]}" if row[Col.WIDTH] else "sound"
    caption = " ".join((row[Col.CAPTION] or "").split())
    first = row[Col.DUPLICATE_OF]
    note = f"near-duplicate of {first}" if first is not None else ""
    return "  ".join(filter(None, [row[Col.VIDEO_ID], f"{seconds:>7}", f"{size:>9}", row[Col.URI], caption, note]))


def _as_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
