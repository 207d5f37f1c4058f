"""A predictor as Lightning trains it."""

from __future__ import annotations

import math
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from ..data.packed_views import PackedViews
from ..imitation import Imitation
from ..methods.dibr import DIBRPredictor
from ..predictor import Batch, Predictor
from .batches import StepBatches, TimedLoader
from .checkpoint import Checkpoint
from .lazy_views import LazyViews
from .options import TrainOptions
from .result import DivergenceError
from .sampler import mixed_seed

ADVICE = "try a lower --learning-rate, or --clip-norm 1"


class TrainingModule(LightningModule):
    """One optimiser, one loss, and a learning rate that is a function of the step.

    Args:
        predictor: to train.
        source: pictures.
        options: of the training.
        state: where to go on from.
        imitation: what is learned from first, if anything.

    Attributes:
        terms: of the last step's loss, in this process.
        loader: of this process, once the training runs.
    """

    def __init__(
        self,
        predictor: Predictor,
        source: PackedViews | LazyViews,
        options: TrainOptions,
        state: Checkpoint,
        imitation: Imitation | None = None,
    ) -> None:
        super().__init__()
        self.predictor = predictor
        self.source = source
        self.options = options
        self.state = state
        self.imitation = imitation
        self.terms: dict[str, float] = {}
        self.loader: TimedLoader | None = None

    def train_dataloader(self) -> TimedLoader:
        """The batches of the steps that are left, for this process."""
        self.batches = StepBatches(
            self.source, self.options, rank=self.trainer.global_rank, processes=self.trainer.world_size
        )
        self.loader = TimedLoader(self.batches, start=self.state.step, workers=self.options.workers)
        return self.loader

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """See Lightning."""
        return batch.to(device)

    def configure_optimizers(self) -> torch.optim.Adam:
        """Adam, in the state that the training stopped in."""
        groups = self.predictor.parameter_groups(self.options.learning_rate)
        optimizer = torch.optim.Adam(groups, betas=(0.9, 0.999))
        self.rates = [group["lr"] for group in optimizer.param_groups]
        if self.state.optimizer:
            optimizer.load_state_dict(self.state.optimizer)
        return optimizer

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Set the learning rates, and the random numbers that a loss may draw."""
        options, step = self.options, self.state.step
        if isinstance(self.source, LazyViews):
            self.source.note_replaced(self.batches.draw(step)[0], batch.index)
        for group, rate in zip(self.trainer.optimizers[0].param_groups, self.rates, strict=True):
            group["lr"] = rate * options.rate_factor(step)
        torch.manual_seed(mixed_seed(options.seed, "loss", step, self.trainer.global_rank))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of a step.

        Raises:
            DivergenceError: a term is not finite.
        """
        step = self.state.step
        terms = self._terms(batch, step / self.options.steps)
        values = torch.stack([value.float() for value in terms.values()])
        self.terms = dict(zip(terms, values.detach().tolist(), strict=True))
        for name, value in self.terms.items():
            if not math.isfinite(value):
                raise DivergenceError(f"the training diverged: {name} is {value} at step {step}; {ADVICE}")
        return values.sum()

    def _terms(self, batch: Batch, done: float) -> dict[str, Tensor]:
        if self.imitation is None:
            return self.predictor.loss(batch, done)
        share = self.options.teacher_share
        if done < share:
            assert isinstance(self.predictor, DIBRPredictor)
            return self.imitation.loss(self.predictor, batch)
        return self.predictor.loss(batch, (done - share) / (1 - share))

    def configure_gradient_clipping(
        self,
        optimizer: Any,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Shorten the gradient if it is too long; those of the predictor and of its aids each for itself.

        Raises:
            DivergenceError: it is not finite. The parameters are still those of the step before.
        """
        longest = self.options.clip_norm
        gradients = {n: p.grad for n, p in self.predictor.named_parameters() if p.grad is not None}
        norm = torch.nn.utils.get_total_norm(list(gradients.values()))
        if not bool(torch.isfinite(norm)):
            broken = [name for name, gradient in gradients.items() if not bool(gradient.isfinite().all())]
            raise DivergenceError(
                f"the training diverged: the gradient of {broken[0] if broken else 'all parameters'} "
                f"is not finite at step {self.state.step}; {ADVICE}"
            )
        if longest is not None:
            for of_aids in (False, True):
                part = [p for n, p in self.predictor.named_parameters() if n.startswith("aids.") == of_aids]
                if part:
                    torch.nn.utils.clip_grad_norm_(part, longest)
