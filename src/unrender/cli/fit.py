"""``unrender fit``: pictures from known cameras become a textured mesh."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from ..errors import InputError
from .device import pick_device
from .progress import clock, progress_display

if TYPE_CHECKING:
    from ..io import Views

HELD_OUT_EVERY = 8


@dataclasses.dataclass(frozen=True)
class Fit:
    """Fit a textured mesh and its light to pictures of an object from known cameras.

    Writes OUT and beside it, for object.glb: object.gif, a turntable; object-views.png, pictures beside
    renders; object.json, the metrics. While it works, object.fit.pt holds what is done so far.

    Attributes:
        views: view set: a folder (or its transforms.json) of NeRF or Blender, COLMAP, DVR or SoftRas.
        out: mesh file to write: .glb or .obj.
        views_held_out: keep every K-th view out of the fit, to measure on; 0 keeps none. When not given, 8,
            or 0 where there are fewer than 16 views.
        resume: go on from the checkpoint that an interrupted fit left beside OUT.
        template: start from the visual hull of the masks, or from a sphere, which keeps its topology.
        renderer: what draws: DIB-R, the Soft Rasterizer, the Neural 3D Mesh Renderer, or Differentiable
            Volumetric Rendering: slower, for shapes with holes, and with depth maps for hollows that no
            silhouette tells.
        then: after dvr, polish the shape and texture that it found with this renderer.
        max_faces: faces of the mesh, about.
        texture_size: longest side of the texture [pixels]; no more than the pictures resolve is used.
        light: fit no light, so that the texture holds the shading.
        picture_size: larger pictures are fitted at this many pixels on their longer side.
        effort: multiplies the number of steps.
        seed: of the order in which views are drawn.
        device: auto, cpu, cuda or cuda:NUMBER.
    """

    views: tyro.conf.Positional[Path]
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    views_held_out: int | None = None
    resume: bool = False
    template: Literal["hull", "sphere"] = "hull"
    renderer: Literal["dibr", "softras", "nmr", "dvr"] = "dibr"
    then: Literal["dibr", "softras", "nmr"] | None = None
    max_faces: int = 8000
    texture_size: int = 1024
    light: bool = True
    picture_size: int = 512
    effort: float = 1.0
    seed: int = 0
    device: str = "auto"

    def run(self) -> None:
        """Read, fit, write.

        Raises:
            InputError: an option or the view set breaks a rule.
        """
        if self.views_held_out is not None and (self.views_held_out < 0 or self.views_held_out == 1):
            raise InputError(
                f"--views-held-out must be 0 (none), or at least 2 (every second), got {self.views_held_out}"
            )
        device = pick_device(self.device)

        from ..fit import FitOptions, fit
        from ..fit.report import report_files, write_report
        from ..io import load_views

        files = report_files(self.out)
        names = [field.name for field in dataclasses.fields(FitOptions)]
        options = FitOptions(**{name: getattr(self, name) for name in names})
        train, held_out = self._split(load_views(self.views).to(device))
        checkpoint = self.out.with_suffix(".fit.pt")
        if checkpoint.is_file() and not self.resume:
            _note(f"starting anew, although {checkpoint} is left of a fit that --resume would go on with")
        self.out.parent.mkdir(parents=True, exist_ok=True)

        try:
            with progress_display("hull") as show:
                result = fit(train, options, checkpoint=checkpoint, resume=self.resume, progress=show)
        except KeyboardInterrupt:
            if checkpoint.is_file():
                _note(f"stopped; the same command with --resume goes on from {checkpoint}")
            raise
        metrics = write_report(result, self.out, train, held_out, options=options, command=self.command())
        checkpoint.unlink()
        rows = describe_metrics(metrics) + [("wrote", f"{path}") for path in files.values()]
        for what, value in rows:
            sys.stdout.write(f"{what:10}  {value}\n")

    def command(self) -> str:
        """The command line that gives these options."""
        words = ["unrender", "fit", f"{self.views}", "--out", f"{self.out}"]
        for field in dataclasses.fields(self)[2:]:
            value, option = getattr(self, field.name), field.name.replace("_", "-")
            if value == field.default:
                continue
            if isinstance(value, bool):
                words.append(f"--{option}" if value else f"--no-{option}")
            else:
                words += [f"--{option}", f"{value}"]
        return shlex.join(words)

    def _split(self, views: Views) -> tuple[Views, Views | None]:
        every = self.views_held_out
        if every is None:
            every = HELD_OUT_EVERY if len(views) >= 2 * HELD_OUT_EVERY else 0
            if every == 0:
                _note(f"{len(views)} views are few, so none is held out; the metrics are of those fitted")
        if every > len(views):
            raise InputError(
                f"--views-held-out must be at most {len(views)}, the number of views, got {every}"
            )
        return views.split(every) if every else (views, None)


def describe_metrics(metrics: dict[str, Any]) -> list[tuple[str, str]]:
    """Rows of the table that a fit ends with, from what its .json file holds."""
    views, held_out = metrics["views"], metrics["held_out"]
    rows = [
        ("views", f"{views['train']} fitted, {views['held_out']} held out"),
        ("mesh", f"{metrics['mesh']['vertices']} vertices, {metrics['mesh']['faces']} faces"),
        ("fitted in", clock(metrics["seconds"])),
    ]
    of = "views held out" if held_out else "views that were fitted; none was held out"
    measured = held_out or metrics["train"]
    for metric, name, form in (("mask_iou", "mask IoU", "{:.3f}"), ("psnr", "PSNR", "{:.1f} dB")):
        if metric in measured:
            mean, worst = (form.format(measured[metric][key]) for key in ("mean", "min"))
            where = next(
                row["name"] for row in measured["views"] if row.get(metric) == measured[metric]["min"]
            )
            rows.append((name, f"{mean} on average, {worst} at worst ({where}), on {of}"))
    return rows


def _note(text: str) -> None:
    sys.stderr.write(f"unrender: {text}\n")
