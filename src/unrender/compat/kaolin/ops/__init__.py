"""Operations on meshes."""

from . import mesh

__all__ = ["mesh"]
