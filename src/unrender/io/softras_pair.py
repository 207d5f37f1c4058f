"""View sets of Soft Rasterizer's shape fitting: ``source.npy`` and ``camera.npy``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..errors import InputError
from ..render.conventions import from_softras
from .view_pictures import split_alpha
from .views import Views

HALF_FOV = 15.0
"""Half the angle of view of all SoftRas and N3MR data sets [degrees]; the files do not say it."""


def matches(path: Path) -> bool:
    """Whether this is a folder with ``source.npy`` and ``camera.npy``."""
    return (path / "source.npy").is_file() and (path / "camera.npy").is_file()


def read(path: Path) -> Views:
    """Read ``source.npy``, bytes (N, 4, S, S) of RGBA, and ``camera.npy``, (N, 3).

    A row of the latter is distance, elevation [degrees] and azimuth [degrees].

    The pictures stay as they are, and their left-handed world becomes ours with z negated, see
    :func:`~unrender.render.conventions.from_softras`.

    Raises:
        InputError: an array has the wrong shape or type.
    """
    source, camera = _load(path / "source.npy"), _load(path / "camera.npy")
    if (
        source.dtype != np.uint8
        or source.ndim != 4
        or source.shape[1] != 4
        or source.shape[2] != source.shape[3]
    ):
        raise InputError(
            f"{path / 'source.npy'} must hold bytes of shape (N, 4, S, S), got {source.dtype} {source.shape}"
        )
    if camera.shape != (len(source), 3):
        raise InputError(f"{path / 'camera.npy'} must have shape ({len(source)}, 3), got {camera.shape}")
    pictures, masks = split_alpha(torch.from_numpy(source).permute(0, 2, 3, 1))
    distance, elevation, azimuth = torch.from_numpy(camera.astype(np.float64)).unbind(dim=-1)
    cameras = from_softras(distance, elevation, azimuth, half_fov=HALF_FOV, size=source.shape[-1])
    return Views(pictures, masks, cameras.to(torch.float32), [f"{i:04d}" for i in range(len(source))])


def _load(file: Path) -> np.ndarray:
    try:
        return np.load(file)
    except (ValueError, OSError) as error:
        raise InputError(f"{file} is not a readable NumPy array: {error}") from error
