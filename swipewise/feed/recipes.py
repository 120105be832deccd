"""Which stages make a feed, with the model and without it."""

from __future__ import annotations

from collections.abc import Sequence

from swipewise.config import FeedConfig
from swipewise.feed.controls import HIDDEN, LESS_CREATOR, LESS_TOPIC, SHOWN, AskedLess, BarredFilter
from swipewise.feed.diversify import DiverseSelect
from swipewise.feed.exploration import Exploration
from swipewise.feed.filters import BestDuplicate, CatalogueFilter, SeenDuplicateFilter, SeenFilter
from swipewise.feed.following import FollowedBlend
from swipewise.feed.pipeline import Pipeline
from swipewise.feed.popularity import Popularity
from swipewise.feed.roster import Roster
from swipewise.feed.scoring import ModelScore, PopularScore, WeightedBlend
from swipewise.feed.sources import FollowedSource, FreshSource, InterestSource, PopularSource, TrendingSource
from swipewise.feed.stages import Filter, Source
from swipewise.feed.stock import Stock
from swipewise.schema import FLAG_ACTIONS, WATCH

PREDICTED = (*map(str, FLAG_ACTIONS), WATCH)
"""What the model predicts of a candidate; each has its weight in [feed]."""


def personal_pipeline(
    stock: Stock, roster: Roster, popularity: Popularity, config: FeedConfig, permitted: Sequence[Filter] = ()
) -> Pipeline:
    """Candidates near the viewer's interest, joined by followed, popular and fresh ones, ranked by the model.

    ``permitted`` keep out what may not be shown.

    Args:
        stock: The catalogue and the model.
        roster: The videos by number.
        popularity: What is watched now.
        config: The section ``[feed]``.
        permitted: Who may be shown what.
    """
    assert stock.scorer is not None, "there is no model"
    assert stock.index is not None, "a model comes with its index"
    model = ModelScore(scorer=stock.scorer, shelf=stock.shelf)
    return Pipeline(
        roster=roster,
        sources=[
            InterestSource(index=stock.index, roster=roster, limit=config.retrieve),
            *_sources(roster, config),
        ],
        filters=_filters(roster, permitted),
        score=model,
        blend=_blend(stock, roster, config),
        lower=AskedLess(roster=roster),
        distinct=BestDuplicate(roster=roster),
        select=_select(roster, config),
        explore=_exploration(roster, popularity, config),
        explain=model,
    )


def popular_pipeline(
    stock: Stock, roster: Roster, popularity: Popularity, config: FeedConfig, permitted: Sequence[Filter] = ()
) -> Pipeline:
    """Popular and fresh candidates ranked by just that; both sources are on, as nothing else fills every feed.

    Args:
        stock: The catalogue.
        roster: The videos by number.
        popularity: What is watched now.
        config: The section ``[feed]``.
        permitted: Who may be shown what.
    """
    popular = PopularScore(roster=roster, half_life_days=config.popular_days)
    return Pipeline(
        roster=roster,
        sources=_sources(roster, config, least=1),
        filters=_filters(roster, permitted),
        score=popular,
        blend=_blend(stock, roster, config),
        lower=AskedLess(roster=roster),
        distinct=BestDuplicate(roster=roster),
        select=_select(roster, config),
        explore=_exploration(roster, popularity, config),
        explain=popular,
    )


def _sources(roster: Roster, config: FeedConfig, *, least: int = 0) -> list[Source]:
    """The sources that need no model; those of popular and fresh videos give at least so many."""
    return [
        FollowedSource(roster=roster, limit=config.followed),
        PopularSource(roster=roster, limit=max(least, config.popular)),
        TrendingSource(roster=roster, limit=config.trending),
        FreshSource(roster=roster, limit=max(least, config.fresh)),
    ]


def _filters(roster: Roster, permitted: Sequence[Filter]) -> list[Filter]:
    unwanted = [BarredFilter(reason=reason) for reason in (SHOWN, HIDDEN, LESS_CREATOR, LESS_TOPIC)]
    return [CatalogueFilter(roster=roster), SeenFilter(), SeenDuplicateFilter(), *unwanted, *permitted]


def _exploration(roster: Roster, popularity: Popularity, config: FeedConfig) -> Exploration:
    return Exploration(
        roster=roster,
        popularity=popularity,
        share=config.explore,
        pool=config.explore_pool,
        exposures=config.explore_exposures,
        temperature=config.explore_temperature,
    )


def _select(roster: Roster, config: FeedConfig) -> DiverseSelect:
    return DiverseSelect(
        roster=roster,
        diversity=config.diversity,
        creator_cap=config.creator_cap,
        topic_cap=config.topic_cap,
    )


def _blend(stock: Stock, roster: Roster, config: FeedConfig) -> FollowedBlend:
    weighted = WeightedBlend(
        roster=roster,
        popularity_weight=config.popularity_weight,
        freshness_weight=config.freshness_weight,
        half_life_days=config.popular_days,
        scorer=stock.scorer,
        action_weights={name: getattr(config, f"{name}_weight") for name in PREDICTED},
    )
    return FollowedBlend(rest=weighted, roster=roster, weight=config.followed_weight)
