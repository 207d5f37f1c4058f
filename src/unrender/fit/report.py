"""What a fit leaves beside its mesh: a turntable, pictures to compare, and the metrics."""

from __future__ import annotations

import dataclasses
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from ..geometry import vertex_normals
from ..io import Views, contact_sheet, save_animation, save_mesh, save_picture
from ..io.files import write_file
from ..io.pictures import normals_to_picture, picture_array, pillow_image
from ..render import render
from ..render.turntable import composite, render_antialiased, turntable
from .job import FitResult
from .metrics import view_metrics
from .options import FitOptions

SUFFIXES = (".glb", ".obj")
TRAIN_VIEWS_MEASURED = 24
VIEWS_SHOWN = 6
CELL = 256  # pixels of a picture in the contact sheet, about
DIFFERENCE_GAIN = 3
SH_ORDER = ["Y00", "Y1-1 ~ y", "Y10 ~ z", "Y11 ~ x", "Y2-2 ~ xy", "Y2-1 ~ yz", "Y20 ~ 3zz-1", "Y21 ~ xz"]
SH_ORDER += ["Y22 ~ xx-yy"]
SH_CONVENTION = (
    "radiance from a direction of the world (+Y up) in orthonormal real spherical harmonics; rows in this "
    "order, columns red, green, blue; a surface shows texture * sum_lm (A_l / pi) L_lm Y_lm(normal), "
    "A = (pi, 2 pi / 3, pi / 4) (Ramamoorthi and Hanrahan 2001)"
)


