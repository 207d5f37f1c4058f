"""What a prediction leaves on disk: mesh, light, camera, and pictures of all of them."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from ..errors import InputError
from ..geometry import Mesh
from ..io import contact_sheet, save_animation, save_mesh, save_picture
from ..io.files import write_file
from ..io.pictures import depth_to_picture, normals_to_picture
from ..learn.crop import crop_to_object
from ..learn.data.light_record import FIELDS, LightRecord
from ..learn.prediction import Prediction
from ..render import Camera, render
from ..render.turntable import composite, framing_camera, full_turn, render_antialiased, turntable
from .files import camera_entries, light_entries

LARGEST = 1024  # longer side of depth and normal pictures [pixels]
VIEW = 288  # sides of turntables and views around the object [pixels]
CELL = 224  # sides of the contact sheet's pictures [pixels]
SHOWN = 5  # pictures in a row of the contact sheet
FRAMES = 36
SIDES = ((-1.0, -0.4, -0.5), (1.0, -0.4, -0.5), (0.0, -1.0, -0.3), (0.0, 0.7, -0.6), (0.5, -0.6, 0.8))
"""Where light comes from in the relit pictures, in camera space (x right, y down, z forward)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """What :func:`write_report` writes beside mesh, light and camera.

    Attributes:
        views: pictures from around the object; 0 for none.
        cameras: take those pictures from these cameras instead, batch shape (N,), in the object's frame.
        lights: light the object by these for the relit pictures, instead of from five sides.
        animation: file format of the turntable, or none.

    Raises:
        InputError: ``views`` is negative.
    """

    views: int = 8
    cameras: Camera | None = None
    lights: LightRecord | None = None
    animation: Literal["gif", "webp", "none"] = "gif"

    def __post_init__(self) -> None:
        if self.views < 0:
            raise InputError(f"views must not be negative, got {self.views}")


@torch.no_grad()
def write_report(
    prediction: Prediction, picture: Tensor, folder: Path, options: ReportOptions | None = None
) -> dict[str, Any]:
    """Write a prediction and pictures of it into a folder.

    - ``object.glb``: the mesh with its UV texture or vertex colours, without light;
    - ``light.json``, ``camera.json``: :mod:`unrender.predict.files`;
    - ``depth.npy``: camera z from the picture's camera, 0 where nothing is, float32; ``depth.png``,
      ``normals.png`` (red to the right, green up, blue towards the camera): all of the picture's size, or
      1024 pixels on the longer side if that is less;
    - ``turntable.gif``: a full turn under the predicted light;
    - ``views/00.png``...: RGBA pictures from around, or from given cameras;
    - ``relight.png``: the object under other lights;
    - ``sheet.png``: above the picture, its object, the render from its camera, depth and normals; below
      views from around; below those the object relit.

    Args:
        prediction: of one object, batch shape (1,), with a mesh and the camera of the picture.
        picture: straight colours and alpha, shape (H, W, 4).
        folder: where to; made if need be.
        options: what to write.

    Returns:
        ``files``, the paths by name, and ``mask_iou``, that of the sharp render from the camera and the mask.

    Raises:
        InputError: the prediction has no mesh or no camera.
    """
    options = ReportOptions() if options is None else options
    if prediction.mesh is None or prediction.camera is None:
        raise InputError("a report needs a prediction with mesh and camera")
    mesh, camera = prediction.mesh[0], prediction.camera[0]
    light = LightRecord("none") if prediction.light is None else prediction.light[0]
    picture = picture.to(mesh.vertices)
    names = ["object.glb", "light.json", "camera.json", "depth.npy", "depth.png", "normals.png"]
    names += [] if options.animation == "none" else [f"turntable.{options.animation}"]
    files = {Path(name).stem if name != "depth.npy" else "depth_values": folder / name for name in names}
    files |= {name: folder / f"{name}.png" for name in ("relight", "sheet")}

    save_mesh(mesh, files["object"])
    _write_json(files["light"], light_entries(light))
    seen = render(mesh, _shrunk(camera, LARGEST))
    iou = _mask_iou(mesh, camera, picture[..., 3])
    _write_json(files["camera"], {**camera_entries(camera), "mask_iou": iou})
    stream = io.BytesIO()
    np.save(stream, seen.depth.cpu().numpy())
    write_file(files["depth_values"], stream.getvalue())
    save_picture(depth_to_picture(seen.depth), files["depth"])
    facing = seen.camera_normals * seen.depth.new_tensor([1, -1, -1])
    save_picture(normals_to_picture(facing), files["normals"])
    if "turntable" in files:
        frames = turntable(mesh, frames=FRAMES, width=VIEW, height=VIEW, **_lit(light))
        save_animation(frames, files["turntable"], fps=FRAMES / 3)

    around = _views(mesh, light, options)
    for i, view in enumerate(around):
        files[f"view {i}"] = folder / "views" / f"{i:02}.png"
        save_picture(view, files[f"view {i}"])
    premultiplied = torch.cat([picture[..., :3] * picture[..., 3:], picture[..., 3:]], -1)
    crop, transform = crop_to_object(premultiplied, size=CELL)
    close = camera.replace(intrinsics=transform @ camera.intrinsics, width=CELL, height=CELL)
    relit = _relit(mesh, close, options.lights)
    save_picture(contact_sheet(relit, columns=len(relit)), files["relight"])
    rows = [
        _front(mesh, light, close, picture, crop),
        [_cell(view) for view in around[:SHOWN]],
        relit[:SHOWN],
    ]
    blank = torch.ones_like(relit[0])
    cells = [cell for row in rows if row for cell in (row + [blank] * SHOWN)[:SHOWN]]
    save_picture(contact_sheet(cells, columns=SHOWN), files["sheet"])
    return {"files": files, "mask_iou": iou}


