"""What can go wrong with the materials of a mesh file."""

__all__ = ["MaterialError", "MaterialFileError", "MaterialLoadError", "MaterialNotFoundError"]


class MaterialError(Exception):
    """A material cannot be used."""


class MaterialFileError(MaterialError):
    """A material library cannot be opened."""


class MaterialLoadError(MaterialError):
    """A line of a material library cannot be read, often because its picture is missing."""


class MaterialNotFoundError(MaterialError):
    """Faces use a material that no library defines."""
