"""Cameras, lights, and the way from a mesh to a picture."""

from .camera import Camera
from .draw import render
from .light import AmbientLight, DirectionalLight, PointLight, SphericalHarmonicsLight
from .picture import Picture
from .raster.dibr import DIBR
from .shade import Phong
from .texture import sample_texture

__all__ = [
    "DIBR",
    "AmbientLight",
    "Camera",
    "DirectionalLight",
    "Phong",
    "Picture",
    "PointLight",
    "SphericalHarmonicsLight",
    "render",
    "sample_texture",
]
