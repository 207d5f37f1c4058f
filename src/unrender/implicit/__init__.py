"""Implicit shape and texture: fields, casting rays on them, pictures of them, and meshes from them."""

from .cast import CastOptions, Hits, cast
from .extract import EmptyFieldError, ExtractOptions, extract_mesh, refine_mesh
from .field import Field, GridField, OccupancyField
from .picture import FieldPicture, render_field
from .space import OccupiedSpace
from .surface import outward_normals, surface_depth

__all__ = [
    "CastOptions",
    "EmptyFieldError",
    "ExtractOptions",
    "Field",
    "FieldPicture",
    "GridField",
    "Hits",
    "OccupancyField",
    "OccupiedSpace",
    "cast",
    "extract_mesh",
    "outward_normals",
    "refine_mesh",
    "render_field",
    "surface_depth",
]
