"""View sets of Differentiable Volumetric Rendering: ``image``, ``mask`` and ``cameras.npz``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..errors import InputError
from ..render.conventions import from_dvr
from .view_pictures import PICTURE_SUFFIXES, read_pictures, view_names
from .views import Views


def matches(path: Path) -> bool:
    """Whether this is a folder with ``cameras.npz`` and ``image``."""
    return (path / "cameras.npz").is_file() and (path / "image").is_dir()


def read(path: Path) -> Views:
    """Read a folder of DVR's layout (ShapeNet renderings of NMR, DTU).

    The i-th picture of ``image``, by name, goes with the i-th of ``mask`` and with ``world_mat_i``,
    ``camera_mat_i`` and, where it is there, ``scale_mat_i``. The world is the normalised one, see
    :func:`~unrender.render.conventions.from_dvr`. Without a ``mask`` folder the alpha channel is the mask.

    Raises:
        InputError: counts differ, a matrix is missing or wrong, the views have different normalised worlds,
            or a picture breaks a rule.
    """
    files = _pictures(path / "image")
    masks: list[Path | None] = [None] * len(files)
    if (path / "mask").is_dir():
        masks = list(_pictures(path / "mask"))
        if len(masks) != len(files):
            raise InputError(
                f"{path / 'mask'} must hold a mask for each of {len(files)} pictures, got {len(masks)}"
            )
    file = path / "cameras.npz"
    try:
        with np.load(file) as stored:
            matrices = {
                name: np.asarray(stored[name], dtype=np.float64) for name in stored.files if "_mat_" in name
            }
    except (ValueError, OSError) as error:
        raise InputError(f"{file} is not a readable NumPy archive: {error}") from error
    count = sum(name.startswith("world_mat_") and "inv" not in name for name in matrices)
    if count != len(files):
        raise InputError(f"{file} must hold world_mat_i for each of {len(files)} pictures, got {count}")
    world, camera = (_stack(matrices, name, len(files), file) for name in ("world_mat", "camera_mat"))
    scale = _stack(matrices, "scale_mat", len(files), file) if "scale_mat_0" in matrices else None
    if scale is not None and not torch.allclose(scale, scale[:1], rtol=1e-6):
        raise InputError(f"{file} must hold one scale_mat for all views, got different ones")
    pictures, alpha = read_pictures(files, masks, advice=f"put its mask into {path / 'mask'}")
    height, width = alpha.shape[1:]
    try:
        cameras = from_dvr(world, camera, scale, width=width, height=height)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    return Views(pictures, alpha, cameras.to(torch.float32), view_names(files))


def _pictures(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in PICTURE_SUFFIXES)


def _stack(matrices: dict[str, np.ndarray], name: str, count: int, file: Path) -> torch.Tensor:
    missing = [i for i in range(count) if f"{name}_{i}" not in matrices]
    if missing:
        raise InputError(f"{file} has no {name}_{missing[0]}")
    chosen = [matrices[f"{name}_{i}"] for i in range(count)]
    if len({matrix.shape for matrix in chosen}) > 1:
        raise InputError(f"{file}: all {name}_i must have one shape")
    return torch.from_numpy(np.stack(chosen))
