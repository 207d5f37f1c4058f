"""What a training can be told."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from ...errors import InputError

if TYPE_CHECKING:
    from ..data.augment import AugmentOptions

Schedule = Literal["constant", "step", "cosine"]
Precision = Literal["fp32", "bf16"]
_LEAST = {
    "steps": 1,
    "batch_size": 1,
    "views": 1,
    "workers": 0,
    "validate_every": 0,
    "validation_objects": 1,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Settings of :func:`unrender.learn.training.train`.

    How many processes share the work is not among them: ``torchrun`` says it.

    Attributes:
        method: a name of :data:`unrender.learn.registry.METHODS`.
        config: the network and the weights of its losses; the method's defaults when None.
        data: data sets, of which the splits ``train`` are mixed; all objects are equally likely.
        out: folder for everything that the training writes.
        validation_data: data sets that are validated on; those of ``data`` when empty.
        validation_split: the split of them that is validated on: train, val or test.
        categories: train on these alone; all when empty.
        lazy: read pictures when a step needs them, for data sets that do not fit into memory; the others are
            read once, and kept as bytes.
        start: file of a predictor, of any method, whose parts training starts from where they are built alike
            (:func:`~unrender.learn.registry.start_from`); random ones when None.
        teacher: files of :class:`~unrender.learn.object_fits.ObjectFits` of all training objects. DIB-R's
            network first imitates them (:class:`~unrender.learn.imitation.Imitation`); then it learns through
            the renderer.
        teacher_share: of the steps, that imitate, in [0, 1].
        steps: updates of the network.
        batch_size: objects in a step, over all processes.
        views: pictures of each object in a step.
        learning_rate: of Adam (beta 0.9 and 0.999) at the start.
        schedule: how the rate goes on: ``constant``; ``step``, multiplied by ``decay`` at each share of
            the steps in ``decay_at``; ``cosine``, to 0 along half a cosine.
        decay_at: shares of the steps, in (0, 1), for ``step``.
        decay: factor, for ``step``.
        clip_norm: gradients longer than this are shortened to it.
        augment: random changes of the pictures; none when None.
        precision: of the network: 32 bits, or on a GPU bfloat16 where that is safe.
        seed: of the first parameters, the order of the data, and the augmentation.
        workers: processes that prepare batches ahead, for each training process; 0 prepares them in between.
        checkpoint_minutes: time between checkpoints.
        validate_every: steps between validations; 0 validates never.
        validation_objects: objects that are validated on, the same ones each time.
        device: ``cpu``, ``cuda``, or ``cuda:1`` and so on.

    Raises:
        InputError: a value is out of range, or the configuration is another method's.
    """

    method: str = "dibr"
    config: Any = None
    data: tuple[Path, ...]
    out: Path
    validation_data: tuple[Path, ...] = ()
    validation_split: str = "val"
    categories: tuple[str, ...] = ()
    lazy: bool = False
    start: Path | None = None
    teacher: tuple[Path, ...] = ()
    teacher_share: float = 0.8
    steps: int = 10_000
    batch_size: int = 64
    views: int = 2
    learning_rate: float = 1e-4
    schedule: Schedule = "constant"
    decay_at: tuple[float, ...] = ()
    decay: float = 0.1
    clip_norm: float | None = None
    augment: AugmentOptions | None = None
    precision: Precision = "fp32"
    seed: int = 0
    workers: int = 0
    checkpoint_minutes: float = 10.0
    validate_every: int = 1000
    validation_objects: int = 64
    device: str = "cpu"

    def __post_init__(self) -> None:
        from ..registry import method_config

        expected = method_config(self.method)
        if self.config is None:
            object.__setattr__(self, "config", expected())
        if type(self.config) is not expected:
            raise InputError(
                f"config of {self.method} must be a {expected.__name__}, got {type(self.config).__name__}"
            )
        if not self.data:
            raise InputError("data must name at least one data set, got none")
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise InputError(f"{name} must be at least {least}, got {getattr(self, name)}")
        for name, choices in (("schedule", get_args(Schedule)), ("precision", get_args(Precision))):
            if getattr(self, name) not in choices:
                raise InputError(f"{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}")
        for name in ("learning_rate", "decay", "clip_norm"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise InputError(f"{name} must be positive and finite, got {value}")
        if self.teacher and self.method != "dibr":
            raise InputError(f"a teacher is for method dibr, got {self.method}")
        if not 0 <= self.teacher_share <= 1:
            raise InputError(f"teacher_share must lie in [0, 1], got {self.teacher_share}")
        if not self.checkpoint_minutes >= 0:
            raise InputError(f"checkpoint_minutes must not be negative, got {self.checkpoint_minutes}")
        if bool(self.decay_at) != (self.schedule == "step") or not all(0 < at < 1 for at in self.decay_at):
            raise InputError(
                "decay_at must give shares of the steps between 0 and 1 for the schedule step, and nothing "
                f"for others, got {self.decay_at} for {self.schedule}"
            )
        if self.device.partition(":")[0] not in ("cpu", "cuda"):
            raise InputError(f"device must be cpu, cuda or cuda:NUMBER, got {self.device}")
        if self.precision == "bf16" and self.device == "cpu":
            raise InputError("precision bf16 needs a GPU, got device cpu")

    def rate_factor(self, step: int) -> float:
        """What the learning rate is multiplied by at a step, counted from 0."""
        if self.schedule == "step":
            return self.decay ** sum(step >= at * self.steps for at in self.decay_at)
        if self.schedule == "cosine":
            return (1 + math.cos(math.pi * step / self.steps)) / 2
        return 1.0
