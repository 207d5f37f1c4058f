"""The rasterizer: screen triangles and their textures become colours, coverage and depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...errors import InputError
from ...render.face_textures import sample_face_cubes
from ...render.raster.clip import clip_near
from ...render.raster.grid import Grid
from ...render.raster.nmr import scan_edges
from ...render.raster.zbuffer import rasterize as rasterize_triangles

__all__ = ["Rasterize", "rasterize", "rasterize_depth", "rasterize_rgbad", "rasterize_silhouettes"]

Color = Sequence[float] | Tensor


def rasterize_rgbad(
    faces: Tensor,
    textures: Tensor | None = None,
    image_size: int = 256,
    anti_aliasing: bool = True,
    near: float = 0.1,
    far: float = 100,
    eps: float = 1e-4,
    background_color: Color | None = (0, 0, 0),
    return_rgb: bool = True,
    return_alpha: bool = True,
    return_depth: bool = True,
) -> dict[str, Any]:
    """Draw colours, alpha and depth (Kato et al., "Neural 3D Mesh Renderer", CVPR 2018).

    Faces whose corners run counter-clockwise on the screen are drawn, the others not. What lies outside
    ``near`` and ``far`` is not drawn; faces that cross the near plane are cut there. Interpolation is
    perspective-correct. Edges get the hand-made gradient of
    :func:`~unrender.render.raster.nmr.scan_edges`, from colours and alpha together; depth has its true one.

    Args:
        faces: x to the right and y upward, both in [-1, 1] inside the picture, and depth of every corner,
            shape (B, F, 3, 3).
        textures: colours at the weights (i, j, k) / (T - 1) of the corners, shape (B, F, T, T, T, 3), T at
            least 2; only colours need them.
        image_size: width and height S of the pictures.
        anti_aliasing: draw at twice the size and average 2 x 2 pixels.
        near: least depth that is drawn.
        far: depth from which on nothing is drawn, and the depth where nothing is.
        eps: added to the distances in the gradient of the edges, in units of half a picture.
        background_color: colour where nothing is, shape (3,) or (B, 3).
        return_rgb: draw colours.
        return_alpha: draw alpha: 1 where a face is, else 0.
        return_depth: draw depth.

    Returns:
        ``"rgb"`` (B, 3, S, S), ``"alpha"`` (B, S, S) and ``"depth"`` (B, S, S); None where not wanted.

    Raises:
        InputError: wrong shapes, colours without textures or background, or ``near`` or ``eps`` that is not
            positive.
    """
    if faces.ndim != 4 or faces.shape[-2:] != (3, 3):
        raise InputError(f"faces must have shape (B, F, 3, 3), got {tuple(faces.shape)}")
    if not near > 0:
        raise InputError(f"near must be positive, got {near}")
    batch, count = faces.shape[:2]
    size = 2 * image_size if anti_aliasing else image_size
    grid = Grid(batch, size, size, step_x=1 / size, step_y=-1 / size)
    triangles, parents, coordinates = _cut(faces.reshape(-1, 3, 3), near)
    image = torch.div(parents, count, rounding_mode="floor")
    starts = torch.searchsorted(image, torch.arange(batch + 1, device=faces.device))
    index, weights, depth = rasterize_triangles(triangles, starts, grid, valid=_faces_viewer(triangles))
    covered = (index >= 0) & (depth < far)
    index = torch.where(covered, index, -1)

    layers = []
    if return_rgb:
        if textures is None or background_color is None:
            missing = "textures" if textures is None else "a background_color"
            raise InputError(f"colours need {missing}, got None")
        if textures.ndim != 6 or textures.shape[:2] != (batch, count) or textures.shape[-1] != 3:
            raise InputError(
                f"textures must have shape ({batch}, {count}, T, T, T, 3), got {tuple(textures.shape)}"
            )
        rows = functional.pad(parents % count, (0, 1), value=-1)[index]  # -1 picks the padding
        if coordinates is not None:
            weights = (weights[..., None] * coordinates[index]).sum(-2)
        background = torch.as_tensor(background_color, dtype=faces.dtype, device=faces.device)
        colors = sample_face_cubes(textures, rows, weights)
        layers.append(torch.where(covered[..., None], colors, background.reshape(-1, 1, 1, 3)))
    if return_alpha:
        layers.append(covered[..., None].to(faces.dtype))
    if layers:
        layers = [scan_edges(torch.cat(layers, -1), triangles, starts, index, grid, eps=eps)]
    if return_depth:
        layers.append(torch.where(covered, depth, far)[..., None])
    planes = torch.cat(layers, -1).permute(0, 3, 1, 2)
    if anti_aliasing:
        planes = functional.avg_pool2d(planes, 2)
    return {
        "rgb": planes[:, :3] if return_rgb else None,
        "alpha": planes[:, 3 * return_rgb] if return_alpha else None,
        "depth": planes[:, -1] if return_depth else None,
    }


def rasterize(
    faces: Tensor,
    textures: Tensor,
    image_size: int = 256,
    anti_aliasing: bool = True,
    near: float = 0.1,
    far: float = 100,
    eps: float = 1e-4,
    background_color: Color = (0, 0, 0),
) -> Tensor:
    """Draw colours alone, shape (B, 3, S, S); see :func:`rasterize_rgbad`."""
    rest = (image_size, anti_aliasing, near, far, eps, background_color)
    return rasterize_rgbad(faces, textures, *rest, return_alpha=False, return_depth=False)["rgb"]


def rasterize_silhouettes(
    faces: Tensor,
    image_size: int = 256,
    anti_aliasing: bool = True,
    near: float = 0.1,
    far: float = 100,
    eps: float = 1e-4,
) -> Tensor:
    """Draw alpha alone, shape (B, S, S); see :func:`rasterize_rgbad`."""
    rest = (image_size, anti_aliasing, near, far, eps)
    return rasterize_rgbad(faces, None, *rest, return_rgb=False, return_depth=False)["alpha"]


def rasterize_depth(
    faces: Tensor,
    image_size: int = 256,
    anti_aliasing: bool = True,
    near: float = 0.1,
    far: float = 100,
    eps: float = 1e-4,
) -> Tensor:
    """Draw depth alone, shape (B, S, S); see :func:`rasterize_rgbad`."""
    rest = (image_size, anti_aliasing, near, far, eps)
    return rasterize_rgbad(faces, None, *rest, return_rgb=False, return_alpha=False)["depth"]


class Rasterize(nn.Module):
    """:func:`rasterize_rgbad` without anti-aliasing, its pictures upside down: row 0 is the lowest.

    Args:
        image_size: see :func:`rasterize_rgbad`, as all that follow.
        near: least depth.
        far: depth from which on nothing is drawn.
        eps: added to distances.
        background_color: shape (3,) or (B, 3).
        return_rgb: draw colours.
        return_alpha: draw alpha.
        return_depth: draw depth.
    """

    def __init__(
        self,
        image_size: int,
        near: float,
        far: float,
        eps: float,
        background_color: Color | None,
        return_rgb: bool = False,
        return_alpha: bool = False,
        return_depth: bool = False,
    ) -> None:
        super().__init__()
        self.image_size = image_size
        self.near = near
        self.far = far
        self.eps = eps
        self.background_color = background_color
        self.return_rgb = return_rgb
        self.return_alpha = return_alpha
        self.return_depth = return_depth

    def forward(self, faces: Tensor, textures: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Draw.

        Args:
            faces: shape (B, F, 3, 3).
            textures: shape (B, F, T, T, T, 3), or None.

        Returns:
            Colours (B, S, S, 3), alpha (B, S, S) and depth (B, S, S); empty where not wanted.
        """
        drawn = rasterize_rgbad(
            faces,
            textures,
            self.image_size,
            False,
            self.near,
            self.far,
            self.eps,
            self.background_color,
            self.return_rgb,
            self.return_alpha,
            self.return_depth,
        )
        nothing = faces.new_zeros(0)
        return (
            drawn["rgb"].permute(0, 2, 3, 1).flip(1) if self.return_rgb else nothing,
            drawn["alpha"].flip(1) if self.return_alpha else nothing,
            drawn["depth"].flip(1) if self.return_depth else nothing,
        )


def _cut(triangles: Tensor, near: float) -> tuple[Tensor, Tensor, Tensor | None]:
    """Screen triangles beyond the near plane; see :func:`~unrender.render.raster.clip.clip_near`.

    With x and y times depth, straight lines of space are straight lines again, also behind the eye.
    """
    z = triangles[..., 2:]
    corners, parents, coordinates = clip_near(torch.cat([triangles[..., :2] * z, z], -1), near)
    if coordinates is None:
        return triangles[parents], parents, None
    z = corners[..., 2:]
    return torch.cat([corners[..., :2] / z, z], -1), parents, coordinates


def _faces_viewer(triangles: Tensor) -> Tensor:
    """Which triangles (T, 3, 3) run counter-clockwise on the screen, y up."""
    a, b, c = triangles.detach()[..., :2].unbind(1)
    return (c[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0]) >= (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
