"""What requests are answered with, replaced as one so that no request sees half a change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from swipewise.config import FeedConfig
from swipewise.events import read_events
from swipewise.events.history import History
from swipewise.feed.eligibility import Eligibility
from swipewise.feed.pipeline import Pipeline
from swipewise.feed.popularity import Popularity
from swipewise.feed.recipes import personal_pipeline, popular_pipeline
from swipewise.feed.roster import Roster
from swipewise.feed.stock import Stock
from swipewise.feed.trending import count_popularity
from swipewise.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The stock, what is popular, both by number, who may be shown what, and the pipelines over them.

    ``adapt`` gives another pipeline in place of ``personal`` as it would be; None: it stays.
    """

    stock: Stock
    popularity: Popularity
    roster: Roster
    eligibility: Eligibility
    popular: Pipeline
    personal: Pipeline | None
    adapt: Callable[[Pipeline], Pipeline] | None = None

    @classmethod
    def of(
        cls,
        stock: Stock,
        popularity: Popularity,
        config: FeedConfig,
        *,
        before: Live | None = None,
        adapt: Callable[[Pipeline], Pipeline] | None = None,
    ) -> Live:
        """Make all of it; what depends on the shelf alone is taken over where it is the same as before."""
        adapt = before.adapt if before else adapt
        known = before.eligibility if before and before.stock.shelf is stock.shelf else None
        eligibility = known or Eligibility(shelf=stock.shelf, rules=config.rules)
        roster = Roster.of(stock.shelf, popularity)
        made_of = (stock, roster, popularity, config, eligibility.filters)
        personal = personal_pipeline(*made_of) if stock.scorer else None
        if personal and adapt:
            personal = adapt(personal)
        return cls(
            stock=stock,
            popularity=popularity,
            roster=roster,
            eligibility=eligibility,
            popular=popular_pipeline(*made_of),
            personal=personal,
            adapt=adapt,
        )


def popular_now(workspace: Workspace, stock: Stock) -> Popularity:
    """Count what is popular in a workspace's log.

    Raises:
        StoreError: It cannot be read.
    """
    config = workspace.config
    return History(workspace.events_dir).collected(
        lambda: count_popularity(
            read_events(workspace.events_dir),
            stock.durations.lazy(),
            now=datetime.now(UTC),
            days=config.feed.popular_days,
            positive=config.events,
            trending_hours=config.feed.trending_hours,
        )
    )
