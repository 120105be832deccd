"""Plots of the report as inline SVG that takes its colours from the page, so that light and dark both fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np

# Where it draws: matplotlib is slow to import, and a server reads reports without drawing any.
if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

# What a plot draws in a colour on the left, the page shows in its own variable on the right.
_THEME: Final = {
    "#1d2026": "ink",
    "#5f6672": "muted",
    "#dddcd6": "line",
    "#0b7a6f": "model",
    "#c07a12": "oracle",
    "#8d94a1": "baseline",
    "#2f6fd0": "visual",
    "#c4592b": "text",
    "#8150c9": "audio",
    "#4a8b3c": "attributes",
    "#747b88": "id",
}
_COLOUR: Final = {name: colour for colour, name in _THEME.items()}

_XMLNS: Final = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'

_STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",  # letters stay text: the page's font, selectable, small
    "font.family": "sans-serif",
    "font.size": 10.0,
    "text.color": _COLOUR["muted"],
    "axes.edgecolor": _COLOUR["line"],
    "axes.labelcolor": _COLOUR["muted"],
    "axes.titlecolor": _COLOUR["ink"],
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _COLOUR["line"],
    "grid.linewidth": 0.6,
    "xtick.color": _COLOUR["line"],
    "ytick.color": _COLOUR["line"],
    "xtick.labelcolor": _COLOUR["muted"],
    "ytick.labelcolor": _COLOUR["muted"],
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
}


def learning_plot(epochs: Sequence[Mapping[str, float]]) -> str:
    """Training loss above, validation NDCG@10 below with its best epoch marked."""

    def draw(loss: Axes, ndcg: Axes) -> None:
        x = [epoch["epoch"] for epoch in epochs]
        loss.plot(x, [epoch["loss"] for epoch in epochs], color=_COLOUR["muted"])
        loss.set_title("Training loss")
        values = [epoch["ndcg"] for epoch in epochs]
        best = int(np.argmax(values))
        ndcg.plot(x, values, color=_COLOUR["model"])
        ndcg.plot(x[best], values[best], "o", color=_COLOUR["model"], markersize=6)
        ndcg.annotate(
            f"best: {values[best]:.3f}",
            (x[best], values[best]),
            xytext=(0, 8),
            textcoords="offset points",
            ha="center",
            color=_COLOUR["ink"],
        )
        ndcg.set_title("NDCG@10 on the validation period")
        ndcg.set_xlabel("epoch")
        for axes in (loss, ndcg):
            axes.grid(axis="x", visible=False)
            axes.margins(x=0.04, y=0.22)
            _ticks(axes.xaxis, integer=True)
            _ticks(axes.yaxis, nbins=4)

    return _svg("learning", "Training loss and validation NDCG@10 by epoch", draw, rows=2, size=(5.2, 3.9))


Series = Sequence[tuple[str, str, Sequence[Mapping[str, Any]]]]
"""For each recommender its title, its kind, and its points."""

_MARKERS: Final = "osD^vP*Xhd<>"


def _look(kind: str, place: int) -> dict[str, Any]:
    """The model and the oracle by colour, baselines by marker."""
    return {
        "color": _COLOUR.get(kind, _COLOUR["baseline"]),
        "marker": _MARKERS[place % len(_MARKERS)],
        "markersize": 5.5 if kind == "model" else 4.0,
        "linewidth": 1.8 if kind == "model" else 0.9,
        "zorder": 3 if kind == "model" else 2,
    }


def _ticks(axis: Axis, **settings: int) -> None:
    """Few ticks at round numbers."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(**settings))


def _legend(axes: Axes) -> None:
    """Everything drawn on the figure of ``axes``, each title once, below it."""
    from matplotlib.figure import Figure

    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    drawn = [one.get_legend_handles_labels() for one in figure.axes]
    handles = {label: handle for pair in drawn for handle, label in zip(*pair, strict=True)}
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        ncols=4,
        frameon=False,
        fontsize=9,
        labelcolor=_COLOUR["muted"],
    )


def activity_plot(labels: Sequence[str], series: Series) -> str:
    """NDCG@10 of every recommender by activity of viewers, with intervals; points are estimates."""

    def draw(axes: Axes) -> None:
        x = np.arange(len(labels))
        shift = np.linspace(-0.22, 0.22, len(series)) if len(series) > 1 else np.zeros(1)
        for place, (title, kind, points) in enumerate(series):
            value = np.array([point["value"] for point in points])
            low = np.array([point["value"] if point["low"] is None else point["low"] for point in points])
            high = np.array([point["value"] if point["high"] is None else point["high"] for point in points])
            axes.errorbar(
                x + shift[place],
                value,
                yerr=[np.maximum(value - low, 0), np.maximum(high - value, 0)],
                elinewidth=1.0,
                capsize=2,
                label=title,
                **_look(kind, place),
            )
        axes.set_xticks(x, labels)
        axes.grid(axis="x", visible=False)
        axes.set_ylim(bottom=0)
        _ticks(axes.yaxis, nbins=5)
        axes.set_title("NDCG@10 by activity of the viewer")
        _legend(axes)

    return _svg("activity", "NDCG@10 by activity of the viewer", draw, size=(5.2, 3.3))


