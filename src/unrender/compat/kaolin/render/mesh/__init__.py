"""DIB-R rasterisation, texturing and lighting."""

from . import dibr, rasterization, utils
from .dibr import dibr_rasterization, dibr_soft_mask
from .rasterization import rasterize
from .utils import prepare_vertices, spherical_harmonic_lighting, texture_mapping

__all__ = [
    "dibr",
    "dibr_rasterization",
    "dibr_soft_mask",
    "prepare_vertices",
    "rasterization",
    "rasterize",
    "spherical_harmonic_lighting",
    "texture_mapping",
    "utils",
]
