"""What the page says about predicting actions, worked out from ``report.json`` alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swipewise.evaluation.plots import reliability_plot
from swipewise.evaluation.wording import interval, number, signed

Report = Mapping[str, Any]


def actions_values(report: Report) -> dict[str, Any] | None:
    """Plot, table and comparisons; None where nobody predicts an action that happened often enough."""
    found = report["actions"]
    if found is None or not found["actions"]:
        return None
    models = {model["name"]: model for model in report["models"]}
    return {
        "text": f"Each of the {found['exposures']:,} exposures of the test period, to {found['viewers']:,} viewers, "
        "was judged from what came before it, and held against what the viewer did.",
        "skipped": _skipped(found["skipped"]),
        "plot": reliability_plot(
            {action["action"]: _bins(action, models) for action in found["actions"]},
        ),
        "actions": [_action(action, models) for action in found["actions"]],
        "comparisons": [
            _compared(action["action"], one, models) for action in found["actions"] for one in action["against"]
        ],
    }


def _bins(action: Mapping[str, Any], models: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    return [
        (models[name]["title"], models[name]["kind"], score["reliability"])
        for name, score in action["scores"].items()
    ]


def _skipped(skipped: Mapping[str, int]) -> str:
    if not skipped:
        return ""
    rare = ", ".join(f"{action} ({count:,})" for action, count in skipped.items())
    return f"Happened too seldom, or nearly always, and so were not measured: {rare}."


def _action(action: Mapping[str, Any], models: Mapping[str, Any]) -> dict[str, Any]:
    rows = []
    for name, score in action["scores"].items():
        cells = [
            {"value": number(figure["value"]), "range": interval(figure)} if figure else _NOTHING
            for figure in (score["auc"], score["gauc"], score["viewer_auc"], score["f1"], score["log_loss"])
        ]
        cells[3] = cells[3] | {"range": _threshold(score)}
        cells.append({"value": number(score["calibration_error"]), "range": ""})
        rows.append({"title": models[name]["title"], "kind": models[name]["kind"], "cells": cells})
    return {
        "title": action["action"].capitalize(),
        "count": f"{action['positives']:,} times; {action['mixed_viewers']:,} viewers sometimes did it and sometimes "
        f"not; knowing only the rate has log loss {number(action['base_log_loss'])}",
        "rows": rows,
    }


_NOTHING = {"value": "–", "range": ""}


def _threshold(score: Mapping[str, Any]) -> str:
    if score["threshold"] is None:
        return "no threshold"
    return f"{interval(score['f1'])}, from {number(score['threshold'])} on" if score["f1"] else ""


def _compared(action: str, one: Mapping[str, Any], models: Mapping[str, Any]) -> dict[str, str]:
    gauc = one["gauc"]
    return {
        "action": action.capitalize(),
        "title": models[one["other"]]["title"],
        "auc": signed(one["auc"]["value"]),
        "auc_range": interval(one["auc"]),
        "gauc": signed(gauc["value"]) if gauc else "–",
        "gauc_range": interval(gauc) if gauc else "–",
    }
