"""Where a video lies: what may be shown of a uri, and whether the video may be taken from there."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import unquote

from swipewise.errors import MissingExtraError

if TYPE_CHECKING:
    from swipewise.workspace import Workspace

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")
# Parameters of signed addresses: those of S3, Google, CloudFront and Azure, and what others call their secrets.
_SECRET = re.compile(
    r"(?<=[?&])(x-amz-[\w-]*|x-goog-[\w-]*|awsaccesskeyid|googleaccessid|key-pair-id|policy|expires|sig"
    r"|s[epvrt]|spr|sk[a-z]+|[\w-]*(?:signature|token|secret|passw|pwd|auth|credential|api[_-]?key|access[_-]?key)"
    r"[\w-]*)=[^&#\s]*",
    re.IGNORECASE,
)
_UNDER_OTHERS: Final = ("file", "local")
_HTTP: Final = ("http", "https")
_EXTRAS: Final = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gcs",
    "gcs": "gcs",
    "abfs": "azure",
    "abfss": "azure",
    "az": "azure",
}
"""Which extra of this package brings the driver of a protocol."""


def scheme_of(uri: str) -> str | None:
    """The scheme of a uri that lies on another machine, None for a path or a ``file://`` uri.

    >>> scheme_of("S3://bucket/a.mp4"), scheme_of("file:///a.mp4"), scheme_of("clips/a.mp4")
    ('s3', None, None)
    """
    found = _SCHEME.match(uri)
    scheme = found[1].lower() if found else None
    return None if scheme in _UNDER_OTHERS else scheme


def is_http(uri: str) -> bool:
    """Whether it is fetched over HTTP."""
    return scheme_of(uri) in _HTTP


def without_secrets(text: str) -> str:
    """A uri, or a text that holds some, without users, passwords and signatures.

    What is left names the file, and is what the catalogue, the rejected list and every message have.

    >>> without_secrets("https://ann:pw@host/a.mp4?v=2&X-Amz-Signature=ab12&expires=9")
    'https://host/a.mp4?v=2'
    """
    if "://" not in text:
        return text
    text, cut = _SECRET.subn("", _USERINFO.sub("", text))
    if cut:
        text = re.sub(r"&{2,}", "&", text)
        text = re.sub(r"\?&", "?", text)
        text = re.sub(r"[?&]+(?=$|[#\s])", "", text)
    return text


class Roots:
    """The places that videos may come from.

    Args:
        roots: Folders, relative ones from ``folder``, and beginnings of remote uris; none: any place, but nothing
            that is asked for over the HTTP API.
        folder: The workspace.
        http: Whether files may be fetched from web servers.
        own: Folders of the workspace itself, which are always allowed.
    """

    def __init__(self, roots: Sequence[str], *, folder: Path, http: bool, own: Sequence[Path] = ()) -> None:
        self.folder = folder
        self._any = not roots
        self._http = http
        paths = [root.removeprefix("file://") for root in roots if scheme_of(root) is None]
        local = [folder / Path(path).expanduser() for path in paths]
        self._folders = [os.path.realpath(path) for path in [*local, *own]]
        self._remote = [_comparable(root) for root in roots if scheme_of(root) is not None]

    @classmethod
    def of(cls, workspace: Workspace) -> Self:
        """Those of a workspace's configuration; what was sent to its server is always allowed."""
        config = workspace.config.ingest
        return cls(config.roots, folder=workspace.root, http=config.http, own=[workspace.uploads_dir])

    def fault(self, source: str, *, by_request: bool = False) -> str | None:
        """Why a file must not be taken, with the way out; None where it may.

        Args:
            source: An absolute path, followed through all links, or a remote uri.
            by_request: Somebody asks over the HTTP API, for whom no root means no place.
        """
        scheme = scheme_of(source)
        fault = _malformed(source) if scheme else None
        if fault:
            return fault
        if scheme in _HTTP and not self._http:
            return "web addresses are not fetched: set ingest.http = true, or fetch the file and name its path"
        inside = self._has_remote(source) if scheme else self._has_folder(source)
        if self._any and by_request and not inside:
            return (
                "requests may name no place yet: list the folders and the beginnings of remote uris that videos may "
                "come from in ingest.roots of swipewise.toml, or send the file itself"
            )
        if not self._any and not inside:
            leads = "" if scheme or os.path.realpath(source) == source else ", as links are followed"
            return f"lies outside the places of ingest.roots{leads}: move it into one of them, or add its own"
        return _driver_fault(scheme) if scheme and scheme not in _HTTP else None

    def resolved(self, path: str) -> str:
        """The path to open: where roots count, the one that was judged, which no link can bend later."""
        return path if self._any else os.path.realpath(path)

    def _has_folder(self, path: str) -> bool:
        real = os.path.realpath(path)
        return any(real == root or real.startswith(os.path.join(root, "")) for root in self._folders)  # noqa: PTH118

    def _has_remote(self, uri: str) -> bool:
        wanted = _comparable(uri)
        return any(wanted == root or wanted.startswith(f"{root.rstrip('/')}/") for root in self._remote)


ANYWHERE: Final = Roots((), folder=Path("/"), http=False)
"""Any place but web addresses."""


def _comparable(uri: str) -> str:
    """Scheme and host in small letters, no user; ``s3://`` stays ``s3:/``, a beginning of all of its uris.

    >>> _comparable("HTTPS://ann@CDN.example.com:443/A.mp4?x=1"), _comparable("s3://")
    ('https:/cdn.example.com/A.mp4', 's3:/')
    """
    scheme, _, rest = _USERINFO.sub("", uri).partition("://")
    scheme = scheme.lower()
    host, slash, path = re.split(r"[?#]", rest, maxsplit=1)[0].lstrip("/").partition("/")
    host = host.lower()
    if port := {"http": ":80", "https": ":443"}.get(scheme):
        host = host.removesuffix(port)
    return f"{scheme}:/{host}{slash}{path.rstrip('/')}"


def _malformed(uri: str) -> str | None:
    if "::" in uri:
        return "its uri names one protocol within another ('::'): name the file's own"
    if any(ord(char) < 32 for char in uri):
        return "its uri holds a control character"
    path = re.split(r"[?#]", uri, maxsplit=1)[0]
    if ".." in re.split(r"[/\\]", unquote(path)):
        return "its uri leads upwards ('..'): write out where it lies"
    return None


@cache
def _driver_fault(scheme: str) -> str | None:
    import fsspec

    try:
        fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        if extra := _EXTRAS.get(scheme):
            return str(MissingExtraError(f"{scheme}://", extra))
        return f"{scheme}:// needs a driver: {error}"
    except ValueError:
        return f"no driver is known for {scheme}://: fetch the file and name its path"
    return None
