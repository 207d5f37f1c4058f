"""How the predictors in the package were made: pictures, training, numbers, file.

    python benchmarks/default_predictor.py [--method dvr] [--help]

DIB-R's network first imitates a fit of each object, then learns through the renderer; DVR's starts with the
eyes of DIB-R's, learns the visual hulls of the objects and the colours on them, then casts rays. All of it
comes from pictures, and for DIB-R from the lights that they were drawn under, without a 3D shape. A run that
was stopped goes on where it was. The last part writes the weights in half precision, with the model card, to
src/unrender/predict/weights, and the numbers on the validation split to benchmarks/results.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any, Literal

import torch
import tyro

from unrender.evaluate import EvaluateOptions, evaluate, training_means
from unrender.evaluate.protocol import definitions
from unrender.io.files import write_file
from unrender.learn.data import CaptureOptions
from unrender.learn.data.augment import AugmentOptions
from unrender.learn.data.dataset import open_dataset
from unrender.learn.data.packed_views import PackedViews
from unrender.learn.data.rendering import render_dataset
from unrender.learn.data.sources import find_meshes
from unrender.learn.methods.retrieval import MeanShape
from unrender.learn.object_fits import ObjectFitOptions, ObjectFits, fit_objects
from unrender.learn.registry import load_predictor, save_predictor
from unrender.learn.training import recipe_options, train
from unrender.learn.training.recipes import quick_config
from unrender.predict.job import WEIGHTS
from unrender.progress import Progress

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT.parent / "shared" / "data" / "home"
GENERATED = "procedural:1500:1"
CAMERAS = CaptureOptions(cameras="random", size=96, views=12)
TEACHER_SHARE = 0.9  # of the steps, that imitate fits
HULL_SHARE = 0.9  # of the steps, that learn hulls
FITTED_AT_ONCE = 48  # objects between two files of fits
LINE_EVERY = 30.0  # seconds


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a method is trained, and what its card says of that."""

    config: Any
    steps: int
    batch_size: int
    learning_rate: float
    views: int
    start: Path | None
    """a predictor whose encoder and camera head are the first ones"""
    fits: bool
    """imitate fits of the objects first"""
    training: str
    fails: str


RECIPES = {
    "dibr": Recipe(
        config=quick_config(
            "dibr",
            camera=True,
            crop=True,
            camera_weight=0.5,
            symmetry_weight=0.1,
            texture_channels=16,
            light_encoder=True,
            light_weight=3.0,  # how bright light and colours are, one picture does not tell
        ),
        steps=9000,
        batch_size=16,
        learning_rate=5e-4,
        views=2,
        start=None,
        fits=True,
        training="from pictures and the light recorded for them; "
        f"{TEACHER_SHARE:.0%} of the steps imitate fits of the training objects to their pictures",
        fails="holes and thin parts (shapes are deformed spheres), the side that is not seen, strong shadows "
        "and highlights",
    ),
    "dvr": Recipe(
        config=quick_config(
            "dvr",
            camera=True,
            crop=True,
            features=512,
            hull_share=HULL_SHARE,
            points=192,
            rays=64,
            color_weight=2.0,
        ),
        steps=5000,
        batch_size=32,
        learning_rate=7e-4,
        views=6,
        start=WEIGHTS["dibr"],
        fits=False,
        training="from pictures, starting with the encoder and the camera head of the predictor of DIB-R; "
        f"{HULL_SHARE:.0%} of the steps learn the visual hull of these pictures and "
        "the colours on it, the others cast rays",
        fails="thin parts, what the picture leaves open (shapes are blurred there), light (it stays in the "
        "colours)",
    ),
}


@dataclasses.dataclass
class Settings:
    """What to train, for how long, and where things go."""

    method: Literal["dibr", "dvr"] = "dibr"
    meshes: Path = HOME
    """real objects, with a manifest.json that says train and val"""
    work: Path = Path("out/default_predictor")
    steps: int | None = None
    """as in the recipe when None"""
    seed: int = 0
    threads: int = 0
    """of PyTorch; all cores when 0"""
    device: str = "cpu"
    pack: bool = True
    """measure, and write the file of the package"""
    out: Path | None = None
    """numbers; a file of the method in benchmarks/results when None"""


