"""Cameras, lights, and the way from a mesh to a picture.

The package itself can be called: ``unrender.render(mesh, camera)`` is :func:`unrender.render.render`.
"""

from ..verbs import make_callable
from .camera import Camera
from .draw import render
from .light import AmbientLight, DirectionalLight, PointLight, SphericalHarmonicsLight
from .mesh_picture import MeshPicture
from .picture import Picture
from .raster.dibr import DIBR
from .raster.nmr import NeuralMesh
from .raster.softras import SoftRas
from .shade import Phong
from .texture import sample_texture
from .turntable import composite, framing_camera, headlight, render_antialiased, studio_light, turntable

__all__ = [
    "DIBR",
    "AmbientLight",
    "Camera",
    "DirectionalLight",
    "MeshPicture",
    "NeuralMesh",
    "Phong",
    "Picture",
    "PointLight",
    "SoftRas",
    "SphericalHarmonicsLight",
    "composite",
    "framing_camera",
    "headlight",
    "render",
    "render_antialiased",
    "sample_texture",
    "studio_light",
    "turntable",
]

make_callable(__name__, render)
