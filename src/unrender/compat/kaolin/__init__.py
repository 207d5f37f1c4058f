"""Kaolin's names, on CPU and CUDA alike.

``import unrender.compat.kaolin as kal`` keeps code written against NVIDIA Kaolin 0.18 running: the same
module paths, signatures, defaults, shapes and conventions, for the part of Kaolin that renders, compares and
reads triangle meshes. Float32 and float64 work everywhere. Wrong input raises
:class:`~unrender.errors.InputError`, which is a :class:`ValueError`.
"""

from . import io, metrics, ops, render

__all__ = ["io", "metrics", "ops", "render"]
