"""Parts of the interest map: what an address says, what is inside, and the categories that tags tell."""

from __future__ import annotations

import polars as pl
import pytest

from swipewise.console.data.categories import OTHER, categories
from swipewise.console.data.map_parts import Part, within
from swipewise.errors import DataError

PLACES = pl.DataFrame(
    [
        ("video", "a", 0.0, 0.0, "visual", 0, "cats"),
        ("video", "b", 0.5, 0.0, "audio", 0, "dogs"),
        ("video", "far", 0.9, 0.9, "audio", 0, "dogs"),
        ("viewer", "ann", 0.1, 0.1, "visual", 2, None),
        ("viewer", "bob", 0.9, -0.9, "text", 0, None),
    ],
    schema=["kind", "id", "x", "y", "modality", "segment", "category"],
    orient="row",
)


def ids(part: str) -> list[str]:
    return Part.parse(part).of(PLACES)["id"].to_list()


def test_a_region_holds_what_lies_in_it() -> None:
    assert ids("region:-0.2,-0.2;0.6,-0.2;0.6,0.2;-0.2,0.2") == ["a", "b", "ann"]
    # Not convex: the notch leaves b out.
    assert ids("region:-0.2,-0.2;0.6,-0.2;0.3,0;0.6,0.2;-0.2,0.2") == ["a", "ann"]


def test_a_group_holds_its_own() -> None:
    assert ids("segment:2") == ["ann"]
    assert ids("category:dogs") == ["b", "far"]
    assert ids("modality:visual") == ["a", "ann"]
    assert ids("category:nothing such") == []


@pytest.mark.parametrize(
    "text", ["", "all", "region:", "region:0,0;1,1", "region:0,0;1,x;2,2", "segment:", "size:2"]
)
def test_what_is_no_part_says_what_is(text: str) -> None:
    with pytest.raises(DataError, match="is no part of the map: write segment:2"):
        Part.parse(text)


def test_a_region_that_was_drawn_can_be_written_and_read() -> None:
    corners = [[number / 300, (number % 7) / 9] for number in range(300)]
    part = Part.around(corners)
    assert part.text.count(";") == 63, "with as many corners as an address can hold"
    assert Part.parse(part.text).text == part.text
    with pytest.raises(DataError, match="three corners"):
        Part.around([[0.0, 0.0], [1.0, 1.0]])


def test_what_is_within() -> None:
    found = within(PLACES)
    assert (found.videos, found.viewers) == (3, 2)
    assert found.categories == {"dogs": pytest.approx(2 / 3), "cats": pytest.approx(1 / 3)}
    assert found.segments == {"2": 1.0}, "of those who are in one"
    assert found.examples[0] == "b", "nearest to the middle"
    nothing = within(PLACES.clear())
    assert (nothing.videos, nothing.categories, nothing.examples) == (0, {}, [])


def test_a_category_is_the_tag_whose_videos_lie_closest() -> None:
    places = pl.DataFrame({"id": list("abcdefx"), "x": [0.0, 0.1, 0.2, 0.9, 0.8, 1.0, 0.5], "y": [0.0] * 7})
    tags = [["fyp", "cats"]] * 3 + [["dogs", "fyp"]] * 3 + [["fyp"]]
    videos = pl.DataFrame({"video_id": list("abcdefx"), "tags": tags, "caption": [None] * 7}).cast(
        {"caption": pl.String}
    )
    found = dict(categories(videos, places).rows())
    assert [found[name] for name in "abcdefx"] == ["cats"] * 3 + ["dogs"] * 3 + ["fyp"]
    said = pl.Series(["so #Cats #fyp"] * 3 + ["#dogs! #fyp"] * 3 + ["#fyp"])
    captioned = categories(videos.with_columns(tags=pl.lit(None, pl.List(pl.String)), caption=said), places)
    assert dict(captioned.rows()) == found, "hashtags of captions tell it too"
    untagged = categories(videos.with_columns(tags=pl.lit([], pl.List(pl.String))), places)
    assert set(untagged["category"]) == {OTHER}
