"""Which stages make a feed, with the model and without it."""

from __future__ import annotations

from swipewise.config import FeedConfig
from swipewise.feed.controls import HIDDEN, LESS_CREATOR, LESS_TOPIC, AskedLess, BarredFilter
from swipewise.feed.diversify import DiverseSelect
from swipewise.feed.filters import BestDuplicate, CatalogueFilter, SeenDuplicateFilter, SeenFilter
from swipewise.feed.pipeline import Pipeline
from swipewise.feed.popularity import Popularity
from swipewise.feed.scoring import ModelScore, PopularScore, WeightedBlend
from swipewise.feed.sources import FreshSource, InterestSource, PopularSource
from swipewise.feed.stages import Filter
from swipewise.feed.stock import Stock
from swipewise.schema import FLAG_ACTIONS, WATCH

PREDICTED = (*map(str, FLAG_ACTIONS), WATCH)
"""What the model predicts of a candidate; each has its weight in [feed]."""


def personal_pipeline(stock: Stock, popularity: Popularity, config: FeedConfig) -> Pipeline:
    """Candidates near the viewer's interest, joined by popular and fresh ones, ranked by the model."""
    assert stock.scorer is not None, "there is no model"
    assert stock.index is not None, "a model comes with its index"
    model = ModelScore(scorer=stock.scorer, shelf=stock.shelf)
    return Pipeline(
        sources=[
            InterestSource(index=stock.index, shelf=stock.shelf, limit=config.retrieve),
            PopularSource(popularity=popularity, limit=config.popular),
            FreshSource(shelf=stock.shelf, limit=config.fresh),
        ],
        filters=_filters(stock),
        score=model,
        blend=_blend(stock, popularity, config),
        lower=AskedLess(shelf=stock.shelf),
        distinct=BestDuplicate(shelf=stock.shelf),
        select=_select(stock, config),
        explain=model,
    )


def popular_pipeline(stock: Stock, popularity: Popularity, config: FeedConfig) -> Pipeline:
    """Popular and fresh candidates ranked by just that; both sources are on, as nothing else fills this feed."""
    popular = PopularScore(popularity=popularity, shelf=stock.shelf, half_life_days=config.popular_days)
    return Pipeline(
        sources=[
            PopularSource(popularity=popularity, limit=max(1, config.popular)),
            FreshSource(shelf=stock.shelf, limit=max(1, config.fresh)),
        ],
        filters=_filters(stock),
        score=popular,
        blend=_blend(stock, popularity, config),
        lower=AskedLess(shelf=stock.shelf),
        distinct=BestDuplicate(shelf=stock.shelf),
        select=_select(stock, config),
        explain=popular,
    )


def _filters(stock: Stock) -> list[Filter]:
    unwanted = [BarredFilter(reason=reason) for reason in (HIDDEN, LESS_CREATOR, LESS_TOPIC)]
    return [CatalogueFilter(shelf=stock.shelf), SeenFilter(), SeenDuplicateFilter(), *unwanted]


def _select(stock: Stock, config: FeedConfig) -> DiverseSelect:
    return DiverseSelect(
        shelf=stock.shelf,
        diversity=config.diversity,
        creator_cap=config.creator_cap,
        topic_cap=config.topic_cap,
    )


def _blend(stock: Stock, popularity: Popularity, config: FeedConfig) -> WeightedBlend:
    return WeightedBlend(
        popularity=popularity,
        shelf=stock.shelf,
        popularity_weight=config.popularity_weight,
        freshness_weight=config.freshness_weight,
        half_life_days=config.popular_days,
        scorer=stock.scorer,
        action_weights={name: getattr(config, f"{name}_weight") for name in PREDICTED},
    )
