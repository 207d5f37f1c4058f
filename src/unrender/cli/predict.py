"""``unrender predict``: single pictures become textured meshes."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from ..errors import InputError
from .device import pick_device
from .progress import progress_display

if TYPE_CHECKING:
    from torch import Tensor

    from ..learn.prediction import Prediction
    from ..learn.predictor import Predictor
    from ..predict import ReportOptions


@dataclasses.dataclass(frozen=True)
class Predict:
    """Predict textured meshes, light and cameras from single pictures of objects.

    Writes for each picture a folder OUT/NAME: object.glb, light.json, camera.json, depth.npy, depth.png,
    normals.png, turntable.gif, views, relight.png, and sheet.png, which shows all of it. A picture that
    cannot be used is named and left out; the exit code is then 2.

    Attributes:
        pictures: picture files, or folders of them.
        out: folder to write to.
        mask: picture file that is white on the object, or a folder with one for each picture, of the same
            name; without it, a picture's alpha channel is its mask.
        masks: how to find the mask of a picture that has none.
        refine: steps that optimise each prediction against its picture.
        method: which predictor of the package: dibr, a sphere deformed and textured, with light; or dvr, a
            coloured field, blurrier but of any topology. Without it, dibr.
        predictor: file of a trained predictor (.safetensors), in place of those in the package.
        views: pictures from around each object.
        cameras: take the pictures from the cameras of this view set or camera.json instead.
        lights: light files (light.json) to relight each object by, instead of light from five sides.
        animation: format of the turntable.
        batch: pictures that go through the network at once.
        device: auto, cpu, cuda or cuda:NUMBER.
    """

    pictures: tyro.conf.Positional[tuple[Path, ...]]
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    mask: Path | None = None
    masks: Literal["grabcut", "rembg"] = "grabcut"
    refine: int = 0
    method: Literal["dibr", "dvr"] | None = None
    predictor: Path | None = None
    views: int = 8
    cameras: Path | None = None
    lights: tuple[Path, ...] = ()
    animation: Literal["gif", "webp", "none"] = "gif"
    batch: int = 16
    device: str = "auto"

    def run(self) -> None:
        """Read, predict, write.

        Raises:
            InputError: an option breaks a rule, or a picture could not be used; the others are done.
        """
        for name, least in (("batch", 1), ("refine", 0), ("views", 0)):
            if getattr(self, name) < least:
                raise InputError(f"--{name} must be at least {least}, got {getattr(self, name)}")
        if self.out.exists() and not self.out.is_dir():
            raise InputError(f"--out must be a folder, got the file {self.out}")
        paths = picture_files(self.pictures)
        if self.mask is not None and not self.mask.is_dir() and len(paths) > 1:
            raise InputError(f"--mask must be a folder for {len(paths)} pictures, got {self.mask}")
        if self.method is not None and self.predictor is not None:
            raise InputError(
                f"give --method or --predictor, not both, got {self.method} and {self.predictor}"
            )
        device = pick_device(self.device)

        from ..learn.registry import load_predictor
        from ..predict import ReportOptions, default_predictor, load_cameras, load_lights

        if self.predictor is None:
            predictor = default_predictor(device, self.method)
        else:
            predictor = load_predictor(self.predictor, device=device)
        options = ReportOptions(
            views=self.views,
            cameras=None if self.cameras is None else load_cameras(self.cameras),
            lights=load_lights(list(self.lights)) if self.lights else None,
            animation=self.animation,
        )
        bad: list[str] = []
        for start in range(0, len(paths), self.batch):
            self._run_batch(paths[start : start + self.batch], predictor, options, bad)
        done = len(paths) - len(bad)
        sys.stdout.write(f"{done} of {len(paths)} pictures predicted, in {self.out}\n")
        if bad:
            raise InputError(f"{len(bad)} of {len(paths)} pictures could not be used: {', '.join(bad)}")

    def _run_batch(
        self, paths: list[tuple[Path, str]], predictor: Predictor, options: ReportOptions, bad: list[str]
    ) -> None:
        loaded = [
            (path, name, picture) for path, name in paths if (picture := self._load(path, bad)) is not None
        ]
        if not loaded:
            return
        predictions = self._predict([picture for *_, picture in loaded], predictor)
        for (path, name, picture), prediction in zip(loaded, predictions, strict=True):
            self._write(path, self.out / name, picture, prediction, options)

    def _load(self, path: Path, bad: list[str]) -> Tensor | None:
        """The picture with its mask; None, and its name added to ``bad``, where it cannot be used."""
        from ..io.masks import load_masked

        try:
            return load_masked(path, self._mask_of(path), method=self.masks)
        except InputError as error:
            bad.append(path.name)
            sys.stderr.write(f"unrender: left out: {error}\n")
            return None

    def _mask_of(self, path: Path) -> Path | None:
        mask = self.mask
        if mask is not None and mask.is_dir():
            found = [file for file in sorted(mask.iterdir()) if file.stem == path.stem and _is_picture(file)]
            if not found:
                raise InputError(f"{path}: no mask of its name in {mask}")
            mask = found[0]
        return mask

    def _predict(self, pictures: list[Tensor], predictor: Predictor) -> list[Prediction]:
        from ..predict import predict_each

        with progress_display("refine") as show:
            return predict_each(
                pictures,
                predictor=predictor,
                refine=self.refine,
                device=pick_device(self.device),
                progress=show,
            )

    def _write(
        self, path: Path, folder: Path, picture: Tensor, prediction: Prediction, options: ReportOptions
    ) -> None:
        from ..predict import write_report

        report = write_report(prediction, picture, folder, options)
        sys.stdout.write(f"{path}  mask IoU {report['mask_iou']:.3f}  {report['files']['object']}\n")


def picture_files(given: tuple[Path, ...]) -> list[tuple[Path, str]]:
    """The picture files that paths stand for, folders expanded, each with a name of its own.

    Names are the files' stems; where two are the same, the suffix or a number is added.

    Raises:
        InputError: there is none, or a folder holds none.
    """
    paths: list[Path] = []
    for path in given:
        if not path.is_dir():
            paths.append(path)
            continue
        found = sorted(file for file in path.iterdir() if _is_picture(file))
        if not found:
            raise InputError(f"{path} holds no pictures")
        paths += found
    if not paths:
        raise InputError("give at least one picture")
    return list(zip(paths, _distinct(paths), strict=True))


def _distinct(paths: list[Path]) -> Iterator[str]:
    taken: set[str] = set()
    for path in paths:
        candidates = [path.stem, path.name, *(f"{path.stem}-{n}" for n in range(2, len(paths) + 2))]
        name = next(name for name in candidates if name not in taken)
        taken.add(name)
        yield name


def _is_picture(path: Path) -> bool:
    from ..io.view_pictures import PICTURE_SUFFIXES

    return path.is_file() and path.suffix.lower() in PICTURE_SUFFIXES
