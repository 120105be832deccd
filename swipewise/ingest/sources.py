"""Which files are to be taken: from files, folders and manifests."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from swipewise.catalog import Rejection
from swipewise.errors import InputFileError, MediaError
from swipewise.ingest.locations import ANYWHERE, Roots, scheme_of, without_secrets
from swipewise.ingest.manifest import COLUMNS, location_of, stated_fields, video_id_of
from swipewise.ingest.remote import list_files, name_of
from swipewise.ingest.rows import TABLE_SUFFIXES, read_rows
from swipewise.schema import Col

MEDIA_SUFFIXES: Final = frozenset(
    f".{kind}"
    for kind in (
        *("3g2", "3gp", "asf", "avi", "divx", "f4v", "flv", "gif", "m1v", "m2ts", "m2v", "m4v", "mjpeg", "mkv"),
        *("mov", "mp4", "mpeg", "mpg", "mts", "mxf", "ogv", "rm", "rmvb", "ts", "vob", "webm", "wmv"),
    )
)
"""Endings of the files that are taken from a folder; a file named by itself is taken whatever its ending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file to take.

    Attributes:
        uri: Its absolute path or remote uri as the catalogue keeps it, without secrets.
        location: What is opened: the uri with its secrets, or the path that links led to where roots count.
        video_id: The id it is to have.
        stated: The fields of ``schema.Video`` that a manifest gives for it.
        assumed: Fields that count only where it becomes a new video.
        origin: The manifest's row.
        asked_at: When somebody asked for just this file; a video that was removed before then comes back.
    """

    uri: str
    location: str = field(default="", repr=False)
    video_id: str | None = None
    stated: Mapping[str, Any] = field(default_factory=dict)
    assumed: Mapping[str, Any] = field(default_factory=dict)
    origin: str | None = None
    asked_at: datetime | None = None

    def __post_init__(self) -> None:
        if not self.location:
            object.__setattr__(self, "location", self.uri)

    @property
    def name(self) -> str:
        """The file's name."""
        return name_of(self.uri)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """All files to take, what is wrong already, and the places that were looked through in full.

    ``folders`` and ``manifests`` are paths or uris; ``unused`` has the columns of manifests of which nothing is taken,
    as keys.
    """

    entries: list[Entry]
    rejections: list[Rejection]
    folders: list[str]
    manifests: list[Path]
    unused: dict[str, None] = field(default_factory=dict)

    def outdated(self, rejected: Sequence[str]) -> list[str]:
        """Of the uris rejected earlier those that these sources no longer hold: mended rows, deleted files."""
        uris = {entry.uri for entry in self.entries}
        rows = tuple(f"{path}:" for path in self.manifests)
        files = tuple(os.path.join(path, "") for path in self.folders)  # noqa: PTH118 - adds the last separator
        return [
            uri
            for uri in rejected
            if uri.startswith(rows) or (uri.startswith(files) and _is_media(uri) and uri not in uris)
        ]


def read_sources(sources: Sequence[str | Path], roots: Roots = ANYWHERE) -> Sources:
    """List the files behind sources: a manifest's rows, a folder's media files at any depth, a file itself.

    A file that stands in a manifest and is also reached otherwise is listed once, with what the manifest says.

    Args:
        sources: Paths, and remote uris of files or folders.
        roots: The places that files may come from; others are rejections.

    Raises:
        InputFileError: A source does not exist, a manifest cannot be read, or there is nothing to take at all.
    """
    found = Sources(entries=[], rejections=[], folders=[], manifests=[])
    for given in sources:
        if scheme_of(str(given)):
            _read_remote(str(given), found, roots)
        else:
            _read_local(given, found)
    if not found.entries and not found.rejections:
        named = ", ".join(without_secrets(str(given)) for given in sources)
        if found.manifests:
            raise InputFileError(f"no videos in {named}: {found.manifests[0]} has no rows below its header")
        raise InputFileError(
            f"no videos in {named}: from a folder the endings "
            f"{', '.join(sorted(MEDIA_SUFFIXES))} are taken; a manifest is named by itself"
        )
    described = {entry.uri for entry in found.entries if entry.origin}
    plain: dict[str, Entry] = {}
    for entry in found.entries:
        if entry.uri not in described:
            plain.setdefault(entry.uri, entry)
    entries = [*plain.values(), *(entry for entry in found.entries if entry.origin)]
    judged = [judged_entry(entry, roots) for entry in entries if _can_be_stored(entry, found.rejections)]
    return replace(
        found,
        entries=[each for each in judged if isinstance(each, Entry)],
        rejections=found.rejections + [each for each in judged if isinstance(each, Rejection)],
    )


