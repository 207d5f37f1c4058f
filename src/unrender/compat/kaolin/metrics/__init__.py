"""Distances and losses between masks, point clouds and meshes."""

from . import pointcloud, render, trianglemesh

__all__ = ["pointcloud", "render", "trianglemesh"]
