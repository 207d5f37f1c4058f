"""Reading of meshes."""

from . import materials, obj, utils

__all__ = ["materials", "obj", "utils"]
