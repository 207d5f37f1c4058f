"""The table of single-image reconstruction: every method of the papers, trained and measured on one data set.

    python benchmarks/learning.py [--methods dibr nmr] [--no-evaluate] [--help]

Renders the meshes, trains each method with the same budget, measures all on the split ``val``. A run that was
stopped goes on where it was (scores are kept in ``scores`` of the work folder: remove them after a change).
Rows that are not among the methods stay as they are in the file of results, if their budget is the same.
``docs/learning.md`` says what is measured and shows the result.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import tyro

from unrender.errors import InputError
from unrender.evaluate import EvaluateOptions, evaluate, training_means
from unrender.evaluate.protocol import definitions
from unrender.io.files import write_file
from unrender.learn.data import CaptureOptions
from unrender.learn.data.dataset import open_dataset
from unrender.learn.data.packed_views import PackedViews
from unrender.learn.data.rendering import render_dataset
from unrender.learn.data.sources import find_meshes
from unrender.learn.methods.retrieval import MeanShape, Retrieval
from unrender.learn.predictor import Predictor
from unrender.learn.registry import load_predictor
from unrender.learn.training import TrainOptions, recipe_options, train
from unrender.learn.training.recipes import quick_config
from unrender.progress import Progress

SHARES = {"voxel": 0.3}  # of the steps, since one of them takes two to three times as long as DIB-R's
HOME = Path(__file__).resolve().parents[2] / "shared" / "data" / "home"
# rows of the table: the method, and what differs from its configuration's defaults
TRAINED: dict[str, tuple[str, dict[str, Any]]] = {
    "voxel": ("voxel", {}),
    "nmr": ("nmr", {"flatten_weight": 0.0}),  # as the released code trains one network for all classes
    "softras-silhouette": ("softras", {}),
    "softras": ("softras", {"color_weight": 1.0}),
    "dibr": ("dibr", {"texture_flow": False}),  # as published
    "dibr-flow": ("dibr", {"texture_channels": 16}),
    "dvr": ("dvr", {"level": 0.5}),
    "dvr-depth": ("dvr", {"level": 0.5, "depth_weight": 10.0}),  # RGB-D
    "dvr-resnet18": ("dvr", {"level": 0.5, "encoder": "resnet18"}),  # the published encoder
}
PROTOCOL = EvaluateOptions(points=20_000)
BUILT = ("mean-shape", "retrieval")  # there is nothing to train
LINE_EVERY = 30.0  # seconds


@dataclasses.dataclass
class Settings:
    """What is trained, for how long, and where it goes."""

    meshes: Path = HOME
    """with a manifest.json that says train and val"""
    work: Path = Path("out/learning")
    """pictures, checkpoints, predictors"""
    methods: tuple[str, ...] = tuple(TRAINED)
    """rows to train now, and to measure; with dibr also what is built, since retrieval looks through its
    encoder"""
    seeds: tuple[int, ...] = (0,)
    """a training for each"""
    steps: int = 1000
    batch_size: int = 16
    train: bool = True
    """train; else measure what was trained before, with those of the seeds that were"""
    evaluate: bool = True
    """measure in the end"""
    threads: int = 0
    """of PyTorch; all cores when 0"""
    device: str = "cpu"
    out: Path = Path(__file__).parent / "results" / "learning-cpu.json"


def main(settings: Settings) -> None:
    """Render, train, measure, write."""
    if settings.threads:
        torch.set_num_threads(settings.threads)
    if settings.evaluate:
        kept_rows(settings)  # refuses now what could not be written in the end
    data = settings.work / "pictures"
    report = render_dataset(
        find_meshes([settings.meshes]), data, CaptureOptions(), workers=os.cpu_count() or 1, progress=None
    )
    say(f"pictures: {report.rendered} objects rendered, {report.kept} kept, {len(report.skipped)} left out")
    if settings.train:
        for seed in settings.seeds:
            for row in settings.methods:
                train_row(settings, row, seed, data)
    if settings.evaluate:
        measure(settings, data)


def train_row(settings: Settings, row: str, seed: int, data: Path) -> None:
    """Train, or go on training."""
    options = options_of(settings, row, seed, data)
    result = train(options, resume=(options.out / "last.pt").is_file(), progress=lines(f"{row}-{seed}"))
    say(f"{row}-{seed}: {result.scores}, {result.step_seconds:.2f} s a step, {result.shares}")


def options_of(settings: Settings, row: str, seed: int, data: Path) -> TrainOptions:
    """How a row is trained."""
    method, changes = TRAINED[row]
    return recipe_options(
        "quick",
        method,
        [data],
        settings.work / f"{row}-{seed}",
        steps=round(settings.steps * SHARES.get(row, 1.0)),
        batch_size=settings.batch_size,
        config=quick_config(method, **changes),
        seed=seed,
        device=settings.device,
        validate_every=0,  # the last predictor counts: nothing is chosen by what is measured later
    )


def lines(name: str) -> Callable[[Progress], None]:
    """Progress as a line now and then."""
    last = time.monotonic()

    def show(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last > LINE_EVERY:
            last = time.monotonic()
            say(f"{name}: {progress.done:.1%}, loss {progress.loss or math.nan:.3f}, {progress.stage}")

    return show


def measure(settings: Settings, data: Path) -> None:
    """Measure the rows of the methods and write the results."""
    training = PackedViews.load(open_dataset(data, "train"))
    averages = training_means([training])
    validation = open_dataset(data, "val")
    entries, views = kept_rows(settings)
    for row in [*(BUILT if "dibr" in settings.methods else ()), *settings.methods]:
        scores = []
        for seed in trained_seeds(settings, row):
            file = settings.work / "scores" / f"{row}-{seed}.json"
            if not file.is_file():
                predictor = predictor_of(settings, row, seed, training)
                report = evaluate(predictor, validation, PROTOCOL, means=averages)
                found = {"method": report.method, "mean": report.mean(), "categories": report.categories()}
                write_file(file, json.dumps(found).encode())
                say(f"{row}-{seed}: {found['mean']}")
            scores.append(json.loads(file.read_text()))
        entries[row] = entry(row, scores)
        if row in TRAINED:
            views[row] = options_of(settings, row, 0, data).views
    results = {
        "machine": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "objects": {"train": len(training), "val": len(validation), "left_out": training.skipped},
        "views": views,
        **same_for_all(settings),
        "definitions": definitions(PROTOCOL),
        "rows": [entries[row] for row in (*BUILT, *TRAINED) if row in entries],
    }
    write_file(settings.out, (json.dumps(results, indent=1) + "\n").encode())


def same_for_all(settings: Settings) -> dict[str, Any]:
    """What rows of one table share."""
    budget = {"steps": settings.steps, "shares": SHARES, "batch_size": settings.batch_size}
    shared = {"device": settings.device, "budget": budget, "protocol": dataclasses.asdict(PROTOCOL)}
    return json.loads(json.dumps(shared))  # as it comes back from a file


def kept_rows(settings: Settings) -> tuple[dict[str, Any], dict[str, int]]:
    """The rows that the file of results holds by now, and with how many views each was trained, by name.

    Raises:
        InputError: they were trained or measured otherwise.
    """
    if not settings.out.is_file():
        return {}, {}
    results = json.loads(settings.out.read_text())
    for key, value in same_for_all(settings).items():
        if results[key] != value:
            raise InputError(
                f"{settings.out} has rows of {key} {results[key]}, not {value}: give another --out"
            )
    return {row["name"]: row for row in results["rows"]}, results["views"]


def trained_seeds(settings: Settings, row: str) -> tuple[int, ...]:
    """The seeds that a row was trained with."""
    if row == "mean-shape":
        return settings.seeds[:1]  # the same for all seeds
    found = tuple(s for s in settings.seeds if weights_of(settings, row, s).is_file())
    if not found:
        raise InputError(f"{row} was trained with none of the seeds {settings.seeds}")
    return found


def weights_of(settings: Settings, row: str, seed: int) -> Path:
    """The file of the network that a row uses: retrieval looks through the eyes of DIB-R."""
    name = "dibr" if row == "retrieval" else row
    return settings.work / f"{name}-{seed}" / "predictor.safetensors"


def predictor_of(settings: Settings, row: str, seed: int, training: PackedViews) -> Predictor:
    """The predictor of a row."""
    if row == "mean-shape":
        return MeanShape.build(training)
    trained = load_predictor(weights_of(settings, row, seed), device=settings.device)
    return Retrieval.build(trained, training) if row == "retrieval" else trained


def entry(row: str, scores: list[dict[str, Any]]) -> dict[str, Any]:
    """What the results hold about a row: means over its seeds, and their spread."""
    means = [found["mean"] for found in scores]
    categories = [found["categories"] for found in scores]
    return {
        "name": row,
        "method": scores[0]["method"],
        "mean": {key: statistics.mean(m[key] for m in means) for key in means[0]},
        "iou_by_seed": [m["iou"] for m in means],
        "iou_by_category": {
            name: statistics.mean(c[name]["iou"] for c in categories) for name in categories[0]
        },
    }


def say(text: str) -> None:
    """A line on standard error."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')}  {text}\n")


if __name__ == "__main__":
    main(tyro.cli(Settings))
