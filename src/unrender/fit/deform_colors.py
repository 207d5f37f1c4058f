"""The colours of a mesh that is being deformed."""

from __future__ import annotations

import abc

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ..geometry import EdgeTopology, Mesh, laplacian_loss
from ..io import Views
from ..render import render
from .appearance import texture_roughness
from .frame import pixel_footprint
from .steps import texture_side

PEAK = 0.02  # length of the first steps; colours reach from 0 to 1


def has_colors(mesh: Mesh) -> bool:
    """Whether a mesh has a texture or vertex colours."""
    return mesh.texture is not None or mesh.vertex_colors is not None


def with_texels_of_pixels(mesh: Mesh, footprint: float) -> Mesh:
    """The mesh with its texture, if any, averaged to texels of about the size of a pixel.

    Through finer ones colours say nothing about where the surface should go: neighbouring pixels look up
    texels that have nothing to do with each other.

    Args:
        mesh: the mesh.
        footprint: size of a pixel on it [world units].
    """
    if mesh.texture is None:
        return mesh
    return mesh.replace(texture=_resized(mesh.texture, _texels(mesh, footprint), "area"))


class RefinedColors(abc.ABC):
    """What is added to the colours of a mesh, with its optimiser.

    Args:
        start: the colours as they were.
        change: what is added to begin with.
    """

    def __init__(self, start: Tensor, change: Tensor) -> None:
        self.start = start
        self.change = change.requires_grad_()
        self.adam = torch.optim.Adam([self.change], betas=(0.9, 0.99))

    @abc.abstractmethod
    def mesh(self, mesh: Mesh) -> Mesh:
        """``mesh`` with the colours as they are now."""

    @abc.abstractmethod
    def roughness(self) -> Tensor:
        """Roughness of the change alone, so that detail that was there costs nothing."""

    def step(self, fade: float) -> None:
        """Move the colours down their gradient, by ``fade`` times the first steps' length, and clear it."""
        self.adam.param_groups[0]["lr"] = PEAK * fade
        self.adam.step()
        self.adam.zero_grad()


class RefinedVertexColors(RefinedColors):
    """Vertex colours; what no picture shows changes with its surroundings."""

    def __init__(self, colors: Tensor, topology: EdgeTopology) -> None:
        super().__init__(colors, torch.zeros_like(colors))
        self.topology = topology

    def mesh(self, mesh: Mesh) -> Mesh:
        """``mesh`` with the colours as they are now."""
        return mesh.replace(vertex_colors=(self.start + self.change).clamp(0, 1))

    def roughness(self) -> Tensor:
        """Mean square of the change's Laplacian."""
        return laplacian_loss(self.change, self.topology)


class RefinedTexture(RefinedColors):
    """A texture; texels that no picture shows stay as they are.

    The change has texels of about the size of a pixel: finer ones would be met by few pixels each, or none.
    """

    def __init__(self, texture: Tensor, mesh: Mesh, views: Views) -> None:
        rows, columns = _texels(mesh, pixel_footprint(views.cameras))
        super().__init__(texture, texture.new_zeros(rows, columns, 3))
        blank = mesh.detach().replace(texture=torch.zeros_like(self.change))
        seen = [render(blank, views.cameras[i]).visible_texels for i in range(len(views))]
        self.seen = torch.stack(seen).flatten(0, -3).any(0)[..., None]

    def mesh(self, mesh: Mesh) -> Mesh:
        """``mesh`` with the colours as they are now."""
        rows, columns = self.start.shape[:2]
        change = _resized(self.change * self.seen, (rows, columns), "bilinear")
        return mesh.replace(texture=(self.start + change).clamp(0, 1))

    def roughness(self) -> Tensor:
        """Mean absolute difference of the change at neighbouring texels."""
        return texture_roughness(self.change * self.seen)


def refined_colors(mesh: Mesh, topology: EdgeTopology, views: Views) -> RefinedColors:
    """The refinement of a mesh's colours; one without any starts from the mean colour of the object.

    Args:
        mesh: the mesh.
        topology: of its faces.
        views: the pictures that colours are to come from.
    """
    if mesh.texture is not None:
        return RefinedTexture(mesh.texture, mesh, views)
    if mesh.vertex_colors is not None:
        return RefinedVertexColors(mesh.vertex_colors, topology)
    mean = views.pictures[views.masks > 0.5].mean(0)
    return RefinedVertexColors(mean.expand(mesh.num_vertices, 3), topology)


def _texels(mesh: Mesh, footprint: float) -> tuple[int, int]:
    """Rows and columns, at most the texture's own, at which texels are about the size of a pixel."""
    assert mesh.texture is not None
    rows, columns = mesh.texture.shape[:2]
    side = texture_side(mesh.vertices.detach(), mesh.faces, footprint, max(rows, columns))
    return min(side, rows), min(side, columns)


def _resized(texture: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    """The texture (h, w, C) with ``size`` texels."""
    if texture.shape[:2] == size:
        return texture
    planes = texture.permute(2, 0, 1)[None]
    return interpolate(planes, size, mode=mode)[0].permute(1, 2, 0)