def _write_json(path: Path, entries: dict[str, Any]) -> None:
    write_file(path, (json.dumps(entries, indent=1, allow_nan=False) + "\n").encode())


def _lit(light: LightRecord) -> dict[str, Any]:
    """A light as arguments of ``render``."""
    return {"light": light.lights(), "material": light.material()}


def _shrunk(camera: Camera, most: int) -> Camera:
    """The camera with at most ``most`` pixels on the longer side."""
    scale = min(1.0, most / max(camera.width, camera.height))
    return camera.resized(max(1, round(camera.width * scale)), max(1, round(camera.height * scale)))


def _mask_iou(mesh: Mesh, camera: Camera, alpha: Tensor) -> float:
    drawn, inside = render(mesh, camera).mask, alpha > 0.5
    return float((drawn & inside).sum() / (drawn | inside).sum())


def _views(mesh: Mesh, light: LightRecord, options: ReportOptions) -> list[Tensor]:
    """RGBA pictures from around the object or from the given cameras."""
    if options.views == 0 and options.cameras is None:
        return []
    cameras = options.cameras
    if cameras is None:
        azimuth = full_turn(options.views, start=30.0)
        cameras = framing_camera(mesh, azimuth=azimuth, width=VIEW, height=VIEW)
    cameras = cameras.to(mesh.device)
    return [
        render_antialiased(mesh, cameras[i], **_lit(light)).clamp(0, 1) for i in range(len(cameras.center))
    ]


def _relit(mesh: Mesh, camera: Camera, lights: LightRecord | None) -> list[Tensor]:
    """The object under several lights, on white."""
    if lights is None:
        direction = normalize(mesh.vertices.new_tensor(SIDES) @ camera.world_to_camera[:3, :3], dim=-1)
        ambient = mesh.vertices.new_full((len(SIDES),), 0.35)
        lights = LightRecord("lambert", direction, ambient, 1 - ambient)
    lights = lights.to(mesh.device)
    fields = list(FIELDS[lights.kind])
    count = len(getattr(lights, fields[0])) if fields else 1
    return [
        composite(render_antialiased(mesh, camera, **_lit(lights[i])).clamp(0, 1), 1.0) for i in range(count)
    ]


def _front(mesh: Mesh, light: LightRecord, camera: Camera, picture: Tensor, crop: Tensor) -> list[Tensor]:
    """Picture, object, render, depth and normals, each of the contact sheet's size."""
    drawn = render(mesh, camera)
    facing = normals_to_picture(drawn.camera_normals * drawn.depth.new_tensor([1, -1, -1]))
    backdrop = (~drawn.mask)[..., None].to(crop)
    return [
        _cell(picture[..., :3]),
        crop[..., :3] + 1 - crop[..., 3:],
        composite(render_antialiased(mesh, camera, **_lit(light)).clamp(0, 1), 1.0),
        depth_to_picture(drawn.depth) + backdrop,
        facing + backdrop,
    ]


def _cell(picture: Tensor) -> Tensor:
    """A picture (H, W, 3 or 4), on white, made to fit a cell."""
    if picture.shape[-1] == 4:
        picture = composite(picture, 1.0)
    scale = CELL / max(picture.shape[:2])
    size = [max(1, round(side * scale)) for side in picture.shape[:2]]
    planes = picture.permute(2, 0, 1)[None]
    small = interpolate(planes, size, mode="bilinear", antialias=True)
    return small[0].permute(1, 2, 0).clamp(0, 1)
