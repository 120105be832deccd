"""Swipewise turns raw short videos and behaviour logs into a personalised feed, and says why.

Importing the package loads neither torch nor polars: the public names resolve on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swipewise.api.results import Explanation as Explanation
    from swipewise.api.workspace import Workspace as Workspace
    from swipewise.config import Config as Config
    from swipewise.errors import SwipewiseError as SwipewiseError
    from swipewise.evaluation.session import Evaluation as Evaluation
    from swipewise.feed.engine import FeedEngine as FeedEngine

__version__ = "0.1.0"

_HOMES = {
    "Config": "swipewise.config",
    "Evaluation": "swipewise.evaluation.session",
    "Explanation": "swipewise.api.results",
    "FeedEngine": "swipewise.feed.engine",
    "SwipewiseError": "swipewise.errors",
    "Workspace": "swipewise.api.workspace",
}

__all__ = ["Config", "Evaluation", "Explanation", "FeedEngine", "SwipewiseError", "Workspace", "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'swipewise' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
