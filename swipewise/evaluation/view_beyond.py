"""What the page says about recommendations beside being liked, worked out from ``report.json`` alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from swipewise.evaluation.wording import interval, number

Report = Mapping[str, Any]

COLUMNS: Final = {
    "coverage": "coverage",
    "gini": "Gini",
    "novelty": "novelty, bits",
    "popularity": "popularity",
    "content_diversity": "diversity, content",
    "attribute_diversity": "diversity, attributes",
}
"""Figures of ``beyond`` and their headings; those that no recommender has are left out."""

_MEANINGS: Final = {
    "coverage": "share of the candidates that somebody is recommended among the first ten",
    "gini": "how unevenly candidates share the places: 0 all alike, 1 a single video has all",
    "novelty": "-log2 of the share of viewers who had met the video, mean over the list",
    "popularity": "share of the catalogue that is liked less, mean over the list",
    "content_diversity": "1 - cosine between the vectors of two videos of a list; 1 is as different as chance",
    "attribute_diversity": "share of the attributes of two videos of a list, such as tags, that only one has",
}


def columns_of(beyond: Mapping[str, Any]) -> list[str]:
    """The figures that at least one recommender has, in the order of COLUMNS."""
    return [key for key in COLUMNS if any(one[key] is not None for one in beyond["recommenders"].values())]


def beyond_values(report: Report) -> dict[str, Any]:
    """The table of the lists of ten, and what its columns mean."""
    beyond = report["beyond"]
    columns = columns_of(beyond)
    return {
        "columns": [COLUMNS[key] for key in columns],
        "rows": [
            {
                "title": model["title"],
                "kind": model["kind"],
                "cells": [_cell(beyond["recommenders"][model["name"]][key]) for key in columns],
            }
            for model in report["models"]
        ],
        "meanings": [(COLUMNS[key], _MEANINGS[key]) for key in columns],
        "text": _text(beyond),
    }


def _cell(found: Mapping[str, Any] | float | None) -> dict[str, str]:
    if isinstance(found, Mapping):
        return {"value": number(found["value"]), "range": interval(found)}
    return {"value": number(found), "range": ""}


def _text(beyond: Mapping[str, Any]) -> str:
    liked = beyond["liked_popularity"]
    mark = (
        f" What viewers went on to like had a mean popularity of {number(liked['value'])} ({interval(liked)}): a "
        "recommender above that leans on popular videos more than viewers do."
        if liked
        else ""
    )
    return (
        f"The first ten places of every list, out of {beyond['candidates']:,} candidates. Higher is "
        f"neither better nor worse as such: these figures show what a ranking does to a platform.{mark}"
    )
