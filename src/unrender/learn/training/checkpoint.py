"""Where a training stands: all that it needs to go on as if it had never stopped."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from ...io.checkpoints import load_checkpoint, save_checkpoint
from .options import TrainOptions

NAME = "last.pt"
_FREE = ("out", "lazy", "workers", "checkpoint_minutes", "device")  # do not change what is computed


@dataclasses.dataclass
class Checkpoint:
    """A training between two steps. Random numbers need no state: they follow from seed and step.

    Attributes:
        step: steps that are done.
        predictor: its parameters and buffers.
        optimizer: Adam's state.
        best: the row of ``scores`` of the best validation so far; empty before the first.
        losses: a row for each step that was recorded: step, loss, its terms, learning rate.
        scores: a row for each validation: step, the numbers of :class:`~.validation.Scores`, and
            ``best_by``, by which predictors are compared.
        seconds: time that the training has taken.
    """

    step: int = 0
    predictor: dict[str, Any] = dataclasses.field(default_factory=dict)
    optimizer: dict[str, Any] = dataclasses.field(default_factory=dict)
    best: dict[str, float | None] = dataclasses.field(default_factory=dict)
    losses: list[dict[str, float]] = dataclasses.field(default_factory=list)
    scores: list[dict[str, float | None]] = dataclasses.field(default_factory=list)
    seconds: float = 0.0

    def save(self, folder: Path, fingerprint: dict[str, str]) -> None:
        """Write the file of a training in one step, so that an interruption leaves the last one whole."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        save_checkpoint(folder / NAME, values, fingerprint)

    @staticmethod
    def load(folder: Path, fingerprint: dict[str, str]) -> Checkpoint:
        """Read the file of a training.

        Raises:
            InputError: there is none, or it belongs to a training with other options or data.
        """
        return Checkpoint(**load_checkpoint(folder / NAME, fingerprint, work="training", device="cpu"))


def plain_options(options: TrainOptions) -> dict[str, Any]:
    """Options as values that JSON has."""
    return json.loads(json.dumps(dataclasses.asdict(options), default=str))


def fingerprint_of(options: TrainOptions, objects: int) -> dict[str, str]:
    """What has to be the same for a training to go on: options that matter, and the size of the data set."""
    values = {name: json.dumps(value) for name, value in plain_options(options).items() if name not in _FREE}
    return values | {"objects": str(objects)}
