"""Training: from pictures of many objects to a predictor."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from ...errors import InputError
from ...io.files import write_file
from ...progress import Progress
from ..data.packed_views import PackedViews
from ..imitation import Imitation
from ..methods.dibr import DIBRPredictor
from ..object_fits import ObjectFits
from ..predictor import Predictor
from ..registry import make_predictor, start_from
from .checkpoint import NAME, Checkpoint, fingerprint_of, plain_options
from .lazy_views import LazyViews
from .options import TrainOptions
from .result import TrainResult
from .sampler import mixed_seed
from .sources import training_views, validation_views
from .validation import Scores


def train(
    options: TrainOptions,
    *,
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> TrainResult:
    """Train a predictor with pictures, and what a data set records of depth and light if its method asks.

    Writes into ``options.out``: ``predictor.safetensors``, the best by validation so far; ``last.pt``, where
    the training stands; ``board/``, for TensorBoard; and at the end ``training.json``, options and numbers.

    Under ``torchrun`` the processes share each batch, and their gradients are those of the whole batch. Batch
    normalisation sees the whole batch on GPUs; on CPUs it sees that of its process.

    Args:
        options: the settings.
        resume: go on from ``last.pt``; on the CPU the result has the same bits as without the interruption.
        progress: called after each step, in the first process.

    Raises:
        InputError: data and options do not fit together, the predictor to start from does not exist or has no
            part that fits, there is nothing to resume, or there is a training
            in ``options.out`` that is not resumed.
        DivergenceError: a loss or a gradient is not finite.
        ImportError: a package of the extra ``train`` is missing.
    """
    require_packages()
    from .board import Board
    from .callbacks import PREDICTOR, Checkpoints, Recorder, Validator
    from .module import TrainingModule
    from .step_times import StepTimes
    from .trainer import fit, make_trainer, quiet

    if not resume and (options.out / NAME).exists():
        raise InputError(f"{options.out} holds a training: resume it, remove it, or give another folder")
    if options.start is not None and not options.start.is_file():
        raise InputError(f"predictor file {options.start} does not exist")
    source = training_views(options, _reading(progress))
    validation = validation_views(options)
    fingerprint = fingerprint_of(options, len(source))
    state = Checkpoint.load(options.out, fingerprint) if resume else Checkpoint()
    times = StepTimes()
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(mixed_seed(options.seed, "parameters"))
        predictor = make_predictor(options.method, options.config)
        predictor.prepare_training()
        if options.start is not None and not resume:
            start_from(predictor, options.start)
        if resume:
            predictor.load_state_dict(state.predictor)
        if state.step < options.steps:
            is_first = int(os.environ.get("RANK", "0")) == 0
            imitation = imitation_of(options, predictor, source)
            module = TrainingModule(predictor, source, options, state, imitation)
            with closing(Board(options.out / "board" if is_first else None, start=state.step)) as board:
                callbacks = [
                    times,
                    Recorder(options, board, progress),
                    Validator(options, validation, board, card_of(options, len(source))),
                    Checkpoints(options.out, fingerprint, minutes=options.checkpoint_minutes),
                ]
                fit(make_trainer(options, callbacks), module)

    result = TrainResult(
        predictor=options.out / PREDICTOR,
        step=int(state.best["step"] or 0) if state.best else options.steps,
        scores=Scores(state.best["mask_iou"] or 0.0, state.best["voxel_iou"]) if state.best else None,
        seconds=state.seconds,
        shares=times.shares,
        step_seconds=times.step_seconds,
        skipped=[*source.skipped, *(validation.skipped if validation is not None else [])],
    )
    write_report(options.out, options, state, result)
    return result


def imitation_of(
    options: TrainOptions, predictor: Predictor, source: PackedViews | LazyViews
) -> Imitation | None:
    """What a training learns from first; None without a teacher.

    Raises:
        InputError: a file is missing, or does not fit the objects or the predictor.
    """
    if not options.teacher:
        return None
    assert isinstance(predictor, DIBRPredictor)
    fits = ObjectFits.join([ObjectFits.load(path) for path in options.teacher])
    return Imitation(fits, source.names, predictor)


def _reading(progress: Callable[[Progress], None] | None) -> Callable[[int, int], None] | None:
    """Progress of reading pictures, before the first step."""
    if progress is None:
        return None
    return lambda done, total: progress(Progress("reading", None, done / total))


def require_packages() -> None:
    """Raise ImportError, with advice, where a package that training needs is missing."""
    try:
        import lightning.pytorch  # noqa: F401
        import tensorboard  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"training needs Lightning and TensorBoard ({error}): pip install 'unrender[train]'"
        ) from error


def card_of(options: TrainOptions, objects: int) -> dict[str, str]:
    """What a predictor's file says about how it was trained."""
    return {
        "method": options.method,
        "data": ", ".join(f"{path}" for path in options.data),
        "objects": f"{objects}",
        "steps": f"{options.steps}",
        "batch_size": f"{options.batch_size}",
        "seed": f"{options.seed}",
    }


def write_report(folder: Path, options: TrainOptions, state: Checkpoint, result: TrainResult) -> None:
    """Write ``training.json``, in the first process."""
    if int(os.environ.get("RANK", "0")) != 0:
        return
    report: dict[str, Any] = {
        "options": plain_options(options),
        "step": result.step,
        "scores": state.scores,
        "losses": state.losses,
        "seconds": result.seconds,
        "step_seconds": result.step_seconds,
        "shares": result.shares,
        "skipped": result.skipped,
        "torch": torch.__version__,
    }
    write_file(folder / "training.json", json.dumps(report, indent=1).encode())
