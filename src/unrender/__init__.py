"""Differentiable rendering in PyTorch: pictures in, textured 3D meshes out, and back again.

The names below load when they are first used, so importing the package is quick and loads neither Warp nor
PyTorch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import InputError
    from .fit import DeformOptions, FitOptions, deform, fit
    from .geometry import Mesh, PackedMeshes, icosphere
    from .io import Views, load_mesh, load_picture, load_views, save_mesh, save_picture, save_views
    from .pose import estimate_pose
    from .render import (
        DIBR,
        AmbientLight,
        Camera,
        DirectionalLight,
        NeuralMesh,
        Phong,
        Picture,
        PointLight,
        SoftRas,
        SphericalHarmonicsLight,
        render,
    )

__version__ = "0.1.0"

_HOMES = {
    "errors": ("InputError",),
    "fit": ("DeformOptions", "FitOptions", "deform", "fit"),
    "geometry": ("Mesh", "PackedMeshes", "icosphere"),
    "io": ("Views", "load_mesh", "load_picture", "load_views", "save_mesh", "save_picture", "save_views"),
    "pose": ("estimate_pose",),
    "render": (
        "DIBR",
        "AmbientLight",
        "Camera",
        "DirectionalLight",
        "NeuralMesh",
        "Phong",
        "Picture",
        "PointLight",
        "SoftRas",
        "SphericalHarmonicsLight",
        "render",
    ),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "DIBR",
    "AmbientLight",
    "Camera",
    "DeformOptions",
    "DirectionalLight",
    "FitOptions",
    "InputError",
    "Mesh",
    "NeuralMesh",
    "PackedMeshes",
    "Phong",
    "Picture",
    "PointLight",
    "SoftRas",
    "SphericalHarmonicsLight",
    "Views",
    "deform",
    "estimate_pose",
    "fit",
    "icosphere",
    "load_mesh",
    "load_picture",
    "load_views",
    "render",
    "save_mesh",
    "save_picture",
    "save_views",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
