"""What may be shown to whom, where and when."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from swipewise.catalog import Catalog
from swipewise.config import RuleConfig
from swipewise.feed.context import Context, facts
from swipewise.feed.eligibility import NOT_HERE, NOT_NOW, OTHER_LANGUAGE, Eligibility
from swipewise.feed.engine import FeedEngine
from swipewise.feed.requests import Request
from swipewise.feed.sources import FreshSource, InterestSource, PopularSource
from swipewise.retrieval.index import ExactIndex
from swipewise.schema import Profile
from swipewise.workspace import Workspace
from tests.feed.conftest import video
from tests.feed.fakes import NOW, FakeState, query, roster, shelf

FIVE = replace(
    shelf(dict.fromkeys("abcde", 1.0)),
    language_of={"a": "en", "b": "EN-gb", "c": "de"},
    regions_of={"a": ("us", "ca"), "d": ("de",)},
    window_of={"b": (NOW.timestamp(), math.inf), "e": (-math.inf, NOW.timestamp())},
    tags_of={"a": ("Beer", "fun"), "b": ("fun",), "c": ("beer",)},
    creator_of={"a": "Ann", "b": "bob", "c": "ann"},
)
HOUR = timedelta(hours=1)


def dropped(
    *rules: RuleConfig, profile: dict[str, object] | None = None, context: Context | None = None, later: int = 0
) -> dict[str, str]:
    """What may not be shown, and why."""
    viewer = None if profile is None else Profile(viewer_id="ann", features=profile)
    stage = Eligibility(shelf=FIVE, rules=rules)
    closed = stage.closed(context or Context(), viewer, NOW + later * HOUR)
    why = closed.why(np.arange(len(FIVE.video_ids))).tolist()
    found = {
        video_id: closed.reasons[code - 1] for video_id, code in zip(FIVE.video_ids, why, strict=True) if code
    }
    assert set(found.values()) <= {each.reason for each in stage.filters}
    return found


def by_rule(rule: RuleConfig, **given: object) -> set[str]:
    found = dropped(rule, **given)  # type: ignore[arg-type]
    return {video_id for video_id, reason in found.items() if reason == rule.reason}


def test_regions_are_those_of_the_request() -> None:
    def closed(region: str | None) -> set[str]:
        return {v for v, reason in dropped(context=Context(region=region)).items() if reason == NOT_HERE}

    assert closed("US") == {"d"}
    assert closed("de") == {"a"}
    assert closed("fr") == {"a", "d"}
    assert closed(None) == {"a", "d"}, "who does not say where they are is shown what may be shown everywhere"


def test_a_window_holds_its_beginning_and_not_its_end() -> None:
    assert {v for v, reason in dropped(later=-1).items() if reason == NOT_NOW} == {"b"}
    assert {v for v, reason in dropped(later=0).items() if reason == NOT_NOW} == {"e"}


@pytest.mark.parametrize(
    ("language", "others"), [("en-US", {"c"}), ("de", {"a", "b"}), ("fr", {"a", "b", "c"}), (None, set())]
)
def test_other_languages_are_left_out_and_unknown_ones_are_not(language: str | None, others: set[str]) -> None:
    found = dropped(context=Context(language=language, region="us"))
    assert {video_id for video_id, reason in found.items() if reason == OTHER_LANGUAGE} == others


def test_what_a_rule_blocks_and_what_it_requires() -> None:
    beer = RuleConfig(reason="no beer", block={"tags": ("beer", "wine")})
    assert by_rule(beer, context=Context(region="us")) == {"a", "c"}
    of_ann = RuleConfig(
        reason="no beer of ann", block={"tags": ("beer",), "creators": ("ann",), "languages": ("de",)}
    )
    assert by_rule(of_ann) == {"c"}, "every name has to be met"
    fun = RuleConfig(reason="fun alone", require={"tags": ("fun",)})
    assert by_rule(fun, later=-1, context=Context(region="us")) == {"c", "e"}
    one = RuleConfig(reason="not this one", block={"videos": ("c",)})
    assert by_rule(one) == {"c"}


def test_when_a_rule_holds() -> None:
    child = RuleConfig(
        reason="for adults", block={"tags": ("beer",)}, when={"age": ("12", "13")}, unless={"device": ("kiosk",)}
    )
    assert by_rule(child) == set(), "nothing is known"
    assert by_rule(child, profile={"age": 12}) == {"c"}, "a is not available here anyway"
    assert by_rule(child, profile={"age": 30}) == set()
    assert by_rule(child, profile={"age": 30}, context=Context(more={"age": "13"})) == {"c"}, (
        "the request comes first"
    )
    assert by_rule(child, profile={"age": 12}, context=Context(more={"device": "Kiosk"})) == set()
    closed = RuleConfig(reason="adults alone", block={"tags": ("beer",)}, unless={"age_group": ("adult",)})
    assert by_rule(closed) == {"c"}, "it holds where nothing is known"
    assert by_rule(closed, profile={"age_group": ["adult", "staff"]}) == set()


def test_facts_are_compared_without_case_and_languages_by_their_code() -> None:
    profile = Profile(viewer_id="ann", features={"age": 12, "member": True, "likes": ["A", "b"], "region": "fr"})
    assert facts(Context(language="pt-BR", region="US"), profile) == {
        "age": {"12"},
        "member": {"true"},
        "likes": {"a", "b"},
        "language": {"pt-br", "pt"},
        "region": {"us"},
    }


def test_nothing_is_closed_where_nothing_is_said() -> None:
    stage = Eligibility(shelf=shelf(dict.fromkeys("ab", 1.0)))
    assert stage.filters == []
    assert stage.closed(Context(language="en", region="us"), None, NOW).open_V is None


def test_sources_reach_past_what_is_closed() -> None:
    """A thousand videos of which three may be shown, the oldest and least liked."""
    many = shelf({f"v{number:04}": float(number) for number in range(3000)}, np.ones((3000, 2), np.float32))
    last = ("v2997", "v2998", "v2999")
    rule = RuleConfig(reason="just these", require={"videos": last})
    closed = Eligibility(shelf=many, rules=[rule]).closed(Context(), None, NOW)
    liked = roster(many, **{video_id: 5000 - place for place, video_id in enumerate(many.video_ids)})
    asked = query(liked, size=2, closed=closed, seen=["v2998"], state=FakeState(np.ones(2, np.float32), []))
    index = ExactIndex.build(np.ones((3000, 2), np.float32))
    for source in (
        FreshSource(roster=liked, limit=2),
        PopularSource(roster=liked, limit=2),
        InterestSource(index=index, roster=liked, limit=2),
    ):
        found_N = source.candidates(asked)
        assert sorted(liked.names_of(found_N[asked.fits(found_N)])) == ["v2997", "v2999"]
        assert len(found_N) < 1000, "those closed are not all walked through"


def test_the_feed_heeds_them_and_says_why(workspace: Workspace) -> None:
    catalog = Catalog(workspace.catalog_dir)
    catalog.upsert([replace(video("e", days_old=0), regions=("us",), language="en")], {})
    catalog.upsert([replace(video("f", days_old=0), language="de", tags=("news",))], {})
    rules = (RuleConfig(reason="no news", block={"tags": ("news",)}, when={"device": ("tv",)}),)
    ruled = replace(workspace, config=replace(workspace.config, feed=replace(workspace.config.feed, rules=rules)))
    with FeedEngine.open(ruled) as engine:
        nowhere = engine.feed("ann")
        here = engine.feed("ann", request=Request(context=Context(region="us", language="en")))
        television = engine.feed("ann", request=Request(context=Context(more={"device": "tv"})))
        late = engine.feed("ann", request=Request(now=NOW - timedelta(days=400)))
    assert {d.video_id: d.reason for d in nowhere.dropped} == {"e": NOT_HERE}
    assert {d.video_id: d.reason for d in here.dropped} == {"f": OTHER_LANGUAGE}
    assert {d.video_id: d.reason for d in television.dropped} == {"e": NOT_HERE, "f": "no news"}
    assert len(late.recommendations) == 5
    assert {"filter: no news", f"filter: {NOT_HERE}"} <= {step.stage for step in nowhere.trace}
