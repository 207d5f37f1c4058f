"""Lightning's trainer, set up to do as it is told and no more."""

from __future__ import annotations

import logging
import os
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.utilities.warnings import PossibleUserWarning
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException

from .module import TrainingModule
from .options import TrainOptions


def make_trainer(options: TrainOptions, callbacks: list[Callback]) -> Trainer:
    """A trainer over the processes that ``torchrun`` started, or over this one alone."""
    device = torch.device(options.device)
    shared = torch.distributed.is_torchelastic_launched()
    processes = int(os.environ["LOCAL_WORLD_SIZE"]) if shared else 1
    machines = int(os.environ["WORLD_SIZE"]) // processes if shared else 1
    on_gpu = device.type == "cuda"
    return Trainer(
        accelerator="gpu" if on_gpu else "cpu",
        devices=[device.index] if on_gpu and device.index is not None else processes,
        num_nodes=machines,
        strategy="ddp" if processes * machines > 1 else "auto",
        plugins=[TorchElasticEnvironment() if shared else LightningEnvironment()],
        precision="bf16-mixed" if options.precision == "bf16" else "32-true",
        sync_batchnorm=on_gpu and processes * machines > 1,
        max_epochs=1,
        callbacks=callbacks,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def fit(trainer: Trainer, module: TrainingModule) -> None:
    """Do the steps that are left.

    Raises:
        KeyboardInterrupt: stopped with Ctrl-C; Lightning would end the program.
        SystemExit: with code 143, asked to stop by SIGTERM.
    """
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(module)
    except SIGTERMException as stop:
        raise SystemExit(128 + signal.SIGTERM) from stop
    except SystemExit as stop:
        if not isinstance(stop.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, on_interrupt)  # which Lightning switched off
        raise KeyboardInterrupt from stop


@contextmanager
def quiet() -> Iterator[None]:
    """Without Lightning's reports and advice."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PossibleUserWarning)
            # Lightning 2.6 asks torch 2.13 a question in a way that torch will give up
            warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)`", FutureWarning)
            yield
    finally:
        logger.setLevel(level)