def main(settings: Settings) -> None:
    """Render, fit, train, measure, pack."""
    if settings.threads:
        torch.set_num_threads(settings.threads)
    recipe, folders, fits = RECIPES[settings.method], [], []
    for name, place, seed in (("home", str(settings.meshes), 5), ("made", GENERATED, 6)):
        folders.append(settings.work / name)
        options = dataclasses.replace(CAMERAS, seed=seed)
        render_dataset(find_meshes([place]), folders[-1], options, workers=os.cpu_count() or 1)
        if recipe.fits:
            fits.append(settings.work / f"{name}-fits.safetensors")
            if not fits[-1].is_file():
                fit_training_objects(folders[-1], fits[-1], recipe.config.size)
    steps = recipe.steps if settings.steps is None else settings.steps
    options = recipe_options(
        "quick",
        settings.method,
        folders,
        settings.work / f"training-{settings.method}",
        config=recipe.config,
        steps=steps,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        views=recipe.views,
        start=recipe.start,
        augment=AugmentOptions(flip=True, color=0.3, scale=0.1),
        teacher=tuple(fits),
        teacher_share=TEACHER_SHARE,
        validate_every=0,  # the last predictor counts: nothing is chosen by what is measured later
        seed=settings.seed,
        device=settings.device,
    )
    last = time.monotonic()

    def show(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last > LINE_EVERY:
            last = time.monotonic()
            say(f"{progress.done:.1%}, loss {progress.loss or math.nan:.3f}")

    result = train(options, resume=(options.out / "last.pt").is_file(), progress=show)
    say(f"trained in {result.seconds / 60:.0f} minutes, {result.step_seconds:.2f} s a step")
    if settings.pack:
        pack(settings, steps, folders[0], result.predictor)


def fit_training_objects(folder: Path, out: Path, size: int) -> None:
    """Fits of all objects of the training split, in files of some objects each until all are done."""
    views = PackedViews.load(open_dataset(folder, "train"), crop=size)
    parts = []
    for start in range(0, len(views), FITTED_AT_ONCE):
        parts.append(out.with_name(f"{out.stem}-{start:05d}.safetensors"))
        if not parts[-1].is_file():
            rows = range(start, min(start + FITTED_AT_ONCE, len(views)))
            fit_objects(views[list(rows)], ObjectFitOptions(recorded_light=True)).save(parts[-1])
            say(f"{out.stem}: {rows.stop} of {len(views)} objects fitted")
    ObjectFits.join([ObjectFits.load(part) for part in parts]).save(out)


def pack(settings: Settings, steps: int, folder: Path, file: Path) -> None:
    """Measure the predictor on the real objects of split val, and write it with its card."""
    recipe, weights = RECIPES[settings.method], WEIGHTS[settings.method]
    training = PackedViews.load(open_dataset(folder, "train"))
    validation = open_dataset(folder, "val")
    averages, options = training_means([training]), EvaluateOptions(points=20_000)
    # in half precision, as it is shipped
    half = settings.work / f"half-{settings.method}.safetensors"
    save_predictor(load_predictor(file), half, half=True)
    predictor = load_predictor(half, device=settings.device)
    means = evaluate(predictor, validation, options, means=averages).mean()
    floor = evaluate(MeanShape.build(training), validation, options).mean()
    say(f"{means}\nmean shape: {floor}")
    results = {
        "data": {"home, train": len(training), "generated": GENERATED, "home, val": len(validation)},
        "settings": {
            "method": settings.method,
            "steps": steps,
            "batch_size": recipe.batch_size,
            "learning_rate": recipe.learning_rate,
            "views": recipe.views,
            "seed": settings.seed,
            "threads": settings.threads,
            "device": settings.device,
        },
        "protocol": dataclasses.asdict(options),
        "mean": means,
        "mean_shape": floor,
        "creators": creators(settings.meshes / "manifest.json"),
    }
    out = settings.out or ROOT / "benchmarks" / "results" / f"default-predictor-{settings.method}.json"
    write_file(out, (json.dumps(results, indent=1, ensure_ascii=False) + "\n").encode())
    card = {
        "data": f"{len(training)} objects of Sweet Home 3D's catalogue and {GENERATED}, "
        "rendered by unrender with random cameras and spherical-harmonic light",
        "creators": "; ".join(f"{name} ({licenses})" for name, licenses in results["creators"].items()),
        "training": f"{steps} steps of {recipe.batch_size} objects, {recipe.views} views, {recipe.training}",
        "protocol": f"split val, means over categories; {definitions(options)['3D IoU']}",
        "3D IoU on val": f"{means['iou']:.3f} (mean shape {floor['iou']:.3f})",
        "fails on": f"what is unlike household objects, {recipe.fails}; see docs/prediction.md",
    }
    save_predictor(predictor, weights, card=card, half=True)
    say(f"wrote {weights}, {weights.stat().st_size / 1e6:.1f} MB")


def creators(manifest: Path) -> dict[str, str]:
    """Who made the training objects: name, and under which licences, as far as the manifest knows."""
    found: dict[str, set[str]] = collections.defaultdict(set)
    for item in json.loads(manifest.read_text(encoding="utf-8"))["train"]:
        found[item.get("creator") or "creator not named"].add(item.get("license") or "licence not named")
    return {name: ", ".join(sorted(found[name])) for name in sorted(found, key=str.casefold)}


def say(text: str) -> None:
    """A line on standard error."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')}  {text}\n")


if __name__ == "__main__":
    main(tyro.cli(Settings))
