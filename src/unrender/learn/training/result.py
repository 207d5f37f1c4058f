"""What a training tells when it is done."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ...errors import InputError
from .validation import Scores


@dataclasses.dataclass(frozen=True)
class TrainResult:
    """A finished training.

    Attributes:
        predictor: file of the predictor: the best by validation, or the last where nothing is validated.
        step: steps after which that predictor was.
        scores: its validation; None where nothing is validated.
        seconds: time that the training took, with what came before a resumption.
        shares: share of the time of a step spent on ``data``, ``network``, ``render`` (and losses),
            ``backward`` and ``update``; empty if no step was left to do.
        step_seconds: time of a step on average; 0 if no step was left to do.
        skipped: what is wrong with each object that could not be read.
    """

    predictor: Path
    step: int
    scores: Scores | None
    seconds: float
    shares: dict[str, float]
    step_seconds: float
    skipped: list[str]


class DivergenceError(InputError):
    """A training whose numbers are no longer finite; the message names the term and the step."""
