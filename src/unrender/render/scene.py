"""A scene made ready to draw: every mesh under its cameras, as one list of screen triangles."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from ..errors import InputError
from ..geometry import Mesh, PackedMeshes, gather_corners
from .camera import Camera
from .raster.clip import clip_near
from .raster.grid import Grid, image_of_triangles


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
    """Screen triangles of I pictures in one list, and what they came from.

    Attributes:
        mesh: what is drawn.
        camera: cameras, with the pictures' batch dimensions.
        batch: the pictures' batch dimensions, whose product is I.
        grid: the pixels.
        triangles: centred screen x, y and camera depth of every corner, shape (T, 3, 3).
        image_starts: first triangle of each picture, then T: int64, shape (I + 1,).
        image: picture of each triangle, int64, shape (T,).
        face: row of ``mesh.faces`` of each triangle, int64, shape (T,).
        coordinates: corners of each triangle in the barycentric coordinates of its face, shape (T, 3, 3),
            where the near plane has cut some; else None.
    """

    mesh: Mesh | PackedMeshes
    camera: Camera
    batch: torch.Size
    grid: Grid
    triangles: Tensor
    image_starts: Tensor
    image: Tensor
    face: Tensor
    coordinates: Tensor | None

    def corners_of(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Per-face attributes as a table, and the row of each triangle in it.

        Args:
            values: corner values of every face, shape (..., F, 3, D); batch dimensions that are not there
                or 1 are shared by the pictures, not copied.

        Returns:
            Table (R, 3, D) and rows, int32, shape (T,).
        """
        table = values.reshape(-1, *values.shape[-2:])
        if isinstance(self.mesh, PackedMeshes):
            return table, self.face.int()
        shared = values.shape[:-3]
        numbers = torch.arange(math.prod(shared), device=values.device).view(shared)
        first = numbers.expand(self.batch).reshape(-1) * values.shape[-3]
        return table, (first[self.image] + self.face).int()


def prepare(mesh: Mesh | PackedMeshes, camera: Camera) -> Scene:
    """Bring meshes into the view of cameras.

    Args:
        mesh: V vertices and F faces with batch dimensions that broadcast against the camera's; or M packed
            meshes, for cameras whose last batch dimension is M or 1, or that have none.
        camera: the cameras.

    Raises:
        InputError: batch dimensions do not broadcast, or dtype or device differ.
    """
    for name in ("dtype", "device"):
        if getattr(mesh, name) != getattr(camera, name):
            raise InputError(
                f"mesh and camera must have one {name}, got {getattr(mesh, name)} and {getattr(camera, name)}"
            )
    try:
        own = torch.Size([len(mesh)]) if isinstance(mesh, PackedMeshes) else mesh.all_batch_shape
        batch = torch.broadcast_shapes(own, camera.batch_shape)
    except RuntimeError as error:
        own = (len(mesh),) if isinstance(mesh, PackedMeshes) else tuple(mesh.batch_shape)
        raise InputError(
            f"batch dimensions of mesh {own} and camera {tuple(camera.batch_shape)} must broadcast"
        ) from error
    if isinstance(mesh, PackedMeshes) and batch[-1] != len(mesh):
        raise InputError(
            f"the camera's last batch dimension must be 1 or the number of packed meshes, {len(mesh)}, "
            f"got {tuple(camera.batch_shape)}"
        )
    device = camera.device
    images = math.prod(batch)
    camera = camera.replace(
        world_to_camera=camera.world_to_camera.expand(*batch, 4, 4),
        intrinsics=camera.intrinsics.expand(*batch, 3, 3),
    )
    if isinstance(mesh, PackedMeshes):
        poses = camera.world_to_camera[..., :3, :]
        counts = torch.tensor(mesh.vertex_counts, device=device)
        poses = torch.repeat_interleave(poses, counts, dim=-3, output_size=mesh.vertices.shape[0])
        view = (poses[..., :3] * mesh.vertices[:, None]).sum(-1) + poses[..., 3]
        face_counts = torch.tensor(mesh.face_counts, device=device).repeat(images // len(mesh))
    else:
        view = camera.to_camera(mesh.vertices).expand(*batch, mesh.num_vertices, 3)
        face_counts = torch.full((images,), mesh.num_faces, device=device)
    corners = gather_corners(view, mesh.faces).reshape(-1, 3, 3)
    starts = torch.cat([face_counts.new_zeros(1), face_counts.cumsum(0)])
    image = image_of_triangles(starts, corners.shape[0])
    corners, parents, coordinates = clip_near(corners, camera.near)
    image = image[parents]
    face_starts = starts[:-1]
    if isinstance(mesh, PackedMeshes):
        face_starts = face_starts - torch.tensor(mesh.face_starts[:-1], device=device).repeat(
            images // len(mesh)
        )
    face = parents - face_starts[image]
    starts = torch.searchsorted(image, torch.arange(images + 1, device=device))
    grid = Grid(images, camera.height, camera.width)
    return Scene(
        mesh, camera, batch, grid, _project(corners, camera, image), starts, image, face, coordinates
    )


def _project(corners: Tensor, camera: Camera, image: Tensor) -> Tensor:
    """Screen triangles (T, 3, 3), origin in the middle of the picture, from corners beyond the near plane."""
    k = camera.intrinsics.reshape(-1, 3, 3)
    centre = k.new_tensor([camera.width / 2, camera.height / 2])
    fx, skew, cx, fy, cy = torch.stack(
        [k[:, 0, 0], k[:, 0, 1], k[:, 0, 2] - centre[0], k[:, 1, 1], k[:, 1, 2] - centre[1]]
    )[:, image, None]
    x, y, z = corners.unbind(-1)
    if not camera.orthographic:
        x, y = x / z, y / z
    return torch.stack([fx * x + skew * y + cx, fy * y + cy, z], -1)
