"""Predicted light against the true light, and the training set's mean light as the thing to beat."""

from __future__ import annotations

from torch import Tensor

from ..learn.data import LightRecord
from ..learn.metrics import angle_between, irradiance_error, main_direction, sphere_irradiance


def light_scores(
    predicted: LightRecord | None, target: LightRecord | None, mean: Tensor | None
) -> dict[str, float]:
    """Mean errors of the light in V pictures, and those of a constant prediction.

    Args:
        predicted: V lights, of any kind; None if the method predicts none.
        target: the true ones; None if unknown.
        mean: irradiance, from :func:`~unrender.evaluate.means.training_means`; None leaves its errors out.
    """
    if target is None or target.kind == "none":
        return {}
    truth, scores = sphere_irradiance(target), {}
    if predicted is not None and predicted.kind != "none":
        scores |= _errors(sphere_irradiance(predicted), truth, "")
    if mean is not None:
        scores |= _errors(mean.to(truth), truth, "_of_mean")
    return scores


def _errors(predicted: Tensor, target: Tensor, suffix: str) -> dict[str, float]:
    errors = {
        f"light_angle{suffix}": angle_between(main_direction(predicted), main_direction(target)),
        f"irradiance_error{suffix}": irradiance_error(predicted, target),
        f"irradiance_shape_error{suffix}": irradiance_error(predicted, target, fit_brightness=True),
    }
    return {name: float(values.nanmean()) for name, values in errors.items()}
