"""OpenEXR pictures of one channel, through OpenCV."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from ..errors import InputError

MAGIC = b"\x76\x2f\x31\x01"
NEEDED = "OpenEXR pictures need OpenCV: pip install 'opencv-python-headless<5'"


def read_exr(file: Path) -> np.ndarray:
    """The first channel of an OpenEXR picture.

    OpenCV reads OpenEXR only where the environment has ``OPENCV_IO_ENABLE_OPENEXR`` set; this sets it. The
    wheels of OpenCV 5.0 cannot read it at all.

    Args:
        file: its path.

    Returns:
        Shape (H, W), float32.

    Raises:
        InputError: the file is missing or broken.
        ImportError: there is no OpenCV, or one without OpenEXR.
    """
    os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")
    try:
        import cv2
    except ImportError as error:
        raise ImportError(NEEDED) from error
    if not file.is_file() or file.read_bytes()[:4] != MAGIC:
        raise InputError(f"{file} is missing or no OpenEXR picture")
    if re.search(r"OpenEXR:\s+NO", cv2.getBuildInformation()):
        raise ImportError(f"this OpenCV ({cv2.__version__}) was built without OpenEXR. {NEEDED}")
    try:
        picture = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise InputError(f"{file} cannot be read: {error}") from error
    if picture is None:
        raise InputError(f"{file} is not a readable OpenEXR picture")
    # OpenCV puts the channels in the order blue, green, red
    channel = picture if picture.ndim == 2 else picture[..., min(2, picture.shape[2] - 1)]
    return channel.astype(np.float32)
