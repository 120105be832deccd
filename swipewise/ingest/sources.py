"""Which files are to be taken: from files, folders and manifests."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from swipewise.catalog import Rejection
from swipewise.errors import InputFileError
from swipewise.ingest.manifest import COLUMNS, file_of, stated_fields, video_id_of
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

    ``stated`` holds the fields of ``schema.Video`` that a manifest gives for it, ``origin`` the manifest's row.
    """

    path: Path
    video_id: str | None = None
    stated: Mapping[str, Any] = field(default_factory=dict)
    origin: str | None = None

    @property
    def uri(self) -> str:
        """The path as the catalogue keeps it."""
        return str(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """All files to take, what is wrong already, and the places that were looked through in full.

    ``unused`` has the columns of manifests of which nothing is taken, as keys.
    """

    entries: list[Entry]
    rejections: list[Rejection]
    folders: list[Path]
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
            if uri.startswith(rows)
            or (uri.startswith(files) and Path(uri).suffix.lower() in MEDIA_SUFFIXES and uri not in uris)
        ]


def read_sources(paths: Sequence[Path]) -> Sources:
    """List the files behind paths: a manifest's rows, a folder's media files at any depth, a file itself.

    A file that stands in a manifest and is also reached otherwise is listed once, with what the manifest says.

    Raises:
        InputFileError: A path does not exist, a manifest cannot be read, or there is nothing to take at all.
    """
    found = Sources(entries=[], rejections=[], folders=[], manifests=[])
    for given in paths:
        path = Path(os.path.abspath(given))  # noqa: PTH100 - resolve() would follow links to another name
        if path.is_dir():
            found.folders.append(path)
            found.entries.extend(Entry(path=file) for file in media_files(path, found.rejections))
        elif not path.exists():
            raise InputFileError(f"{given} does not exist: name a video file, a folder of them or a manifest")
        elif path.suffix.lower() in TABLE_SUFFIXES:
            found.manifests.append(path)
            _read_manifest(path, found)
        else:
            found.entries.append(Entry(path=path))
    if not found.entries and not found.rejections:
        raise InputFileError(
            f"no videos in {', '.join(map(str, paths))}: from a folder the endings "
            f"{', '.join(sorted(MEDIA_SUFFIXES))} are taken; a manifest is named by itself"
        )
    described = {entry.path for entry in found.entries if entry.origin}
    plain = dict.fromkeys(entry.path for entry in found.entries if entry.path not in described)
    entries = [Entry(path=path) for path in plain] + [entry for entry in found.entries if entry.origin]
    return Sources(
        entries=[entry for entry in entries if _can_be_stored(entry, found.rejections)],
        rejections=found.rejections,
        folders=found.folders,
        manifests=found.manifests,
        unused=found.unused,
    )


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
            entry = Entry(
                path=file_of(row.values.get(Col.URI), path.parent),
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
    texts = [entry.uri, entry.video_id, *stated.pop(Col.TAGS, ()), *stated.values()]
    try:
        "".join(str(text) for text in texts).encode()
    except UnicodeEncodeError:
        uri = os.fsencode(entry.uri).decode(errors="replace") if entry.origin is None else entry.origin
        rejections.append(Rejection(uri=uri, reason="its name or description is not valid Unicode: rename it"))
        return False
    return True
