"""The numbers of an evaluation, their means, and the files that hold them."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import InputError
from ..io.files import write_file
from .options import EvaluateOptions
from .protocol import Metric, definitions, metrics

Scores = Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class ObjectScores:
    """What was measured on one object.

    Attributes:
        name: of the object.
        category: its class.
        view: the input that surface and pictures were measured from.
        scores: means over views by the names of :func:`unrender.evaluate.protocol.metrics`; those that could
            not be measured are missing.
    """

    name: str
    category: str
    view: int
    scores: Scores


@dataclasses.dataclass(frozen=True)
class Report:
    """What one predictor reached on a data set.

    Attributes:
        name: of the predictor, for tables.
        method: its kind.
        options: the protocol.
        objects: scores of each object.
        skipped: what is wrong with each object that could not be read.
        seconds: time that the evaluation took.
        notes: more about data and predictor, such as ``data`` and ``split``.
    """

    name: str
    method: str
    options: EvaluateOptions
    objects: Sequence[ObjectScores]
    skipped: Sequence[str] = ()
    seconds: float = 0.0
    notes: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def categories(self) -> dict[str, dict[str, float]]:
        """Mean over the objects of each category, in alphabetical order."""
        names = sorted({item.category for item in self.objects})
        return {name: _means(item.scores for item in self.objects if item.category == name) for name in names}

    def mean(self) -> dict[str, float]:
        """Mean over the categories, without weights."""
        return _means(self.categories().values())


def save_json(reports: Sequence[Report], path: str | os.PathLike[str]) -> None:
    """Write reports with their protocols.

    The file holds ``definitions`` (what the metrics mean) and ``predictors``, a list of ``name``, ``method``,
    ``protocol`` (the options and notes), ``mean``, ``categories``, ``objects``, ``skipped`` and ``seconds``.

    Args:
        reports: at least one, measured with the same options.
        path: the file.

    Raises:
        InputError: there is no report, or their options differ.
    """
    options = _shared_options(reports)
    entries = {
        "definitions": definitions(options),
        "predictors": [
            {
                "name": report.name,
                "method": report.method,
                "protocol": {**report.notes, **dataclasses.asdict(report.options)},
                "mean": report.mean(),
                "categories": {
                    category: {"objects": _count(report, category), **means}
                    for category, means in report.categories().items()
                },
                "objects": [dataclasses.asdict(item) for item in report.objects],
                "skipped": list(report.skipped),
                "seconds": report.seconds,
            }
            for report in reports
        ],
    }
    write_file(path, (json.dumps(entries, indent=1, allow_nan=False) + "\n").encode())


def markdown(reports: Sequence[Report]) -> str:
    """A table of means with a row a predictor, a table of categories for each, and the protocol.

    Raises:
        InputError: there is no report, or their options differ.
    """
    options = _shared_options(reports)
    means = {report.name: report.mean() for report in reports}
    columns = _columns(means.values(), options)
    lines = ["## Mean over categories", ""]
    lines += _table("Predictor", [(name, scores) for name, scores in means.items()], columns)
    for report in reports:
        lines += ["", f"## {report.name}", ""]
        rows = [(f"{name} ({_count(report, name)})", s) for name, s in report.categories().items()]
        own = _columns([report.mean()], options)
        lines += _table("Category (objects)", [*rows, ("mean", report.mean())], own)
        if report.skipped:
            lines += ["", f"{len(report.skipped)} objects could not be read:", ""]
            lines += [f"- {reason}" for reason in report.skipped]
    lines += ["", "## Protocol", ""]
    for report in reports:
        notes = "; ".join(f"{key}: {value}" for key, value in report.notes.items())
        lines.append(f"- {report.name} ({report.method}): {notes or 'no notes'}; {report.seconds:.0f} s")
    lines.append("- options: " + ", ".join(f"{k} {v}" for k, v in dataclasses.asdict(options).items()))
    lines += [f"- {term}: {meaning}" for term, meaning in definitions(options).items()]
    return "\n".join(lines) + "\n"


def _columns(rows: Iterable[Scores], options: EvaluateOptions) -> dict[str, Metric]:
    """The metrics that at least one row has."""
    present = {name for row in rows for name in row}
    return {name: metric for name, metric in metrics(options).items() if name in present}


def _table(first: str, rows: Iterable[tuple[str, Scores]], columns: Mapping[str, Metric]) -> list[str]:
    arrows = {"higher": "↑", "lower": "↓"}
    heads = [first, *(f"{metric.label} {arrows[metric.better]}" for metric in columns.values())]
    lines = [" | ".join(heads), " | ".join(["---", *["---:"] * len(columns)])]
    for name, scores in rows:
        cells = [f"{scores[k]:.{m.digits}f}" if k in scores else "-" for k, m in columns.items()]
        lines.append(" | ".join([name, *cells]))
    return [f"| {line} |" for line in lines]


def _means(rows: Iterable[Scores]) -> dict[str, float]:
    """Mean of each metric over the rows that have it."""
    values: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            values.setdefault(name, []).append(value)
    return {name: sum(found) / len(found) for name, found in values.items()}


def _count(report: Report, category: str) -> int:
    return sum(item.category == category for item in report.objects)


def _shared_options(reports: Sequence[Report]) -> EvaluateOptions:
    options: list[Any] = [report.options for report in reports]
    if not options:
        raise InputError("give at least one report, got none")
    if any(other != options[0] for other in options):
        raise InputError("reports of one table must be measured with the same options")
    return options[0]
