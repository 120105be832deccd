"""What can be asked about one viewer over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from swipewise.catalog import Catalog
from swipewise.errors import ArtifactError
from swipewise.events import compact, finish_erasures
from swipewise.schema import Video
from swipewise.server import create_app
from swipewise.workspace import Workspace
from tests.events.traces import holders
from tests.feed.fakes import NOW, FakeScorer
from tests.server.test_app import like, shown

PutRun = Callable[[str, str], None]


@pytest.fixture
def ranked(workspace: Workspace, runs: PutRun) -> Iterator[TestClient]:
    """The API with a model; a and b are by bea, c and d by cid; a, c are about Cats."""
    Catalog(workspace.catalog_dir).upsert([about(name) for name in "abcd"], {})
    runs("r1", "sound")
    with TestClient(create_app(workspace), raise_server_exceptions=False) as client:
        yield client


def about(name: str) -> Video:
    return Video(
        video_id=name,
        uri=f"{name}.mp4",
        content_hash=name,
        caption="purring kitten" if name in "ac" else "barking dog",
        creator="bea" if name in "ab" else "cid",
        tags=("Cats",) if name in "ac" else (),
        uploaded_at=NOW - timedelta(days=4 - "abcd".index(name)),
        duration_seconds=10.0,
    )


def put(client: TestClient, controls: dict[str, Any], viewer: str = "ann") -> dict[str, Any]:
    answer = client.put(f"/v1/viewers/{viewer}/controls", json=controls)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def feed(client: TestClient, viewer: str = "ann", **parameters: Any) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(
        "/v1/feed", params={"viewer_id": viewer, "trace": True, **parameters}
    ).json()
    return answer


def test_a_profile_that_was_put_is_there_and_counts_in_the_next_feed(ranked: TestClient) -> None:
    assert ranked.get("/v1/viewers/ann/profile").status_code == 404
    assert feed(ranked)["level"] == "popular"
    stated = {"favourite": 0, "age": "18-24", "likes": ["cats", "tea"], "empty": "", "none": None}
    kept = {"favourite": 0, "age": "18-24", "likes": ["cats", "tea"]}
    answer = ranked.put("/v1/viewers/ann/profile", json=stated)
    assert (answer.status_code, answer.json()) == (200, {"viewer_id": "ann", "features": kept})
    assert ranked.get("/v1/viewers/ann/profile").json()["features"] == kept
    assert feed(ranked)["level"] == "profile"
    assert shown(ranked)[0] == "a", "the favourite"
    ranked.put("/v1/viewers/ann/profile", json={"favourite": 3})
    assert shown(ranked)[0] == "d"


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ('{"age": {"a": 1}}', "age = {'a': 1} must be a string, a number, true or false, or a list of these"),
        ("[1]", "input should be an object, not [1]"),
        ("{", "is not JSON"),
        ('{"viewer_id": "bob"}', "viewer_id is no feature: the viewer is named in the address"),
    ],
)
def test_a_profile_that_is_not_as_it_should_be(client: TestClient, body: str, complaint: str) -> None:
    answer = client.put("/v1/viewers/ann/profile", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert complaint in answer.json()["error"]
    assert client.get("/v1/viewers/ann/profile").status_code == 404


def test_interests_say_what_is_believed_and_on_what_it_is_based(ranked: TestClient) -> None:
    assert ranked.get("/v1/viewers/ann/interests").json() == {
        "viewer_id": "ann",
        "level": "popular",
        "note": "nothing is known of viewer 'ann' yet",
        "interactions": 0,
        "controls": [],
        "modality_weights": {},
        "themes": [],
        "shifts": [],
    }
    ranked.post("/v1/events", json=[like("a"), like("c")])
    found = ranked.get("/v1/viewers/ann/interests").json()
    assert (found["level"], found["note"], found["interactions"]) == ("model", None, 2)
    assert found["modality_weights"] == {"visual": 0.75, "text": 0.25}
    (theme,) = found["themes"]
    assert sorted(theme["videos"]) == ["a", "c"]
    assert (theme["modality"], theme["words"]) == ("text", ["cats", "kitten", "purring"])


def test_hidden_videos_and_nothing_of_a_creator_or_topic(ranked: TestClient) -> None:
    ranked.post("/v1/events", json=like("a"))
    assert shown(ranked) == ["b", "c", "d"]
    put(ranked, {"hidden_videos": ["b"]})
    assert shown(ranked) == ["c", "d"]
    assert feed(ranked)["dropped"] == {"seen": 1, "hidden by the viewer": 1}
    put(ranked, {"creators": {"cid": 0}})
    assert shown(ranked) == ["b"]
    assert feed(ranked)["dropped"] == {"seen": 1, "less of this creator": 2}
    put(ranked, {"topics": {"cats": 0}})
    assert shown(ranked) == ["b", "d"], "whatever the case of the tag"
    assert feed(ranked)["dropped"] == {"seen": 1, "less of this topic": 1}
    assert sorted(shown(ranked, "bob")) == ["a", "b", "c", "d"], "others see all of it"
    assert ranked.delete("/v1/viewers/ann/controls").status_code == 204
    assert shown(ranked) == ["b", "c", "d"]


def test_the_feed_is_filled_past_what_is_not_wanted(workspace: Workspace) -> None:
    with TestClient(create_app(workspace)) as client:
        put(client, {"hidden_videos": ["d", "c"]})
        assert shown(client, limit=2) == ["b", "a"]


def test_less_of_a_creator_lowers_and_says_so(ranked: TestClient) -> None:
    ranked.post("/v1/events", json=like("a"))
    before = {each["video_id"]: each["score"] for each in feed(ranked)["recommendations"]}
    put(ranked, {"creators": {"bea": 0.25}})
    answer = feed(ranked)
    after = {each["video_id"]: each for each in answer["recommendations"]}
    assert after["b"]["score"] == pytest.approx(before["b"] - 1.386294, abs=1e-5), "ln 4"
    assert after["c"]["score"] == pytest.approx(before["c"])
    assert (after["b"]["controls"], after["c"]["controls"]) == (["less of this creator"], [])
    put(ranked, {"creators": {"bea": 0.001}})
    assert shown(ranked)[-1] == "b"
    assert feed(ranked, limit=1)["dropped"] == {"seen": 1, "less of this creator": 1, "outranked": 1}


def test_sliders_of_modalities_change_the_order(ranked: TestClient) -> None:
    ranked.post("/v1/events", json=[like("b"), like("c")])
    # what b and c have in common is their second number, text
    assert feed(ranked)["controls"] == []
    ranked.post("/v1/events", json=[like("b", event_id="more", viewer_id="bob")])
    assert shown(ranked, "bob")[0] == "a"
    put(ranked, {"modalities": {"visual": 0, "text": 2}}, "bob")
    assert shown(ranked, "bob")[0] == "c", "only the words count: the pictures of a no longer do"
    assert feed(ranked, "bob")["controls"] == ["visual counts 0 times", "text counts 2 times"]


def test_paused_learning_takes_events_that_do_not_count(ranked: TestClient) -> None:
    ranked.post("/v1/events", json=like("a"))
    paused = put(ranked, {"learning": "paused"})
    assert (paused["learning"], paused["reset_at"]) == ("paused", None)
    before = ranked.get("/v1/viewers/ann/interests").json()
    assert ranked.post("/v1/events", json=like("d")).json()["added"] == 1
    assert shown(ranked) == ["b", "c"], "as like a as before; what was seen is not shown again"
    after = ranked.get("/v1/viewers/ann/interests").json()
    assert after["interactions"] == before["interactions"] == 1
    assert after["themes"] == before["themes"]
    assert after["controls"] == [f"learning is paused since {_seconds(paused['paused_at'])}"]
    assert put(ranked, {"learning": "paused"})["paused_at"] == paused["paused_at"], "the pause goes on"
    assert put(ranked, {})["learning"] == "on"
    ranked.post("/v1/events", json=like("b"))
    found = ranked.get("/v1/viewers/ann/interests").json()
    assert found["interactions"] == 2, "what was done in the pause stays out"
    assert found["controls"] == []


def _seconds(moment: str) -> str:
    return datetime.fromisoformat(moment).astimezone(UTC).isoformat(timespec="seconds")


def test_learning_begins_anew(ranked: TestClient) -> None:
    ranked.post("/v1/events", json=[like("a"), like("b")])
    reset = put(ranked, {"reset_learning": True})
    assert reset["reset_at"] is not None
    answer = feed(ranked)
    assert (answer["level"], answer["note"]) == ("popular", "nothing is known of viewer 'ann' yet")
    assert sorted(shown(ranked)) == ["c", "d"], "what was seen is not shown again"
    ranked.post("/v1/events", json=like("d"))
    assert ranked.get("/v1/viewers/ann/interests").json()["interactions"] == 1
    assert put(ranked, {})["reset_at"] == reset["reset_at"], "other controls leave it"


def test_controls_hold_in_other_processes_and_after_a_restart(ranked: TestClient, workspace: Workspace) -> None:
    with TestClient(create_app(workspace)) as other:
        put(ranked, {"hidden_videos": ["d"], "topics": {"cats": 0.5}})
        assert "d" not in shown(other)
    with TestClient(create_app(workspace)) as again:
        found = again.get("/v1/viewers/ann/controls").json()
    assert (found["hidden_videos"], found["topics"], found["learning"]) == (["d"], {"cats": 0.5}, "on")


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"topics": {"cats": 1}}, "topics.cats: input should be less than 1, not 1"),
        ({"modalities": {"audio": 2.5}}, "modalities.audio: input should be less than or equal to 2, not 2.5"),
        ({"modalities": {"smell": 1}}, "modalities: 'smell' is not one: valid are visual, text, audio"),
        ({"creators": {" ": 0}}, "creators: ' ' is empty"),
        ({"hidden_videos": ["v"] * 1 + [""]}, "hidden_videos: '' is empty"),
        (
            {"hidden_videos": [f"v{n}" for n in range(1001)]},
            "hidden_videos: 1001 entries are too many: at most 1000",
        ),
        ({"learn": "on"}, "learn: is not a field: did you mean 'learning'?"),
        ({"learning": "off"}, "learning: "),
    ],
)
def test_controls_that_are_not_as_they_should_be(client: TestClient, body: dict[str, Any], complaint: str) -> None:
    answer = client.put("/v1/viewers/ann/controls", json=body)
    assert answer.status_code == 422
    assert complaint in answer.json()["error"]
    assert client.get("/v1/viewers/ann/controls").json() == {
        "error": "viewer 'ann' has asked for nothing: put controls here"
    }


def test_an_export_holds_everything(client: TestClient, workspace: Workspace) -> None:
    assert client.get("/v1/viewers/ann/export").json() == {"error": "nothing is kept about a viewer 'ann'"}
    client.post("/v1/events", json=[like("a", at="2026-01-01T10:00:00Z"), like("b", viewer_id="bob")])
    compact(workspace)
    client.post("/v1/events", json=like("b", event_id="live"))
    client.put("/v1/viewers/ann/profile", json={"age": "18-24"})
    put(client, {"hidden_videos": ["c"]})
    answer = client.get("/v1/viewers/ann/export")
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [row["kind"] for row in rows] == ["profile", "controls", "event", "event"]
    assert [row["event_id"] for row in rows[2:]] == ["like-a", "live"]
    assert rows[0]["features"] == {"age": "18-24"}
    assert rows[1]["hidden_videos"] == ["c"]


def test_an_erased_viewer_is_gone_while_the_server_runs(ranked: TestClient, workspace: Workspace) -> None:
    first = like("a", event_id="first", viewer_id="zoe-7f3a91", at="2026-01-01T10:00:00Z")
    ranked.post("/v1/events", json=[first, like("a")])
    compact(workspace)
    ranked.post("/v1/events", json=like("b", event_id="live", viewer_id="zoe-7f3a91"))
    ranked.put("/v1/viewers/zoe-7f3a91/profile", json={"favourite": 1})
    put(ranked, {"learning": "paused"}, "zoe-7f3a91")
    assert feed(ranked, "zoe-7f3a91")["level"] == "model"
    answer = ranked.delete("/v1/viewers/zoe-7f3a91")
    assert (answer.status_code, answer.json()) == (
        200,
        {"viewer_id": "zoe-7f3a91", "state": "erased", "events": 2, "reason": None},
    )
    assert holders(workspace.root, "zoe-7f3a91") == []
    assert feed(ranked, "zoe-7f3a91")["level"] == "popular"
    assert sorted(shown(ranked, "zoe-7f3a91")) == ["a", "b", "c", "d"]
    assert ranked.get("/v1/viewers/zoe-7f3a91/export").status_code == 404
    assert sorted(shown(ranked)) == ["b", "c", "d"], "others are as they were"
    old = ranked.post("/v1/events", json=first).json()
    assert (old["added"], old["duplicates"], old["erased"]) == (0, 0, 1)
    assert ranked.post("/v1/events", json=like("a", event_id="new", viewer_id="zoe-7f3a91")).json()["added"] == 1
    assert ranked.delete("/v1/viewers/zoe-7f3a91").json()["events"] == 1


def test_an_erasure_beside_a_compaction_is_pending_and_finished_later(
    client: TestClient, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swipewise.server.viewers.WAIT_SECONDS", 0.0)
    client.post("/v1/events", json=like("a", viewer_id="zoe-7f3a91"))
    with workspace.lock("history"):
        answer = client.delete("/v1/viewers/zoe-7f3a91")
        assert (answer.status_code, answer.json()["state"]) == (202, "pending")
        assert "another process is running 'history'" in answer.json()["reason"]
    assert finish_erasures(workspace) is None
    assert holders(workspace.root, "zoe-7f3a91") == []


def test_an_id_that_is_none(client: TestClient) -> None:
    assert client.get("/v1/viewers/%20/profile").status_code == 422
    assert client.delete("/v1/viewers/%0a").status_code == 422


def test_an_id_with_a_slash_reaches_nobody_elses_data(ranked: TestClient) -> None:
    put(ranked, {"hidden_videos": ["a"]}, viewer="x")
    for method, path in (("DELETE", "/v1/viewers/x%2Fcontrols"), ("GET", "/v1/viewers/x%2fprofile")):
        answer = ranked.request(method, path)
        assert answer.status_code == 404
        assert "reached by 'swipewise viewers' alone" in answer.json()["error"]
    assert ranked.get("/v1/viewers/x/controls").json()["hidden_videos"] == ["a"]


def test_too_many_controls_are_refused_before_they_are_looked_at(ranked: TestClient) -> None:
    answer = ranked.put("/v1/viewers/ann/controls", json={"topics": {str(n): 7 for n in range(10_001)}})
    assert (answer.status_code, answer.json()["error"]) == (413, "topics: 10001 entries, send at most 10000")


def test_interests_without_a_usable_model_say_so(ranked: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise ArtifactError("the model is of no use")

    ranked.put("/v1/viewers/ann/profile", json={"favourite": 0})
    monkeypatch.setattr(FakeScorer, "beliefs", fails)
    answer = ranked.get("/v1/viewers/ann/interests").json()
    assert (answer["level"], answer["note"]) == ("popular", "the model is of no use")
