"""Hundreds of requests, sound and broken, made from the API's own description: it is kept to the letter.

SWIPEWISE_FUZZ_EXAMPLES sets how many random requests an operation gets, but for the slow test, which has thousands in
all; SWIPEWISE_FUZZ_SEED which.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

import pytest
import schemathesis
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.pytest.lazy import get_all_tests
from schemathesis.schemas import BaseSchema

from tests.server.fuzz.conftest import EXAMPLES

BEYOND_WORDS: Final = {
    "GET /v1/feed": ["^cursor "],
    "POST /v1/events": ["lies in the future"],
    "POST /v1/videos": [
        "^(\\[\\d+\\]\\.)?(uri|uploaded_at|available_from|available_until): ",
        "printable characters",
        "in the query belong to a clip",
        "Idempotency-Key names one video",
        "was used for another request",
        "the body is empty",
    ],
    "PUT /v1/videos/{video_id}/content": [
        "^(uploaded_at|available_from|available_until): ",
        "printable characters",
        "was used for another request",
        "the body is empty",
    ],
    "PUT /v1/viewers/{viewer_id}/profile": ["whole number of more than 64 bits"],
}
"""Operation -> what the rules are called that a JSON schema cannot tell: what breaks these alone may be refused."""


@pytest.mark.parametrize(
    ("examples", "least"),
    [
        pytest.param(EXAMPLES, 500, id="some"),
        pytest.param(190, 2_000, id="many", marks=pytest.mark.slow),
    ],
)
def test_every_operation_keeps_to_its_description(
    schema: BaseSchema, least: int, subtests: pytest.Subtests
) -> None:
    load_all_checks()
    tried: Counter[str] = Counter()

    def keeps_to_it(case: schemathesis.Case) -> None:
        tried[case.operation.label] += 1
        if case.operation.label == "POST /v1/videos" and case.media_type == "application/json":
            # What the query says there is refused before the body is looked at.
            case.query.clear()
        answer = case.call()
        excluded = CHECKS.get_by_names(["positive_data_acceptance"]) if beyond_words(case, answer) else []
        case.validate_response(answer, excluded_checks=excluded)

    # What `schema.parametrize` does, for an app that is made by a fixture.
    for found in get_all_tests(schema=schema, test_func=keeps_to_it, settings=None, given_kwargs=None):
        operation, test = found.ok()
        with subtests.test(operation.label):
            test()
    assert set(tried) == {found.ok().label for found in schema.get_all_operations()}
    assert tried.total() >= least


def beyond_words(case: schemathesis.Case, answer: schemathesis.Response) -> bool:
    """Whether a request was refused by a rule that its description cannot tell."""
    rules = BEYOND_WORDS.get(case.operation.label, ())
    return answer.status_code == 422 and any(re.search(rule, answer.json()["error"]) for rule in rules)
