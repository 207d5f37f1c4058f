"""Cameras and rasterisation."""

from . import camera, mesh

__all__ = ["camera", "mesh"]
