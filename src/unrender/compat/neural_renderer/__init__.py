"""The Neural 3D Mesh Renderer's names, on CPU and CUDA alike.

``import unrender.compat.neural_renderer as nr`` keeps code written against neural_renderer 1.1.3 (the PyTorch
port by Kolotouros of Kato's renderer) running: the same names, defaults, shapes and conventions, pictures and
gradients. Float32 and float64 work everywhere. Wrong input raises :class:`~unrender.errors.InputError`, which
is a :class:`ValueError`.

Other than in the original, silhouettes and depth keep to ``near``, ``far`` and ``rasterizer_eps`` too, faces
that cross the near plane are cut there, ``camera_direction`` counts, :func:`lighting` does not change the
textures that it is given nor darken small faces, every item of a batch reads its textures at its own depths,
and :func:`load_obj` wraps pictures as its options say.
"""

from ..left_handed import face_vertices as vertices_to_faces
from ..left_handed import get_points_from_angles, look, look_at, perspective
from .lighting import lighting
from .load_obj import load_obj
from .mesh import Mesh
from .projection import projection
from .rasterize import Rasterize, rasterize, rasterize_depth, rasterize_rgbad, rasterize_silhouettes
from .renderer import Renderer
from .save_obj import save_obj

__all__ = [
    "Mesh",
    "Rasterize",
    "Renderer",
    "get_points_from_angles",
    "lighting",
    "load_obj",
    "look",
    "look_at",
    "perspective",
    "projection",
    "rasterize",
    "rasterize_depth",
    "rasterize_rgbad",
    "rasterize_silhouettes",
    "save_obj",
    "vertices_to_faces",
]
