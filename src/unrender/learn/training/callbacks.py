"""What happens between two steps: records, validation, checkpoints."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException

from ...progress import Progress
from ..data.packed_views import PackedViews
from ..registry import save_predictor
from .board import Board
from .checkpoint import Checkpoint
from .module import TrainingModule
from .options import TrainOptions
from .pictures import progress_sheet
from .validation import scores_of, validation_sums

RECORDS = 2000  # rows of losses that a training keeps, about
PREDICTOR = "predictor.safetensors"


class Recorder(Callback):
    """Counts the steps, records the losses and reports progress. It must be the first after the clock.

    Args:
        options: of the training.
        board: where numbers are shown.
        progress: called after each step, in the first process.
    """

    def __init__(
        self, options: TrainOptions, board: Board, progress: Callable[[Progress], None] | None
    ) -> None:
        self.options = options
        self.board = board
        self.progress = progress

    def on_train_batch_end(  # noqa: D102
        self, trainer: Trainer, pl_module: TrainingModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        state, options, terms = pl_module.state, self.options, pl_module.terms
        step, state.step = state.step, state.step + 1
        if step % max(1, options.steps // RECORDS) == 0 or state.step == options.steps:
            values = torch.tensor(list(terms.values()), device=pl_module.device)
            means = dict(zip(terms, trainer.strategy.reduce(values).tolist(), strict=True))
            rate = options.learning_rate * options.rate_factor(step)
            row = {"loss": sum(means.values()), **means, "learning_rate": rate}
            state.losses.append({"step": step, **row})
            self.board.numbers("train", row, step)
        if self.progress is not None and trainer.is_global_zero:
            shown = f"IoU {state.scores[-1]['best_by']:.3f}" if state.scores else "training"
            self.progress(Progress(shown, sum(terms.values()), state.step / options.steps))


class Validator(Callback):
    """Validates at intervals and after the last step, shows pictures, and keeps the best predictor.

    Args:
        options: of the training.
        source: objects to validate on; without them, the predictor is kept after the last step alone.
        board: where numbers and pictures are shown.
        card: notes for the predictor's file.
    """

    def __init__(
        self, options: TrainOptions, source: PackedViews | None, board: Board, card: dict[str, str]
    ) -> None:
        self.options = options
        self.source = source
        self.board = board
        self.card = card

    def on_train_batch_end(  # noqa: D102
        self, trainer: Trainer, pl_module: TrainingModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        state, options = pl_module.state, self.options
        last = state.step == options.steps
        if self.source is None:
            if last:
                self._keep(trainer, pl_module, {})
            return
        if not last and state.step % options.validate_every:
            return
        sums = validation_sums(
            pl_module.predictor,
            self.source,
            device=pl_module.device,
            rank=trainer.global_rank,
            processes=trainer.world_size,
        )
        scores = scores_of(trainer.strategy.reduce(sums, reduce_op="sum"), self.source)
        row = {**dataclasses.asdict(scores), "best_by": scores.best_by}
        better = not state.scores or scores.best_by > max(before["best_by"] or 0.0 for before in state.scores)
        state.scores.append({"step": state.step, **row})
        self.board.numbers("validation", {n: v for n, v in row.items() if v is not None}, state.step)
        if trainer.is_global_zero:
            sheet = progress_sheet(pl_module.predictor, self.source, device=pl_module.device)
            self.board.picture("validation", sheet, state.step)
        if better:
            state.best = state.scores[-1]
            self._keep(trainer, pl_module, row)

    def _keep(self, trainer: Trainer, module: TrainingModule, scores: dict[str, float | None]) -> None:
        if trainer.is_global_zero:
            notes = {n: f"{v:.4f}" for n, v in scores.items() if v is not None and n != "best_by"}
            card = {**self.card, "step": str(module.state.step), **notes}
            save_predictor(module.predictor, self.options.out / PREDICTOR, card=card)


class Checkpoints(Callback):
    """Writes a checkpoint when the time has come, after the last step, and when asked to stop (SIGTERM).

    Args:
        folder: where to.
        fingerprint: of the training.
        minutes: between checkpoints.
    """

    def __init__(self, folder: Path, fingerprint: dict[str, str], *, minutes: float) -> None:
        self.folder = folder
        self.fingerprint = fingerprint
        self.minutes = minutes
        self.begun = self.saved = time.monotonic()
        self.seconds_before = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: TrainingModule) -> None:  # noqa: D102
        self.begun = self.saved = time.monotonic()
        self.seconds_before = pl_module.state.seconds

    def on_train_batch_end(  # noqa: D102
        self, trainer: Trainer, pl_module: TrainingModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        pl_module.state.seconds = self.seconds_before + time.monotonic() - self.begun
        due = time.monotonic() - self.saved >= 60 * self.minutes
        if due or pl_module.state.step == pl_module.options.steps:
            self._save(trainer, pl_module)

    def on_exception(  # noqa: D102
        self, trainer: Trainer, pl_module: TrainingModule, exception: BaseException
    ) -> None:
        if isinstance(exception, SIGTERMException):  # raised between steps
            self._save(trainer, pl_module)

    def _save(self, trainer: Trainer, module: TrainingModule) -> None:
        self.saved = time.monotonic()
        if trainer.is_global_zero:
            optimizer = trainer.optimizers[0].state_dict()
            state: Checkpoint = dataclasses.replace(
                module.state, predictor=module.predictor.state_dict(), optimizer=optimizer
            )
            state.save(self.folder, self.fingerprint)
