"""Measuring predictors, with the protocols of the papers.

The package itself can be called: ``unrender.evaluate(predictor, dataset)`` is
:func:`unrender.evaluate.evaluate`.
"""

from ..verbs import make_callable
from .job import evaluate, evaluate_object
from .light import mean_irradiance
from .options import EvaluateOptions
from .report import ObjectScores, Report, markdown, save_json
from .shape import mesh_solid

__all__ = [
    "EvaluateOptions",
    "ObjectScores",
    "Report",
    "evaluate",
    "evaluate_object",
    "markdown",
    "mean_irradiance",
    "mesh_solid",
    "save_json",
]

make_callable(__name__, evaluate)
