"""The tree of errors is the one its module draws, and all of it can be caught at once."""

from __future__ import annotations

import inspect
import re

from swipewise import errors
from swipewise.errors import MissingExtraError, SwipewiseError


def test_the_docstring_draws_every_error() -> None:
    drawn = re.findall(r"[├└]── (\w+)", errors.__doc__ or "")
    defined = {name: each for name, each in vars(errors).items() if inspect.isclass(each)}
    assert sorted([*drawn, "SwipewiseError"]) == sorted(defined)
    assert all(issubclass(each, SwipewiseError) for each in defined.values())


def test_a_missing_extra_names_the_command_that_mends_it() -> None:
    assert str(MissingExtraError("the text encoder", "text")) == (
        "the text encoder needs an optional dependency: pip install 'swipewise[text]'"
    )
