"""Functions on tensors: cameras, light, files, rasterization."""

from ...left_handed import (
    face_vertices,
    get_points_from_angles,
    look,
    look_at,
    orthogonal,
    perspective,
)
from .lighting import ambient_lighting, directional_lighting
from .load_obj import load_obj
from .projection import projection
from .save_obj import create_texture_image, save_obj, save_voxel
from .soft_rasterize import soft_rasterize
from .vertex_normals import vertex_normals
from .voxelization import voxelization

__all__ = [
    "ambient_lighting",
    "create_texture_image",
    "directional_lighting",
    "face_vertices",
    "get_points_from_angles",
    "load_obj",
    "look",
    "look_at",
    "orthogonal",
    "perspective",
    "projection",
    "save_obj",
    "save_voxel",
    "soft_rasterize",
    "vertex_normals",
    "voxelization",
]
