"""``unrender data``: making training sets."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from ..errors import InputError
from .progress import counting

if TYPE_CHECKING:
    from ..learn.data.rendering import RenderingReport

SIZES = (64, 256)  # smallest and largest pictures [pixels]
NAMES_SHOWN = 20


@dataclasses.dataclass(frozen=True)
class DataRender:
    """Make a training set: pictures of meshes from all around, with cameras, lights and the truth in 3D.

    A command that was stopped goes on where it was when it is given again. To spread the work over machines,
    give each the same command with --machine 0/4 to 3/4, and when all are done, once more without it, which
    completes the set.

    Attributes:
        meshes: folders of .obj, .glb or .ply (sub-folders are categories), manifest.json files, ShapeNetCore
            trees, single mesh files, or procedural:N[:SEED] for N generated objects.
        out: folder to write.
        format: tree: folders as in DVR's NMR_Dataset; npz: the archives of N3MR and SoftRas; shards: tar
            files for WebDataset.
        size: sides of the pictures, 64 to 256 [pixels].
        views: pictures of each object.
        cameras: n3mr: elevation 30 and azimuths in equal steps; random: elevations from -10 to 60.
        light: kind of light, drawn anew for each picture.
        split: render these objects only, where the meshes say train, val or test.
        workers: processes; one a core when not given.
        machine: number of this machine, from 0, and how many there are.
        seed: of cameras, lights and surface points.
    """

    meshes: tyro.conf.Positional[tuple[str, ...]]
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    format: Literal["tree", "npz", "shards"] = "tree"
    size: int = 64
    views: int = 24
    cameras: Literal["n3mr", "random"] = "n3mr"
    light: Literal["none", "lambert", "phong", "harmonics"] = "harmonics"
    split: Literal["all", "train", "val", "test"] = "all"
    workers: int | None = None
    machine: str = "0/1"
    seed: int = 0

    def run(self) -> None:
        """Find the meshes, render, report.

        Raises:
            InputError: an option or a place of meshes breaks a rule.
        """
        if not self.meshes:
            raise InputError("give at least one place of meshes, for example a folder or procedural:100")
        if not SIZES[0] <= self.size <= SIZES[1]:
            raise InputError(f"--size must be {SIZES[0]} to {SIZES[1]}, got {self.size}")
        machine = parse_machine(self.machine)

        from ..learn.data import CaptureOptions
        from ..learn.data.rendering import render_dataset
        from ..learn.data.sources import find_meshes

        sources = find_meshes(self.meshes, self.split)
        options = CaptureOptions(
            size=self.size, views=self.views, cameras=self.cameras, light=self.light, seed=self.seed
        )
        with counting() as count:
            show = count("objects")
            report = render_dataset(
                sources,
                self.out,
                options,
                format=self.format,
                workers=(os.cpu_count() or 1) if self.workers is None else self.workers,
                machine=machine,
                progress=lambda progress: show(progress.objects, progress.total),
            )
        for line in describe_report(report):
            sys.stderr.write(f"unrender: {line}\n")
        if machine[1] > 1:
            sys.stderr.write(
                "unrender: when all machines are done, the same command without --machine completes the set\n"
            )
        sys.stdout.write(f"wrote  {self.out}\n")


@dataclasses.dataclass(frozen=True)
class DataFit:
    """Fit every training object of a data set to its pictures, as a teacher of 'unrender train --teacher'.

    Attributes:
        data: folder of the data set.
        out: file to write, .safetensors.
        crop: cut pictures round their objects to squares of so many pixels, for predictors with crop=True.
        split: objects to fit.
        steps: of each fit.
        texture_size: rows of the textures.
        recorded_light: fit under the lights that the data set records, for a training with
            --set light-weight=3.
    """

    data: tyro.conf.Positional[Path]
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    crop: int | None = None
    split: Literal["train", "val", "test"] = "train"
    steps: int = 60
    texture_size: int = 64
    recorded_light: bool = False

    def run(self) -> None:
        """Read, fit, write.

        Raises:
            InputError: an option or the data set breaks a rule.
        """
        if self.out.suffix != ".safetensors":
            raise InputError(f"--out must end in .safetensors, got {self.out}")

        from ..learn.data.dataset import open_dataset
        from ..learn.data.packed_views import PackedViews
        from ..learn.object_fits import ObjectFitOptions, fit_objects

        options = ObjectFitOptions(
            steps=self.steps, texture_size=self.texture_size, recorded_light=self.recorded_light
        )
        with counting() as count:
            dataset = open_dataset(self.data, self.split)
            views = PackedViews.load(dataset, crop=self.crop, progress=count("reading"))
            fits = fit_objects(views, options, progress=count("fitting"))
        fits.save(self.out)
        for reason in views.skipped:
            sys.stderr.write(f"unrender: left out: {reason}\n")
        sys.stdout.write(f"wrote  {self.out}, {len(fits.names)} objects\n")


@dataclasses.dataclass(frozen=True)
class Data:
    """Make training sets."""

    command: Annotated[
        Annotated[DataRender, tyro.conf.subcommand("render")]
        | Annotated[DataFit, tyro.conf.subcommand("fit")],
        tyro.conf.arg(name=""),
    ]

    def run(self) -> None:
        """Run the command that was named."""
        self.command.run()


def parse_machine(text: str) -> tuple[int, int]:
    """Number of a machine, and how many there are, from ``i/n``.

    Raises:
        InputError: the text is another one.
    """
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise InputError(f"--machine must be I/N with I from 0 to N - 1, got {text}")
    return int(index), int(count)


def describe_report(report: RenderingReport) -> list[str]:
    """What a job did, and which meshes it left out, in lines."""
    lines = [f"{report.rendered} objects rendered, {report.kept} were there already"]
    if report.skipped:
        lines.append(f"{len(report.skipped)} broken meshes left out:")
        shown = list(report.skipped.items())[:NAMES_SHOWN]
        lines += [f"  {label}: {problem}" for label, problem in shown]
        if len(report.skipped) > NAMES_SHOWN:
            lines.append(f"  and {len(report.skipped) - NAMES_SHOWN} more")
    return lines
