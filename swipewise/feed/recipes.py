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
from swipewise.feed.scoring import ModelScore, PopularScore, WeightedBlend
from swipewise.feed.sources import FollowedSource, FreshSource, InterestSource, PopularSource, TrendingSource
from swipewise.feed.stages import Filter, Source
from swipewise.feed.stock import Stock
from swipewise.schema import FLAG_ACTIONS, WATCH

PREDICTED = (*map(str, FLAG_ACTIONS), WATCH)
"""What the model predicts of a candidate; each has its weight in [feed]."""


def personal_pipeline(
    stock: Stock, popularity: Popularity, config: FeedConfig, permitted: Sequence[Filter] = ()
) -> Pipeline:
    """Candidates near the viewer's interest, joined by followed, popular and fresh ones, ranked by the model.

    ``permitted`` keep out what may not be shown.
    """
    assert stock.scorer is not None, "there is no model"
    assert stock.index is not None, "a model comes with its index"
    model = ModelScore(scorer=stock.scorer, shelf=stock.shelf)
    return Pipeline(
        sources=[
            InterestSource(index=stock.index, shelf=stock.shelf, limit=config.retrieve),
            *_sources(stock, popularity, config),
        ],
        filters=_filters(stock, permitted),
        score=model,
        blend=_blend(stock, popularity, config),
        lower=AskedLess(shelf=stock.shelf),
        distinct=BestDuplicate(shelf=stock.shelf),
        select=_select(stock, config),
        explore=_exploration(stock, popularity, config),
        explain=model,
    )


def popular_pipeline(
    stock: Stock, popularity: Popularity, config: FeedConfig, permitted: Sequence[Filter] = ()
) -> Pipeline:
    """Popular and fresh candidates ranked by just that; both sources are on, as nothing else fills every feed."""
    popular = PopularScore(popularity=popularity, shelf=stock.shelf, half_life_days=config.popular_days)
    return Pipeline(
        sources=_sources(stock, popularity, config, least=1),
        filters=_filters(stock, permitted),
        score=popular,
        blend=_blend(stock, popularity, config),
        lower=AskedLess(shelf=stock.shelf),
        distinct=BestDuplicate(shelf=stock.shelf),
        select=_select(stock, config),
        explore=_exploration(stock, popularity, config),
        explain=popular,
    )


def _sources(stock: Stock, popularity: Popularity, config: FeedConfig, *, least: int = 0) -> list[Source]:
    """The sources that need no model; those of popular and fresh videos give at least so many."""
    return [
        FollowedSource(shelf=stock.shelf, limit=config.followed),
        PopularSource(popularity=popularity, shelf=stock.shelf, limit=max(least, config.popular)),
        TrendingSource(popularity=popularity, shelf=stock.shelf, limit=config.trending),
        FreshSource(shelf=stock.shelf, limit=max(least, config.fresh)),
    ]


def _filters(stock: Stock, permitted: Sequence[Filter]) -> list[Filter]:
    unwanted = [BarredFilter(reason=reason) for reason in (SHOWN, HIDDEN, LESS_CREATOR, LESS_TOPIC)]
    return [CatalogueFilter(shelf=stock.shelf), SeenFilter(), SeenDuplicateFilter(), *unwanted, *permitted]


def _exploration(stock: Stock, popularity: Popularity, config: FeedConfig) -> Exploration:
    return Exploration(
        shelf=stock.shelf,
        popularity=popularity,
        share=config.explore,
        pool=config.explore_pool,
        exposures=config.explore_exposures,
        temperature=config.explore_temperature,
    )


def _select(stock: Stock, config: FeedConfig) -> DiverseSelect:
    return DiverseSelect(
        shelf=stock.shelf,
        diversity=config.diversity,
        creator_cap=config.creator_cap,
        topic_cap=config.topic_cap,
    )


def _blend(stock: Stock, popularity: Popularity, config: FeedConfig) -> FollowedBlend:
    weighted = WeightedBlend(
        popularity=popularity,
        shelf=stock.shelf,
        popularity_weight=config.popularity_weight,
        freshness_weight=config.freshness_weight,
        half_life_days=config.popular_days,
        scorer=stock.scorer,
        action_weights={name: getattr(config, f"{name}_weight") for name in PREDICTED},
    )
    return FollowedBlend(rest=weighted, shelf=stock.shelf, weight=config.followed_weight)
