"""The ``NMR_Dataset`` folders of Differentiable Volumetric Rendering, and ours, which hold more.

::

    <root>/<category>/softras_{train,val,test}.lst      names, one a line; else {train,val,test}.lst
    <root>/<category>/<name>/image/0000.png             pictures
                             mask/0000.png              their masks
                             cameras.npz                world_mat_i, camera_mat_i, perhaps scale_mat_i
                             pointcloud.npz             points, normals; they are normalised already, and loc
                                                        and scale say from where
                             visual_hull_depth/0000.exr

and what :mod:`unrender.learn.data.tree_writer` adds: ``depth.npz``, ``normals.npz``, ``voxels.npz`` and
``lights.npz``. The object's frame is the normalised world of the cameras
(:func:`~unrender.render.conventions.from_dvr`); which way objects face there is the data set's choice.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....errors import InputError
from ....io import dvr
from ....io.exr import read_exr
from ..light_arrays import lights_from_arrays
from ..object_views import ObjectViews
from .reading import pack_rgba, read_arrays, read_names, reading

SPLITS = ("train", "val", "test")


def matches(root: Path) -> bool:
    """Whether a sub-folder has lists of names."""
    return any(_lists(root, split) for split in SPLITS)


class NMRTree:
    """Objects of one split.

    Args:
        path: the folder.
        split: train, val or test.
        visual_hull_depth: give the depth of the visual hull, which DVR computed from the masks, as the depth
            of each view, in place of ``depth.npz``. Needs an OpenCV that reads OpenEXR.

    Raises:
        InputError: no category has a list of this split.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, split: str = "train", visual_hull_depth: bool = False
    ) -> None:
        self._root = Path(path)
        self._visual_hull_depth = visual_hull_depth
        lists = _lists(self._root, split)
        if not lists:
            raise InputError(f"{path} has no CATEGORY/softras_{split}.lst or CATEGORY/{split}.lst")
        found = [(file.parent.name, name) for file in lists for name in read_names(file)]
        self.categories = [category for category, _ in found]
        self.names = [name for _, name in found]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> ObjectViews:
        """Read an object.

        Raises:
            InputError: a file is missing, broken, or of another shape.
            ImportError: depth of the visual hull was asked for, and no OpenCV that reads it is installed.
        """
        folder = self._root / self.categories[index] / self.names[index]
        if not dvr.matches(folder):
            raise InputError(f"{folder} must hold cameras.npz and image")
        with reading(folder):
            determinant = _determinant(folder / "cameras.npz")
            views = dvr.read(folder, depth=False)
            extras = _extras(folder, mirrored=determinant < 0)
            if self._visual_hull_depth:
                # camera z in the units of the normalised world
                extras["depth"] = _visual_hull_depth(folder, len(views)) / abs(determinant) ** (1 / 3)
            return ObjectViews(
                self.names[index],
                self.categories[index],
                pack_rgba(views.pictures, views.masks),
                views.cameras,
                **extras,
            )


def _lists(root: Path, split: str) -> list[Path]:
    return sorted(root.glob(f"*/softras_{split}.lst")) or sorted(root.glob(f"*/{split}.lst"))


def _determinant(cameras: Path) -> float:
    """Of the linear part of ``world_mat_0 @ scale_mat_0``: a scale, negative where it mirrors."""
    stored = read_arrays(cameras)
    with reading(cameras):
        linear = stored["world_mat_0"][:3, :3] @ stored.get("scale_mat_0", np.eye(4))[:3, :3]
        return float(np.linalg.det(linear))


def _extras(folder: Path, *, mirrored: bool) -> dict[str, Any]:
    """What stands beside pictures and cameras, by the names of :class:`ObjectViews`."""
    names = ("pointcloud", "depth", "normals", "voxels", "lights")
    files = {name: folder / f"{name}.npz" for name in names if (folder / f"{name}.npz").is_file()}
    found: dict[str, Any] = {}
    for name, file in files.items():
        stored = read_arrays(file)
        with reading(file):
            if name == "pointcloud":
                found["points"] = _in_our_world(stored["points"], mirrored)
                found["point_normals"] = _in_our_world(stored["normals"], mirrored)
            elif name == "depth":
                found["depth"] = torch.from_numpy(stored["depth"].astype(np.float32))
            elif name == "normals":
                normals = torch.from_numpy(stored["normals"].astype(np.float32))
                found["normals"] = torch.nn.functional.normalize(normals, dim=-1)
            elif name == "voxels":
                size = int(stored["size"])
                cells = np.unpackbits(stored["voxels"])[: size**3].astype(bool)
                found["voxels"] = torch.from_numpy(cells.reshape(size, size, size))
            else:
                found["lights"] = lights_from_arrays(stored)
    return found


def _in_our_world(vectors: np.ndarray, mirrored: bool) -> Tensor:
    """Points or normals; ``from_dvr`` negates z where the cameras mirror."""
    if vectors.ndim != 2 or vectors.shape[1] != 3:
        raise InputError(f"points and normals must have shape (N, 3), got {vectors.shape}")
    return torch.from_numpy(vectors.astype(np.float32)) * torch.tensor([1.0, 1.0, -1.0 if mirrored else 1.0])


def _visual_hull_depth(folder: Path, count: int) -> Tensor:
    files = sorted((folder / "visual_hull_depth").glob("*.exr"))
    if len(files) != count:
        raise InputError(
            f"{folder / 'visual_hull_depth'} must hold an .exr for each of {count} pictures, got {len(files)}"
        )
    depth = torch.stack([torch.from_numpy(read_exr(file)) for file in files])
    return torch.where(torch.isfinite(depth), depth, 0.0)
