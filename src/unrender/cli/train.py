"""``unrender train``: data sets of pictures become a predictor."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from ..errors import InputError
from .device import pick_device
from .progress import clock, progress_display

if TYPE_CHECKING:
    from ..learn.data.augment import AugmentOptions
    from ..learn.training import TrainOptions, TrainResult

_PASSED_ON = (
    "steps",
    "batch_size",
    "views",
    "learning_rate",
    "clip_norm",
    "precision",
    "seed",
    "workers",
    "checkpoint_minutes",
    "validate_every",
    "validation_objects",
)  # options that replace the recipe's where they are given


@dataclasses.dataclass(frozen=True)
class Train:
    """Train a network that predicts a 3D object from one picture, without 3D shapes.

    Writes into OUT: predictor.safetensors, the best by validation so far; last.pt, which --resume goes on
    from; board, for TensorBoard (tensorboard --logdir OUT/board); and at the end training.json.

    Several processes or machines share the work when torchrun starts them:
    torchrun --nproc-per-node 2 --no-python unrender train ...

    Attributes:
        data: folders of data sets, as ``unrender data render`` writes them or in the formats of the papers;
            several are mixed.
        out: folder to write to.
        method: DIB-R, Soft Rasterizer, the Neural 3D Mesh Renderer, solids, or fields by Differentiable
            Volumetric Rendering.
        recipe: quick takes minutes, paper has the published settings, which take days on a GPU. The options
            below replace what it says.
        resume: go on from the checkpoint that an interrupted training left in OUT.
        set: settings of the method as NAME=VALUE, such as texture-size=128, or crop=True camera=True for
            a network that cuts objects out and says where the camera is; a wrong name lists them all.
        validation_data: folders of data sets to validate on; those of --data when not given.
        validation_split: the split of them to validate on.
        categories: train on these classes alone.
        lazy: read pictures when they are needed; for data sets larger than memory, with --workers.
        start: file of a trained predictor, of any method, whose parts the network starts with where they are
            built alike, such as its encoder.
        teacher: files of 'unrender data fit', one for each of --data: the network of dibr first imitates
            these, which is quick, and then learns through the renderer.
        steps: updates of the network.
        batch_size: objects in a step, over all processes.
        views: pictures of each object in a step.
        learning_rate: of Adam at the start.
        clip_norm: gradients longer than this are shortened to it.
        flip: mirror half of the objects.
        color: change colours at random by up to this factor; 0 leaves them.
        scale: let objects be larger or smaller in their pictures by up to this factor; 0 leaves them.
        precision: fp32, or bf16 on a GPU.
        seed: of parameters, order and augmentation.
        workers: processes that prepare batches ahead.
        checkpoint_minutes: time between checkpoints.
        validate_every: steps between validations; 0 for never.
        validation_objects: objects that are validated on.
        device: auto, cpu, cuda or cuda:NUMBER.
    """

    data: tuple[Path, ...]
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    method: Literal["dibr", "softras", "nmr", "voxel", "dvr"] = "dibr"
    recipe: Literal["quick", "paper"] = "quick"
    resume: bool = False
    set: tuple[str, ...] = ()
    validation_data: tuple[Path, ...] = ()
    validation_split: Literal["train", "val", "test"] = "val"
    categories: tuple[str, ...] = ()
    lazy: bool = False
    start: Path | None = None
    teacher: tuple[Path, ...] = ()
    steps: int | None = None
    batch_size: int | None = None
    views: int | None = None
    learning_rate: float | None = None
    clip_norm: float | None = None
    flip: Literal["yes", "no"] | None = None
    color: float | None = None
    scale: float | None = None
    precision: Literal["fp32", "bf16"] | None = None
    seed: int | None = None
    workers: int | None = None
    checkpoint_minutes: float | None = None
    validate_every: int | None = None
    validation_objects: int | None = None
    device: str = "auto"

    def run(self) -> None:
        """Read, train, write.

        Raises:
            InputError: an option or a data set breaks a rule, or the training diverges.
        """
        device = str(pick_device(self.device))

        from ..learn.training import train

        options = self.options(device)
        is_first = int(os.environ.get("RANK", "0")) == 0
        checkpoint = self.out / "last.pt"
        if not is_first:
            train(options, resume=self.resume)
            return
        try:
            with progress_display("reading") as show:
                result = train(options, resume=self.resume, progress=show)
        except KeyboardInterrupt:
            if checkpoint.is_file():
                _note(f"stopped; the same command with --resume goes on from {checkpoint}")
            raise
        for what, value in describe_training(result, options):
            sys.stdout.write(f"{what:10}  {value}\n")

    def options(self, device: str) -> TrainOptions:
        """The recipe with what these options change.

        Raises:
            InputError: a value is out of range.
        """
        from ..learn.training import recipe_options

        given = {name: getattr(self, name) for name in _PASSED_ON if getattr(self, name) is not None}
        options = recipe_options(
            self.recipe,
            self.method,
            self.data,
            self.out,
            validation_data=self.validation_data,
            validation_split=self.validation_split,
            categories=self.categories,
            lazy=self.lazy,
            start=self.start,
            teacher=self.teacher,
            device=device,
            **given,
        )
        config = changed_config(options.config, self.set)
        return dataclasses.replace(options, config=config, augment=self._augment(options.augment))

    def _augment(self, recipe: AugmentOptions | None) -> AugmentOptions | None:
        from ..learn.data.augment import AugmentOptions

        if self.flip is None and self.color is None and self.scale is None:
            return recipe
        base = AugmentOptions(flip=False) if recipe is None else recipe
        flip = base.flip if self.flip is None else self.flip == "yes"
        color = base.color if self.color is None else self.color
        return AugmentOptions(flip=flip, color=color, scale=base.scale if self.scale is None else self.scale)


def changed_config(config: Any, settings: tuple[str, ...]) -> Any:
    """A method's configuration with some fields replaced.

    Args:
        config: a dataclass.
        settings: each NAME=VALUE; the numbers of a tuple are separated by commas.

    Raises:
        InputError: one has no ``=``, or names no field.
        SystemExit: with code 2 for a value of the wrong type.
    """
    names = [field.name for field in dataclasses.fields(config)]
    arguments: list[str] = []
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or name.replace("-", "_") not in names:
            known = ", ".join(name.replace("_", "-") for name in names)
            raise InputError(f"--set takes NAME=VALUE with a name of {known}; got {setting}")
        arguments += [f"--{name.replace('_', '-')}", *value.split(",")]
    if not arguments:
        return config
    return tyro.cli(
        type(config),
        default=config,
        args=arguments,
        prog="unrender train --set",
        config=(tyro.conf.FlagConversionOff,),
    )


def describe_training(result: TrainResult, options: TrainOptions) -> list[tuple[str, str]]:
    """Rows of the table that a training ends with."""
    rows = []
    if result.scores is not None:
        solids, masks = result.scores.voxel_iou, result.scores.mask_iou
        iou = f"mask IoU {masks:.3f}" if solids is None else f"3D IoU {solids:.3f}, mask IoU {masks:.3f}"
        rows.append(("validation", f"{iou}, after step {result.step} of {options.steps}"))
    rows.append(("trained in", clock(result.seconds)))
    if result.shares:
        parts = ", ".join(f"{name} {share:.0%}" for name, share in result.shares.items())
        rows.append(("a step", f"{result.step_seconds:.3g} s: {parts}"))
    if result.skipped:
        rows.append(("left out", f"{len(result.skipped)} objects: {'; '.join(result.skipped)}"))
    return [*rows, ("wrote", f"{result.predictor}")]


def _note(text: str) -> None:
    sys.stderr.write(f"unrender: {text}\n")
