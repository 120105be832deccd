"""Remote files: listed, and copied to this machine within limits.

Web addresses are read by the standard library, because each redirect has to be judged like the address itself;
everything else is read by fsspec.
"""

from __future__ import annotations

import base64
import http.client
import posixpath
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final
from urllib import request
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from swipewise.errors import MediaError
from swipewise.ingest.locations import Roots, is_http, without_secrets

_CHUNK: Final = 1 << 20
_BLOCK: Final = 8 << 20
_REDIRECTS: Final = 5
_PATIENCE: Final = 30.0
SPARE_BYTES: Final = 256 << 20
"""Disk space that is left free: the stores need some to go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one file may take.

    Attributes:
        max_bytes: Its size.
        seconds: Wall time of fetching it.
    """

    max_bytes: int
    seconds: float


def check_size(size: int, max_bytes: int) -> None:
    """Refuse a file that is too large.

    Raises:
        MediaError: It is.
    """
    if size > max_bytes:
        raise MediaError(f"larger than the {max_bytes:,} bytes that ingest.max_bytes allows")


def check_space(folder: Path, size: int) -> None:
    """Refuse a file for which the disk has no room.

    Raises:
        MediaError: There would be too little left.
    """
    free = shutil.disk_usage(folder).free
    if free - size < SPARE_BYTES:
        raise MediaError(f"the disk of {folder} has only {free:,} bytes free: make room and add it again")


def list_files(source: str) -> list[str] | None:
    """The uris of all files below a remote folder in order of name; None where it is itself a file.

    Raises:
        MediaError: It cannot be listed; the message says why, without secrets.
    """
    if is_http(source):
        return None
    with _named_errors(source):
        import fsspec

        files, path = fsspec.url_to_fs(source)
        files.invalidate_cache()  # drivers remember listings, and would not see what came since
        if files.isfile(path):
            return None
        base = path.rstrip("/")
        found = sorted(name for name in files.find(path) if name.startswith(base))
        if not found and not files.exists(path):
            raise FileNotFoundError
    return [source.rstrip("/") + name[len(base) :] for name in found]


def fetch(source: str, target: Path, limits: Limits, roots: Roots, *, give_up: Any = None) -> None:
    """Copy a remote file; on failure nothing is left at ``target``.

    Args:
        source: Its uri, with whatever secrets it takes.
        target: Where the copy goes; the folder exists.
        limits: On size and time.
        roots: Which redirects may be followed.
        give_up: A ``threading.Event`` that ends it early.

    Raises:
        MediaError: It cannot be fetched; the message says why, without secrets.
    """
    deadline = time.monotonic() + limits.seconds
    try:
        with _named_errors(source), _opened(source, limits, roots) as (reader, size):
            check_size(size or 0, limits.max_bytes)
            check_space(target.parent, size or 0)
            with target.open("wb") as file:
                taken = looked = 0
                # What has come, where that can be had: a server that trickles is then given up in time.
                read = getattr(reader, "read1", reader.read)
                while chunk := read(_CHUNK):
                    taken += len(chunk)
                    check_size(taken, limits.max_bytes)
                    if time.monotonic() > deadline or (give_up is not None and give_up.is_set()):
                        raise MediaError(too_slow(limits))
                    if taken - looked >= _BLOCK:
                        looked = taken
                        check_space(target.parent, 0)
                    file.write(chunk)
            if size is not None and taken != size:
                raise MediaError(f"the connection ended after {taken:,} of {size:,} bytes: add it again")
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def too_slow(limits: Limits) -> str:
    """The reason given for a file that takes too long to fetch."""
    return f"could not be fetched within {limits.seconds:g} s (ingest.fetch_seconds)"


@contextmanager
def _opened(source: str, limits: Limits, roots: Roots) -> Iterator[tuple[Any, int | None]]:
    """A remote file opened for reading, and its size where it is told."""
    if is_http(source):
        with closing(_http(source, min(_PATIENCE, limits.seconds), roots)) as answer:
            length = answer.headers.get("Content-Length")
            yield answer, int(length) if length and length.isdigit() else None
        return
    import fsspec

    files, path = fsspec.url_to_fs(source)
    files.invalidate_cache()
    facts = files.info(path)
    if facts.get("type") == "directory":
        raise MediaError("is a folder: name it as a source of its own, or the files in it")
    with files.open(path, "rb", block_size=_BLOCK) as reader:
        yield reader, facts.get("size")


class _Redirects(request.HTTPRedirectHandler):
    """Follows a redirect only to where a file may be fetched from."""

    max_redirections = _REDIRECTS

    def __init__(self, roots: Roots) -> None:
        self._roots = roots

    def redirect_request(
        self,
        req: request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> request.Request | None:
        fault = self._roots.fault(newurl) if is_http(newurl) else "which is no web address"
        if fault:
            fp.close()
            raise MediaError(f"redirects to {without_secrets(newurl)}, {fault}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _http(source: str, timeout: float, roots: Roots) -> Any:
    # Put together by hand: the usual opener would also read file:// and ftp:// addresses.
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler(),
        request.HTTPHandler(),
        request.HTTPSHandler(),
        request.HTTPDefaultErrorHandler(),
        _Redirects(roots),
        request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    parts = urlsplit(source)
    user, _, host = parts.netloc.rpartition("@")
    address = urlunsplit((parts.scheme, host, quote(parts.path, safe="/%:@!$&'()*+,;=~"), parts.query, ""))
    asked = request.Request(address, headers={"User-Agent": "swipewise", "Accept-Encoding": "identity"})
    if user:
        # Not for those to whom it redirects.
        asked.add_unredirected_header(
            "Authorization", f"Basic {base64.b64encode(unquote(user).encode()).decode()}"
        )
    return opener.open(asked, timeout=timeout)


@contextmanager
def _named_errors(source: str) -> Iterator[None]:
    """Turn what a driver raises into a reason; drivers like to quote the whole uri."""
    try:
        yield
    except MediaError:
        raise
    except HTTPError as error:
        error.close()
        raise MediaError(_answered(error.code)) from None
    except FileNotFoundError:
        raise MediaError("no such file") from None
    except PermissionError:
        raise MediaError("access denied: check the credentials and what they permit") from None
    except TimeoutError:
        raise MediaError("no answer in time: check that the address can be reached, and add it again") from None
    except URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise MediaError("no answer in time: check the address, and add it again") from None
        raise MediaError(f"cannot be reached: {_spoken(error.reason, source)}") from None
    except http.client.HTTPException as error:
        raise MediaError(f"the web server's answer is broken ({type(error).__name__}): add it again") from None
    except Exception as error:  # drivers raise what their services' libraries do
        raise MediaError(f"cannot be fetched: {type(error).__name__}: {_spoken(error, source)}") from None


def _answered(code: int) -> str:
    if code in (401, 403):
        return f"access denied ({code}): check the credentials or the signature in its address"
    if code in (404, 410):
        return f"no such file ({code})"
    if 300 <= code < 400:
        return f"redirects too often, or to where no redirect may lead ({code})"
    return f"the web server answered {code}" + (": add it again later" if code >= 500 else "")


def _spoken(error: object, source: str) -> str:
    text = str(error).replace(source, without_secrets(source))
    return without_secrets(text)[:300] or "no reason given"


def name_of(uri: str) -> str:
    """The file name at the end of a uri.

    >>> name_of("https://host/clips/a%20b.mp4?v=2"), name_of("/clips/a.mp4")
    ('a b.mp4', 'a.mp4')
    """
    path = unquote(urlsplit(uri).path) if is_http(uri) else uri
    return posixpath.basename(path)
