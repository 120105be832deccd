from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from swipewise.ingest.manifest import location_of, stated_fields, video_id_of

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
SECONDS = 1_769_860_800


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-01-31T12:00:00Z", NOON),
        ("2026-01-31 14:00+02:00", NOON),
        ("2026-01-31T12:00", NOON),
        ("2026-01-31", NOON - timedelta(hours=12)),
        (date(2026, 1, 31), NOON - timedelta(hours=12)),
        (datetime(2026, 1, 31, 12), NOON),
        (datetime(2026, 1, 31, 13, tzinfo=timezone(timedelta(hours=1))), NOON),
        (SECONDS, NOON),
        (str(SECONDS), NOON),
        (SECONDS * 1000, NOON),
        (SECONDS * 1_000_000, NOON),
        (SECONDS + 0.5, NOON + timedelta(seconds=0.5)),
        (" ", None),
    ],
)
def test_upload_times_come_in_many_forms(value: Any, expected: datetime | None) -> None:
    assert stated_fields({"uploaded_at": value}) == {"uploaded_at": expected}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("#cat, sea side ,cat,", ("cat", "sea side")),
        ("#cat  dog", ("cat", "dog")),
        (["b", " a ", "b", None, 3], ("b", "a", "3")),
        ("", ()),
        ([], ()),
    ],
)
def test_tags_are_a_list_or_text(value: Any, expected: tuple[str, ...]) -> None:
    assert stated_fields({"tags": value}) == {"tags": expected}


def test_regions_are_a_list_or_text_without_case() -> None:
    assert stated_fields({"regions": "US, ca,us"}) == {"regions": ("us", "ca")}
    assert stated_fields({"regions": ["DE"], "available_from": 0}) == {
        "regions": ("de",),
        "available_from": datetime(1970, 1, 1, tzinfo=UTC),
    }
    with pytest.raises(ValueError, match="available_until 'soon' is no ISO 8601 time"):
        stated_fields({"available_until": "soon"})


def test_what_is_null_says_nothing_and_what_is_empty_clears() -> None:
    assert stated_fields({"caption": None, "creator": "", "music": 12, "other": 1}) == {
        "creator": None,
        "music": "12",
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"uploaded_at": "soon"}, "uploaded_at 'soon' is no ISO 8601 time, such as"),
        ({"uploaded_at": True}, "uploaded_at True must be an ISO 8601 time"),
        ({"uploaded_at": float("nan")}, "uploaded_at nan is no time"),
        ({"uploaded_at": -99_999_999_999}, "uploaded_at -99999999999 "),
        ({"tags": {"a": 1}}, "tags {'a': 1} must be a list, or text"),
        ({"tags": [["a"]]}, r"tags \[\['a'\]\] must be text"),
        ({"caption": 1.5}, "caption 1.5 must be text"),
        ({"creator": False}, "creator False must be text"),
    ],
)
def test_a_value_that_makes_no_sense_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stated_fields(values)


def test_uris_are_paths_from_the_manifests_folder() -> None:
    folder = Path("/data/world")
    assert location_of("clips/a.mp4", folder) == "/data/world/clips/a.mp4"
    assert location_of("../b.mp4", folder) == "/data/b.mp4"
    assert location_of("/c.mp4", folder) == "/c.mp4"
    assert location_of("file:///with%20space.mp4", folder) == "/with space.mp4"
    assert location_of(" s3://bucket/a b.mp4 ", folder) == "s3://bucket/a b.mp4", "another machine's"


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        (None, "no uri"),
        ("  ", "no uri"),
        (3, "no uri"),
        ("a\0b", "cannot be a path: it holds a null byte"),
        ("a" * 5000, "a uri of 5,000 characters: at most 4,096 are taken"),
    ],
)
def test_a_uri_that_names_no_file_is_refused(uri: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        location_of(uri, Path("/data"))


def test_ids_are_text_or_whole_numbers() -> None:
    assert [video_id_of(value) for value in (7, " v7 ", "", None)] == ["7", "v7", None, None]
    with pytest.raises(ValueError, match="must be at most 256 printable characters"):
        video_id_of("a\nb")
    with pytest.raises(ValueError, match="must be at most 256 printable characters"):
        video_id_of("x" * 257)


@pytest.mark.parametrize(
    ("caption", "reason"),
    [
        ("x" * 1_000_000, r"caption 'x+\.\.\. has 1,000,000 characters: at most 20,000 are taken, shorten it"),
        ("a\0b", r"caption 'a\\x00b' holds a null byte: remove it"),
    ],
)
def test_a_caption_that_cannot_be_stored_is_told_briefly(caption: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as error:
        stated_fields({"caption": caption})
    assert len(str(error.value)) < 200
