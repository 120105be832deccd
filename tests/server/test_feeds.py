"""The feed's route: pages, context, reasons, and what is logged of its answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from swipewise.catalog import Catalog
from swipewise.config import RuleConfig
from swipewise.events.answers import read_answers
from swipewise.feed.cursor import Cursor, mark
from swipewise.feed.engine import FeedEngine
from swipewise.feed.requests import Request
from swipewise.server import create_app
from swipewise.server.feeds import FeedAnswer
from swipewise.workspace import Workspace
from tests.feed.conftest import video
from tests.stores import live_store as live_store


def get(client: TestClient, viewer: str = "ann", **parameters: Any) -> dict[str, Any]:
    answer = client.get("/v1/feed", params={"viewer_id": viewer, **parameters})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def shown(answer: dict[str, Any]) -> list[str]:
    return [each["video_id"] for each in answer["recommendations"]]


def with_feed(workspace: Workspace, **values: Any) -> Workspace:
    feed = replace(workspace.config.feed, **values)
    return replace(workspace, config=replace(workspace.config, feed=feed))


def test_pages_of_a_session(client: TestClient, workspace: Workspace) -> None:
    first = get(client, limit=2)
    Catalog(workspace.catalog_dir).upsert([video("e", days_old=0)], {})
    client.app.state.engine.look_for_videos()  # type: ignore[attr-defined]
    second = get(client, limit=2, cursor=first["cursor"])
    third = get(client, limit=2, cursor=second["cursor"])
    assert [shown(page) for page in (first, second, third)] == [["d", "c"], ["e", "b"], ["a"]]
    assert [each["position"] for each in second["recommendations"]] == [2, 3]
    assert len({page["request_id"] for page in (first, second, third)}) == 3
    assert shown(get(client, limit=2, cursor=third["cursor"])) == []


@pytest.mark.parametrize(
    ("cursor", "fault"), [("nonsense", "is damaged"), ("", "is damaged"), (None, "another viewer")]
)
def test_a_cursor_that_is_none_of_this_viewers_is_named(
    client: TestClient, cursor: str | None, fault: str
) -> None:
    given = get(client, "bob")["cursor"] if cursor is None else cursor
    answer = client.get("/v1/feed", params={"viewer_id": "ann", "cursor": given})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("cursor ")
    assert fault in answer.json()["error"]
    assert "send one as it came in the answer before, or none to begin anew" in answer.json()["error"]
    assert [each["field"] for each in answer.json()["fields"]] == ["cursor"]


def test_a_parameter_that_there_is_not_names_the_nearest(client: TestClient) -> None:
    answer = client.get("/v1/feed", params={"viewer_id": "ann", "limt": 5, "nothing": ""})
    assert answer.status_code == 422
    assert answer.json()["error"] == "limt: is not a parameter: did you mean 'limit'? (and 1 more)"
    [_, other] = answer.json()["fields"]
    assert other["message"].startswith("is not a parameter: valid are viewer_id, limit, cursor, ")


def test_routes_without_parameters_take_any(client: TestClient) -> None:
    assert client.get("/healthz", params={"probe": "1"}).status_code == 200


def test_context_reaches_rules_and_availability(workspace: Workspace) -> None:
    catalog = Catalog(workspace.catalog_dir)
    catalog.upsert([replace(video("e", days_old=0), regions=("us",), language="en", tags=("news",))], {})
    rule = RuleConfig(reason="no news here", block={"tags": ("news",)}, when={"device": ("tv",), "kids": ("a=b",)})
    with TestClient(create_app(with_feed(workspace, rules=(rule,)))) as client:
        assert "e" not in shown(get(client))
        assert "e" in shown(get(client, region="US", language="en-GB"))
        assert "e" not in shown(get(client, region="US", language="de"))
        both = get(client, region="us", context=["device=TV", "kids=a=b"], trace=True)
    assert both["dropped"] == {"no news here": 1}
    assert both["dropped_videos"] == [{"video_id": "e", "source": "fresh", "reason": "no news here"}]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"context": "device"}, "context[0]: "),
        ({"context": ["a=b"] * 21}, "context: list should have at most 20 items"),
        ({"region": ""}, "region: string should have at least 1 character"),
        ({"cursor": "A" * 7000}, "cursor: string should have at most"),
        ({"explain": "perhaps"}, "explain: input should be a valid boolean"),
    ],
)
def test_bad_parameters_are_named(client: TestClient, parameters: dict[str, Any], message: str) -> None:
    answer = client.get("/v1/feed", params={"viewer_id": "ann", **parameters})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(message)


def test_reasons_may_be_left_out(workspace: Workspace, runs: Callable[[str, str], None]) -> None:
    runs("r1", "sound")
    with TestClient(create_app(workspace)) as client:
        client.post("/v1/events", json={"viewer_id": "ann", "video_id": "a", "action": "like"})
        with_reasons, without = get(client), get(client, explain=False)
    assert shown(with_reasons) == shown(without)
    assert [each["score"] for each in with_reasons["recommendations"]] == [
        each["score"] for each in without["recommendations"]
    ]
    assert all(each["modality_weights"] and each["evidence"] for each in with_reasons["recommendations"])
    assert not any(each["modality_weights"] or each["evidence"] for each in without["recommendations"])


def test_the_description_has_an_example_that_is_one(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()["components"]["schemas"]["FeedAnswer"]
    (example,) = [{"note": None} | each for each in schema["examples"]]  # the description leaves nulls out
    assert FeedAnswer.model_validate(example).model_dump() == example
    assert set(example) == set(schema["properties"])
    assert Cursor.parse(example["cursor"], "ann").shown == (mark(example["recommendations"][0]["video_id"]),)


def logged(workspace: Workspace, count: int) -> list[dict[str, Any]]:
    """The answers, once so many are there."""
    deadline = time.monotonic() + 30
    while (found := read_answers(workspace.events_dir)).height < count and time.monotonic() < deadline:
        time.sleep(0.05)
    return found.to_dicts()


def test_answers_are_logged_and_can_be_made_again(workspace: Workspace, live_store: str) -> None:
    shop = with_feed(workspace, explore=0.5)
    with TestClient(create_app(shop)) as client:
        answer = get(client)
        (row,) = logged(shop, 1)
    assert (row["request_id"], row["viewer_id"], row["level"]) == (answer["request_id"], "ann", "popular")
    assert row["policy"] == answer["policy"] == "softmax@1 temperature=1"
    assert [
        (place["video_id"], place["position"], place["source"], place["propensity"]) for place in row["places"]
    ] == [
        (each["video_id"], each["position"], each["source"], each["propensity"])
        for each in answer["recommendations"]
    ]
    drawn = [each for each in answer["recommendations"] if each["source"] == "explore"]
    assert len(drawn) == 2
    assert drawn[0]["video_id"] in {each["video_id"] for each in row["pool"]}
    with FeedEngine.open(shop) as engine:
        again = engine.feed("ann", request=Request(request_id=answer["request_id"]))
    assert [each.video_id for each in again.recommendations] == shown(answer)


def test_what_waits_is_logged_when_the_server_stops(workspace: Workspace) -> None:
    with TestClient(create_app(workspace)) as client:
        for _ in range(3):
            get(client)
    assert read_answers(workspace.events_dir).height == 3


def test_nothing_is_logged_where_it_is_not_wanted(workspace: Workspace) -> None:
    with TestClient(create_app(with_feed(workspace, log_days=0.0))) as client:
        get(client)
    assert read_answers(workspace.events_dir).is_empty()
