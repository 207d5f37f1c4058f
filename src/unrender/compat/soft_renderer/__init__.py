"""SoftRas's names, on CPU and CUDA alike.

``import unrender.compat.soft_renderer as sr`` keeps code written against Soft Rasterizer 1.0.0
(``soft_renderer``) running: the same names, defaults, shapes, conventions and pictures. Without CUDA its
scripts run once their ``.cuda()`` is gone; what it made on the GPU (meshes from files) is made on torch's
default device. Float32 and float64 work everywhere. Wrong input raises
:class:`~unrender.errors.InputError`, which is a :class:`ValueError`.

Other than in the original, :class:`Lighting` and :class:`Transform` leave the mesh that they are given as it
is, so that it can be drawn again without ``reset_()``; :class:`Renderer` and the camera mode ``'look'`` work;
the gradient of the silhouette and of surface textures is the true one; vertex colours are read and saved; and
:class:`FlattenLoss` sees every edge.
"""

from . import functional
from .lighting import AmbientLighting, DirectionalLighting, Lighting
from .losses import FlattenLoss, LaplacianLoss
from .mesh import Mesh
from .rasterizer import Rasterizer, SoftRasterizer
from .renderer import Renderer, SoftRenderer
from .transform import Look, LookAt, Projection, Transform

__all__ = [
    "AmbientLighting",
    "DirectionalLighting",
    "FlattenLoss",
    "LaplacianLoss",
    "Lighting",
    "Look",
    "LookAt",
    "Mesh",
    "Projection",
    "Rasterizer",
    "Renderer",
    "SoftRasterizer",
    "SoftRenderer",
    "Transform",
    "functional",
]
