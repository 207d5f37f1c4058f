"""The corners of all faces of all pictures, to be lit before they are drawn, as SoftRas and N3MR do."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from ..geometry import Mesh, PackedMeshes, face_normals, gather_corners, vertex_normals
from .eye import eye_directions
from .light import Light
from .scene import Scene
from .shade import Phong, illuminate


@dataclasses.dataclass(frozen=True, eq=False)
class FaceCorners:
    """Corners picture by picture, F faces in each; packed meshes are padded to the longest.

    Attributes:
        scene: what they belong to.
        points: in the world, shape (..., F, 3, 3).
        normals: unit normals in the world, shape (..., F, 3, 3).
        faces: row of ``mesh.faces`` of each face, int64, shape (F,), or (M, F) of packed meshes.
    """

    scene: Scene
    points: Tensor
    normals: Tensor
    faces: Tensor

    @classmethod
    def of(cls, scene: Scene, *, flat: bool, double_sided: bool) -> FaceCorners:
        """Corners with the normals of their vertices, or of their faces if ``flat``.

        Args:
            scene: meshes under cameras.
            flat: take face normals.
            double_sided: turn the normals of faces that the camera sees from behind.
        """
        mesh = scene.mesh
        table = _face_table(mesh)
        faces = mesh.faces[table.view(-1)]

        def at_corners(values: Tensor) -> Tensor:
            corners = gather_corners(values, faces)
            return corners.view(*values.shape[:-2], *table.shape, *corners.shape[-2:])

        shape = (*scene.batch, table.shape[-1], 3, 3)
        if flat:
            normals = face_normals(mesh.vertices, faces)
            normals = normals.view(*mesh.vertices.shape[:-2], *table.shape, 1, 3)
        else:
            own = mesh.normals if mesh.normals is not None else vertex_normals(mesh.vertices, mesh.faces)
            normals = at_corners(own)
        points, normals = at_corners(mesh.vertices).expand(shape), normals.expand(shape)
        if double_sided:
            a, b, c = points.detach().unbind(-2)
            away = (torch.linalg.cross(b - a, c - a) * eye_directions(scene.camera, a)).sum(-1) < 0
            normals = torch.where(away[..., None, None], -normals, normals)
        return cls(scene, points, normals, table)

    @property
    def rows(self) -> Tensor:
        """Row of each triangle in a table of all pictures' faces: int32, shape (T,)."""
        scene, face = self.scene, self.scene.face
        if isinstance(scene.mesh, PackedMeshes):
            starts = torch.tensor(scene.mesh.face_starts[:-1], device=face.device)
            face = face - starts[scene.image % len(scene.mesh)]
        return (scene.image * self.faces.shape[-1] + face).int()

    def of_faces(self, values: Tensor) -> Tensor:
        """Values (..., F, K, D) of the mesh's faces in the order of these, padded if they are."""
        if self.faces.ndim == 1:
            return values
        picked = values.index_select(-3, self.faces.view(-1))
        return picked.view(*values.shape[:-3], *self.faces.shape, *values.shape[-2:])

    def light(self, lights: Sequence[Light], material: Phong) -> tuple[Tensor, Tensor]:
        """The factor on the colours of the corners, and what is added to them: shape (..., F, 3, 3)."""
        view = eye_directions(self.scene.camera, self.points) if material.shiny else self.points
        factor, highlight = illuminate(self.points, self.normals, view, lights, material)
        return factor.expand(self.points.shape), highlight.expand(self.points.shape)


def _face_table(mesh: Mesh | PackedMeshes) -> Tensor:
    device = mesh.vertices.device
    if not isinstance(mesh, PackedMeshes):
        return torch.arange(mesh.num_faces, device=device)
    starts = torch.tensor(mesh.face_starts[:-1], device=device)
    last = torch.tensor(mesh.face_counts, device=device) - 1
    return starts[:, None] + torch.minimum(
        torch.arange(max(mesh.face_counts), device=device), last.clamp(min=0)[:, None]
    )
