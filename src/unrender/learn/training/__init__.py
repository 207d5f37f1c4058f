"""Training predictors with pictures."""

from .job import train
from .options import TrainOptions
from .recipes import recipe_options
from .result import DivergenceError, TrainResult

__all__ = ["DivergenceError", "TrainOptions", "TrainResult", "recipe_options", "train"]
