"""Training predictors with pictures."""

from .job import train
from .options import TrainOptions
from .recipes import recipe_options
from .result import DivergenceError, TrainProgress, TrainResult

__all__ = ["DivergenceError", "TrainOptions", "TrainProgress", "TrainResult", "recipe_options", "train"]
