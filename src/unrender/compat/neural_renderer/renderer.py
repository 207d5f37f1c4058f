"""The renderer: vertices and faces become pictures of a mesh under a camera and a light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...errors import InputError
from ..left_handed import face_vertices, look, look_at, perspective
from .lighting import lighting
from .projection import projection
from .rasterize import rasterize, rasterize_depth, rasterize_rgbad, rasterize_silhouettes

__all__ = ["Renderer"]

Numbers = Sequence[float] | NDArray | Tensor
Matrix = NDArray | Tensor | None


class Renderer(nn.Module):
    """Pictures of textured meshes. Every argument is an attribute of the same name and may be set later.

    The cameras ``"look_at"`` (towards the origin) and ``"look"`` (along ``camera_direction``) stand at the
    attribute ``eye``, which starts on the z axis where the cube [-1, 1]^3 fills the picture. Their world is
    left-handed: x right, y up, z into the picture from the first ``eye``. With ``"projection"`` points are
    R X + t, in OpenCV's camera axes, and K takes them to pixels of a picture of ``orig_size``. Any other
    ``camera_mode`` set later takes vertices as they are: x and y in [-1, 1], y up, and depth.

    The attribute ``rasterizer_eps``, 0.001, is added to the distances in the gradient of the edges.

    Args:
        image_size: width and height S of the pictures.
        anti_aliasing: draw at twice the size and average 2 x 2 pixels.
        background_color: shape (3,) or (B, 3).
        fill_back: draw faces from behind too.
        camera_mode: ``"projection"``, ``"look"`` or ``"look_at"``.
        K: intrinsics, shape (B or 1, 3, 3).
        R: world to camera, shape (B or 1, 3, 3).
        t: world to camera, shape (B or 1, 1, 3).
        dist_coeffs: OpenCV's k1, k2, p1, p2 and k3, shape (B or 1, 5); zeros when None.
        orig_size: width and height of the picture that K is for [pixels].
        perspective: divide by depth (``"look"`` and ``"look_at"``).
        viewing_angle: half the field of view [degrees].
        camera_direction: where ``"look"`` looks, shape (3,) or (B, 3).
        near: least depth that is drawn.
        far: depth from which on nothing is drawn, and the depth where nothing is.
        light_intensity_ambient: factor on ``light_color_ambient``.
        light_intensity_directional: factor on ``light_color_directional``.
        light_color_ambient: shape (3,) or (B, 3).
        light_color_directional: shape (3,) or (B, 3).
        light_direction: towards the light, shape (3,) or (B, 3).

    Raises:
        InputError: ``camera_mode`` is another one.
    """

    def __init__(
        self,
        image_size: int = 256,
        anti_aliasing: bool = True,
        background_color: Sequence[float] | Tensor = (0, 0, 0),
        fill_back: bool = True,
        camera_mode: str = "projection",
        K: Matrix = None,
        R: Matrix = None,
        t: Matrix = None,
        dist_coeffs: Matrix = None,
        orig_size: float = 1024,
        perspective: bool = True,
        viewing_angle: float = 30,
        camera_direction: Numbers = (0, 0, 1),
        near: float = 0.1,
        far: float = 100,
        light_intensity_ambient: float = 0.5,
        light_intensity_directional: float = 0.5,
        light_color_ambient: Numbers = (1, 1, 1),
        light_color_directional: Numbers = (1, 1, 1),
        light_direction: Numbers = (0, 1, 0),
    ) -> None:
        super().__init__()
        if camera_mode not in ("projection", "look", "look_at"):
            raise InputError(f"camera_mode must be 'projection', 'look' or 'look_at', got {camera_mode!r}")
        self.image_size = image_size
        self.anti_aliasing = anti_aliasing
        self.background_color = background_color
        self.fill_back = fill_back
        self.camera_mode = camera_mode
        self.K = K
        self.R = R
        self.t = t
        self.dist_coeffs = torch.zeros(1, 5) if dist_coeffs is None else dist_coeffs
        self.orig_size = orig_size
        self.perspective = perspective
        self.viewing_angle = viewing_angle
        self.eye: Any = [0, 0, -(1 / math.tan(math.radians(viewing_angle)) + 1)]
        self.camera_direction = camera_direction
        self.near = near
        self.far = far
        self.light_intensity_ambient = light_intensity_ambient
        self.light_intensity_directional = light_intensity_directional
        self.light_color_ambient = light_color_ambient
        self.light_color_directional = light_color_directional
        self.light_direction = light_direction
        self.rasterizer_eps = 1e-3

    def forward(
        self,
        vertices: Tensor,
        faces: Tensor,
        textures: Tensor | None = None,
        mode: str | None = None,
        K: Matrix = None,
        R: Matrix = None,
        t: Matrix = None,
        dist_coeffs: Matrix = None,
        orig_size: float | None = None,
    ) -> Any:
        """Draw.

        Args:
            vertices: shape (B, V, 3).
            faces: vertex indices, shape (B, F, 3).
            textures: shape (B, F, T, T, T, 3), T at least 2; colours need them.
            mode: ``"rgb"``, ``"silhouettes"`` or ``"depth"``; all three when None.
            K: replaces the attribute this once, as all that follow.
            R: shape (B or 1, 3, 3).
            t: shape (B or 1, 1, 3).
            dist_coeffs: shape (B or 1, 5).
            orig_size: [pixels].

        Returns:
            Colours (B, 3, S, S), silhouettes (B, S, S) or depth (B, S, S); or, when ``mode`` is None,
            colours, depth and silhouettes.

        Raises:
            InputError: ``mode`` is another one, textures or camera are missing, or a shape is wrong.
        """
        camera = (K, R, t, dist_coeffs, orig_size)
        if mode is None:
            return self.render(vertices, faces, textures, *camera)
        if mode == "rgb":
            return self.render_rgb(vertices, faces, textures, *camera)
        if mode == "silhouettes":
            return self.render_silhouettes(vertices, faces, *camera)
        if mode == "depth":
            return self.render_depth(vertices, faces, *camera)
        raise InputError(f"mode must be None, 'rgb', 'silhouettes' or 'depth', got {mode!r}")

    def render(
        self,
        vertices: Tensor,
        faces: Tensor,
        textures: Tensor | None,
        K: Matrix = None,
        R: Matrix = None,
        t: Matrix = None,
        dist_coeffs: Matrix = None,
        orig_size: float | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Colours, depth and silhouettes; see :meth:`forward`."""
        faces = self._with_backs(faces)
        textures = self._lit(vertices, faces, textures)
        triangles = self._project(vertices, faces, K, R, t, dist_coeffs, orig_size)
        drawn = rasterize_rgbad(triangles, textures, *self._options, self.background_color)
        return drawn["rgb"], drawn["depth"], drawn["alpha"]

    def render_rgb(
        self,
        vertices: Tensor,
        faces: Tensor,
        textures: Tensor | None,
        K: Matrix = None,
        R: Matrix = None,
        t: Matrix = None,
        dist_coeffs: Matrix = None,
        orig_size: float | None = None,
    ) -> Tensor:
        """Colours alone; see :meth:`forward`."""
        faces = self._with_backs(faces)
        textures = self._lit(vertices, faces, textures)
        triangles = self._project(vertices, faces, K, R, t, dist_coeffs, orig_size)
        return rasterize(triangles, textures, *self._options, self.background_color)

    def render_silhouettes(
        self,
        vertices: Tensor,
        faces: Tensor,
        K: Matrix = None,
        R: Matrix = None,
        t: Matrix = None,
        dist_coeffs: Matrix = None,
        orig_size: float | None = None,
    ) -> Tensor:
        """Silhouettes alone; see :meth:`forward`."""
        triangles = self._project(vertices, self._with_backs(faces), K, R, t, dist_coeffs, orig_size)
        return rasterize_silhouettes(triangles, *self._options)

    def render_depth(
        self,
        vertices: Tensor,
        faces: Tensor,
        K: Matrix = None,
        R: Matrix = None,
        t: Matrix = None,
        dist_coeffs: Matrix = None,
        orig_size: float | None = None,
    ) -> Tensor:
        """Depth alone; see :meth:`forward`."""
        triangles = self._project(vertices, self._with_backs(faces), K, R, t, dist_coeffs, orig_size)
        return rasterize_depth(triangles, *self._options)

    @property
    def _options(self) -> tuple[int, bool, float, float, float]:
        return self.image_size, self.anti_aliasing, self.near, self.far, self.rasterizer_eps

    def _with_backs(self, faces: Tensor) -> Tensor:
        return torch.cat([faces, faces.flip(-1)], 1) if self.fill_back else faces

    def _lit(self, vertices: Tensor, faces: Tensor, textures: Tensor | None) -> Tensor:
        """Lit textures of ``faces``, backs included."""
        if textures is None or textures.ndim != 6:
            got = None if textures is None else tuple(textures.shape)
            raise InputError(f"colours need textures of shape (B, F, T, T, T, 3), got {got}")
        if self.fill_back:
            textures = torch.cat([textures, textures.transpose(2, 4)], 1)
        return lighting(
            face_vertices(vertices, faces),
            textures,
            self.light_intensity_ambient,
            self.light_intensity_directional,
            self.light_color_ambient,
            self.light_color_directional,
            self.light_direction,
        )

    def _project(
        self,
        vertices: Tensor,
        faces: Tensor,
        K: Matrix,
        R: Matrix,
        t: Matrix,
        dist_coeffs: Matrix,
        orig_size: float | None,
    ) -> Tensor:
        """Corners on the screen, shape (B, F, 3, 3)."""
        if self.camera_mode == "projection":
            given, own = (K, R, t, dist_coeffs), (self.K, self.R, self.t, self.dist_coeffs)
            matrices = [mine if value is None else value for value, mine in zip(given, own, strict=True)]
            missing = [name for name, value in zip("KRt", matrices, strict=False) if value is None]
            if missing:
                got = " and no ".join(missing)
                raise InputError(f"camera_mode 'projection' needs K, R and t, got no {got}")
            K, R, t, dist_coeffs = (torch.as_tensor(m).to(vertices) for m in matrices)
            size = self.orig_size if orig_size is None else orig_size
            vertices = projection(vertices, K, R, t, dist_coeffs, size)
        elif self.camera_mode in ("look", "look_at"):
            if self.camera_mode == "look":
                vertices = look(vertices, self.eye, self.camera_direction)
            else:
                vertices = look_at(vertices, self.eye)
            if self.perspective:
                vertices = perspective(vertices, angle=self.viewing_angle)
        return face_vertices(vertices, faces)
