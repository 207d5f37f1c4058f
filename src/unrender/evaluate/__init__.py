"""Measuring predictors, with the protocols of the papers.

The package itself can be called: ``unrender.evaluate(predictor, dataset)`` is
:func:`unrender.evaluate.evaluate`.
"""

from ..verbs import make_callable
from .job import evaluate, evaluate_object
from .means import TrainingMeans, training_means
from .options import EvaluateOptions
from .report import ObjectScores, Report, markdown, save_json
from .shape import mesh_solid

__all__ = [
    "EvaluateOptions",
    "ObjectScores",
    "Report",
    "TrainingMeans",
    "evaluate",
    "evaluate_object",
    "markdown",
    "mesh_solid",
    "save_json",
    "training_means",
]

make_callable(__name__, evaluate)
