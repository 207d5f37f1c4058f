"""Where the time of a step goes."""

from __future__ import annotations

import time
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch import nn

from .module import TrainingModule

MEASURED_EVERY = 20  # steps on a GPU, where measuring means waiting for it


class StepTimes(Callback):
    """Measures what a step spends on data, network, render (with the losses), backward and update.

    The network's share is the time within the predictor's parts; its loss less that is the render's. First
    steps, in which kernels are compiled and memory is laid out, do not count.

    Args:
        warm_up: steps that do not count.
    """

    def __init__(self, *, warm_up: int = 2) -> None:
        self.warm_up = warm_up
        self.seconds: dict[str, float] = dict.fromkeys(("network", "render", "backward", "update"), 0.0)
        self.steps = 0
        self._measures = False
        self._mark = self._entered = self._network = 0.0
        self._waited_before = (0.0, 0)
        self._waited = 0.0
        self._hooks: list[Any] = []

    @property
    def step_seconds(self) -> float:
        """Time of a step on average, 0 before any was measured."""
        if self.steps == 0:
            return 0.0
        return self._waited + sum(self.seconds.values()) / self.steps

    @property
    def shares(self) -> dict[str, float]:
        """Shares of the time of a step, which add up to 1; empty before any was measured."""
        whole = self.step_seconds
        if self.steps == 0:
            return {}
        parts = {name: seconds / self.steps for name, seconds in self.seconds.items()}
        return {name: seconds / whole for name, seconds in {"data": self._waited, **parts}.items()}

    def on_train_start(self, trainer: Trainer, pl_module: TrainingModule) -> None:  # noqa: D102
        for part in pl_module.predictor.children():
            for inner in part if isinstance(part, nn.ModuleList) else [part]:
                self._hooks.append(inner.register_forward_pre_hook(self._enter))
                self._hooks.append(inner.register_forward_hook(self._leave))

    def on_train_end(self, trainer: Trainer, pl_module: TrainingModule) -> None:  # noqa: D102
        for hook in self._hooks:
            hook.remove()

    def on_train_batch_start(  # noqa: D102
        self, trainer: Trainer, pl_module: TrainingModule, batch: Any, batch_idx: int
    ) -> None:
        on_gpu = pl_module.device.type == "cuda"
        if batch_idx == self.warm_up and pl_module.loader is not None:
            self._waited_before = (pl_module.loader.waited, pl_module.loader.count)
        self._measures = batch_idx >= self.warm_up and (not on_gpu or batch_idx % MEASURED_EVERY == 0)
        self._network = 0.0
        self._mark = self._now()

    def on_before_backward(self, trainer: Trainer, pl_module: TrainingModule, loss: Any) -> None:  # noqa: D102
        self._add("render", less=self._network)
        if self._measures:
            self.seconds["network"] += self._network

    def on_after_backward(self, trainer: Trainer, pl_module: TrainingModule) -> None:  # noqa: D102
        self._add("backward")

    def on_train_batch_end(  # noqa: D102
        self, trainer: Trainer, pl_module: TrainingModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._add("update")
        loader = pl_module.loader
        if self._measures and loader is not None:
            self.steps += 1
            waited, count = self._waited_before
            self._waited = (loader.waited - waited) / max(loader.count - count, 1)

    def _add(self, name: str, *, less: float = 0.0) -> None:
        if self._measures:
            now = self._now()
            self.seconds[name] += now - self._mark - less
            self._mark = now

    def _enter(self, *_: Any) -> None:
        if self._measures:
            self._entered = self._now()

    def _leave(self, *_: Any) -> None:
        if self._measures:
            self._network += self._now() - self._entered

    def _now(self) -> float:
        if self._measures and torch.cuda.is_initialized():
            torch.cuda.synchronize()
        return time.perf_counter()
