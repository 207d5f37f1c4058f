"""From one picture to a textured mesh, its light and its camera.

The package itself can be called: ``unrender.predict(image)`` is :func:`unrender.predict.predict`.
"""

from ..verbs import make_callable
from .files import load_cameras, load_lights
from .job import default_predictor, predict, predict_each
from .refine import refine
from .report import ReportOptions, write_report

__all__ = [
    "ReportOptions",
    "default_predictor",
    "load_cameras",
    "load_lights",
    "predict",
    "predict_each",
    "refine",
    "write_report",
]

make_callable(__name__, predict)
