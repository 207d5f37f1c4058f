"""Fitting a textured mesh and its light to pictures from known cameras.

The package itself can be called: ``unrender.fit(views)`` is :func:`unrender.fit.fit`.
"""

from ..progress import Progress
from ..verbs import make_callable
from .bake import bake_texture
from .deform import DeformOptions, DeformResult, deform
from .hull import visual_hull
from .job import FitResult, fit
from .metrics import view_metrics
from .options import FitOptions

__all__ = [
    "DeformOptions",
    "DeformResult",
    "FitOptions",
    "FitResult",
    "Progress",
    "bake_texture",
    "deform",
    "fit",
    "view_metrics",
    "visual_hull",
]

make_callable(__name__, fit)
