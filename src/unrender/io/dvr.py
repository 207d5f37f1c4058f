"""View sets of Differentiable Volumetric Rendering: ``image``, ``mask`` and ``cameras.npz``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..render.conventions import from_dvr
from .view_depth import DEPTH_SUFFIXES, read_depth, splat_points
from .view_pictures import PICTURE_SUFFIXES, read_pictures, view_names
from .views import Views


def matches(path: Path) -> bool:
    """Whether this is a folder with ``cameras.npz`` and ``image``."""
    return (path / "cameras.npz").is_file() and (path / "image").is_dir()


def read(path: Path, *, depth: bool = True) -> Views:
    """Read a folder of DVR's layout (ShapeNet renderings of NMR, DTU).

    The i-th picture of ``image``, by name, goes with the i-th of ``mask`` and with ``world_mat_i``,
    ``camera_mat_i`` and, where it is there, ``scale_mat_i``. The world is the normalised one, see
    :func:`~unrender.render.conventions.from_dvr`. Without a ``mask`` folder the alpha channel is the mask.

    Depth comes from ``depth``, a file a picture by name (camera z in the units of ``world_mat``), or else
    from ``pcl.npz``: ``points`` before ``scale_mat``, of which ``visibility_%04d`` lists those that a picture
    shows and ``is_in_visual_hull`` says which to trust.

    Args:
        path: the folder.
        depth: read depth where there is some.

    Raises:
        InputError: counts differ, a matrix is missing or wrong, the views have different normalised worlds,
            or a picture or depth map breaks a rule.
        ImportError: depth maps in OpenEXR need OpenCV.
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
    maps = _depth(path, files, world, camera, scale, (width, height)) if depth else None
    return Views(pictures, alpha, cameras.to(torch.float32), view_names(files), maps)


def _depth(
    path: Path, files: list[Path], world: Tensor, camera: Tensor, scale: Tensor | None, size: tuple[int, int]
) -> Tensor | None:
    """Camera z in the normalised world, (N, H, W)."""
    width, height = size
    linear = world[0, :3, :3] if scale is None else world[0, :3, :3] @ scale[0, :3, :3]
    unit = float(torch.linalg.det(linear).abs()) ** (1 / 3)  # of the normalised world, in that of depth
    if (path / "depth").is_dir():
        maps = sorted(f for f in (path / "depth").iterdir() if f.suffix.lower() in DEPTH_SUFFIXES)
        if len(maps) != len(files):
            raise InputError(
                f"{path / 'depth'} must hold a depth map for each of {len(files)} pictures, got {len(maps)}"
            )
        return read_depth(maps, [1 / unit] * len(maps), width=width, height=height)
    if (path / "pcl.npz").is_file():
        return _sparse_depth(path / "pcl.npz", world, camera, width, height) / unit
    return None


def _sparse_depth(file: Path, world: Tensor, camera: Tensor, width: int, height: int) -> Tensor:
    """Depth maps (N, H, W), in the units of ``world``, of the points that each view sees."""
    try:
        with np.load(file) as stored:
            points = torch.from_numpy(stored["points"].astype(np.float64))
            trusted = np.asarray(stored["is_in_visual_hull"], dtype=bool)
            visible = [np.asarray(stored[f"visibility_{i:04d}"]) for i in range(len(world))]
            chosen = [torch.from_numpy(np.arange(len(points))[v][trusted[v]]) for v in visible]
    except (ValueError, OSError, KeyError, IndexError) as error:
        raise InputError(f"{file} does not hold what views see of points: {error}") from error
    if points.ndim != 2 or points.shape[1] != 3:
        raise InputError(f"{file}: points must have shape (P, 3), got {tuple(points.shape)}")
    maps = []
    for rows, to_camera, to_picture in zip(chosen, world, camera, strict=True):
        seen = points[rows] @ to_camera[:3, :3].mT + to_camera[:3, 3]
        places = seen @ to_picture[:3, :3].mT
        ndc = places[:, :2] / places[:, 2:]
        pixels = (ndc + 1) / 2 * ndc.new_tensor([width, height])
        maps.append(splat_points(torch.cat([pixels, seen[:, 2:]], -1), width, height))
    return torch.stack(maps).to(torch.float32)


def _pictures(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in PICTURE_SUFFIXES)


def _stack(matrices: dict[str, np.ndarray], name: str, count: int, file: Path) -> Tensor:
    missing = [i for i in range(count) if f"{name}_{i}" not in matrices]
    if missing:
        raise InputError(f"{file} has no {name}_{missing[0]}")
    chosen = [matrices[f"{name}_{i}"] for i in range(count)]
    if len({matrix.shape for matrix in chosen}) > 1:
        raise InputError(f"{file}: all {name}_i must have one shape")
    return torch.from_numpy(np.stack(chosen))
