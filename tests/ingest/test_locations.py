"""What of a uri is shown, and which places are allowed."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from swipewise.errors import InputFileError
from swipewise.ingest import ingest_videos
from swipewise.ingest.locations import Roots, without_secrets
from swipewise.ingest.sources import read_sources
from swipewise.workspace import Workspace


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://ann:p@ss@host/a.mp4", "https://host/a.mp4"),
        ("https://host/a.mp4?X-Amz-Signature=1&X-Amz-Date=2", "https://host/a.mp4"),
        ("https://host/a.mp4?sv=1&sig=2%3D&id=7#t=3", "https://host/a.mp4?id=7#t=3"),
        ("https://host/get?key=a.mp4&access_token=x", "https://host/get?key=a.mp4"),
        ("sftp://ann@host/a b.mp4", "sftp://host/a b.mp4"),
        ("/a@b/c?sig=1", "/a@b/c?sig=1"),
        ("GET https://u:p@h/a?token=x failed", "GET https://h/a failed"),
    ],
)
def test_secrets_are_left_out(uri: str, shown: str) -> None:
    assert without_secrets(uri) == shown


REMOTE = ("memory://clips", "s3://", "https://cdn.example.com/v")


@pytest.mark.parametrize(
    ("uri", "allowed"),
    [
        ("memory://clips/deep/a.mp4", True),
        ("memory:///clips/a.mp4", True),
        ("memory://clips2/a.mp4", False),
        ("HTTPS://ann:pw@CDN.example.com:443/v/a.mp4?x=1", True),
        ("https://cdn.example.com.evil.com/v/a.mp4", False),
        ("https://cdn.example.com@evil.com/v/a.mp4", False),
        ("https://cdn.example.com/w/a.mp4", False),
        ("https://evil.com/?x=https://cdn.example.com/v/", False),
        ("http://cdn.example.com/v/a.mp4", False),
    ],
)
def test_a_remote_root_holds_what_begins_with_it(uri: str, allowed: bool) -> None:
    roots = Roots(REMOTE, folder=Path("/"), http=True)
    assert (roots.fault(uri, by_request=True) is None) == allowed


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("https://cdn.example.com/v/%2e%2e/a.mp4", r"leads upwards \('\.\.'\)"),
        ("memory://clips/../other/a.mp4", "leads upwards"),
        ("memory://clips/a.mp4::file:///etc/passwd", "names one protocol within another"),
        ("memory://clips/a\n.mp4", "holds a control character"),
        ("nosuch://clips/a.mp4", "lies outside the places of ingest.roots"),
    ],
)
def test_tricks_are_refused(uri: str, reason: str) -> None:
    fault = Roots(REMOTE, folder=Path("/"), http=True).fault(uri)
    assert fault is not None
    assert re.search(reason, fault)


def test_a_missing_driver_is_told_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    def missing(scheme: str) -> None:
        raise ImportError(f"Install {scheme}fs to access {scheme}")

    from swipewise.ingest import locations

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    monkeypatch.setattr(locations, "_driver_fault", locations._driver_fault.__wrapped__)
    anywhere = Roots((), folder=Path("/"), http=False)
    assert anywhere.fault("s3://bucket/a.mp4") == "s3:// needs an optional dependency: pip install 'swipewise[s3]'"
    assert (
        anywhere.fault("gs://bucket/a.mp4") == "gs:// needs an optional dependency: pip install 'swipewise[gcs]'"
    )
    assert anywhere.fault("smb://host/a.mp4") == "smb:// needs a driver: Install smbfs to access smb"


def test_an_unknown_protocol_is_told() -> None:
    fault = Roots((), folder=Path("/"), http=False).fault("nosuch://clips/a.mp4")
    assert fault == "no driver is known for nosuch://: fetch the file and name its path"


def test_web_addresses_have_to_be_allowed() -> None:
    assert "set ingest.http = true" in str(Roots((), folder=Path("/"), http=False).fault("https://host/a.mp4"))
    assert Roots((), folder=Path("/"), http=True).fault("https://host/a.mp4") is None


def test_requests_name_no_place_until_one_is_allowed(tmp_path: Path) -> None:
    none = Roots((), folder=tmp_path, http=True, own=[tmp_path / "uploads"])
    for source in ("/etc/passwd", "https://host/a.mp4", "memory://clips/a.mp4"):
        assert none.fault(source) is None
        assert "ingest.roots of swipewise.toml" in str(none.fault(source, by_request=True))
    assert none.fault(str(tmp_path / "uploads" / "a.mp4"), by_request=True) is None
    some = Roots(["clips"], folder=tmp_path, http=True)
    assert some.fault(str(tmp_path / "clips" / "a.mp4"), by_request=True) is None
    assert some.fault(str(tmp_path / "clips2" / "a.mp4"), by_request=True) is not None


def test_a_file_or_link_that_leaves_the_roots_is_rejected(tmp_path: Path) -> None:
    for name in ("in/real.mp4", "out/secret.mp4"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "in" / "link.mp4").symlink_to(tmp_path / "out" / "secret.mp4")
    (tmp_path / "in" / "inner.mp4").symlink_to(tmp_path / "in" / "real.mp4")
    roots = Roots(["in"], folder=tmp_path, http=False)
    found = read_sources([tmp_path / "in", tmp_path / "out"], roots)
    assert [Path(entry.uri).name for entry in found.entries] == ["inner.mp4", "real.mp4"]
    assert {entry.location for entry in found.entries} == {os.path.realpath(tmp_path / "in" / "real.mp4")}
    assert [(Path(each.uri).name, each.reason) for each in found.rejections] == [
        (
            "link.mp4",
            "lies outside the places of ingest.roots, as links are followed: move it into one of them, or add its own",
        ),
        ("secret.mp4", "lies outside the places of ingest.roots: move it into one of them, or add its own"),
    ]


def test_a_configured_root_holds_for_the_command_line(tmp_path: Path, clips: Path) -> None:
    workspace = Workspace.create(tmp_path / "shop")
    toml = workspace.root / "swipewise.toml"
    toml.write_text('[ingest]\nroots = ["clips"]\n')
    with pytest.raises(InputFileError, match=r"memory://a: lies outside the places of ingest\.roots"):
        ingest_videos(Workspace.open(workspace.root), ["memory://a"])