def reliability_plot(actions: Mapping[str, Series]) -> str:
    """Observed against predicted share of each action, in bins of equally many exposures; one square an action."""
    columns = min(len(actions), 3)
    rows = -(-len(actions) // columns)
    titles = list(dict.fromkeys(title for series in actions.values() for title, *_ in series))

    def draw(*squares: Axes) -> None:
        for axes, (action, series) in zip(squares, actions.items(), strict=False):
            top = 1.05 * max(max(one["predicted"], one["observed"]) for *_, bins in series for one in bins)
            axes.plot([0, top], [0, top], color=_COLOUR["line"], linewidth=1.0, linestyle=(0, (4, 3)))
            for title, kind, bins in series:
                axes.plot(
                    [one["predicted"] for one in bins],
                    [one["observed"] for one in bins],
                    label=title,
                    **_look(kind, titles.index(title)) | {"markersize": 3.5},
                )
            axes.set(xlim=(0, top), ylim=(0, top), aspect="equal")
            axes.set_title(action)
            for axis in (axes.xaxis, axes.yaxis):
                _ticks(axis, nbins=3)
        for axes in squares[len(actions) :]:
            axes.set_visible(False)
        squares[0].set_ylabel("observed")
        squares[columns * (rows - 1)].set_xlabel("predicted")
        _legend(squares[0])

    return _svg(
        "reliability",
        "Observed against predicted share of each action",
        draw,
        rows=rows,
        columns=columns,
        size=(1.9 * columns + 0.4, 2.1 * rows + 0.5),
    )


def weights_plot(modalities: Mapping[str, Mapping[str, Any]]) -> str:
    """How the weight of each modality is distributed over viewers: one histogram a row, the mean as a tick."""

    def draw(*rows: Axes) -> None:
        peak = max(max(spread["histogram"]) for spread in modalities.values())
        for axes, (name, spread) in zip(rows, modalities.items(), strict=True):
            counts = spread["histogram"]
            edges = np.linspace(0, 1, len(counts) + 1)
            colour = _COLOUR.get(name, _COLOUR["muted"])
            axes.stairs(counts, edges, fill=True, color=colour, alpha=0.35)
            axes.stairs(counts, edges, color=colour, linewidth=1.2)
            axes.plot([spread["mean"]] * 2, [0, peak], color=_COLOUR["ink"], linewidth=1.2)
            axes.set(xlim=(0, 1), ylim=(0, 1.05 * peak), yticks=[])
            axes.set_ylabel(name, rotation=0, ha="right", va="center", color=_COLOUR["ink"])
            axes.spines["left"].set_visible(False)
            axes.tick_params(labelbottom=axes is rows[-1], length=0)
        rows[-1].set_xlabel("weight of the modality for a viewer (line: mean)")

    height = 0.62 * len(modalities) + 0.5
    return _svg(
        "weights", "Distribution of modality weights over viewers", draw, rows=len(modalities), size=(5.2, height)
    )


def agreement_plot(deciles: Mapping[str, Sequence[Mapping[str, float]]], spearman: Mapping[str, float]) -> str:
    """Learned against planted weight, viewers in ten groups: mean and middle half."""

    def draw(*columns: Axes) -> None:
        top = max(group[key] for groups in deciles.values() for group in groups for key in ("planted", "high"))
        for axes, (name, groups) in zip(columns, deciles.items(), strict=True):
            planted = [group["planted"] for group in groups]
            colour = _COLOUR.get(name, _COLOUR["muted"])
            axes.plot([0, 1], [0, 1], color=_COLOUR["line"], linewidth=1.0, linestyle=(0, (4, 3)))
            axes.vlines(
                planted, [g["low"] for g in groups], [g["high"] for g in groups], color=colour, alpha=0.4, lw=3
            )
            axes.plot(planted, [group["learned"] for group in groups], "o", color=colour, markersize=4.5)
            axes.set(xlim=(0, top), ylim=(0, top))
            axes.set_title(f"{name}  {spearman[name]:.2f}")
            axes.tick_params(labelleft=axes is columns[0])
            for axis in (axes.xaxis, axes.yaxis):
                _ticks(axis, nbins=3)
        columns[0].set_ylabel("learned")
        columns[len(columns) // 2].set_xlabel("planted weight")

    return _svg(
        "agreement",
        "Learned against planted modality weights",
        draw,
        columns=len(deciles),
        size=(5.2, 2.3),
    )


def _svg(
    key: str,
    label: str,
    draw: Callable[..., None],
    *,
    rows: int = 1,
    columns: int = 1,
    size: tuple[float, float],
) -> str:
    """Draw on fresh axes and return an ``<svg>`` element whose ids start with ``key``."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE | {"svg.hashsalt": key}):
        figure = Figure(figsize=size, layout="constrained")
        figure.patch.set_alpha(0)
        draw(*figure.subplots(rows, columns, squeeze=False).flat)
        out = StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    return _inline(out.getvalue(), key, label)


def _inline(svg: str, key: str, label: str) -> str:
    """Keep the element alone; scope what would leak into the page: style rules, ids, size, colours and fonts."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{key}-", svg)
    svg = re.sub(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', rf'<svg role="img" aria-label="{label}" \1 {_XMLNS}>', svg)
    svg = re.sub(r"font-family: [^;\"]*;", "", svg)
    for colour, name in _THEME.items():
        svg = svg.replace(colour, f"var(--{name})")
    return svg
