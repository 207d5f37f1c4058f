"""Evaluation: what a predictor's numbers are on a data set."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..errors import InputError
from ..learn.crop import crop_to_object
from ..learn.data import ObjectViews
from ..learn.predictor import Predictor
from .light import light_scores
from .means import TrainingMeans
from .options import EvaluateOptions
from .pictures import picture_scores
from .protocol import input_views, object_seed
from .report import ObjectScores, Report
from .shape import solid_ious, surface_of, surface_scores

if TYPE_CHECKING:
    from ..learn.data.dataset import ObjectDataset


def evaluate(
    predictor: Predictor,
    dataset: ObjectDataset,
    options: EvaluateOptions | None = None,
    *,
    name: str | None = None,
    means: TrainingMeans | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Measure a predictor: shape, pictures in views that it did not see, and light.

    What is measured, and how, is in :func:`unrender.evaluate.protocol.definitions`. Metrics for which a data
    set or a method lacks something (voxels, surface points, cameras, lights, colours) are left out. Objects
    that cannot be read, or cut out for a predictor that wants crops, are left out and named in the report.

    Args:
        predictor: put into evaluation mode meanwhile; runs where its parameters are.
        dataset: objects with pictures and what is known of the truth.
        options: the protocol.
        name: of the predictor, for tables; its method when None.
        means: of the training set, from :func:`~unrender.evaluate.means.training_means`, to compare light and
            colours with; left out when None.
        progress: called with the number of objects done and in all.

    Raises:
        InputError: no object can be measured.
        ImportError: a package of the extras ``eval`` or, for solids, ``mesh`` is missing.
    """
    start = time.monotonic()
    options = EvaluateOptions() if options is None else options
    found: list[ObjectScores] = []
    skipped: list[str] = []
    was_training = predictor.training
    predictor.eval()
    try:
        for i in range(len(dataset)):
            try:
                found.append(evaluate_object(predictor, dataset[i], options, means=means))
            except InputError as error:
                skipped.append(str(error))
            if progress is not None:
                progress(i + 1, len(dataset))
    finally:
        predictor.train(was_training)
    if not found:
        raise InputError(f"no object of the data set can be measured: {'; '.join(skipped) or 'it is empty'}")
    notes = {"input": "crops round the object" if predictor.crops else "pictures as they are"}
    seconds = time.monotonic() - start
    return Report(name or predictor.method, predictor.method, options, found, skipped, seconds, notes)


@torch.no_grad()
def evaluate_object(
    predictor: Predictor, item: ObjectViews, options: EvaluateOptions, *, means: TrainingMeans | None = None
) -> ObjectScores:
    """The scores of one object.

    Args:
        predictor: in evaluation mode.
        item: the object.
        options: the protocol.
        means: see :func:`evaluate`.

    Raises:
        InputError: the predictor does not fit the object, or cannot be given a crop of it.
    """
    seed = object_seed(item.category, item.name, options)
    view = seed % len(item)
    scores: dict[str, float] = {}

    views = input_views(len(item), options)
    many = predictor(_inputs(predictor, item, views))
    if item.voxels is not None:
        target = item.voxels.to(predictor.device)
        scores["iou"] = float(solid_ious(many, target, options).mean())
    lights = None if item.lights is None else item.lights[views].to(predictor.device)
    scores |= light_scores(many.light, lights, None if means is None else means.irradiance)

    one = predictor(_inputs(predictor, item, torch.tensor([view])))
    surface = surface_of(one, options)
    color = None if means is None else means.color
    scores |= surface_scores(surface, item, options, seed=seed)
    scores |= picture_scores(surface, one.light, item, view, options, color)
    measured = {key: value for key, value in scores.items() if not math.isnan(value)}
    return ObjectScores(item.name, item.category, view, measured)


def _inputs(predictor: Predictor, item: ObjectViews, views: Tensor) -> Tensor:
    """Some pictures as the network takes them: colours multiplied by alpha, and alpha, (K, H, W, 4)."""
    pictures = item.pictures[views].to(predictor.device).float() / 255
    pictures = torch.cat([pictures[..., :3] * pictures[..., 3:], pictures[..., 3:]], -1)
    if predictor.crops:
        pictures, _ = crop_to_object(pictures, size=predictor.config.size)
    return pictures
