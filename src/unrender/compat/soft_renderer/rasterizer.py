"""Rasterizers of meshes in normalised device coordinates."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from ...errors import InputError
from ...render.raster.softras.renderer import AlphaRule, ColorRule, Distance
from ..left_handed import Numbers
from . import functional as srf
from .functional.soft_rasterize import CHOICES
from .mesh import Mesh

__all__ = ["Rasterizer", "SoftRasterizer"]


class SoftRasterizer(nn.Module):
    """Draws meshes with :func:`~unrender.compat.soft_renderer.functional.soft_rasterize`, which see.

    Its arguments are attributes that can be set.

    Args:
        image_size: S.
        background_color: red, green and blue.
        near: faces nearer than this give no colour.
        far: nor do faces farther than this.
        anti_aliasing: draw at twice the size and average.
        fill_back: colour faces that are seen from behind, too.
        eps: weight of the background, as a normalised depth.
        sigma_val: softness of the faces' rims.
        dist_func: ``"euclidean"``, ``"barycentric"`` or ``"hard"``.
        dist_eps: faces that cover a pixel less than this are left out.
        gamma_val: softness in depth.
        aggr_func_rgb: ``"softmax"`` or ``"hard"``.
        aggr_func_alpha: ``"prod"``, ``"sum"`` or ``"hard"``.
        texture_type: ``"surface"`` or ``"vertex"``.

    Raises:
        InputError: an option is none of those named.
    """

    def __init__(
        self,
        image_size: int = 256,
        background_color: Numbers = (0, 0, 0),
        near: float = 1,
        far: float = 100,
        anti_aliasing: bool = False,
        fill_back: bool = False,
        eps: float = 1e-3,
        sigma_val: float = 1e-5,
        dist_func: Distance = "euclidean",
        dist_eps: float = 1e-4,
        gamma_val: float = 1e-4,
        aggr_func_rgb: ColorRule = "softmax",
        aggr_func_alpha: AlphaRule = "prod",
        texture_type: str = "surface",
    ) -> None:
        super().__init__()
        self.image_size = image_size
        self.background_color = background_color
        self.near = near
        self.far = far
        self.anti_aliasing = anti_aliasing
        self.fill_back = fill_back
        self.eps = eps
        self.sigma_val = sigma_val
        self.dist_func: Distance = dist_func
        self.dist_eps = dist_eps
        self.gamma_val = gamma_val
        self.aggr_func_rgb: ColorRule = aggr_func_rgb
        self.aggr_func_alpha: AlphaRule = aggr_func_alpha
        self.texture_type = texture_type
        for option, known in CHOICES.items():
            if getattr(self, option) not in known:
                raise InputError(f"{option} must be one of {', '.join(known)}, got {getattr(self, option)!r}")

    def forward(self, mesh: Mesh, mode: str | None = None) -> Tensor:
        """Draw a mesh.

        Args:
            mesh: in normalised device coordinates.
            mode: of no effect, as in the original.

        Returns:
            Red, green, blue and alpha, shape (B, 4, S, S).
        """
        images = srf.soft_rasterize(
            mesh.face_vertices,
            mesh.face_textures,
            self.image_size * (2 if self.anti_aliasing else 1),
            self.background_color,
            self.near,
            self.far,
            self.fill_back,
            self.eps,
            self.sigma_val,
            self.dist_func,
            self.dist_eps,
            self.gamma_val,
            self.aggr_func_rgb,
            self.aggr_func_alpha,
            self.texture_type,
        )
        return avg_pool2d(images, kernel_size=2) if self.anti_aliasing else images


class Rasterizer(nn.Module):
    """Draws the nearest face under each pixel; only the textures get gradients.

    The original's :class:`~unrender.compat.soft_renderer.Renderer` asks for such a class, which it lacks.

    Args:
        image_size: S.
        background_color: red, green and blue.
        near: faces nearer than this give no colour.
        far: nor do faces farther than this.
        anti_aliasing: draw at twice the size and average.
        fill_back: colour faces that are seen from behind, too.
        eps: of no effect.
    """

    def __init__(
        self,
        image_size: int = 256,
        background_color: Numbers = (0, 0, 0),
        near: float = 1,
        far: float = 100,
        anti_aliasing: bool = False,
        fill_back: bool = False,
        eps: float = 1e-6,
    ) -> None:
        super().__init__()
        self.image_size = image_size
        self.background_color = background_color
        self.near = near
        self.far = far
        self.anti_aliasing = anti_aliasing
        self.fill_back = fill_back
        self.eps = eps

    def forward(self, mesh: Mesh, mode: str | None = None) -> Tensor:
        """Draw a mesh.

        Args:
            mesh: in normalised device coordinates.
            mode: of no effect.

        Returns:
            Red, green, blue and alpha, shape (B, 4, S, S).
        """
        images = srf.soft_rasterize(
            mesh.face_vertices,
            mesh.face_textures,
            self.image_size * (2 if self.anti_aliasing else 1),
            self.background_color,
            self.near,
            self.far,
            self.fill_back,
            dist_func="hard",
            aggr_func_rgb="hard",
            aggr_func_alpha="hard",
            texture_type=mesh.texture_type,
        )
        return avg_pool2d(images, kernel_size=2) if self.anti_aliasing else images
