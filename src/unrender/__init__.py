"""Differentiable rendering in PyTorch: pictures in, textured 3D meshes out, and back again.

The names below load when they are first used, so importing the package is quick and loads neither Warp nor
PyTorch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import InputError
    from .evaluate import EvaluateOptions, evaluate
    from .fit import DeformOptions, FitOptions, deform, fit
    from .geometry import Mesh, PackedMeshes, icosphere
    from .io import Views, load_mesh, load_picture, load_views, save_mesh, save_picture, save_views
    from .learn.prediction import Prediction
    from .learn.predictor import Predictor
    from .learn.registry import load_predictor, save_predictor
    from .learn.training import TrainOptions, train
    from .pose import estimate_pose
    from .predict import predict
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
    "evaluate": ("EvaluateOptions", "evaluate"),
    "fit": ("DeformOptions", "FitOptions", "deform", "fit"),
    "geometry": ("Mesh", "PackedMeshes", "icosphere"),
    "io": ("Views", "load_mesh", "load_picture", "load_views", "save_mesh", "save_picture", "save_views"),
    "learn.prediction": ("Prediction",),
    "learn.predictor": ("Predictor",),
    "learn.registry": ("load_predictor", "save_predictor"),
    "learn.training": ("TrainOptions", "train"),
    "pose": ("estimate_pose",),
    "predict": ("predict",),
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
    "EvaluateOptions",
    "FitOptions",
    "InputError",
    "Mesh",
    "NeuralMesh",
    "PackedMeshes",
    "Phong",
    "Picture",
    "PointLight",
    "Prediction",
    "Predictor",
    "SoftRas",
    "SphericalHarmonicsLight",
    "TrainOptions",
    "Views",
    "deform",
    "estimate_pose",
    "evaluate",
    "fit",
    "icosphere",
    "load_mesh",
    "load_picture",
    "load_predictor",
    "load_views",
    "predict",
    "render",
    "save_mesh",
    "save_picture",
    "save_predictor",
    "save_views",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
