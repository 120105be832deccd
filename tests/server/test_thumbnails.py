from fastapi.testclient import TestClient

from swipewise.catalog import Catalog
from swipewise.server.thumbnails import CACHE_CONTROL
from swipewise.workspace import Workspace


def test_a_thumbnail_is_served_and_may_be_kept(client: TestClient, workspace: Workspace) -> None:
    Catalog(workspace.catalog_dir).thumbnails.write("a", b"\xff\xd8 a picture")
    answer = client.get("/v1/videos/a/thumbnail")
    assert (answer.status_code, answer.content) == (200, b"\xff\xd8 a picture")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == CACHE_CONTROL
    known = {"If-None-Match": f'"other", W/{answer.headers["etag"]}'}
    again = client.get("/v1/videos/a/thumbnail", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == answer.headers["etag"]
    Catalog(workspace.catalog_dir).thumbnails.write("a", b"\xff\xd8 another")
    assert client.get("/v1/videos/a/thumbnail", headers=known).status_code == 200


def test_an_id_may_hold_slashes_and_dots(client: TestClient, workspace: Workspace) -> None:
    thumbnails = Catalog(workspace.catalog_dir).thumbnails
    thumbnails.write("x/../y.z", b"one")
    thumbnails.write("x/thumbnail", b"two")
    assert client.get("/v1/videos/x%2F..%2Fy.z/thumbnail").content == b"one"
    assert client.get("/v1/videos/x%2Fthumbnail/thumbnail").content == b"two"
    for odd in ("%2E%2E%2F%2E%2E%2Fswipewise.toml", "%2Fetc%2Fpasswd"):
        assert client.get(f"/v1/videos/{odd}/thumbnail").status_code == 404
    assert client.get("/v1/videos/%00/thumbnail").status_code == 422, "no id holds a null byte"


def test_what_is_missing_is_said(client: TestClient) -> None:
    known = client.get("/v1/videos/a/thumbnail")
    assert known.status_code == 404
    assert "video 'a' has no thumbnail: it has no picture, came without a file" in known.json()["error"]
    unknown = client.get("/v1/videos/nobody/thumbnail")
    assert unknown.status_code == 404
    assert "no video 'nobody' in the catalogue" in unknown.json()["error"]


def test_a_removed_video_shows_no_picture_wherever_one_comes_from(
    client: TestClient, workspace: Workspace
) -> None:
    catalog = Catalog(workspace.catalog_dir)
    catalog.removals.write([catalog.get("a")])
    catalog.thumbnails.write("a", b"\xff\xd8 drawn by who did not know yet")
    answer = client.get("/v1/videos/a/thumbnail")
    assert answer.status_code == 404
    assert "no video 'a' in the catalogue" in answer.json()["error"]
