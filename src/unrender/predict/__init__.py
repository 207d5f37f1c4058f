"""From one picture to a textured mesh, its light and its camera.

The package itself can be called: ``unrender.predict(image)`` is :func:`unrender.predict.predict`.
"""

from ..verbs import make_callable
from .job import default_predictor, predict, predict_each
from .refine import refine


make_callable(__name__, predict)
