"""Data sets of pictures of objects: making them, reading them, generating them."""

from .capture import CaptureOptions, capture
from .light_record import LightRecord
from .object_views import ObjectViews

__all__ = ["CaptureOptions", "LightRecord", "ObjectViews", "capture"]
