"""Look-at matrices and perspective projection."""

from . import legacy
from .legacy import (
    generate_perspective_projection,
    generate_rotate_translate_matrices,
    generate_transformation_matrix,
    perspective_camera,
    rotate_translate_points,
)

__all__ = [
    "generate_perspective_projection",
    "generate_rotate_translate_matrices",
    "generate_transformation_matrix",
    "legacy",
    "perspective_camera",
    "rotate_translate_points",
]
