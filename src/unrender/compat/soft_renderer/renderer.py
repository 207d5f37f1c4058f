"""Light, camera and rasterizer in one."""

from __future__ import annotations

from numpy.typing import NDArray
from torch import Tensor, nn

from ...errors import InputError
from ...render.raster.softras.renderer import AlphaRule, ColorRule, Distance
from ..left_handed import Numbers
from .lighting import Lighting
from .mesh import Mesh
from .rasterizer import Rasterizer, SoftRasterizer
from .transform import Transform

__all__ = ["Renderer", "SoftRenderer"]


class Renderer(nn.Module):
    """Draws the nearest face under each pixel; see :class:`~unrender.compat.soft_renderer.Rasterizer`.

    The arguments are those of :class:`~unrender.compat.soft_renderer.Rasterizer`,
    :class:`~unrender.compat.soft_renderer.Transform` and :class:`~unrender.compat.soft_renderer.Lighting`,
    the last with ``light_`` before their names.

    Attributes:
        lighting: the light.
        transform: the camera.
        rasterizer: the rasterizer.

    Raises:
        InputError: as the three, at the defaults too: ``camera_mode="projection"`` needs ``P``.
    """

    def __init__(
        self,
        image_size: int = 256,
        background_color: Numbers = (0, 0, 0),
        near: float = 1,
        far: float = 100,
        anti_aliasing: bool = True,
        fill_back: bool = True,
        eps: float = 1e-6,
        camera_mode: str = "projection",
        P: Tensor | NDArray | None = None,
        dist_coeffs: Tensor | NDArray | None = None,
        orig_size: float = 512,
        perspective: bool = True,
        viewing_angle: float = 30,
        viewing_scale: float = 1.0,
        eye: Numbers | None = None,
        camera_direction: Numbers = (0, 0, 1),
        light_mode: str = "surface",
        light_intensity_ambient: float | Tensor = 0.5,
        light_color_ambient: Numbers = (1, 1, 1),
        light_intensity_directionals: float | Tensor = 0.5,
        light_color_directionals: Numbers = (1, 1, 1),
        light_directions: Numbers = (0, 1, 0),
    ) -> None:
        super().__init__()
        self.lighting = Lighting(
            light_mode,
            light_intensity_ambient,
            light_color_ambient,
            light_intensity_directionals,
            light_color_directionals,
            light_directions,
        )
        self.transform = Transform(
            camera_mode,
            P,
            dist_coeffs,
            orig_size,
            perspective,
            viewing_angle,
            viewing_scale,
            eye,
            camera_direction,
        )
        self.rasterizer = Rasterizer(image_size, background_color, near, far, anti_aliasing, fill_back, eps)

    def forward(self, mesh: Mesh, mode: str | None = None) -> Tensor:
        """Draw a mesh.

        Args:
            mesh: in the world; it stays as it is.
            mode: of no effect.

        Returns:
            Red, green, blue and alpha, shape (B, 4, S, S).
        """
        return self.rasterizer(self.transform(self.lighting(mesh)), mode)


class SoftRenderer(nn.Module):
    """Draws meshes with the soft rasterizer.

    The arguments are those of :class:`~unrender.compat.soft_renderer.SoftRasterizer`,
    :class:`~unrender.compat.soft_renderer.Transform` and :class:`~unrender.compat.soft_renderer.Lighting`,
    the last with ``light_`` before their names.

    Attributes:
        lighting: the light.
        transform: the camera.
        rasterizer: the rasterizer.

    Raises:
        InputError: as the three, at the defaults too: ``camera_mode="projection"`` needs ``P``.
    """

    def __init__(
        self,
        image_size: int = 256,
        background_color: Numbers = (0, 0, 0),
        near: float = 1,
        far: float = 100,
        anti_aliasing: bool = False,
        fill_back: bool = True,
        eps: float = 1e-3,
        sigma_val: float = 1e-5,
        dist_func: Distance = "euclidean",
        dist_eps: float = 1e-4,
        gamma_val: float = 1e-4,
        aggr_func_rgb: ColorRule = "softmax",
        aggr_func_alpha: AlphaRule = "prod",
        texture_type: str = "surface",
        camera_mode: str = "projection",
        P: Tensor | NDArray | None = None,
        dist_coeffs: Tensor | NDArray | None = None,
        orig_size: float = 512,
        perspective: bool = True,
        viewing_angle: float = 30,
        viewing_scale: float = 1.0,
        eye: Numbers | None = None,
        camera_direction: Numbers = (0, 0, 1),
        light_mode: str = "surface",
        light_intensity_ambient: float | Tensor = 0.5,
        light_color_ambient: Numbers = (1, 1, 1),
        light_intensity_directionals: float | Tensor = 0.5,
        light_color_directionals: Numbers = (1, 1, 1),
        light_directions: Numbers = (0, 1, 0),
    ) -> None:
        super().__init__()
        self.lighting = Lighting(
            light_mode,
            light_intensity_ambient,
            light_color_ambient,
            light_intensity_directionals,
            light_color_directionals,
            light_directions,
        )
        self.transform = Transform(
            camera_mode,
            P,
            dist_coeffs,
            orig_size,
            perspective,
            viewing_angle,
            viewing_scale,
            eye,
            camera_direction,
        )
        self.rasterizer = SoftRasterizer(
            image_size,
            background_color,
            near,
            far,
            anti_aliasing,
            fill_back,
            eps,
            sigma_val,
            dist_func,
            dist_eps,
            gamma_val,
            aggr_func_rgb,
            aggr_func_alpha,
            texture_type,
        )

    def set_sigma(self, sigma: float) -> None:
        """Set the softness of the faces' rims."""
        self.rasterizer.sigma_val = sigma

    def set_gamma(self, gamma: float) -> None:
        """Set the softness in depth."""
        self.rasterizer.gamma_val = gamma

    def set_texture_mode(self, mode: str) -> None:
        """Set what textures belong to, ``"surface"`` or ``"vertex"``, for light and rasterizer.

        Raises:
            InputError: ``mode`` is neither.
        """
        if mode not in ("surface", "vertex"):
            raise InputError(f"mode must be 'surface' or 'vertex', got {mode!r}")
        self.lighting.light_mode = mode
        self.rasterizer.texture_type = mode

    def render_mesh(self, mesh: Mesh, mode: str | None = None) -> Tensor:
        """Draw a mesh.

        Args:
            mesh: in the world; it stays as it is. Its ``texture_type`` becomes the renderer's.
            mode: of no effect, as in the original.

        Returns:
            Red, green, blue and alpha, shape (B, 4, S, S).
        """
        self.set_texture_mode(mesh.texture_type)
        return self.rasterizer(self.transform(self.lighting(mesh)), mode)

    def forward(
        self,
        vertices: Tensor | NDArray,
        faces: Tensor | NDArray,
        textures: Tensor | NDArray | None = None,
        mode: str | None = None,
        texture_type: str = "surface",
    ) -> Tensor:
        """Draw a mesh, given its parts as to :class:`~unrender.compat.soft_renderer.Mesh`.

        Returns:
            Red, green, blue and alpha, shape (B, 4, S, S).
        """
        return self.render_mesh(Mesh(vertices, faces, textures, texture_type=texture_type), mode)
