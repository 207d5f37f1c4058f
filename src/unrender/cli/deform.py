"""``unrender deform``: a mesh bends and stretches to look as in one picture or several."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from ..errors import InputError
from .device import pick_device
from .progress import progress_display

if TYPE_CHECKING:
    from ..geometry import Mesh
    from ..io import Views
    from ..render import Camera

NEAR = 0.01  # radii of the mesh
CAMERA_KEYS = ("world_to_camera", "intrinsics", "width", "height")


@dataclasses.dataclass(frozen=True)
class Deform:
    """Deform a mesh, keeping its faces and texture coordinates, until it looks as in one picture or several.

    Writes OUT and, for object.glb, object-views.png: targets, mesh at the start, and result, side by side.
    The mesh must be in place when it starts, roughly; unrender pose finds the camera of one picture.

    Attributes:
        mesh: what to deform: .obj, .glb, .gltf, .ply, .stl or .off.
        views: one picture, or a view set: a folder (or its transforms.json) of NeRF or Blender, COLMAP, DVR
            or SoftRas.
        out: mesh file to write: .glb or .obj.
        camera: the picture's camera: the .json file that unrender pose writes.
        mask: the picture's mask, a grey picture of the same size; its alpha channel when not given.
        renderer: what draws: the Soft Rasterizer, DIB-R, or the Neural 3D Mesh Renderer.
        color: match silhouettes alone, and leave the mesh's colours as they are.
        rigidity: how much stretch and shear count; less for objects that grow, more for those that bend.
        picture_size: larger pictures are fitted at this many pixels on their longer side.
        effort: multiplies the number of steps.
        seed: of the order in which views are drawn.
        device: auto, cpu, cuda or cuda:NUMBER.
    """

    mesh: tyro.conf.Positional[Path]
    views: tyro.conf.Positional[Path]
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    camera: Path | None = None
    mask: Path | None = None
    renderer: Literal["dibr", "softras", "nmr"] = "softras"
    color: bool = True
    rigidity: float = 1.0
    picture_size: int = 512
    effort: float = 1.0
    seed: int = 0
    device: str = "auto"

    def run(self) -> None:
        """Read, deform, write.

        Raises:
            InputError: an option, the mesh or the views break a rule.
        """
        device = pick_device(self.device)

        from ..fit import DeformOptions, deform, view_metrics
        from ..fit.deform_report import before_and_after
        from ..fit.report import report_files
        from ..geometry import vertex_normals
        from ..io import load_mesh, save_mesh, save_picture

        files = report_files(self.out)
        names = [field.name for field in dataclasses.fields(DeformOptions)]
        options = DeformOptions(**{name: getattr(self, name) for name in names})
        start = load_mesh(self.mesh).to(device)
        views = self._load(start).to(device)
        with progress_display("bend 1/3") as show:
            result = deform(start, views, options, progress=show)
        mesh = result.mesh
        save_mesh(mesh.replace(normals=vertex_normals(mesh.vertices, mesh.faces)), self.out)
        save_picture(before_and_after(start, mesh, views), files["pictures"])
        before, after = (
            sum(ious) / len(ious)
            for ious in (view_metrics(m, None, views)["mask_iou"] for m in (start, mesh))
        )
        rows = {
            "views": f"{len(views)}",
            "mesh": f"{mesh.num_vertices} vertices, {mesh.num_faces} faces",
            "mask IoU": f"{before:.3f} at the start, {after:.3f} now",
            "took": f"{result.seconds:.0f} s",
        }
        for what, value in rows.items():
            sys.stdout.write(f"{what:10}  {value}\n")
        for path in (self.out, files["pictures"]):
            sys.stdout.write(f"{'wrote':10}  {path}\n")

    def _load(self, mesh: Mesh) -> Views:
        """The views that the options name."""
        from ..io import Views, load_views
        from ..io.view_pictures import PICTURE_SUFFIXES, read_pictures, require_same_size, view_names
        from ..render.turntable import bounding_ball

        if self.views.suffix.lower() not in PICTURE_SUFFIXES:
            for name in ("camera", "mask"):
                if getattr(self, name) is not None:
                    raise InputError(
                        f"--{name} belongs to a single picture, got it with the view set {self.views}"
                    )
            return load_views(self.views)
        if self.camera is None:
            raise InputError(
                f"--camera must name the camera of {self.views}, a .json file that unrender pose writes"
            )
        camera = read_camera(self.camera, near=NEAR * float(bounding_ball(mesh)[1]))
        pictures, masks = read_pictures([self.views], [self.mask], advice="give its mask by --mask")
        size = (pictures.shape[2], pictures.shape[1])
        require_same_size(f"{self.camera}", (camera.width, camera.height), f"{self.views}", size)
        cameras = camera.replace(
            world_to_camera=camera.world_to_camera[None], intrinsics=camera.intrinsics[None]
        )
        return Views(pictures, masks, cameras, view_names([self.views]))


def read_camera(path: Path, *, near: float) -> Camera:
    """The camera in a .json file that ``unrender pose`` wrote.

    Args:
        path: an object with ``world_to_camera`` (4 x 4), ``intrinsics`` (3 x 3), ``width`` and ``height``;
            what else it holds is passed over.
        near: of the camera [world units].

    Raises:
        InputError: the file is missing, or is not such an object.
    """
    import torch

    from ..render import Camera

    if not path.is_file():
        raise InputError(f"camera file {path} does not exist")
    try:
        data = json.loads(path.read_text())
    except ValueError as error:
        raise InputError(f"{path} is not readable as JSON: {error}") from error
    missing = [key for key in CAMERA_KEYS if not isinstance(data, dict) or key not in data]
    if missing:
        raise InputError(f"{path} must hold {', '.join(CAMERA_KEYS)}, got no {', '.join(missing)}")
    try:
        pose, intrinsics = (torch.tensor(data[key], dtype=torch.float32) for key in CAMERA_KEYS[:2])
        return Camera(pose, intrinsics, int(data["width"]), int(data["height"]), near=near)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path} does not describe a camera: {error}") from error