def report_files(out: Path) -> dict[str, Path]:
    """The files of a report on ``out``, by what they hold; an .obj file also gets an .mtl and a .png.

    Raises:
        InputError: ``out`` does not end in .glb or .obj, or is a folder.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise InputError(f"a fitted mesh is saved as {' or '.join(SUFFIXES)}, got {out}")
    files = {
        "mesh": out,
        "turntable": out.with_suffix(".gif"),
        "pictures": out.with_name(f"{out.stem}-views.png"),
        "metrics": out.with_suffix(".json"),
    }
    folders = [path for path in files.values() if path.is_dir()]
    if folders:
        raise InputError(f"{folders[0]} must be a file, got a folder")
    return files


def write_report(
    result: FitResult,
    out: Path,
    train: Views,
    held_out: Views | None = None,
    *,
    options: FitOptions | None = None,
    command: str | None = None,
) -> dict[str, Any]:
    """Write the fitted mesh and, beside it, a turntable, pictures to compare, and the metrics.

    For ``object.glb`` these are ``object.gif``, ``object-views.png`` (:func:`comparison`) and
    ``object.json``, in this order, each whole or not at all. The pictures are of the held-out views if there
    are any.

    Args:
        result: what :func:`~unrender.fit.fit` returned.
        out: mesh file, .glb or .obj; folders are made.
        train: the views that were fitted.
        held_out: the views that were not.
        options: settings of the fit, to be noted.
        command: command line, to be noted.

    Returns:
        What ``object.json`` holds.

    Raises:
        InputError: ``out`` has another suffix, or is a folder.
    """
    files = report_files(out)
    mesh = result.mesh
    save_mesh(mesh.replace(normals=vertex_normals(mesh.vertices, mesh.faces)), out)
    frames = turntable(mesh, frames=48, width=288, height=288, light=result.light)
    save_animation(frames, files["turntable"], fps=16)
    save_picture(comparison(result, train if held_out is None else held_out), files["pictures"])
    metrics = describe(result, train, held_out, options=options, command=command)
    write_file(files["metrics"], (json.dumps(metrics, indent=2, allow_nan=False) + "\n").encode())
    return metrics


def describe(
    result: FitResult,
    train: Views,
    held_out: Views | None = None,
    *,
    options: FitOptions | None = None,
    command: str | None = None,
) -> dict[str, Any]:
    """Measure a fit: what ``object.json`` holds. Arguments as for :func:`write_report`.

    Of more than 24 training views, 24 that are evenly spread over their order are measured.
    """
    mesh = result.mesh
    texture = [] if mesh.texture is None else list(mesh.texture.shape[:2])
    measured = _spread(train, TRAIN_VIEWS_MEASURED)
    light = None
    if result.light is not None:
        light = {
            "kind": "spherical harmonics of degree 2",
            "order": SH_ORDER,
            "convention": SH_CONVENTION,
            "coefficients": result.light.coefficients.tolist(),
        }
    return {
        "unrender": version("unrender"),
        "command": command,
        "views": {
            "train": len(train),
            "held_out": 0 if held_out is None else len(held_out),
            "held_out_names": [] if held_out is None else held_out.names,
            "width": train.width,
            "height": train.height,
        },
        "held_out": None if held_out is None else measure(result, held_out),
        "train": measure(result, measured),
        "mesh": {"vertices": mesh.num_vertices, "faces": mesh.num_faces, "texture": texture},
        "light": light,
        "options": None if options is None else dataclasses.asdict(options),
        "seconds": round(result.seconds, 2),
    }


def measure(result: FitResult, views: Views) -> dict[str, Any]:
    """Metrics of :func:`~unrender.fit.view_metrics` over views: mean and worst of each, and view by view.

    Returns:
        For each metric ``{"mean", "min"}``, and in ``"views"`` the values of each view beside its name.
    """
    rows: list[dict[str, Any]] = []
    for i, name in enumerate(views.names):
        measured = view_metrics(result.mesh, result.light, views[i])
        rows.append({"name": name, **{metric: round(values[0], 4) for metric, values in measured.items()}})
    metrics = {}
    for metric in ("mask_iou", "psnr"):
        values = [row[metric] for row in rows if metric in row]
        if values:
            metrics[metric] = {"mean": round(sum(values) / len(values), 4), "min": min(values)}
    return {**metrics, "views": rows}


@torch.no_grad()
def comparison(result: FitResult, views: Views) -> Tensor:
    """Pictures beside renders, for at most 6 of the views: a column each.

    The rows are the target without its background; the render; the absolute difference of the two, three
    times as strong, the larger of that over black and over white; and the normals (red to the right, green
    up, blue towards the camera).

    Returns:
        Shape (H, W, 3).
    """
    shown = _spread(views, VIEWS_SHOWN)
    longer = max(shown.width, shown.height)
    if longer > 1.5 * CELL:
        scale = CELL / longer
        shown = shown.resized(max(1, round(shown.width * scale)), max(1, round(shown.height * scale)))
    enlarged = max(1, round(CELL / max(shown.width, shown.height)))
    targets = torch.cat([shown.pictures, shown.masks[..., None]], -1)
    rows: tuple[list[Tensor], ...] = ([], [], [], [])
    for i, name in enumerate(shown.names):
        camera, target = shown.cameras[i], targets[i]
        drawn = render_antialiased(result.mesh, camera, result.light).clamp(0, 1)
        differences = [(composite(drawn, grey) - composite(target, grey)).abs() for grey in (0.0, 1.0)]
        normals = render(result.mesh, camera).camera_normals * drawn.new_tensor([1, -1, -1])
        cells = {
            name: composite(target, 1.0),
            "render": composite(drawn, 1.0),
            f"difference x {DIFFERENCE_GAIN}": torch.maximum(*differences) * DIFFERENCE_GAIN,
            "normals": normals_to_picture(normals),
        }
        for row, (title, cell) in zip(rows, cells.items(), strict=True):
            row.append(_titled(cell.repeat_interleave(enlarged, 0).repeat_interleave(enlarged, 1), title))
    return contact_sheet([cell for row in rows for cell in row], columns=len(shown))


def _titled(picture: Tensor, title: str) -> Tensor:
    """The picture (H, W, 3) with a word in its upper left corner."""
    from PIL import ImageDraw

    image = pillow_image(picture)
    ImageDraw.Draw(image).text((3, 2), title, fill=(128, 128, 128), font_size=13)
    return torch.from_numpy(picture_array(image))


def _spread(views: Views, count: int) -> Views:
    """At most ``count`` of the views, evenly spread over their order."""
    if len(views) <= count:
        return views
    return views[[round(i * (len(views) - 1) / (count - 1)) for i in range(count)]]
