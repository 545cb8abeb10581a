"""What an evaluation found, for a person: plots as PNG, and one HTML page that needs no other file."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from train.evaluate import Evaluation
from train.sources.reviews import LABELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { padding: .3rem .8rem; border-bottom: 1px solid #ccc }
th { text-align: left } td { text-align: right; font-variant-numeric: tabular-nums }
figure { margin: 1.5rem 0 } img { max-width: 100%; height: auto } figcaption { color: #555 }
"""


def write(metrics: Evaluation, facts: Mapping[str, str], folder: Path) -> None:
    """Write `report.html` and its plots into `folder`; `facts` stand at the top of the page."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    plots = {
        "confusion": (_confusion, "What the reviews are, and what the model takes them for."),
        "calibration": (
            _calibration,
            "How often an answer is right, by the confidence that it was given with.",
        ),
        "slices": (_slices, "Accuracy in five equal parts of the reviews, from the shortest to the longest."),
    }
    if len(metrics["history"]) > 1:
        plots["history"] = (_history, "Mean cross entropy after each epoch.")
    figures = []
    for name, (draw, caption) in plots.items():
        figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
        draw(axes, metrics)
        path = folder / f"{name}.png"
        figure.savefig(path, dpi=110, metadata={"Software": None})
        pyplot.close(figure)
        data = base64.b64encode(path.read_bytes()).decode()
        figures.append(
            f'<figure><img alt="{escape(caption)}" src="data:image/png;base64,{data}">'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )
    (folder / "report.html").write_text(_page(metrics, facts, figures), encoding="utf-8")


def _page(metrics: Evaluation, facts: Mapping[str, str], figures: Sequence[str]) -> str:
    shown = {key: f"{value:.4f}" for key, value in metrics.items() if isinstance(value, float)}
    title = f"Evaluation of {facts.get('model', 'a model')}"
    slices = [
        (f"{s['from']} to {s['to']} tokens", s["reviews"], f"{s['accuracy']:.4f}") for s in metrics["slices"]
    ]
    return "\n".join(
        (
            "<!doctype html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<style>{STYLE}</style></head><body>",
            f"<h1>{escape(title)}</h1>",
            _table(("", ""), list(facts.items())),
            "<h2>On the test reviews</h2>",
            _table(("Measure", "Value"), list(shown.items())),
            "<h2>By length</h2>",
            _table(("Length", "Reviews", "Accuracy"), slices),
            *figures,
            "</body></html>",
            "",
        )
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head) if any(head) else ""
    lines = []
    for first, *rest in rows:
        cells = "".join(f"<td>{escape(str(cell))}</td>" for cell in rest)
        lines.append(f'<tr><th scope="row">{escape(str(first))}</th>{cells}</tr>')
    start = f"<thead><tr>{top}</tr></thead>" if top else ""
    return f"<table>{start}<tbody>{''.join(lines)}</tbody></table>"


def _confusion(axes: Axes, metrics: Evaluation) -> None:
    matrix = metrics["confusion"]
    axes.imshow(matrix, cmap="Blues", vmin=0)
    half = max(map(max, matrix)) / 2
    for row, line in enumerate(matrix):
        for column, count in enumerate(line):
            color = "white" if count > half else "black"
            axes.text(column, row, f"{count:,}", ha="center", va="center", color=color)
    axes.set(
        xticks=[0, 1],
        xticklabels=LABELS,
        yticks=[0, 1],
        yticklabels=LABELS,
        xlabel="predicted",
        ylabel="true",
    )


def _calibration(axes: Axes, metrics: Evaluation) -> None:
    points = metrics["calibration"]
    axes.plot([0.5, 1], [0.5, 1], color="grey", linestyle="--", label="perfect")
    axes.plot([p["confidence"] for p in points], [p["accuracy"] for p in points], marker="o", label="model")
    axes.set(xlabel="confidence", ylabel="accuracy")
    axes.legend()


def _slices(axes: Axes, metrics: Evaluation) -> None:
    parts = metrics["slices"]
    names = [f"{part['from']} to {part['to']}" for part in parts]
    axes.bar(range(len(parts)), [part["accuracy"] for part in parts])
    axes.set(xticks=range(len(parts)), xticklabels=names, xlabel="tokens", ylabel="accuracy", ylim=(0, 1))


def _history(axes: Axes, metrics: Evaluation) -> None:
    epochs = metrics["history"]
    for key, name in (("train_loss", "train"), ("validation_loss", "validation")):
        points = [(epoch["number"], epoch[key]) for epoch in epochs if epoch[key] is not None]
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", label=name)
    axes.set(xlabel="epoch", ylabel="loss", xticks=[epoch["number"] for epoch in epochs])
    axes.legend()