def judged_entry(entry: Entry, roots: Roots, *, by_request: bool = False) -> Entry | Rejection:
    """The entry with the location that is to be opened, or why it must not be."""
    if fault := roots.fault(entry.location, by_request=by_request):
        where = f" ({entry.origin})" if entry.origin else ""
        return Rejection(uri=entry.uri, reason=fault + where)
    return entry if scheme_of(entry.location) else replace(entry, location=roots.resolved(entry.location))


def _read_local(given: str | Path, found: Sources) -> None:
    if not str(given):
        raise InputFileError("a source is empty: name a video file, a folder or a manifest ('.' is this folder)")
    is_uri = "://" in str(given)
    path = Path(location_of(str(given), Path.cwd()) if is_uri else os.path.abspath(given))  # noqa: PTH100 - as there
    if path.is_dir():
        found.folders.append(str(path))
        found.entries.extend(Entry(uri=str(file)) for file in media_files(path, found.rejections))
    elif not path.exists():
        meant = re.sub(r"^([a-z][a-z0-9+.-]+):/*", r"\1://", str(given))
        hint = (
            "name a video file, a folder of them or a manifest"
            if meant == str(given)
            else f"did you mean {meant}?"
        )
        raise InputFileError(f"{given} does not exist: {hint}")
    elif path.suffix.lower() in TABLE_SUFFIXES:
        found.manifests.append(path)
        _read_manifest(path, found)
    else:
        found.entries.append(Entry(uri=str(path)))


def _read_remote(source: str, found: Sources, roots: Roots) -> None:
    """The file, or the media files of the folder, behind a remote uri; a folder has to be allowed as a whole."""
    shown = without_secrets(source)
    if posixpath.splitext(name_of(source))[1].lower() in TABLE_SUFFIXES:
        raise InputFileError(f"{shown} is a manifest on another machine: copy it to this one and name its path")
    if fault := roots.fault(source):
        raise InputFileError(f"{shown}: {fault}")
    try:
        listed = list_files(source)
    except MediaError as error:
        raise InputFileError(f"{shown}: {error}") from error
    if listed is None:
        found.entries.append(Entry(uri=shown, location=source))
        return
    found.folders.append(shown)
    base = len(source.rstrip("/"))
    media = [uri for uri in listed if _is_media(uri) and "/." not in uri[base:]]
    found.entries.extend(Entry(uri=without_secrets(uri), location=uri) for uri in media)


def _is_media(uri: str) -> bool:
    return posixpath.splitext(name_of(uri))[1].lower() in MEDIA_SUFFIXES


def media_files(folder: Path, rejections: list[Rejection] | None = None) -> Iterator[Path]:
    """The media files of a folder in order of name; hidden ones are other programs' leftovers.

    Args:
        folder: Looked through at any depth.
        rejections: Takes up folders in it that cannot be read; None: these are passed over.
    """

    def unreadable(error: OSError) -> None:
        if rejections is None:
            return
        rejections.append(Rejection(uri=str(error.filename), reason=f"folder cannot be read: {error.strerror}"))

    for root, folders, files in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in MEDIA_SUFFIXES:
                yield Path(root, name)


def _read_manifest(path: Path, found: Sources) -> None:
    for row in read_rows(path, one_of=[Col.URI]):
        found.unused.update(dict.fromkeys(name for name in row.values if name not in COLUMNS))
        try:
            if row.problem:
                raise ValueError(row.problem)
            location = location_of(row.values.get(Col.URI), path.parent)
            entry = Entry(
                uri=without_secrets(location),
                location=location,
                video_id=video_id_of(row.values.get(Col.VIDEO_ID)),
                stated=stated_fields(row.values),
                origin=row.label,
            )
        except ValueError as error:
            found.rejections.append(Rejection(uri=row.label, reason=f"row cannot be used: {error}"))
        else:
            found.entries.append(entry)


def _can_be_stored(entry: Entry, rejections: list[Rejection]) -> bool:
    """Whether everything about the entry is Unicode; file names on disk need not be."""
    stated = dict(entry.stated)
    texts = [entry.uri, entry.video_id, *stated.pop(Col.TAGS, ()), *stated.pop(Col.REGIONS, ()), *stated.values()]
    try:
        "".join(str(text) for text in texts).encode()
    except UnicodeEncodeError:
        uri = os.fsencode(entry.uri).decode(errors="replace") if entry.origin is None else entry.origin
        rejections.append(Rejection(uri=uri, reason="its name or description is not valid Unicode: rename it"))
        return False
    return True
